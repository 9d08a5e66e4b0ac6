"""Views as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import orjson
from markupsafe import Markup

from mlops.http.console.ask import Ask
from mlops.http.console.assets import Asset
from mlops.http.console.exports import manner, named, titled
from mlops.http.security import page_headers
from mlops.http.words import Language, Words
from mlops.reports import Link, Table
from mlops.sentences import spanish

_HERE = Path(__file__).parent

SECURITY_HEADERS = page_headers(cache_control="private, no-store")


def load_words(*sentences: Path) -> dict[Language, Words]:
    """The words of the console: each file of the folder is the first part of its keys.

    Args:
        sentences: folders with an application's sentences in Spanish, beside the toolkit's.
    """
    return Words.load(sorted((_HERE / "words").glob("*.toml")), spanish=spanish(*sentences))


def environment(assets: Mapping[str, Asset]) -> jinja2.Environment:
    """The templates of the console and those of reports, whose drawings look the same in both."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.FileSystemLoader(_HERE / "templates"), jinja2.PackageLoader("mlops.reports", "templates")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["kind"] = lambda block: type(block).__name__
    made.globals["titled"] = titled
    made.globals["named"] = named
    made.globals["asset"] = {name: asset.address for name, asset in assets.items()}.__getitem__
    made.filters["as_json"] = lambda value: orjson.dumps(value).decode()
    made.globals["numeric_columns"] = _numeric_columns
    return made


def _numeric_columns(table: Table) -> set[int]:
    """The columns whose values are numbers, or missing."""
    return {
        place
        for place, column in enumerate(zip(*table.rows, strict=True))
        if any(_is_number(value) for value in column) and all(_is_number(value) or value is None for value in column)
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Renderer:
    """Makes documents of templates, with the words of the page's language."""

    def __init__(self, menu: Sequence[Any], *, assets: Mapping[str, Asset], notice: str) -> None:
        self._templates = environment(assets)
        self._menu = menu
        self._notice = notice

    def __call__(self, template: str, ask: Ask, **context: Any) -> str:
        """The document."""
        return self._templates.get_template(template).render(
            context,
            ask=ask,
            t=ask.words,
            cell=manner(ask.words, link=_anchor).cell,
            menu=self._menu,
            notice=ask.words.told(self._notice),
        )


def _anchor(link: Link) -> Markup:
    return Markup('<a href="{}">{}</a>').format(link.href, link.text)
