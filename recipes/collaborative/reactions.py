"""What cooks made of recipes, in the database, as interactions to learn from."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.clock import in_utc
from mlops.store import Database
from recipes import schema
from recipes.collaborative.interactions import Interactions, Numbers

# How much each says of a cook's taste, where having cooked says 1. A click is curiosity.
WORTH = {"click": 0.25, "save": 1.0, "cook": 1.0, "rating": 1.0}
LEAST_LIKED = 3.0
# Of the ratings and of the events the newest; more would cost memory and hardly change what is learned.
MOST_READ = 1_000_000
_NO_STARS = float("nan")


def cook_of(user_id: str) -> str:
    """The name of a user of the service among those who rate; an import brings raters of its own."""
    return f"user-{user_id}"


def read_interactions(database: Database, *, until: datetime) -> Interactions:
    """Ratings and reactions before *until*, of cooks who can be told apart.

    A recipe whose last rating by a cook is below 3 is left out for this cook, whatever was done with it before. A
    rating without a date counts as old as the oldest one with a date; where nothing has a date, neither has the result.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    cooks: dict[str, int] = {}
    kinds = {"cook": "q", "recipe": "q", "worth": "d", "stars": "d", "at": "d"}
    columns: dict[str, array[Any]] = {name: array(kind) for name, kind in kinds.items()}
    with database.streaming() as connection:
        for query in (_ratings(until), _events(until)):
            for cook, recipe, worth, stars, at in _rows(connection, query):
                values = (cooks.setdefault(cook, len(cooks)), recipe, worth, stars, at)
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
    arrays = {name: np.array(column) for name, column in columns.items()}
    return _interactions(np.array(list(cooks), dtype=object), **arrays)


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[tuple[str, int, float, float, float]]:
    for cook, recipe, event, stars, at in connection.execute(query):
        when = -np.inf if at is None else in_utc(at).timestamp()
        yield cook, recipe, WORTH[event], _NO_STARS if stars is None else stars, when


def _ratings(until: datetime) -> sa.Select[Any]:
    ratings = schema.ratings.c
    return (
        sa.select(ratings.rater, ratings.recipe_no, sa.literal("rating"), ratings.rating, ratings.rated_at)
        # Who rates without saying who asks is somebody else each time.
        .where(ratings.rater.not_like("request-%"), sa.or_(ratings.rated_at.is_(None), ratings.rated_at < until))
        .order_by(ratings.rated_at.desc().nulls_last())
        .limit(MOST_READ)
    )


def _events(until: datetime) -> sa.Select[Any]:
    events, answers, recipes = schema.feedback_events.c, schema.answers.c, schema.recipes.c
    cook = sa.literal(cook_of("")) + answers.user_id
    stars = sa.case((events.event == "rating", events.value))
    return (
        sa.select(cook, recipes.recipe_no, events.event, stars, events.received_at)
        .join_from(schema.feedback_events, schema.answers, events.request_id == answers.request_id)
        .join(schema.recipes, recipes.recipe_id == events.recipe_id)
        .where(events.received_at < until, answers.user_id.is_not(None), events.event.in_(WORTH))
        .order_by(events.received_at.desc())
        .limit(MOST_READ)
    )


def _interactions(
    cooks: NDArray[np.object_], *, cook: NDArray[np.int64], recipe: NDArray[np.int64], worth: Numbers, stars: Numbers,
    at: Numbers,
) -> Interactions:  # fmt: skip
    """Without what was disliked; *stars* are NaN where none were given, *at* is -inf without a date."""
    pairs = np.unique(np.stack([cook, recipe]), axis=1, return_inverse=True)[1].ravel()
    rated = np.flatnonzero(~np.isnan(stars))
    in_time = rated[np.lexsort((at[rated], pairs[rated]))]
    is_last = np.append(np.diff(pairs[in_time]) != 0, True)[: len(in_time)]
    last = in_time[is_last]
    disliked = pairs[last[stars[last] < LEAST_LIKED]]
    kept = ~np.isin(pairs, disliked) & ~(stars < LEAST_LIKED)
    dated = np.isfinite(at) & kept
    times = np.maximum(at, at[dated].min()) if dated.any() else None
    return Interactions(cooks[cook], recipe, worth, times).where(kept)
