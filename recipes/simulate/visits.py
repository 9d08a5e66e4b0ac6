"""Who asks when: cooks differ in how often they ask, weekdays in how busy they are, hours in what they are for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from recipes.simulate.chance import chance
from recipes.simulate.options import Options
from recipes.text import Language

# Monday to Sunday; the mean is 1.
WEEKDAYS = (0.85, 0.82, 0.87, 0.93, 1.13, 1.26, 1.14)
_HOURS, _HOURS_CHANCES, _HOURS_SPREAD = (8.5, 13.0, 19.0), (0.2, 0.35, 0.45), 1.1
_SHAPE_OF_RATES = 1.5
_SPANISH_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Visit:
    """A cook comes to ask. *number* counts the asks of this cook from 0."""

    cook: int
    number: int
    at: datetime

    @property
    def hour(self) -> float:
        """Hour of the day, 0 to 24."""
        return self.at.hour + self.at.minute / 60


class Visits:
    """The visits of all cooks, day by day, the same in every arm."""

    def __init__(self, options: Options) -> None:
        self._options = options
        rng = chance(options.seed, "cooks")
        n_cooks = options.n_cooks
        scale = options.asks_per_day / _SHAPE_OF_RATES
        self.rates = rng.gamma(_SHAPE_OF_RATES, scale, n_cooks)
        self.languages: Sequence[Language] = ["es" if draw < _SPANISH_SHARE else "en" for draw in rng.random(n_cooks)]

    def by_day(self) -> Iterator[list[Visit]]:
        """The visits of each day in the order of their times."""
        n_asked = np.zeros(self._options.n_cooks, dtype=np.int64)
        for day in range(1, self._options.n_days + 1):
            yield self._of_day(day, n_asked)

    def _of_day(self, day: int, n_asked: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[Visit]:
        rng = chance(self._options.seed, "visits", day)
        midnight = self._options.midnight(day)
        counts = rng.poisson(self.rates * WEEKDAYS[midnight.weekday()])
        cooks = np.repeat(np.arange(len(counts)), counts)
        middles = np.array(_HOURS)[rng.choice(len(_HOURS), size=len(cooks), p=_HOURS_CHANCES)]
        hours = np.clip(rng.normal(middles, _HOURS_SPREAD), 0, 23.99)
        order = np.argsort(hours, kind="stable")
        visits: list[Visit] = []
        for cook, hour in zip(cooks[order].tolist(), hours[order].tolist(), strict=True):
            visits.append(Visit(cook, int(n_asked[cook]), midnight + timedelta(hours=hour)))
            n_asked[cook] += 1
        return visits
