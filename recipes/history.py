"""What cooks did so far, in memory: what is liked of late, and how like a recipe is to what a cook chose before.

Both are features of the ranker, ``recency`` and ``affinity``. Only what was done before a request can be known at it,
and what was known is written down with each impression, so that no training sees more than the request did.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.clock import in_utc
from mlops.store import Database
from recipes import schema
from recipes.index.items import Floats

# After so many days a reaction counts half for what is liked of late.
HALF_LIFE_DAYS = 14.0
# Of each cook the latest reactions are kept, of the cooks those who were seen last.
KEPT_PER_COOK = 40
KEPT_COOKS = 20_000
# So many reactions have to speak for a taste before half of the likeness counts.
_HALF_KNOWN = 2.0
_WEIGHTS = {"click": 1.0, "save": 2.0, "cook": 3.0, "dismiss": -1.0}
_MIDDLE_RATING = 3.0
# Who writes at the same time may commit an event that is a little older than the newest one.
_OVERLAP = timedelta(minutes=1)
_LOOKBACK = timedelta(days=180)


class Library(Protocol):
    """What tells how alike recipes are: an index."""

    def likeness(self, liked: NDArray[np.int64], weights: Floats, numbers: NDArray[np.int64]) -> Floats:
        """See :meth:`recipes.index.search.RecipeIndex.likeness`."""


class CookHistory:
    """Reactions of all cooks. Safe to ask from several threads while one of them reads what is new."""

    def __init__(self, database: Database, *, library: Callable[[], Library | None]) -> None:
        """Nothing is read yet.

        Args:
            library: the index that serves now; None where there is none.
        """
        self._database = database
        self._library = library
        self._guard = threading.Lock()
        self._cooks: OrderedDict[str, deque[tuple[int, float]]] = OrderedDict()
        self._liked: dict[int, float] = {}
        self._typical = 0.0
        self._newest: datetime | None = None
        self._seen: set[str] = set()

    def refresh(self, now: datetime) -> None:
        """Read what cooks did since the last time.

        Raises:
            StoreUnavailable: the database does not answer; what was read before stays.
        """
        since = now - _LOOKBACK if self._newest is None else self._newest - _OVERLAP
        with self._database.reading() as connection:
            rows = connection.execute(_reactions(since)).all()
        with self._guard:
            for row in rows:
                if row.event_id not in self._seen:
                    self._add(row)
            if rows:
                self._newest = in_utc(rows[-1].received_at)
                self._seen = {row.event_id for row in rows if in_utc(row.received_at) >= self._newest - _OVERLAP}
            self._typical = float(np.mean([*self._liked.values()])) if self._liked else 0.0

    def trend(self, numbers: NDArray[np.int64]) -> Floats:
        """How liked each recipe is of late, shape (n,): x / (x + 1), where a recipe like the mean one has x = 1.

        A reaction counts by its weight, halved each :data:`HALF_LIFE_DAYS`; 0 where nobody ever reacted.
        """
        if self._typical == 0:
            return np.zeros(len(numbers), dtype=np.float32)
        liked = self._liked
        relative = np.array([liked.get(number, 0.0) for number in numbers.tolist()]) / self._typical
        return np.asarray(relative / (relative + 1), dtype=np.float32)

    def scores(self, user_id: str, numbers: NDArray[np.int64]) -> Floats | None:
        """How like each recipe is to what this cook chose, 0 to 1, shape (n,); None for a cook who chose nothing.

        The cosine of their terms, what was dismissed or rated below 3 counted against it, times n / (n + 2) for n
        reactions known.
        """
        library = self._library()
        with self._guard:
            known = list(self._cooks.get(user_id, ()))
        if library is None or not known:
            return None
        liked, weights = np.array([number for number, _ in known], np.int64), np.array([worth for _, worth in known])
        likeness = library.likeness(liked, weights.astype(np.float32), numbers)
        return np.clip(likeness, 0, 1) * np.float32(len(known) / (len(known) + _HALF_KNOWN))

    def _add(self, row: sa.Row[Any]) -> None:
        weight = _WEIGHTS.get(row.event, (row.value or _MIDDLE_RATING) - _MIDDLE_RATING)
        if weight > 0:
            # In units that grow as time goes on, so that what is old need not be halved again and again.
            halvings = (in_utc(row.received_at) - _EPOCH) / timedelta(days=HALF_LIFE_DAYS)
            self._liked[row.recipe_no] = self._liked.get(row.recipe_no, 0.0) + weight * 2.0**halvings
        if row.user_id is not None and weight != 0:
            self._cooks.setdefault(row.user_id, deque(maxlen=KEPT_PER_COOK)).append((row.recipe_no, weight))
            self._cooks.move_to_end(row.user_id)
            if len(self._cooks) > KEPT_COOKS:
                self._cooks.popitem(last=False)


_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def _reactions(since: datetime) -> sa.Select[Any]:
    answers, events, recipes = schema.answers.c, schema.feedback_events.c, schema.recipes.c
    columns: Sequence[sa.ColumnElement[Any]] = (
        events.event_id, events.event, events.value, events.received_at, answers.user_id, recipes.recipe_no,
    )  # fmt: skip
    return (
        sa.select(*columns)
        .join_from(schema.feedback_events, schema.answers, events.request_id == answers.request_id)
        .join(schema.recipes, recipes.recipe_id == events.recipe_id)
        .where(events.received_at >= since)
        .order_by(events.received_at, events.event_id)
    )
