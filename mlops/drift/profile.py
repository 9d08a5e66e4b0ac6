"""Reference profiles: what a model was trained on, small enough to be kept with it.

A profile takes about 5 kB of JSON for a column of numbers and 25 kB for one of vectors, whatever the number of rows.
It replaces the data in a drift check, and profiles of parts merge into that of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from mlops.drift import sketch
from mlops.drift.categorical import CategorySummary
from mlops.drift.columns import column_names, count_rows, read_column
from mlops.drift.numeric import NumericSummary
from mlops.drift.options import KINDS, DriftOptions
from mlops.drift.summary import ColumnSummary, Summary, summarise_column
from mlops.drift.vectors import Encoder, VectorSummary, hashed_words
from mlops.errors import BadProfile, DriftError

SCHEMA_VERSION = 1
SKETCH_SIZE = 256
KEPT_CATEGORIES = 200
_DEFAULTS = DriftOptions()


@dataclass(frozen=True, slots=True)
class ReferenceProfile:
    """The columns of a table, summarised.

    Attributes:
        columns: by name, in the order of the table.
        n_rows: of the table.
        sketch_size: quantiles kept of each numeric column.
        kept_categories: values kept of each categorical column.
    """

    columns: Mapping[str, ColumnSummary]
    n_rows: int
    sketch_size: int = SKETCH_SIZE
    kept_categories: int = KEPT_CATEGORIES

    def __post_init__(self) -> None:
        if min(self.sketch_size, self.kept_categories) < 10:
            sizes = f"{self.sketch_size} and {self.kept_categories}"
            raise ValueError(f"sketch_size and kept_categories must be at least 10, got {sizes}")

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        options: DriftOptions = _DEFAULTS,
        encode: Encoder = hashed_words,
        sketch_size: int = SKETCH_SIZE,
        kept_categories: int = KEPT_CATEGORIES,
    ) -> ReferenceProfile:
        """The profile of *data*, an Arrow table, a frame or a mapping of arrays.

        Args:
            options: of them ``kinds``, ``max_rows`` and ``seed`` matter here.
            encode: turns texts into vectors; checks against this profile need the same one.

        Raises:
            DriftError: *data* is no table.
        """
        empty = cls({}, count_rows(data), sketch_size, kept_categories)
        names = column_names(data)
        read = (read_column(data, name, kind=options.kinds.get(name)) for name in names)
        summaries = (summarise_column(column, options=options, encode=encode) for column in read)
        columns = {summary.name: empty._shrunk(summary) for summary in summaries}
        return cls(columns, empty.n_rows, sketch_size, kept_categories)

    def merge(self, other: ReferenceProfile) -> ReferenceProfile:
        """The profile of both tables, one below the other. The sizes are those of *self*.

        Raises:
            DriftError: the columns or their types differ.
        """
        if list(self.columns) != list(other.columns):
            differing = sorted(set(self.columns) ^ set(other.columns)) or list(other.columns)
            raise DriftError(f"profiles with different columns cannot be merged: {', '.join(differing)}")
        columns = {name: self._merged(column, other.columns[name]) for name, column in self.columns.items()}
        return ReferenceProfile(columns, self.n_rows + other.n_rows, self.sketch_size, self.kept_categories)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "schema_version": SCHEMA_VERSION, "n_rows": self.n_rows, "sketch_size": self.sketch_size,
            "kept_categories": self.kept_categories,
            "columns": [_column_to_dict(column) for column in self.columns.values()],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, fields: Any) -> ReferenceProfile:
        """The opposite of :meth:`to_dict`.

        Raises:
            BadProfile: *fields* is not what it wrote, or a later release wrote it.
        """
        try:
            if fields["schema_version"] != SCHEMA_VERSION:
                raise BadProfile(f"this release reads profiles of version 1, got {fields['schema_version']!r}")
            columns = [_column_from_dict(column) for column in fields["columns"]]
            sizes = fields["n_rows"], fields["sketch_size"], fields["kept_categories"]
            return cls({column.name: column for column in columns}, *map(sketch.checked_count, sizes))
        except KeyError as error:
            raise BadProfile(f"the profile lacks the field {error.args[0]!r}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise error if isinstance(error, BadProfile) else BadProfile(f"not a profile: {error}") from error

    def to_json(self) -> bytes:
        """As JSON, every float exact."""
        return orjson.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: bytes | str) -> ReferenceProfile:
        """The opposite of :meth:`to_json`.

        Raises:
            BadProfile: *text* is not JSON, or not a profile.
        """
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadProfile(f"a profile must be JSON: {error}") from error
        return cls.from_dict(fields)

    def save(self, path: Path) -> None:
        """Write the profile to *path*."""
        path.write_bytes(self.to_json())

    @classmethod
    def load(cls, path: Path) -> ReferenceProfile:
        """The profile at *path*.

        Raises:
            BadProfile: the file holds none.
        """
        return cls.from_json(path.read_bytes())

    def _shrunk(self, column: ColumnSummary) -> ColumnSummary:
        summary: Summary | None = column.summary
        if isinstance(summary, NumericSummary):
            summary = sketch.shrunk(summary, size=self.sketch_size)
        elif isinstance(summary, CategorySummary):
            summary = sketch.kept_categories(summary, size=self.kept_categories)
        elif isinstance(summary, VectorSummary):
            summary = sketch.shrunk_vectors(summary, size=self.sketch_size)
        return ColumnSummary(column.name, column.kind, column.type_name, column.n_rows, summary)

    def _merged(self, first: ColumnSummary, second: ColumnSummary) -> ColumnSummary:
        for side, other in ((first, second), (second, first)):
            if side.type_name == "no values":
                return _with_missing_rows(other, side.n_rows)
        if first.type_name != second.type_name:
            types = f"{first.type_name} and {second.type_name}"
            raise DriftError(f"column {first.name} holds {types}: such profiles cannot be merged")
        summary: Summary | None = None
        before, now = first.summary, second.summary
        if isinstance(before, NumericSummary) and isinstance(now, NumericSummary):
            summary = sketch.merged(before, now, size=self.sketch_size)
        elif isinstance(before, CategorySummary) and isinstance(now, CategorySummary):
            summary = sketch.merged_categories(before, now, size=self.kept_categories)
        elif isinstance(before, VectorSummary) and isinstance(now, VectorSummary):
            summary = sketch.merged_vectors(before, now, size=self.sketch_size)
        return ColumnSummary(first.name, first.kind, first.type_name, first.n_rows + second.n_rows, summary)


def _with_missing_rows(column: ColumnSummary, n_rows: int) -> ColumnSummary:
    summary = column.summary and replace(column.summary, n_missing=column.summary.n_missing + n_rows)
    return replace(column, n_rows=column.n_rows + n_rows, summary=summary)


def _column_to_dict(column: ColumnSummary) -> dict[str, Any]:
    fields = {name: getattr(column, name) for name in ("name", "kind", "type_name", "n_rows")}
    summary = column.summary
    if isinstance(summary, NumericSummary):
        fields["summary"] = sketch.numeric_to_dict(summary)
    elif isinstance(summary, CategorySummary):
        fields["summary"] = sketch.categories_to_dict(summary)
    else:
        fields["summary"] = sketch.vectors_to_dict(summary) if summary else None
    return fields


def _column_from_dict(fields: Any) -> ColumnSummary:
    kind, summary = fields["kind"], fields["summary"]
    if kind is not None and kind not in KINDS:
        raise ValueError(f"a column's kind must be one of {', '.join(KINDS)}, got {kind!r}")
    readers: dict[str, Callable[[Any], Summary]] = {
        "numeric": sketch.numeric_from_dict, "categorical": sketch.categories_from_dict,
        "text": sketch.vectors_from_dict, "embedding": sketch.vectors_from_dict,
    }  # fmt: skip
    read = readers.get(kind or "")
    n_rows = sketch.checked_count(fields["n_rows"])
    return ColumnSummary(str(fields["name"]), kind, str(fields["type_name"]), n_rows, read(summary) if read else None)
