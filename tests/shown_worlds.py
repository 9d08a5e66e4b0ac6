"""Made-up cooks whose preference is known, and the log of what they were shown: for tests of what learns from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mlops.store import Database
from recipes import schema
from recipes.exploration import N_SPARE, Exploration
from recipes.ranker import FEATURES, MODEL_ID, HybridRanker
from recipes.training.labels import EVENT_CODES
from recipes.training.log import ImpressionLog, LogWriter

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
N_SHOWN = 3
LOOKS = (1.0, 0.6, 0.35)


@dataclass(frozen=True)
class World:
    """Cooks click by what they like of what they look at; the log was made by 1.0.0.

    Attributes:
        likes: weight of each feature in what cooks like; what is liked most is clicked nine times in ten.
        needs: a feature without much of which nothing is liked: no blend can say so.
        share: of exploration.
        recipes: how many there are.
    """

    likes: Mapping[str, float] = field(default_factory=lambda: {"affinity": 1.0})
    needs: str | None = None
    n_answers: int = 400
    days: float = 40.0
    share: float = 0.2
    seed: int = 7
    n_recipes: int = 50
    begin: datetime = BEGIN

    def rows(self) -> Iterator[tuple[dict[str, Any], list[tuple[str, float | None, datetime]]]]:
        """Impressions in the order of a log, each with its events."""
        rng = np.random.default_rng(self.seed)
        exploration, ranker = Exploration(self.share, seed=self.seed), HybridRanker()
        for number in range(self.n_answers):
            at = self.begin + timedelta(days=self.days * number / self.n_answers)
            columns = {name: rng.random(N_SHOWN + N_SPARE, dtype=np.float32) for name in FEATURES}
            features = ranker.recalled(columns)
            scores = ranker.score(features)
            order = np.argsort(-scores, kind="stable")
            recipes = rng.choice(self.n_recipes, len(order), replace=False)
            request_id = f"{self.seed:08x}{number:024x}"
            arranged = exploration.arranged([0] * len(order), n=N_SHOWN, request_id=request_id)
            for position, (which, propensity) in enumerate(arranged, start=1):
                place = order[which]
                values = {name: float(column[place]) for name, column in features.items()}
                yield {
                    "request_id": request_id, "answered_at": at, "user_id": f"cook-{number % 97}",
                    "query_hash": f"query-{number}", "position": position, "recipe_id": f"recipe-{recipes[which]}",
                    "score": float(scores[place]), "features": values, "propensity": propensity,
                }, self._events(rng, values, position, at)  # fmt: skip

    def _events(
        self, rng: np.random.Generator, values: Mapping[str, float], position: int, at: datetime
    ) -> list[tuple[str, float | None, datetime]]:
        liking = sum(weight * values[name] for name, weight in self.likes.items()) / sum(self.likes.values())
        if self.needs is not None and values[self.needs] < 0.5:
            liking *= 0.1
        looks, clicks, cooks = rng.random(3)
        if looks >= LOOKS[position - 1] or clicks >= 0.9 * liking**3:
            return []
        events: list[tuple[str, float | None, datetime]] = [("click", None, at + timedelta(minutes=1))]
        return [*events, ("cook", None, at + timedelta(hours=3))] if cooks < 0.3 else events

    def log(self) -> ImpressionLog:
        """As it is read from a database."""
        writer = LogWriter()
        for row, events in self.rows():
            writer.add(row, [(EVENT_CODES[kind], float("nan"), when.timestamp()) for kind, _, when in events])
        return writer.log(n_items=self.n_recipes)

    def write(self, database: Database) -> None:
        """Into a database, as the service does."""
        answers, impressions, events = [], [], []
        for row, done in self.rows():
            if row["position"] == 1:
                given = {name: row[name] for name in ("request_id", "answered_at", "user_id", "query_hash")}
                answers.append(answer_row(**given))
            names = ("request_id", "position", "recipe_id", "score", "features", "propensity")
            impressions.append({name: row[name] for name in names})
            events += [_event(row, kind, value, when) for kind, value, when in done]
        with database.writing() as connection:
            for table, rows in (
                (schema.answers, answers), (schema.impressions, impressions), (schema.feedback_events, events),
            ):  # fmt: skip
                connection.execute(table.insert(), rows)

    @property
    def end(self) -> datetime:
        """Long enough after the last answer for all of them to be labelled."""
        return self.begin + timedelta(days=self.days + 8)


def answer_row(request_id: str, answered_at: datetime, *, query_hash: str = "q", **more: Any) -> dict[str, Any]:
    """A row of ``answers``, by 1.0.0."""
    facts = {"language": "es", "constraints": {}, "mode": "full", "n_candidates": 8, "latency_ms": 1.0}
    given = {"request_id": request_id, "answered_at": answered_at, "query_hash": query_hash}
    return {**given, **facts, "model_id": MODEL_ID, "model_version": "1.0.0", **more}


def _event(row: Mapping[str, Any], kind: str, value: float | None, when: datetime) -> dict[str, Any]:
    identity = f"{row['request_id']}-{row['position']}-{kind}"
    names = {"request_id": row["request_id"], "recipe_id": row["recipe_id"]}
    return {"event_id": identity, **names, "event": kind, "value": value, "received_at": when}


def silent(progress: float, what: str) -> None:
    """Progress that nobody follows."""
    assert 0 <= progress <= 1
    assert what
