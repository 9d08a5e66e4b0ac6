"""What a drift check is held to: one frozen object, stated in each report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["numeric", "categorical", "text", "embedding", "time"]
Correction = Literal["benjamini-hochberg", "none"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftOptions:
    """The lines of a check.

    Attributes:
        threshold: the least effect that counts, above 0. Every effect here is 0 where nothing changed, and about 0.1
            where a tenth of the distribution did.
        alpha: the share of checks without any drift that may alarm, between 0 and 1.
        minimum_n: fewer values than this on either side are "not enough data"; at least 2.
        correction: for the many tests of one check; "none" judges the raw p values.
        kinds: of the columns that should not be judged by their type, such as numbers that are codes.
        n_permutations: at least this many for the tests that need them. A wide check takes more, up to 10,000, since p
            can never be below 1 / (permutations + 1).
        max_rows: rows of each side that a test with permutations looks at, drawn at random.
        seed: of those draws.
    """

    threshold: float = 0.1
    alpha: float = 0.05
    minimum_n: int = 30
    correction: Correction = "benjamini-hochberg"
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    n_permutations: int = 999
    max_rows: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise ValueError(f"threshold must be above 0, got {self.threshold}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, got {self.alpha}")
        if self.correction not in get_args(Correction):
            raise ValueError(f"correction must be one of {', '.join(get_args(Correction))}, got {self.correction!r}")
        _at_least(minimum_n=self.minimum_n, n_permutations=self.n_permutations, max_rows=self.max_rows)
        for column, kind in self.kinds.items():
            if kind not in KINDS:
                raise ValueError(f"the kind of column {column} must be one of {', '.join(KINDS)}, got {kind!r}")


def _at_least(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 2:
            raise ValueError(f"{name} must be at least 2, got {number}")
