"""What workers count of a rollout, and the totals over all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from mlops.rollout.means import Sums
from mlops.rollout.sample_ratio import Split
from mlops.schema import rollout_counts
from mlops.store import upsert

# (arm, metric). Arms are those of the canary, and `shadow` and `watch` for answers outside of the comparison.
Name = tuple[str, str]

_SMALLEST_SECONDS = 1e-4
_RATIO = 1.1
_N_BUCKETS = 150
_BUCKET = "latency_bucket_"
_USERS = "users_at_"


def bucket_of(seconds: float) -> int:
    """The bucket of a latency, 0 to 150: each reaches a tenth farther than the one before, the first to 0.1 ms."""
    if seconds <= _SMALLEST_SECONDS:
        return 0
    return min(math.ceil(math.log(seconds / _SMALLEST_SECONDS) / math.log(_RATIO)), _N_BUCKETS)


def bucket_seconds(bucket: int) -> float:
    """Up to how many seconds a bucket reaches."""
    return float(_SMALLEST_SECONDS * _RATIO**bucket)


def bucket_metric(bucket: int) -> str:
    """The name under which requests of a bucket are counted."""
    return f"{_BUCKET}{bucket}"


def users_metric(share: float) -> str:
    """The name under which users are counted that were first seen at *share*."""
    return f"{_USERS}{share!r}"


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted, over all workers; and users, apart for each worker."""

    sums: Mapping[Name, Sums]
    users: Mapping[str, Mapping[Name, int]]

    def of(self, arm: str, metric: str) -> Sums:
        """Of one metric in one arm; zeros where nothing was counted."""
        return self.sums.get((arm, metric), Sums())

    def latencies(self, arm: str) -> dict[int, int]:
        """Requests of an arm by bucket."""
        return {
            int(metric.removeprefix(_BUCKET)): sums.n
            for (of, metric), sums in self.sums.items()
            if of == arm and metric.startswith(_BUCKET)
        }

    def splits(self) -> list[list[Split]]:
        """How each worker's users were split, by share."""
        return [_splits(counted) for counted in self.users.values()]


def _splits(counted: Mapping[Name, int]) -> list[Split]:
    shares = sorted({float(metric.removeprefix(_USERS)) for _, metric in counted})
    return [
        Split(
            share,
            counted.get(("challenger", users_metric(share)), 0),
            counted.get(("champion", users_metric(share)), 0),
        )
        for share in shares
    ]


def percentile_bucket(latencies: Mapping[int, int], level: float) -> int:
    """The bucket in which the *level* quantile lies; there must be a request."""
    needed, reached = level * sum(latencies.values()), 0
    for bucket in sorted(latencies):
        reached += latencies[bucket]
        if reached >= needed:
            return bucket
    raise ValueError("there is no latency")


def slower_than(latencies: Mapping[int, int], bucket: int) -> int:
    """How many requests were slower than *bucket* reaches."""
    return sum(n for each, n in latencies.items() if each > bucket)


def write_counts(connection: sa.Connection, rollout_id: int, worker: str, counted: Mapping[Name, Sums]) -> None:
    """Set what *worker* has counted so far."""
    rows = [
        {
            "rollout_id": rollout_id, "worker": worker, "arm": arm, "metric": metric,
            "n": sums.n, "total": sums.total, "squares": sums.squares,
        }
        for (arm, metric), sums in sorted(counted.items())
    ]  # fmt: skip
    upsert(connection, rollout_counts, rows, key=["rollout_id", "worker", "arm", "metric"])


def read_totals(connection: sa.Connection, rollout_id: int) -> Totals:
    """What all workers have counted."""
    query = sa.select(*rollout_counts.c).where(rollout_counts.c.rollout_id == rollout_id)
    return _totals(connection.execute(query).all())


def _totals(rows: Iterable[sa.Row[tuple[object, ...]]]) -> Totals:
    sums: dict[Name, Sums] = {}
    users: dict[str, dict[Name, int]] = {}
    for row in rows:
        name = (row.arm, row.metric)
        if row.metric.startswith(_USERS):
            users.setdefault(row.worker, {})[name] = row.n
        else:
            sums[name] = sums.get(name, Sums()) + Sums(row.n, row.total, row.squares)
    return Totals(sums, users)
