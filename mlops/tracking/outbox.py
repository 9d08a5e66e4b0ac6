"""What waits to be mirrored: each version that has changed since MLflow last had it. Importing this imports no MLflow.

Nothing is put into this outbox: a version waits by having a higher generation than what has arrived of it. So a change
and its place in the outbox cannot part, and ten changes of a version are sent as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from mlops.clock import Clock, utc_now
from mlops.schema import mirrored_versions, model_versions, models
from mlops.store import Database, insert_new, upsert
from mlops.store.types import UtcDateTime

_SHORTEST_SECONDS = 2.0
_LONGEST_SECONDS = 300.0
_JITTER = 0.25
_LONGEST_ERROR = 500
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)

_BOTH = model_versions.outerjoin(
    mirrored_versions,
    sa.and_(
        mirrored_versions.c.model_id == model_versions.c.model_id,
        mirrored_versions.c.version == model_versions.c.version,
    ),
)
_WAITS = sa.func.coalesce(mirrored_versions.c.generation, 0) < model_versions.c.generation
_due_at = sa.func.coalesce(mirrored_versions.c.try_again_at, sa.literal(_AT_ONCE, UtcDateTime), type_=UtcDateTime)
_N_FAILURES = sa.func.coalesce(mirrored_versions.c.n_failures, 0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version that waits. *n_failures* counts the attempts since it last arrived."""

    model_id: str
    version: str
    n_failures: int


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """How the mirror stands.

    Attributes:
        is_on: whether there is an MLflow to mirror to.
        n_waiting: versions that MLflow does not have as they are now.
        n_failing: those among them whose last attempt failed.
        last_error: of the version that failed most often; None where none fails.
        try_again_at: when the next of those that failed is tried again.
    """

    is_on: bool
    n_waiting: int
    n_failing: int
    last_error: str | None
    try_again_at: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, the time as ISO 8601 text."""
        at = self.try_again_at
        return {
            "is_on": self.is_on,
            "n_waiting": self.n_waiting,
            "n_failing": self.n_failing,
            "last_error": self.last_error,
            "try_again_at": None if at is None else at.isoformat(),
        }


class Outbox:
    """The versions of a state database that wait, and what became of each attempt."""

    def __init__(self, database: Database, *, clock: Clock = utc_now, rng: np.random.Generator | None = None) -> None:
        """An outbox. *rng* draws the jitter of the times between attempts; default: seeded by the system."""
        self._database = database
        self._clock = clock
        self._rng = rng or np.random.default_rng()

    def waiting(self, *, only_due: bool = False) -> list[Waiting]:
        """What waits, versions in production first, then in the order of their registration.

        A promotion changes two versions: sent in this order, the alias goes from one to the other without a gap.

        Args:
            only_due: without those whose next attempt is to come later.
        """
        query = (
            sa.select(model_versions.c.model_id, model_versions.c.version, _N_FAILURES)
            .select_from(_BOTH)
            .where(_WAITS)
            .order_by(sa.desc(model_versions.c.status == "production"), model_versions.c.number)
        )
        if only_due:
            query = query.where(_due_at <= self._clock())
        with self._database.reading() as connection:
            return [Waiting(*row) for row in connection.execute(query)]

    def next_due(self) -> datetime | None:
        """When the first of what waits is due, which may be long ago; None where nothing waits."""
        with self._database.reading() as connection:
            return connection.execute(
                sa.select(sa.func.min(_due_at, type_=UtcDateTime)).select_from(_BOTH).where(_WAITS)
            ).scalar()

    def stamp(self) -> tuple[int, int]:
        """Another pair of numbers after each change of any model: who saw nothing wait need not look until it is."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(sa.func.count(), sa.func.sum(models.c.generation))).one()
        return int(row[0]), int(row[1] or 0)

    def forget(self) -> None:
        """Let all versions wait again, as for an MLflow that is another one now."""
        with self._database.writing() as connection:
            connection.execute(sa.update(mirrored_versions).values(generation=0))

    def sent(self, model_id: str, version: str, *, generation: int, mlflow_version: str) -> None:
        """Note that MLflow has *version* as it was at *generation*; never goes back to a lower one."""
        row = {"model_id": model_id, "version": version, "generation": generation, "mlflow_version": mlflow_version}
        with self._database.writing() as connection:
            if not insert_new(connection, mirrored_versions, row, key=["model_id", "version"]):
                connection.execute(
                    sa.update(mirrored_versions)
                    .where(
                        mirrored_versions.c.model_id == model_id,
                        mirrored_versions.c.version == version,
                        mirrored_versions.c.generation <= generation,
                    )
                    .values(row | {"n_failures": 0, "try_again_at": None, "last_error": None})
                )

    def failed(self, ones: Sequence[Waiting], error: str) -> None:
        """Note that an attempt failed, for all of *ones* alike: they are tried again at the same time."""
        if not ones:
            return
        delay = delay_seconds(max(one.n_failures for one in ones) + 1, self._rng)
        common = {"try_again_at": self._clock() + timedelta(seconds=delay), "last_error": error[:_LONGEST_ERROR]}
        rows = [
            {"model_id": one.model_id, "version": one.version, "generation": 0, "n_failures": one.n_failures + 1}
            | common
            for one in ones
        ]
        with self._database.writing() as connection:
            upsert(
                connection,
                mirrored_versions,
                rows,
                key=["model_id", "version"],
                update=["n_failures", "try_again_at", "last_error"],
            )

    def status(self, *, is_on: bool = True) -> MirrorStatus:
        """How the mirror stands."""
        fails = _N_FAILURES > 0
        counts = sa.select(
            sa.func.count(),
            sa.func.count().filter(fails),
            sa.func.min(mirrored_versions.c.try_again_at, type_=UtcDateTime),
        )
        worst = (
            sa.select(mirrored_versions.c.last_error)
            .select_from(_BOTH)
            .where(_WAITS, fails)
            .order_by(mirrored_versions.c.n_failures.desc(), model_versions.c.number)
            .limit(1)
        )
        with self._database.reading() as connection:
            n_waiting, n_failing, again = connection.execute(counts.select_from(_BOTH).where(_WAITS)).one()
            error = connection.execute(worst).scalar()
        return MirrorStatus(is_on, n_waiting, n_failing, error, again)


def delay_seconds(n_failures: int, rng: np.random.Generator) -> float:
    """How long to wait after so many failures in a row: 2 s, doubled with each, up to 300 s, less up to a quarter.

    The quarter is drawn from *rng*, so that several that failed together do not come back together.

    Raises:
        ValueError: *n_failures* is below 1.
    """
    if n_failures < 1:
        raise ValueError(f"n_failures must be at least 1, got {n_failures}")
    # The exponent is bounded, since 2.0 to the power of a large one is no number any more.
    full = min(_LONGEST_SECONDS, _SHORTEST_SECONDS * 2.0 ** min(n_failures - 1, 30))
    return float(max(_SHORTEST_SECONDS, full * (1.0 - _JITTER * rng.random())))
