"""What a cook did with a shown recipe, as a grade.

| grade | what happened |
| --- | --- |
| 5 | rated 5 |
| 4 | cooked, or rated from 4 to below 5 |
| 3 | saved |
| 2 | clicked, or rated from 3 to below 4 |
| 1 | nothing: it was shown |
| 0 | dismissed, or rated below 3 |

A rating counts alone, the last one. Without one, cooking counts before saving, that before dismissing, that before a
click. The gain of a grade in an evaluation is grade - 1, and 0 for grade 0, as in :mod:`recipes.evaluation.gains`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What grades an event gives by itself, the stronger later.
GRADES = {"click": 2, "dismiss": 0, "save": 3, "cook": 4}
SHOWN = 1
N_GRADES = 6
# Codes of events in arrays.
EVENT_CODES = {kind: code for code, kind in enumerate((*GRADES, "rating"))}


@dataclass(frozen=True, slots=True)
class Events:
    """What cooks did; every array has shape (n_events,), sorted by row and time.

    Attributes:
        rows: of the impressions.
        kinds: see :data:`EVENT_CODES`.
        values: the rating, NaN for other events.
        times: seconds since 1970 in UTC.
    """

    rows: NDArray[np.int64]
    kinds: NDArray[np.int8]
    values: NDArray[np.float32]
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def between(self, first: int, last: int) -> Events:
        """Those of the rows from *first* to before *last*, their rows counted from *first*."""
        start, end = np.searchsorted(self.rows, [first, last])
        kept = slice(int(start), int(end))
        return Events(self.rows[kept] - first, self.kinds[kept], self.values[kept], self.times[kept])


def grades_of(
    events: Events, shown_at: NDArray[np.float64], *, until: float, window_seconds: float
) -> NDArray[np.int8]:
    """The grade of each impression, shape (n_impressions,).

    Args:
        shown_at: shape (n_impressions,): seconds since 1970 in UTC.
        until: events at or after this moment did not happen yet.
        window_seconds: events later than this after the impression do not count.
    """
    counted = (events.times < until) & (events.times <= shown_at[events.rows] + window_seconds)
    rows, kinds, values = events.rows[counted], events.kinds[counted], events.values[counted]
    grades = np.full(len(shown_at), SHOWN, dtype=np.int8)
    for kind, grade in GRADES.items():
        grades[rows[kinds == EVENT_CODES[kind]]] = grade
    rated = kinds == EVENT_CODES["rating"]
    # Of several for one row the last assignment stays, which is the last rating.
    grades[rows[rated]] = grade_of_ratings(values[rated])
    return grades


def grade_of_ratings(ratings: NDArray[np.float32]) -> NDArray[np.int8]:
    """Grades of ratings from 1 to 5, shape (n,)."""
    steps = np.array([3.0, 4.0, 5.0], dtype=np.float32)
    return np.array([0, 2, 4, 5], dtype=np.int8)[np.searchsorted(steps, ratings, side="right")]


def gains_of(grades: NDArray[np.int8]) -> NDArray[np.float64]:
    """Gains of grades, 0 to 4, shape (n,)."""
    return np.maximum(grades.astype(np.float64) - 1, 0)
