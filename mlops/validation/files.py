"""Reads files whose values have types. CSV has none, and guessing them would be the conversion that is not wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from mlops.errors import UnreadableData

TYPED = (".parquet", ".arrow", ".feather", ".jsonl", ".ndjson", ".json")


def read_typed(path: Path) -> Any:
    """The file at *path*: an Arrow table, or a list of rows of JSON.

    Raises:
        UnreadableData: it is missing, damaged, or of a kind without types.
    """
    ending = path.suffix.lower()
    if not path.is_file():
        raise UnreadableData(f"there is no file {path}")
    if ending not in TYPED:
        raise UnreadableData(f"{path.name} has no types to validate; write it as one of {', '.join(TYPED)}")
    if ending in {".jsonl", ".ndjson"}:
        return _lines(path)
    if ending == ".json":
        return _rows(path, _parsed(path.read_bytes(), path.name))
    return _table(path, ending)


def _table(path: Path, ending: str) -> Any:
    import pyarrow as pa
    from pyarrow import feather, parquet

    try:
        return parquet.read_table(path) if ending == ".parquet" else feather.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableData(f"{path.name} cannot be read as {ending[1:]}: {str(error)[:200]}") from error


def _lines(path: Path) -> list[Any]:
    lines = enumerate(path.read_bytes().splitlines(), start=1)
    return _rows(path, [_parsed(line, f"line {number} of {path.name}") for number, line in lines if line.strip()])


def _rows(path: Path, value: Any) -> list[Any]:
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UnreadableData(f"row {number} of {path.name} must be an object, got {type(row).__name__}")
    return rows


def _parsed(text: bytes, name: str) -> Any:
    """*text* as JSON.

    Raises:
        UnreadableData: it is none; *name* says which.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableData(f"{name} is not JSON: {error}") from error
