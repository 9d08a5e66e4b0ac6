"""Views as HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import orjson
from markupsafe import Markup, escape

from mlops.http.console.ask import Ask
from mlops.http.console.exports import named, titled
from mlops.http.words import Language, Words
from mlops.reports import Badge, Chart, Link, Said

_HERE = Path(__file__).parent
STATIC_FOLDER = _HERE / "static"
STATIC_ADDRESS = "/consola/archivos"

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


def environment() -> jinja2.Environment:
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
    made.globals["asset"] = {file.name: _address_of(file) for file in STATIC_FOLDER.iterdir()}.__getitem__
    made.filters["as_json"] = lambda value: orjson.dumps(value).decode()
    made.tests["number"] = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    return made


class Renderer:
    """Makes documents of templates, with the words of the page's language."""

    def __init__(self, menu: Sequence[Any], *, notice: str) -> None:
        self._templates = environment()
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


def _address_of(file: Path) -> str:
    version = hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest()
    return f"{STATIC_ADDRESS}/{file.name}?v={version}"
