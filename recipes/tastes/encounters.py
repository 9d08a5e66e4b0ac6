"""What cooks were shown and what came of it, as columns: the ground of everything that is learned of tastes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.clock import in_utc
from mlops.store import Database
from recipes import schema
from recipes.ranker import FEATURE_DEFAULTS, MODEL_ID

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]

# Reading so many takes two or three seconds, beside the requests of the same process.
MOST_ENCOUNTERS = 200_000
_DAY = timedelta(days=1)
# How much a cook liked what was shown, by the event that says most; nothing done is 0. Stars count alone.
LIKING = {"click": 1.0, "save": 1.5, "cook": 2.0, "dismiss": -1.0}
MATCHING = (
    "name_similarity", "ingredients_similarity", "name_words", "body_words", "covered", "included", "meal_fit",
)  # fmt: skip
_RIDGE = 1.0
_LIKING_OF_STARS = {1: -1.0, 2: -0.5, 3: 0.5, 4: 1.5, 5: 2.5}


@dataclass(frozen=True)
class Encounters:
    """Recipes shown to cooks; every array has shape (n,), in the order of time.

    Attributes:
        cooks: user ids.
        cook: row of the cook in *cooks*; -1 where nobody said who asks.
        answer: row of the answer; those of one stand together.
        question: row of what was asked, the same for the same words.
        number: of the recipe.
        position: from 1.
        liking: see :data:`LIKING`.
        age_days: before *until*.
        matching: how well the recipe matched what was asked, as it was written down: shape (n, n_ways).
    """

    cooks: Sequence[str]
    cook: Integers
    answer: Integers
    question: Integers
    number: Integers
    position: Integers
    liking: Numbers
    age_days: Numbers
    matching: Numbers

    def __len__(self) -> int:
        return len(self.number)

    def where(self, kept: NDArray[np.bool_]) -> Encounters:
        """Those that are *kept*, shape (n,), of the same cooks."""
        columns = ("cook", "answer", "question", "number", "position", "liking", "age_days", "matching")
        return Encounters(self.cooks, **{name: getattr(self, name)[kept] for name in columns})

    def weights(self, half_life_days: float) -> Numbers:
        """1 for what is new, halved every *half_life_days*."""
        return np.exp2(-self.age_days / half_life_days)

    def surprise(self) -> Numbers:
        """Liking less what any cook's would be for a recipe that matches as well, at this position.

        By least squares on the position and the ways of matching. Looking is not liking, and the first position is
        looked at most; nor is a cook who asks for soup fond of the soups among what is shown.
        """
        deepest = int(self.position.max(initial=1))
        at = np.eye(deepest)[self.position - 1]
        known = np.hstack([at, self.matching, at[:, :1] * self.matching])
        normal = known.T @ known + _RIDGE * np.eye(known.shape[1])
        return np.asarray(self.liking - known @ np.linalg.solve(normal, known.T @ self.liking))


def read_encounters(
    database: Database, *, since: datetime, until: datetime, limit: int = MOST_ENCOUNTERS
) -> Encounters:
    """What ``hybrid_ranker`` showed from *since* to before *until*, and what cooks did with it before *until*.

    Of more than *limit* recipes shown, the newest.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    answers, impressions, recipes = schema.answers.c, schema.impressions.c, schema.recipes.c
    shown = (
        sa.select(
            answers.user_id, answers.answered_at, answers.request_id, answers.query_hash,
            impressions.position, impressions.recipe_id, impressions.features, recipes.recipe_no,
        )
        .join_from(schema.answers, schema.impressions)
        .join(schema.recipes, recipes.recipe_id == impressions.recipe_id)
        .where(answers.answered_at >= since, answers.answered_at < until, answers.model_id == MODEL_ID)
        .order_by(answers.answered_at.desc(), answers.request_id.desc(), impressions.position.desc())
        .limit(limit)
    )  # fmt: skip
    cooks: dict[str, int] = {}
    answered: dict[str, int] = {}
    questions: dict[str, int] = {}
    # As numbers at once: what the database hands over takes twenty times as much memory.
    cook, answer, question, number, position = (array("q") for _ in range(5))
    liking, age_days, matching = (array("d") for _ in range(3))
    with database.streaming() as connection:
        likings = _likings(connection, since=since, until=until)
        for row in connection.execute(shown):
            cook.append(-1 if row.user_id is None else cooks.setdefault(row.user_id, len(cooks)))
            answer.append(answered.setdefault(row.request_id, len(answered)))
            question.append(questions.setdefault(row.query_hash, len(questions)))
            number.append(row.recipe_no)
            position.append(row.position)
            liking.append(likings.get((row.request_id, row.recipe_id), 0.0))
            age_days.append((until - in_utc(row.answered_at)) / _DAY)
            matching.extend(_matching(row.features))
    return Encounters(
        cooks=list(cooks),
        cook=_turned(cook),
        answer=_turned(answer),
        question=_turned(question),
        number=_turned(number),
        position=_turned(position),
        liking=np.array(liking, dtype=np.float64)[::-1],
        age_days=np.array(age_days, dtype=np.float64)[::-1],
        matching=np.array(matching, dtype=np.float64).reshape(-1, len(MATCHING))[::-1],
    )


def _turned(newest_first: array[int]) -> Integers:
    return np.array(newest_first, dtype=np.int64)[::-1]


def _matching(features: Mapping[str, float]) -> list[float]:
    return [features.get(name, FEATURE_DEFAULTS[name]) for name in MATCHING]


def _likings(connection: sa.Connection, *, since: datetime, until: datetime) -> dict[tuple[str, str], float]:
    """Of each recipe of an answer that got feedback: the last stars, else the event that says most."""
    table = schema.feedback_events.c
    query = (
        sa.select(table.request_id, table.recipe_id, table.event, table.value)
        .where(table.received_at >= since, table.received_at < until)
        .order_by(table.received_at, table.event_id)
    )
    starred: dict[tuple[str, str], float] = {}
    others: dict[tuple[str, str], float] = {}
    for request_id, recipe_id, event, value in connection.execute(query):
        key = (request_id, recipe_id)
        if event == "rating":
            starred[key] = _LIKING_OF_STARS[round(value)]
        else:
            others[key] = max(LIKING[event], others.get(key, -np.inf))
    return others | starred
