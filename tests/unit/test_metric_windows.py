"""The memory of windows: as stated, whatever the traffic."""

from __future__ import annotations

import numpy as np
import pytest

from mlops.monitoring.series import MAX_NAMES, MAX_SERIES_PER_NAME, Series
from mlops.monitoring.windows import DAY, EVER, HOUR, MINUTE, Windows

SERIES = Series("latency_ms", ())


def months_of_traffic(*, points: int, n_days: int = 100) -> Windows:
    now = 0
    windows = Windows(
        retention_days=90, now_ms=lambda: now, max_series_per_name=MAX_SERIES_PER_NAME, max_names=MAX_NAMES
    )
    rng = np.random.default_rng(4)
    end = 20_000 * DAY
    starts = [
        *range(end - n_days * DAY, end - 9 * DAY, DAY),
        *range(end - 9 * DAY, end - 3 * HOUR, HOUR),
        *range(end - 3 * HOUR, end, MINUTE),
    ]
    for now in starts:
        values = rng.lognormal(3, 1, points)
        windows.fold(SERIES, np.full(points, now, np.int64), values)
        windows.forget_old()
    return windows


@pytest.mark.parametrize("points", [10, 2000])
def test_a_series_keeps_the_stated_buckets_within_the_stated_memory(points: int) -> None:
    windows = months_of_traffic(points=points)
    (one,) = windows.of("latency_ms")
    kept = {step: len(one.at(step)) for step in (MINUTE, HOUR, DAY, EVER)}
    assert kept == {MINUTE: 121, HOUR: 193, DAY: 91, EVER: 1}
    assert windows.n_bytes() < 1_100_000
    assert one.at(EVER)[0].count == points * (91 + 9 * 24 - 3 + 180)


def test_what_is_ahead_of_the_clock_by_hours_is_not_kept_for_ever() -> None:
    now = 20_000 * DAY
    windows = Windows(retention_days=90, now_ms=lambda: now, max_series_per_name=5, max_names=5)
    for hour in range(500):
        windows.fold(SERIES, np.array([now + hour * HOUR]), np.array([1.0]))
    windows.forget_old()
    (one,) = windows.of("latency_ms")
    assert [len(one.at(step)) for step in (MINUTE, HOUR, DAY)] == [2, 2, 1]
