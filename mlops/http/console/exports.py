"""A page of the console to keep: one HTML file, JSON, or a table as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.view import ConsoleBlock, Details, View
from mlops.http.words import Words
from mlops.reports import Badge, Chart, Facts, Link, Prose, Said, Section, Table, render_page
from mlops.reports.page import Block, Cell, Manner

# A spreadsheet takes a cell that begins so for a formula, whoever wrote it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_html(view: View, ask: Ask, *, notice: str = "") -> str:
    """The page as one HTML file that needs nothing else, to print or to keep, under the *notice* of all pages."""
    sections = [Section(panel.heading, list(_standing_alone(panel.blocks, ask.words))) for panel in view.panels]
    return render_page(
        view.title,
        [section for section in sections if section.blocks],
        lead=view.lead,
        notice=notice,
        verdict=view.verdict,
        made_at=ask.now,
        language=ask.language,
        manner=manner(ask.words),
    )


def as_json(view: View, ask: Ask, *, notice: str = "") -> dict[str, Any]:
    """The page as plain values: its sentences, and by panel its facts, tables and what is drawn, under their keys."""
    return {
        "title": view.title,
        "lead": view.lead,
        "notice": notice or None,
        "verdict": None if view.verdict is None else view.verdict.text,
        "made_at": ask.now.isoformat(),
        "address": ask.here({}),
        "panels": [
            {"name": panel.name, "heading": panel.heading, **_values(_flat(panel.blocks))} for panel in view.panels
        ],
    }


def tables_of(view: View) -> dict[str, Table]:
    """The tables of the page by name: that of the panel, with a number from the second one on."""
    return {one.name: one.table for one in _placed(view)}


def titles_of(view: View) -> dict[str, str]:
    """What a person calls each table: how its caption begins, else as its panel is headed.

    Where several are called the same, the line that each is folded under tells them apart, else a number.
    """
    placed = list(_placed(view))
    same = Counter(one.title for one in placed)
    titles = [f"{one.title} – {one.fold}" if same[one.title] > 1 and one.fold else one.title for one in placed]
    seen = Counter[str]()
    found = {}
    for one, title in zip(placed, titles, strict=True):
        seen[title] += 1
        found[one.name] = title if seen[title] == 1 else f"{title} {seen[title]}"
    return found


def as_csv(table: Table) -> str:
    """*table* as CSV (RFC 4180) with the keys of its columns as heads; charts are left out, times are ISO 8601."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(table.columns)
    writer.writerows([_harmless(_plain(value)) for value in row] for row in table.rows)
    return file.getvalue()


def manner(words: Words, **changed: Any) -> Manner:
    """How values are written in the language of *words*."""

    def said(one: Said) -> Said:
        if one.is_quoted or one.language not in {"en", ""}:
            return one
        read = words.sentence(one.text, is_said=one.language == "en")
        return one if read is None else Said(read, words.language)

    return Manner(
        words.number,
        words.share,
        words.p_value,
        words.time,
        words("common.yes"),
        words("common.no"),
        said=said,
        **changed,
    )


def titled(table: Table, words: Words) -> Table:
    """*table* with the words of its columns in place of their keys."""
    return Table([words.get(f"columns.{column}", column) for column in table.columns], table.rows, table.caption)


def named(facts: Facts, words: Words) -> Facts:
    """*facts* with the words of their names in place of their keys."""
    return Facts([(words.get(f"columns.{name}", name), value) for name, value in facts.rows])


@dataclass(frozen=True, slots=True)
class _Placed:
    """A table and where it stands: under which heading, and folded away under which line."""

    name: str
    table: Table
    heading: str
    fold: str

    @property
    def title(self) -> str:
        # What follows a colon, a comma or a stop explains.
        return re.split(r"[:.,;](?:\s|$)", self.table.caption, maxsplit=1)[0] or self.heading


def _placed(view: View) -> Iterator[_Placed]:
    for panel in view.panels:
        for number, (table, fold) in enumerate(_tables(panel.blocks), start=1):
            yield _Placed(panel.name if number == 1 else f"{panel.name}-{number}", table, panel.heading, fold)


def _tables(blocks: Sequence[ConsoleBlock], fold: str = "") -> Iterator[tuple[Table, str]]:
    for block in blocks:
        if isinstance(block, Details):
            yield from _tables(block.blocks, block.summary)
        elif isinstance(block, Table):
            yield block, fold


def _flat(blocks: Sequence[ConsoleBlock]) -> Iterator[ConsoleBlock]:
    for block in blocks:
        if isinstance(block, Details):
            yield from _flat(block.blocks)
        else:
            yield block


def _standing_alone(blocks: Sequence[ConsoleBlock], words: Words) -> Iterator[Block]:
    """What of *blocks* makes sense without a browser that talks to us."""
    for block in _flat(blocks):
        if isinstance(block, Table):
            yield titled(block, words)
        elif isinstance(block, Facts):
            yield named(block, words)
        elif isinstance(block, Block):
            yield block


def _values(blocks: Iterator[ConsoleBlock]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for block in blocks:
        if isinstance(block, Table):
            rows = [dict(zip(block.columns, map(_plain, row), strict=True)) for row in block.rows]
            values.setdefault("tables", []).append({"caption": block.caption, "rows": rows})
        elif isinstance(block, Facts):
            values.setdefault("facts", {}).update({name: _plain(value) for name, value in block.rows})
        elif isinstance(block, Prose | Said | Badge):
            values.setdefault("texts", []).append(block.text)
        elif isinstance(block, Chart):
            drawn = [{name: _plain(value) for name, value in row.items()} for row in block.rows]
            values.setdefault("charts", []).append({"caption": block.caption, "rows": drawn})
    return values


def _plain(value: Cell) -> str | float | int | bool | None:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Badge | Link | Said):
        return value.text
    if isinstance(value, float):
        return float(value)
    return None if isinstance(value, Chart) else value


def _harmless(value: str | float | int | bool | None) -> str | float | int | bool | None:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
