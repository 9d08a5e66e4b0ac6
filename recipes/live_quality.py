"""How good the answers are while nobody knows yet: the click and cook rates to be expected of what was just shown.

What scores stand for is learned from impressions whose outcome is known, and applied to those of the last day; the real
rate of these is drawn beside it as feedback arrives.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.background import Repeating
from mlops.clock import Clock, in_utc, utc_now
from mlops.errors import StoreUnavailable
from mlops.monitoring.estimated_quality import RateEstimate, estimate_rate
from mlops.monitoring.protocol import Metrics
from mlops.store import Database
from mlops.store.leases import Leases
from recipes.schema import answers, feedback_events, impressions

_log = logging.getLogger("recipes.live_quality")

# What counts as each outcome. Who cooked or rated a recipe has looked at it.
OUTCOMES: Mapping[str, tuple[str, ...]] = {"click": ("click", "save", "cook", "rating"), "cook": ("cook", "rating")}
# Impressions of the last day are new; an outcome comes within an hour, or hardly ever.
NEW = timedelta(days=1)
SETTLED = timedelta(hours=1)
LEARNED_FROM = timedelta(days=28)
MOST_IMPRESSIONS = 100_000
EVERY_SECONDS = 600.0
_LEASE = "live-quality"


@dataclass(frozen=True, slots=True)
class ShownColumns:
    """Impressions as columns, each of shape (n,), newest first.

    Attributes:
        at: seconds since 1970.
        slates: a number for each answer.
        outcomes: by name, 1 where it came, 0 where it did not.
    """

    at: NDArray[np.float64]
    scores: NDArray[np.float64]
    positions: NDArray[np.int64]
    slates: NDArray[np.int64]
    outcomes: Mapping[str, NDArray[np.float64]]


def read_shown(database: Database, *, since: datetime, most: int = MOST_IMPRESSIONS) -> ShownColumns:
    """The newest impressions of answers to queries since *since*, at most *most*.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    shown = (
        sa.select(answers.c.answered_at, impressions.c.request_id, impressions.c.position, impressions.c.score)
        .add_columns(impressions.c.recipe_id)
        .join(answers, answers.c.request_id == impressions.c.request_id)
        .where(answers.c.answered_at >= since, answers.c.mode != "direct")
        .order_by(answers.c.answered_at.desc(), impressions.c.request_id, impressions.c.position)
        .limit(most)
    )
    # As numbers at once: what the database hands over takes twenty times as much memory.
    at, scores, positions, slates = array("d"), array("d"), array("q"), array("q")
    outcomes = {name: array("d") for name in OUTCOMES}
    slate_of: dict[str, int] = {}
    with database.streaming() as connection:
        came = _outcomes_since(connection, since)
        for row in connection.execute(shown):
            slates.append(slate_of.setdefault(row.request_id, len(slate_of)))
            at.append(in_utc(row.answered_at).timestamp())
            scores.append(row.score)
            positions.append(row.position)
            for name, values in outcomes.items():
                values.append(float((row.request_id, row.recipe_id) in came[name]))
    return ShownColumns(
        np.array(at, dtype=np.float64),
        np.array(scores, dtype=np.float64),
        np.array(positions, dtype=np.int64),
        np.array(slates, dtype=np.int64),
        {name: np.array(values, dtype=np.float64) for name, values in outcomes.items()},
    )


def _outcomes_since(connection: sa.Connection, since: datetime) -> dict[str, set[tuple[str, str]]]:
    """Of each outcome the answers and recipes for which it came."""
    events = sa.select(feedback_events.c.request_id, feedback_events.c.recipe_id, feedback_events.c.event).where(
        feedback_events.c.received_at >= since
    )
    came: dict[str, set[tuple[str, str]]] = {name: set() for name in OUTCOMES}
    for row in connection.execute(events):
        for name, kinds in OUTCOMES.items():
            if row.event in kinds:
                came[name].add((row.request_id, row.recipe_id))
    return came


def estimates(shown: ShownColumns, *, now: datetime, rng: np.random.Generator) -> dict[str, RateEstimate]:
    """The rate of each outcome that is to be expected of the impressions of the last day before *now*."""
    is_new = shown.at >= (now - NEW).timestamp()
    is_settled = shown.at[is_new] < (now - SETTLED).timestamp()
    return {
        name: estimate_rate(
            shown.scores[~is_new],
            outcomes[~is_new],
            shown.positions[~is_new],
            shown.scores[is_new],
            shown.positions[is_new],
            rng=rng,
            past_slates=shown.slates[~is_new],
            observed=np.where(is_settled, outcomes[is_new], np.nan),
        )
        for name, outcomes in shown.outcomes.items()
    }


class LiveQuality:
    """Estimates every ten minutes, in one process at a time, and records ``expected_rate`` and ``observed_rate``."""

    def __init__(
        self, database: Database, metrics: Metrics, *, every_seconds: float = EVERY_SECONDS, clock: Clock = utc_now
    ) -> None:
        """Nothing is read yet."""
        self._database = database
        self._metrics = metrics
        self._every_seconds = every_seconds
        self._clock = clock
        self._leases = Leases(database, clock=clock)
        self._thread = Repeating(
            "live-quality",
            self._turn_if_mine,
            every_seconds=every_seconds,
            log=_log,
            trouble="quality could not be estimated, and is tried again",
        )

    def start(self) -> None:
        """Estimate in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Estimate no more."""
        self._thread.stop()

    def turn(self) -> dict[str, RateEstimate]:
        """Estimate once, and record what can be told.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now = self._clock()
        found = estimates(read_shown(self._database, since=now - LEARNED_FROM), now=now, rng=np.random.default_rng(0))
        for outcome, one in found.items():
            self._record(outcome, one)
        return found

    def _record(self, outcome: str, one: RateEstimate) -> None:
        bounds = {"rate": one.rate, "low": one.low, "high": one.high}
        for bound, value in bounds.items():
            if value is not None:
                self._metrics.record("expected_rate", value, {"outcome": outcome, "bound": bound})
        if one.observed is not None:
            self._metrics.record("observed_rate", one.observed, {"outcome": outcome})

    def _turn_if_mine(self) -> None:
        try:
            # Kept until it expires: whoever asks sooner has nothing to add.
            if self._leases.take(_LEASE, "service", self._every_seconds * 0.9) is not None:
                self.turn()
        except StoreUnavailable as error:
            _log.debug("quality cannot be estimated now: %s", error)
