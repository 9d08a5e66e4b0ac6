"""Views as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import orjson
from markupsafe import Markup, escape

from mlops.http.console.ask import Ask
from mlops.http.console.assets import Asset
from mlops.http.console.exports import named, titled
from mlops.http.words import Language, Words
from mlops.reports import Badge, Chart, Link, Said, Table

_HERE = Path(__file__).parent

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def load_words() -> dict[Language, Words]:
    """The words of the console: each file of the folder is the first part of its keys."""
    return Words.load(sorted((_HERE / "words").glob("*.toml")))


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
            context, ask=ask, t=ask.words, cell=_cells(ask.words), menu=self._menu, notice=self._notice
        )


def _cells(words: Words) -> Callable[[Any], Markup]:
    """How values look in the language of *words*."""

    def cell(value: Any) -> Markup:
        if value is None:
            return Markup('<span class="none">–</span>')
        if isinstance(value, Badge):
            return Markup('<b class="badge {}">{}</b>').format(value.tone, value.text)
        if isinstance(value, Chart):
            return value.drawing
        if isinstance(value, Link):
            return Markup('<a href="{}">{}</a>').format(value.href, value.text)
        if isinstance(value, Said):
            return Markup('<span lang="{}">{}</span>').format(value.language, value.text)
        if isinstance(value, bool):
            return escape(words("common.yes" if value else "common.no"))
        if isinstance(value, datetime):
            return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), words.time(value))
        if isinstance(value, int | float):
            return escape(words.number(value))
        return escape(str(value))

    return cell
