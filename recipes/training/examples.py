"""From the log to what is learned from: one part of time, labelled and cleaned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recipes.ranker import FEATURES
from recipes.training.cleaning import clickers, programs, repeated
from recipes.training.labels import SHOWN, grades_of
from recipes.training.log import ImpressionLog
from recipes.training.options import TrainingOptions

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Examples:
    """Shown recipes of one part of time; every array but ``sizes`` has shape (n_rows,), slates stand together.

    Attributes:
        features: shape (n_rows, n_features), see :class:`~recipes.training.log.ImpressionLog`.
        grades: see :mod:`recipes.training.labels`.
        positions: from 1.
        recipes: a number for each.
        scores, propensities: as written down.
        sizes: shape (n_slates,): rows of each slate, at least 2.
        request_ids: of the slates.
        answered_at: of the slates, seconds since 1970 in UTC: shape (n_slates,).
        left_out: how many impressions of this part are not here, by the reason.
    """

    features: NDArray[np.float32]
    grades: NDArray[np.int8]
    positions: NDArray[np.int16]
    recipes: NDArray[np.int32]
    scores: NDArray[np.float32]
    propensities: NDArray[np.float32]
    sizes: NDArray[np.int64]
    request_ids: Sequence[str]
    answered_at: NDArray[np.float64]
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.grades)

    @cached_property
    def slates(self) -> NDArray[np.int64]:
        """Shape (n_rows,): number of the slate of each row."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def columns(self) -> dict[str, NDArray[np.float32]]:
        """The features by name, each of shape (n_rows,)."""
        return dict(zip(FEATURES, self.features.T, strict=True))

    @cached_property
    def reacted(self) -> NDArray[np.bool_]:
        """Shape (n_slates,): whether a cook took to one of its recipes more than to another."""
        starts = np.cumsum(self.sizes) - self.sizes
        if not len(starts):
            return np.zeros(0, dtype=np.bool_)
        highest, lowest = (which.reduceat(self.grades, starts) for which in (np.maximum, np.minimum))
        return (highest > SHOWN) & (highest > lowest)

    def where(self, slates: NDArray[np.bool_]) -> Examples:
        """Those of some *slates*, shape (n_slates,)."""
        rows = np.repeat(slates, self.sizes)
        kept = [one for one, is_kept in zip(self.request_ids, slates.tolist(), strict=True) if is_kept]
        columns = ("features", "grades", "positions", "recipes", "scores", "propensities")
        return Examples(
            **{name: getattr(self, name)[rows] for name in columns},
            sizes=self.sizes[slates], request_ids=kept, answered_at=self.answered_at[slates], left_out=self.left_out,
        )  # fmt: skip

    def then(self, later: Examples) -> Examples:
        """These, followed by those of a *later* part of time."""
        columns = (
            "features", "grades", "positions", "recipes", "scores", "propensities", "sizes", "answered_at",
        )  # fmt: skip
        left_out = {reason: n + later.left_out.get(reason, 0) for reason, n in self.left_out.items()}
        return Examples(
            **{name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in columns},
            request_ids=[*self.request_ids, *later.request_ids],
            left_out=left_out,
        )

    def newness(self, half_life_days: float) -> NDArray[np.float64]:
        """1 for the rows of the newest slate, halved every *half_life_days*: shape (n_rows,)."""
        age_days = (self.answered_at.max(initial=0.0) - self.answered_at) / _DAY_SECONDS
        return np.asarray(np.repeat(np.exp2(-age_days / half_life_days), self.sizes))


def examples_of(log: ImpressionLog, options: TrainingOptions, *, since: float, until: float) -> Examples:
    """The answers of a part of time, as they look at its end; nothing from *until* on has any influence.

    Args:
        since: seconds since 1970 in UTC; answers at or after it.
        until: the end of the part. Answers must be older by the label delay; events must be before it.
    """
    is_old = log.answered_at < until - options.delay_seconds
    first, last = np.searchsorted(log.slates, np.searchsorted(log.answered_at, [since, until]))
    rows = np.arange(first, last)
    shown_at = log.answered_at[log.slates[rows]]
    grades = _grades(log, rows, until, options)
    too_young = ~is_old[log.slates[rows]]
    left_out = {"too_young": int(too_young.sum())}
    kept = rows[~too_young], grades[~too_young], shown_at[~too_young]
    return _cleaned(log, *kept, options, left_out)


def _grades(log: ImpressionLog, rows: NDArray[np.int64], until: float, options: TrainingOptions) -> NDArray[np.int8]:
    if not len(rows):
        return np.zeros(0, dtype=np.int8)
    events = log.events.between(int(rows[0]), int(rows[-1]) + 1)
    shown_at = log.answered_at[log.slates[rows]]
    return grades_of(events, shown_at, until=until, window_seconds=options.attribution_seconds)


def _cleaned(
    log: ImpressionLog,
    rows: NDArray[np.int64],
    grades: NDArray[np.int8],
    shown_at: NDArray[np.float64],
    options: TrainingOptions,
    left_out: dict[str, int],
) -> Examples:
    slates = log.slates[rows]
    users = log.users[slates]
    numbers = np.unique(slates)
    machines = programs(log.users[numbers], log.answered_at[numbers], options)
    is_machine = np.isin(users, np.union1d(machines, clickers(users, grades, options)))
    again = ~is_machine & repeated(
        users, log.queries[slates], log.recipes[rows].astype(np.int64), shown_at, grades,
        within_seconds=options.duplicate_minutes * 60,
    )  # fmt: skip
    left = ~(is_machine | again)
    sizes = np.bincount(slates[left], minlength=len(log.answered_at))
    alone = left & (sizes[slates] < 2)
    left &= ~alone
    reasons = {"programs": is_machine, "repeated": again, "alone": alone}
    chosen = rows[left]
    kept_slates = np.flatnonzero(sizes >= 2)
    return Examples(
        features=log.features[chosen],
        grades=grades[left],
        positions=log.positions[chosen],
        recipes=log.recipes[chosen],
        scores=log.scores[chosen],
        propensities=log.propensities[chosen],
        sizes=sizes[kept_slates],
        request_ids=[log.request_ids[slate] for slate in kept_slates.tolist()],
        answered_at=log.answered_at[kept_slates],
        left_out={**left_out, **{reason: int(which.sum()) for reason, which in reasons.items()}},
    )
