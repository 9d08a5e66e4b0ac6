"""Golden queries, answered by a version before it may serve, where there is an index to ask."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recipes.errors import EncoderUnavailable, IndexUnavailable
from recipes.index.items import Floats
from recipes.ranker import LEARNED_FEATURES, HybridRanker, Ranker
from recipes.ranker.learned import matrix_of

if TYPE_CHECKING:
    from recipes.config import Settings
    from recipes.recommender import Recommender
    from recipes.service import Service

_log = logging.getLogger("recipes.training")


@dataclass(frozen=True, slots=True)
class GoldenAnswer:
    """What a version answers to a golden query.

    Attributes:
        is_right: whether as it must be.
        relevant: ids of the recipes that must be among the first.
        shown: features of each recipe shown, by its id, best first.
    """

    is_right: bool
    relevant: Collection[str]
    shown: Mapping[str, Mapping[str, float]]


GoldenJudge = Callable[[Ranker], dict[str, GoldenAnswer]]
"""How each golden query is answered, by its name; empty where they cannot be asked."""


class GoldenPromises:
    """The golden queries that 1.0.0 answers as it must: what is learned from cooks is held to them.

    A version that loses one would be refused by the gate, night after night.
    """

    def __init__(self, judge: GoldenJudge) -> None:
        """1.0.0 is asked."""
        self._judge = judge
        self._kept = {query: answer for query, answer in judge(HybridRanker()).items() if answer.is_right}

    def broken(self, ranker: Ranker) -> dict[str, GoldenAnswer]:
        """What *ranker* answers to those that it loses."""
        if not self._kept:
            return {}
        answers = self._judge(ranker)
        return {query: answer for query, answer in answers.items() if query in self._kept and not answer.is_right}

    def leads(self, broken: Mapping[str, GoldenAnswer]) -> Floats:
        """By how much each feature of a recipe that must be shown exceeds that of one that took its place.

        Shape (n, n_features), in the order of :data:`LEARNED_FEATURES`; under the weights of 1.0.0 none is negative, as
        1.0.0 shows the one and not the other. Where two are missing, each is paired with each of the last two that
        came instead.
        """
        better: list[Mapping[str, float]] = []
        worse: list[Mapping[str, float]] = []
        for query, answer in broken.items():
            kept = self._kept[query].shown
            missing = [recipe_id for recipe_id in answer.relevant if recipe_id not in answer.shown]
            instead = [recipe_id for recipe_id in answer.shown if recipe_id not in kept]
            for missed, other in itertools.product(missing, instead[-len(missing) :]):
                better.append(kept[missed])
                worse.append(answer.shown[other])
        return _matrix(better) - _matrix(worse)


def _matrix(rows: Sequence[Mapping[str, float]]) -> Floats:
    return matrix_of({name: np.array([row[name] for row in rows], dtype=np.float32) for name in LEARNED_FEATURES})


class GoldenQueries:
    """Asks the golden queries of the catalogue that *settings* name. What it needs is opened when it is first asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._service: Service | None = None

    def __call__(self, ranker: Ranker) -> dict[str, GoldenAnswer]:
        """See :data:`GoldenJudge`."""
        service = self._opened()
        if service.check().keys() & {"encoder", "index", "database"}:
            _log.warning("no golden queries: %s", "; ".join(service.check().values()))
            return {}
        try:
            return ask_golden(service.recommender, ranker)
        except (EncoderUnavailable, IndexUnavailable) as error:
            _log.warning("no golden queries: %s", error)
            return {}

    def close(self) -> None:
        """Let go of what was opened."""
        if self._service is not None:
            self._service.close()
            self._service = None

    def _opened(self) -> Service:
        if self._service is None:
            from recipes.service import Service

            self._service = Service(self._settings, records=False)
            self._service.prepare()
        return self._service


def ask_golden(recommender: Recommender, ranker: Ranker) -> dict[str, GoldenAnswer]:
    """How *ranker* answers each golden query of the catalogue, by the query's name.

    Raises:
        EncoderUnavailable, IndexUnavailable, StoreUnavailable: it cannot be asked as usual.
    """
    from recipes.evaluation.answers import N_SHOWN, AnswerReader, ask_all, is_as_it_must_be
    from recipes.evaluation.items import Items
    from recipes.evaluation.query_sets import golden_queries

    items = Items.of(recommender.database)
    lexicon = recommender.lexicon
    golden = golden_queries(lexicon, recipe_ids=items.rows, n_imported=items.n_imported)
    asked = ask_all(recommender, ranker, golden.queries, depth=N_SHOWN, reader=AnswerReader(lexicon))
    return {
        one.judged.name: GoldenAnswer(
            is_as_it_must_be(one),
            tuple(one.judged.relevant),
            {shown.stored.recipe.recipe_id: shown.features for shown in one.shown},
        )
        for one in asked
    }
