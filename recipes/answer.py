"""A question and its answer, as the service has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from recipes.catalog import StoredRecipe
from recipes.constraints import Constraints, Filters
from recipes.query import Understanding
from recipes.text import Language

Mode = Literal["full", "words_only", "popular", "direct"]
Notice = Literal[
    "nothing_left", "fewer_than_asked", "not_all_included", "time_unknown", "other_meals", "unknown_word",
    "words_only", "popular",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """What a cook asks for. *n* is from 1 to 20; *language* is that of the answer."""

    query: str
    n: int = 3
    language: Language = "es"
    user_id: str | None = None
    filters: Filters = field(default_factory=Filters)


class Place(NamedTuple):
    """A cell of the map of queries, see :mod:`recipes.query_map`."""

    query_map: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One recipe of an answer, at its *position* from 1, with what the ranker knew of it.

    *propensity* is the probability with which it came there, see :mod:`recipes.exploration`. *team* says whose ranking
    brought it into a list of two rankings: champion, challenger or both; None in a list of one.
    """

    position: int
    stored: StoredRecipe
    score: float
    features: Mapping[str, float]
    propensity: float = 1.0
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an :class:`Ask`.

    Attributes:
        notices: what the cook should know of it, such as that nothing is left.
        mode: ``full``; ``words_only`` without an encoder; ``popular`` without an index; ``direct`` where a cook opened
            a recipe without asking.
        stage_ms: milliseconds spent in each stage of the path.
        arm: of a rollout, None where none is on: champion, challenger or interleaved, a list of both rankings, whose
            *model_version* is the champion.
        arm_propensity: how likely this request was to get that arm, above 0 to 1.
        place: where its query lies on the map, None where it was not encoded or there is no map.
    """

    request_id: str
    answered_at: datetime
    ask: Ask
    understanding: Understanding
    constraints: Constraints
    shown: tuple[Shown, ...]
    notices: tuple[Notice, ...]
    mode: Mode
    model_id: str
    model_version: str
    n_candidates: int
    stage_ms: Mapping[str, float]
    arm: str | None = None
    arm_propensity: float = 1.0
    place: Place | None = None

    @property
    def latency_ms(self) -> float:
        """Milliseconds from the question to the answer."""
        return sum(self.stage_ms.values())
