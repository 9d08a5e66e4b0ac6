"""What a point belongs to: a name and labels. How many of them there can be is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OTHER = "__other__"
MAX_NAMES = 500
MAX_SERIES_PER_NAME = 200
_MAX_LENGTH = 200

LabelPairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """A metric's name and one set of labels, sorted by label."""

    name: str
    labels: LabelPairs

    def carries(self, wanted: LabelPairs) -> bool:
        """Whether all of *wanted* are among the labels."""
        return not wanted or set(wanted) <= set(self.labels)

    def value(self, label: str) -> str | None:
        """The value of *label*; None where the series has no such label."""
        return next((value for name, value in self.labels if name == label), None)


class SeriesTable:
    """Gives each series a number. What would be too many shares a series whose label values are ``__other__``.

    A name has at most ``MAX_SERIES_PER_NAME`` sets of labels, and there are at most ``MAX_NAMES`` names. Not safe from
    threads: whoever has a table locks it.
    """

    def __init__(self, *, max_series_per_name: int = MAX_SERIES_PER_NAME, max_names: int = MAX_NAMES) -> None:
        self._max_series = max_series_per_name
        self._max_names = max_names
        self._numbers: dict[Series, int] = {}
        self._n_by_name: dict[str, int] = {}
        self.all: list[Series] = []

    def number(self, series: Series) -> tuple[int, bool]:
        """The number of *series*, and whether it had to be that of another one because there are too many."""
        known = self._numbers.get(series)
        if known is not None:
            return known, False
        if series.name not in self._n_by_name and len(self._n_by_name) >= self._max_names:
            return self._take(Series(OTHER, ())), True
        if self._n_by_name.get(series.name, 0) >= self._max_series:
            return self._take(self._stand_in(series)), True
        return self._take(series), False

    def _stand_in(self, series: Series) -> Series:
        other = Series(series.name, tuple((label, OTHER) for label, _ in series.labels))
        # Too many different sets of label names, too.
        is_room = other in self._numbers or self._n_by_name[series.name] < 2 * self._max_series
        return other if is_room else Series(series.name, ((OTHER, OTHER),))

    def _take(self, series: Series) -> int:
        known = self._numbers.get(series)
        if known is not None:
            return known
        self._numbers[series] = number = len(self.all)
        self._n_by_name[series.name] = self._n_by_name.get(series.name, 0) + 1
        self.all.append(series)
        return number


def series_of(name: object, labels: Mapping[str, Any] | None) -> Series | None:
    """The series that a caller means; None where *name* or *labels* are no names and labels.

    Label values that are numbers or booleans become text; long ones are cut at 200 characters.
    """
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_LENGTH:
        return None
    name = _text(name)
    if not labels:
        return Series(name, ())
    if not isinstance(labels, Mapping) or not all(map(_is_label, labels.items())):
        return None
    pairs = ((_text(label), _text(value)) for label, value in labels.items())
    return Series(name, tuple(sorted(pairs)))


def pairs_of(labels: Mapping[str, str] | None) -> LabelPairs:
    """Labels as a reader gives them, as pairs."""
    return tuple((label, _text(value)) for label, value in labels.items()) if labels else ()


def _is_label(item: tuple[object, object]) -> bool:
    label, value = item
    return isinstance(label, str) and 0 < len(label) <= _MAX_LENGTH and isinstance(value, str | int | float)


def _text(value: object) -> str:
    # What cannot be written as UTF-8 would keep a whole flush from the disk.
    return str(value)[:_MAX_LENGTH].encode("utf-8", "replace").decode("utf-8")
