"""What was shown and what cooks did with it. Answers are recorded off the request path, in a bounded buffer."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from mlops.background import Repeating
from mlops.clock import Clock, utc_now
from mlops.errors import StoreUnavailable
from mlops.store import Database, insert_new, upsert
from recipes import schema
from recipes.answer import Answer
from recipes.catalog import Catalogue, Rating
from recipes.constraints import WORD_MARK
from recipes.errors import NotShown, UnknownRequest
from recipes.query_hash import QueryHasher

Event = Literal["click", "cook", "save", "rating", "dismiss"]
EVENTS: tuple[Event, ...] = get_args(Event)

_log = logging.getLogger("recipes.feedback")

# What the database, or the way to it, makes of an answer that it cannot hold; trying again would not help.
_REFUSALS = (StatementError, ValueError, TypeError)

# Built once: putting a statement together costs more than SQLite takes to answer it.
_RECIPE: sa.BindParameter[str] = sa.bindparam("recipe_id")
_RATINGS = sa.select(schema.recipes.c.n_ratings, schema.recipes.c.rating_sum).where(
    schema.recipes.c.recipe_id == _RECIPE
)
# The answer, and the position of the recipe in it; no position where it did not show the recipe.
_ANSWER = (
    sa.select(schema.answers.c.user_id, schema.impressions.c.position)
    .outerjoin_from(
        schema.answers,
        schema.impressions,
        (schema.impressions.c.request_id == schema.answers.c.request_id) & (schema.impressions.c.recipe_id == _RECIPE),
    )
    .where(schema.answers.c.request_id == sa.bindparam("request_id"))
)


@dataclass(frozen=True, slots=True)
class Feedback:
    """Something a cook did with a shown recipe. *value* is the rating, 1 to 5, and None for other events."""

    request_id: str
    recipe_id: str
    event: Event
    value: float | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a :class:`Feedback`.

    Attributes:
        is_new: False where this event had been recorded before.
        mean_rating, n_ratings: of the recipe, afterwards.
    """

    event_id: str
    is_new: bool
    mean_rating: float | None
    n_ratings: int


class AnswerLog:
    """Writes answers with their impressions, from a thread of its own.

    :meth:`record` costs a queue operation. A full buffer drops the oldest answer; an unreachable database keeps them
    waiting. Both are counted.
    """

    def __init__(
        self,
        database: Database,
        *,
        hash_query: QueryHasher,
        buffer_size: int = 10_000,
        flush_seconds: float = 0.5,
    ) -> None:
        self._database = database
        self._hash_query = hash_query
        self._waiting: deque[Answer] = deque()
        self._buffer_size = buffer_size
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._thread = Repeating(
            "answer-log",
            self._flush_reported,
            every_seconds=flush_seconds,
            log=_log,
            trouble="answers could not be written, and are tried again",
        )
        self._is_away = False
        self.n_dropped = 0
        self.n_written = 0

    def start(self) -> None:
        """Begin to write in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        self._thread.stop()
        self._flush_reported()

    @property
    def n_waiting(self) -> int:
        """How many answers are not yet in the database."""
        return len(self._waiting)

    def record(self, answer: Answer) -> None:
        """Remember *answer*; it is written within the flush interval."""
        with self._guard:
            if len(self._waiting) >= self._buffer_size:
                self._waiting.popleft()
                self.n_dropped += 1
            self._waiting.append(answer)

    def flush(self) -> None:
        """Write what waits, now.

        Raises:
            StoreUnavailable: the database does not answer; everything goes on waiting.
        """
        with self._writing:
            with self._guard:
                batch = list(self._waiting)
            if not batch:
                return
            self._write_all(batch)
            with self._guard:
                written = {id(answer) for answer in batch}
                left = deque(answer for answer in self._waiting if id(answer) not in written)
                # Those that had to make room while they were being written are not lost after all.
                self.n_dropped -= len(batch) - (len(self._waiting) - len(left))
                self._waiting = left

    def _flush_reported(self) -> None:
        try:
            self.flush()
        except StoreUnavailable as error:
            # Told once for each time that it is away, not twice a second.
            if not self._is_away:
                _log.warning("%d answers wait for the database: %s", self.n_waiting, error)
            self._is_away = True
        else:
            self._is_away = False

    def _write_all(self, batch: Sequence[Answer]) -> None:
        """Write *batch*; an answer that the database refuses must not keep the others, or later ones, from it."""
        try:
            self._write(batch)
        except _REFUSALS:
            n_refused = sum(not self._is_written(answer) for answer in batch)
            self.n_dropped += n_refused
            self.n_written += len(batch) - n_refused
        else:
            self.n_written += len(batch)

    def _is_written(self, answer: Answer) -> bool:
        try:
            self._write([answer])
        except _REFUSALS as error:
            _log.error("answer %s cannot be recorded: %s", answer.request_id, getattr(error, "orig", error))
            return False
        return True

    def _write(self, batch: Sequence[Answer]) -> None:
        answers = [self._answer_row(answer) for answer in batch]
        impressions = [row for answer in batch for row in _impression_rows(answer)]
        with self._database.writing() as connection:
            upsert(connection, schema.answers, answers, key=["request_id"], update=[])
            upsert(connection, schema.impressions, impressions, key=["request_id", "position"], update=[])

    def _answer_row(self, answer: Answer) -> dict[str, Any]:
        return {
            "request_id": answer.request_id,
            "answered_at": answer.answered_at,
            "user_id": answer.ask.user_id,
            "query_hash": self._hash_query(answer.ask.query),
            "language": answer.ask.language,
            "constraints": self._constraints(answer),
            "mode": answer.mode,
            "model_id": answer.model_id,
            "model_version": answer.model_version,
            "n_candidates": answer.n_candidates,
            "latency_ms": answer.latency_ms,
            "arm": answer.arm,
            "arm_propensity": answer.arm_propensity,
            "query_map": answer.place and answer.place.query_map,
            "map_x": answer.place and answer.place.x,
            "map_y": answer.place and answer.place.y,
        }

    def _constraints(self, answer: Answer) -> dict[str, Any]:
        """The rules of *answer*. Words that the lexicon does not know are the cook's own: their hashes are kept."""
        rules = answer.constraints
        include = [WORD_MARK + self._hash_query(food) if food.startswith(WORD_MARK) else food for food in rules.include]
        exclude_words = sorted(map(self._hash_query, rules.exclude_words))
        return {**rules.to_dict(), "include": include, "exclude_words": exclude_words}


class FeedbackBook:
    """Takes feedback and keeps the recipes' ratings up to date."""

    def __init__(self, database: Database, catalogue: Catalogue, answers: AnswerLog, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._catalogue = catalogue
        self._answers = answers
        self._clock = clock

    def record(self, feedback: Feedback) -> Recorded:
        """Keep *feedback*; the same ``event_id`` again changes nothing.

        A rating replaces an earlier one of the same person (the user of the request, or the request where none is
        known) and moves the recipe's average, in the same transaction.

        Raises:
            UnknownRequest: no answer with this request id was recorded.
            NotShown: that answer did not show this recipe.
            StoreUnavailable: the database does not answer; nothing was kept.
        """
        event_id = feedback.event_id or uuid.uuid4().hex
        # The answer may still wait in this process's buffer.
        self._answers.flush()
        now = self._clock()
        with self._database.writing() as connection:
            user_id = self._check_shown(connection, feedback)
            is_new = self._insert(connection, feedback, event_id, now)
            if is_new and feedback.event == "rating":
                rater = f"user-{user_id}" if user_id else f"request-{feedback.request_id}"
                self._catalogue.rate([Rating(rater, feedback.recipe_id, feedback.value, now)], connection=connection)
            row = connection.execute(_RATINGS, {"recipe_id": feedback.recipe_id}).one_or_none()
        n_ratings, rating_sum = (row.n_ratings, row.rating_sum) if row else (0, 0.0)
        return Recorded(event_id, is_new, rating_sum / n_ratings if n_ratings else None, n_ratings)

    def _check_shown(self, connection: sa.Connection, feedback: Feedback) -> str | None:
        names = {"request_id": feedback.request_id, "recipe_id": feedback.recipe_id}
        answer = connection.execute(_ANSWER, names).one_or_none()
        if answer is None:
            raise UnknownRequest(f"no answer with the request id {feedback.request_id!r} was recorded")
        if answer.position is None:
            raise NotShown(f"the answer {feedback.request_id!r} did not show the recipe {feedback.recipe_id!r}")
        user_id: str | None = answer.user_id
        return user_id

    def _insert(self, connection: sa.Connection, feedback: Feedback, event_id: str, now: datetime) -> bool:
        row = {
            "event_id": event_id,
            "request_id": feedback.request_id,
            "recipe_id": feedback.recipe_id,
            "event": feedback.event,
            "value": feedback.value,
            "received_at": now,
        }
        return insert_new(connection, schema.feedback_events, row, key=["event_id"])


def _impression_rows(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "request_id": answer.request_id,
            "position": shown.position,
            "recipe_id": shown.stored.recipe.recipe_id,
            "score": shown.score,
            "features": dict(shown.features),
            "propensity": shown.propensity,
            "team": shown.team,
        }
        for shown in answer.shown
    ]
