"""The rows of a file, whatever its format, with the line each stood on."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyarrow import ArrowException

from recipes.catalog.importers.files import Position, open_bytes
from recipes.errors import BadCatalogueFile, BadRecipe

csv.field_size_limit(min(sys.maxsize, 1 << 24))

_TEXT_ENDINGS = (".csv", ".jsonl", ".ndjson")
# ValueError: text in it that is not UTF-8, and times that Python cannot hold.
_PARQUET_DAMAGE = (ArrowException, OSError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 1 (a line, where the format has lines), and its fields or why it has none."""

    line: int
    fields: dict[str, Any] | None
    problem: BadRecipe | None = None


@contextmanager
def open_rows(path: Path) -> Iterator[tuple[Iterator[Row], Position]]:
    """Rows of a CSV, JSON Lines or parquet file by its ending; ``.gz`` and ``.zip`` around the first two.

    Raises:
        BadCatalogueFile: the ending is unknown or the file is damaged.
    """
    ending = next((suffix for suffix in map(str.lower, reversed(path.suffixes)) if suffix not in {".gz", ".zip"}), "")
    if ending == ".parquet":
        with _open_parquet(path) as opened:
            yield opened
        return
    inside = (ending,) if ending in _TEXT_ENDINGS else _TEXT_ENDINGS
    with open_bytes(path, inside=inside) as unpacked:
        # Bytes that are not UTF-8 survive as lone surrogates, so that the row with them can be refused by name.
        text = io.TextIOWrapper(unpacked.content, encoding="utf-8-sig", errors="surrogateescape", newline="")
        ending = Path(unpacked.name).suffix.lower()
        if ending in {".jsonl", ".ndjson"}:
            yield _json_lines(text), unpacked.position
        elif ending in {".csv", ""}:
            yield _csv_rows(path, text), unpacked.position
        else:
            raise BadCatalogueFile(f"{path} must end in .csv, .jsonl, .ndjson or .parquet (or .gz or .zip after it)")


def checked_row(line: int, fields: dict[str, Any]) -> Row:
    """A row of *fields*, or of the problem that one of them was not UTF-8 in the file."""
    for name, value in fields.items():
        if not is_utf8(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)):
            return Row(line, None, BadRecipe(name if is_utf8(name) else "row", "is not valid UTF-8"))
    return Row(line, fields)


def is_utf8(text: str) -> bool:
    """Whether *text* can be written as UTF-8: it holds no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _csv_rows(path: Path, text: io.TextIOWrapper) -> Iterator[Row]:
    reader = csv.reader(text, strict=False)
    try:
        header = next(reader, None)
        if not header:
            raise BadCatalogueFile(f"{path} has no header line")
        line = reader.line_num + 1
        for values in reader:
            if len(values) == len(header):
                yield checked_row(line, dict(zip(header, values, strict=True)))
            elif values:
                reason = f"has {len(values)} columns where the header has {len(header)}"
                yield Row(line, None, BadRecipe("row", reason))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadCatalogueFile(f"{path}, line {reader.line_num}: {error}") from error


def _json_lines(text: io.TextIOWrapper) -> Iterator[Row]:
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, None, BadRecipe("row", f"is not JSON: {error}"))
            continue
        if isinstance(fields, dict):
            yield Row(number, fields) if is_utf8(line) else checked_row(number, fields)
        else:
            yield Row(number, None, BadRecipe("row", f"must be an object, got {type(fields).__name__}"))


@contextmanager
def _open_parquet(path: Path) -> Iterator[tuple[Iterator[Row], Position]]:
    try:
        file = pq.ParquetFile(path)
    except _PARQUET_DAMAGE as error:
        raise BadCatalogueFile(f"{path} is not a parquet file, or damaged: {error}") from error
    with file:
        total = max(1, file.metadata.num_rows)
        read = [0]
        yield _parquet_rows(path, file, read), lambda: read[0] / total


def _parquet_rows(path: Path, file: pq.ParquetFile, read: list[int]) -> Iterator[Row]:
    batches = file.iter_batches(batch_size=1_000)
    while True:
        try:
            batch = next(batches, None)
            rows = [] if batch is None else batch.to_pylist()
        except _PARQUET_DAMAGE as error:
            raise BadCatalogueFile(f"{path} is damaged behind row {read[0]}: {error}") from error
        if batch is None:
            return
        for fields in rows:
            read[0] += 1
            yield Row(read[0], fields)
