"""schema.org/Recipe objects out of JSON-LD files and out of web pages that carry them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from recipes.catalog.importers.files import open_bytes
from recipes.catalog.importers.rows import Row, checked_row, is_utf8
from recipes.errors import BadCatalogueFile, BadRecipe


def read_json_ld(path: Path) -> Iterator[Row]:
    """Every Recipe object of *path* (``.json``, ``.jsonld`` or ``.html``, also packed), numbered from 1.

    Raises:
        BadCatalogueFile: it is not JSON, or holds no Recipe at all.
    """
    with open_bytes(path, inside=(".json", ".jsonld", ".html", ".htm")) as unpacked:
        text = unpacked.content.read().decode("utf-8-sig", errors="surrogateescape")
    documents = _scripts(text) if text.lstrip().startswith("<") else [text]
    number = 0
    for document in documents:
        try:
            # Not strict: pages in the wild hold raw line breaks inside their texts.
            found = list(_recipes_in(json.loads(document, strict=False)))
        except (ValueError, RecursionError) as error:
            if len(documents) == 1:
                raise BadCatalogueFile(f"{path} is not JSON: {error}") from error
            number += 1
            yield Row(number, None, BadRecipe("row", f"is not JSON: {error}"))
            continue
        for fields in found:
            number += 1
            yield Row(number, fields) if is_utf8(document) else checked_row(number, fields)
    if number == 0:
        raise BadCatalogueFile(f"{path} holds no object of type Recipe")


def _recipes_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for entry in node:
            yield from _recipes_in(entry)
    elif isinstance(node, dict):
        kinds = node.get("@type", ())
        if "Recipe" in (kinds if isinstance(kinds, list) else [kinds]):
            yield node
            return
        for key in ("@graph", "itemListElement", "mainEntity", "item"):
            if key in node:
                yield from _recipes_in(node[key])


class _ScriptFinder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = (dict(attrs).get("type") or "").partition(";")[0].strip().lower()
        if tag == "script" and kind == "application/ld+json":
            self._inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


def _scripts(page: str) -> list[str]:
    finder = _ScriptFinder()
    finder.feed(page)
    return finder.scripts
