"""One self-contained HTML page out of sections: no script, nothing fetched, light and dark, fit to print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup, escape

from mlops.reports._svg import Drawing, Rows
from mlops.reports.figures import shown_number, shown_p_value, shown_share, shown_time

if TYPE_CHECKING:
    from jinja2 import Template

Tone = Literal["good", "bad", "note", "plain"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A word that stands out, such as a verdict. The text says what the colour says."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs of plain text, an empty line between two of them."""

    text: str

    @property
    def paragraphs(self) -> list[str]:
        """The text of each paragraph."""
        return [paragraph.strip() for paragraph in self.text.split("\n\n") if paragraph.strip()]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of :mod:`mlops.reports.svg`, and a caption. May also be a cell of a table."""

    drawing: Markup
    caption: str = ""

    @property
    def narrow(self) -> Markup:
        """The drawing for a narrow page, to stand after that for a wide one; empty where one is for both."""
        return self.drawing.narrow if isinstance(self.drawing, Drawing) else Markup()

    @property
    def rows(self) -> Rows:
        """What is drawn, for programs."""
        return self.drawing.rows if isinstance(self.drawing, Drawing) else ()


@dataclass(frozen=True, slots=True)
class Legend:
    """What the two series of the charts below are called."""

    reference: str = "reference"
    current: str = "current"


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads on. A page that stands alone shows its text only."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as it was kept, in its own *language*, whatever that of the page is; empty where nobody knows it.

    Attributes:
        is_quoted: to be shown as it is in any case, such as a question of a cook.
    """

    text: str
    language: str = "en"
    is_quoted: bool = False


class Share(float):
    """A number of 0 to 1, or the difference of two, that people read as a percentage; to programs it is the number."""


class PValue(float):
    """A probability that chance explains what was seen: people need not know how far below 0.001 it is."""


Cell = str | float | int | bool | datetime | Badge | Chart | Link | Said | None
Row = list[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column heads. Numbers are set flush right, None is a dash; the first column heads its row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Named values, one below the other: ``(name, value)``."""

    rows: Sequence[tuple[str, Cell]]


Block = Prose | Table | Chart | Legend | Badge | Facts | Said


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def render_page(
    title: str,
    sections: Sequence[Section],
    *,
    lead: str = "",
    notice: str = "",
    verdict: Badge | None = None,
    made_at: datetime | None = None,
    language: str = "en",
    manner: Manner | None = None,
) -> str:
    """The page as one HTML document; every text in it is escaped.

    Args:
        title: heading of the page.
        sections: from top to bottom.
        lead: the page in one sentence.
        notice: what has to be known before anything else, such as that the traffic is simulated.
        verdict: shown beside the title.
        made_at: aware; shown in UTC.
        language: of the texts, as an HTML ``lang`` value.
        manner: how values are written. Default: as in English.
    """
    return _template().render(
        title=title,
        sections=sections,
        lead=lead,
        notice=notice,
        verdict=verdict,
        made_at=made_at,
        language=language,
        cell=(manner or Manner()).cell,
    )


def save_page(path: Path, document: str) -> None:
    """Write *document* to *path*, whose folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document, "utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mlops.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["number"] = _is_number
    environment.globals["kind"] = lambda block: type(block).__name__
    return environment.get_template("page.html")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a page writes values: in English, unless told otherwise.

    Attributes:
        link: what becomes of a cell that leads on; a page that stands alone shows its text.
        said: a sentence in the language of the page, where that is known.
    """

    number: Callable[[float], str] = shown_number
    share: Callable[[float], str] = shown_share
    p_value: Callable[[float], str] = shown_p_value
    time: Callable[[datetime], str] = shown_time
    yes: str = "yes"
    no: str = "no"
    link: Callable[[Link], Markup] = lambda link: escape(link.text)
    said: Callable[[Said], Said] = lambda said: said

    def cell(self, value: Cell) -> Markup:
        """*value* as HTML; every text in it is escaped."""
        if value is None:
            return Markup('<span class="none">–</span>')
        if isinstance(value, Badge):
            return Markup('<b class="badge {}">{}</b>').format(value.tone, value.text)
        if isinstance(value, Chart):
            return value.drawing
        if isinstance(value, Link):
            return self.link(value)
        if isinstance(value, Said):
            said = self.said(value)
            return Markup('<span lang="{}">{}</span>').format(said.language, said.text)
        return self._plain(value)

    def _plain(self, value: str | float | int | bool | datetime) -> Markup:
        if isinstance(value, bool):
            return escape(self.yes if value else self.no)
        if isinstance(value, datetime):
            return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), self.time(value))
        if isinstance(value, Share):
            return escape(self.share(value))
        if isinstance(value, PValue):
            return escape(self.p_value(value))
        return escape(self.number(value) if isinstance(value, int | float) else value)
