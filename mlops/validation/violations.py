"""What is wrong with data: every violation with row, column, rule and value, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = 1
_LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong.

    Attributes:
        row: counted from 0; None for what concerns the data as a whole.
        column: its name, with a path into nested values such as "features.semantic" or "steps[2]".
        rule: a JSON Schema keyword such as "minimum", or a data rule such as "unique".
        value: what was found, shortened where it is long.
        message: what would be right.
    """

    row: int | None
    column: str
    rule: str
    value: Any
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What became of a validation.

    Attributes:
        part: of the schema.
        n_rows: that the data has.
        violations: by row and column, those of the whole data first.
        unchecked: sentences about rules that could not be checked.
        is_complete: False where there were more violations than asked for; the rows after the last were not looked at.
    """

    part: str
    n_rows: int
    violations: Sequence[Violation]
    unchecked: Sequence[str] = ()
    is_complete: bool = True

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How many violations each column and rule has, most first."""
        return dict(Counter((one.column, one.rule) for one in self.violations).most_common())

    @property
    def sentence(self) -> str:
        """The summary in one sentence."""
        whole = f"{counted(self.n_rows, 'row')} of {self.part}"
        if self.valid:
            return f"{whole}, nothing wrong."
        rows = len({one.row for one in self.violations if one.row is not None})
        at_least = "" if self.is_complete else "at least "
        n = counted(len(self.violations), "violation")
        return f"{whole}: {at_least}{n} in {counted(rows, 'row')}."

    def to_dict(self) -> dict[str, Any]:
        """As plain data, ready for JSON."""
        return {
            "schema_version": SCHEMA_VERSION, "part": self.part, "valid": self.valid, "n_rows": self.n_rows,
            "n_violations": len(self.violations), "is_complete": self.is_complete, "sentence": self.sentence,
            "summary": [{"column": column, "rule": rule, "n": n} for (column, rule), n in self.counts.items()],
            "violations": [one.to_dict() for one in self.violations], "unchecked": list(self.unchecked),
        }  # fmt: skip


def counted(n: int, noun: str) -> str:
    """*n* and the noun, in the plural where it is not one."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def shown(value: Any) -> Any:
    """*value* as JSON can hold it, shortened where it is long."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and abs(value) < float("inf"):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
