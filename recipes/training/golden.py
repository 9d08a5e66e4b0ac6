"""Golden queries, answered by a version before it may serve, where there is an index to ask."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from recipes.errors import EncoderUnavailable, IndexUnavailable
from recipes.ranker import Ranker

if TYPE_CHECKING:
    from recipes.config import Settings
    from recipes.recommender import Recommender
    from recipes.service import Service

_log = logging.getLogger("recipes.training")

GoldenJudge = Callable[[Ranker], dict[str, bool]]
"""Whether each golden query is answered as it must be, by its name; empty where they cannot be asked."""


class GoldenQueries:
    """Asks the golden queries of the catalogue that *settings* name. What it needs is opened when it is first asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._service: Service | None = None

    def __call__(self, ranker: Ranker) -> dict[str, bool]:
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


def ask_golden(recommender: Recommender, ranker: Ranker) -> dict[str, bool]:
    """Whether *ranker* answers each golden query of the catalogue as it must, by the query's name.

    Raises:
        EncoderUnavailable, IndexUnavailable, StoreUnavailable: it cannot be asked as usual.
    """
    from recipes.evaluation.answers import AnswerReader, evaluate_queries
    from recipes.evaluation.items import Items
    from recipes.evaluation.query_sets import golden_queries

    items = Items.of(recommender.database)
    lexicon = recommender.lexicon
    golden = golden_queries(lexicon, recipe_ids=items.rows, n_imported=items.n_imported)
    if not golden.queries:
        return {}
    reader = AnswerReader(lexicon)
    measured = evaluate_queries(recommender, ranker, golden, items=items, reader=reader, source="golden")
    return dict(measured.golden)
