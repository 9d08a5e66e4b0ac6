"""Golden queries, asked of each version that serves, once for each index, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from mlops.clock import Clock, in_utc, utc_now
from mlops.store import Database, upsert
from recipes.evaluation.answers import AnswerReader, OnQuery, evaluate_queries
from recipes.evaluation.items import Items
from recipes.evaluation.query_sets import golden_queries
from recipes.recommender import Recommender
from recipes.schema import golden_results

_METRIC = "ndcg@3"


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """How a version answers the golden queries.

    Attributes:
        index_name: of the index that it was asked of.
        ndcg: mean nDCG@3; None where there was no query.
        answered: whether each was answered as it must be, by its name.
    """

    version: str
    index_name: str
    made_at: datetime
    ndcg: float | None
    answered: Mapping[str, bool]


class GoldenResults:
    """Keeps the newest result of each version."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        """Nothing is read yet."""
        self._database = database
        self._clock = clock

    def newest(self, limit: int = 20) -> list[GoldenResult]:
        """The newest results, the newest first.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        query = sa.select(golden_results).order_by(golden_results.c.made_at.desc()).limit(limit)
        with self._database.reading() as connection:
            return [
                GoldenResult(row.version, row.index_name, in_utc(row.made_at), row.ndcg, row.answered)
                for row in connection.execute(query)
            ]

    def is_known(self, version: str, index_name: str) -> bool:
        """Whether *version* was asked of the index of this name.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        query = sa.select(golden_results.c.index_name).where(golden_results.c.version == version)
        with self._database.reading() as connection:
            return connection.execute(query).scalar() == index_name

    def ask(self, recommender: Recommender, *, on_query: OnQuery = lambda: None) -> GoldenResult | None:
        """Ask the version that serves, off the record, and keep what it answers; None where there is nothing to ask.

        Args:
            on_query: called after each query; what it raises ends it all, and nothing is kept.
        Raises:
            EncoderUnavailable, IndexUnavailable, StoreUnavailable: it cannot be asked as usual.
        """
        index, ranker = recommender.index, recommender.ranker
        if index is None:
            return None
        items = Items.of(self._database)
        golden = golden_queries(recommender.lexicon, recipe_ids=items.rows, n_imported=items.n_imported)
        answered: Mapping[str, bool] = {}
        ndcg = None
        if golden.queries:
            measured = evaluate_queries(
                recommender, ranker, golden,
                items=items, reader=AnswerReader(recommender.lexicon), source="golden", metrics=(_METRIC,),
                on_query=on_query,
            )  # fmt: skip
            answered, metric = measured.golden, measured.metrics[_METRIC]
            ndcg = float(metric.mean) if metric.values.size else None
        # Also where nothing could be asked, or it would be tried every minute.
        found = GoldenResult(ranker.version, index.name, self._clock(), ndcg, answered)
        row = {
            "version": found.version, "index_name": found.index_name, "made_at": found.made_at, "ndcg": ndcg,
            "answered": dict(answered),
        }  # fmt: skip
        with self._database.writing() as connection:
            upsert(connection, golden_results, [row], key=["version"])
        return found
