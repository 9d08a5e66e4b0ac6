"""Anomalies of a stream: false alarms are rare, shifts are found once, and a week's rhythm is known."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlops.monitoring.anomaly_rules import unusual
from mlops.monitoring.hour_of_week import HourOfWeek
from mlops.monitoring.page_hinkley import PageHinkley
from mlops.monitoring.rules import Finding, NoData
from mlops.monitoring.streaming import Judgement, StreamingDetector
from tests.plain_metrics import PlainMetrics

START = datetime(2026, 11, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def judged(values: list[float], detector: StreamingDetector | None = None, step: timedelta = MINUTE) -> list[Judgement]:
    detector = detector or StreamingDetector()
    return [detector.update(START + step * n, float(value)) for n, value in enumerate(values)]


def verdicts(values: list[float]) -> list[str]:
    return [judgement.verdict for judgement in judged(values)]


def noise(n: int, *, seed: int = 0) -> list[float]:
    drawn: list[float] = np.random.default_rng(seed).normal(100, 5, n).tolist()
    return drawn


def test_a_value_is_judged_by_those_before_it_and_not_by_itself() -> None:
    # Before it: 15 times 99 and 101 each. Median 100, MAD 1: 0.6745 * (110 - 100) / 1.
    last = judged([99.0, 101.0] * 15 + [110.0])[-1]
    assert (last.score, last.expected, last.n) == (pytest.approx(6.745), 100.0, 30)
    assert (last.verdict, last.baseline) == ("suspect", "window")


def test_one_far_value_is_suspect_and_two_in_a_row_on_one_side_are_an_anomaly() -> None:
    calm = [99.0, 101.0] * 20
    assert verdicts([*calm, 120.0])[-1] == "suspect"
    assert verdicts([*calm, 120.0, 121.0])[-1] == "anomaly"
    assert verdicts([*calm, 120.0, 80.0])[-1] == "suspect"
    assert verdicts([*calm, 120.0, 100.0, 120.0])[-1] == "suspect"


def test_nothing_is_said_while_it_warms_up() -> None:
    assert set(verdicts([1.0] * 29 + [1e6])) == {"warming up"}
    assert verdicts([1.0] * 30 + [1e6])[-1] == "suspect"


def test_a_week_of_stationary_noise_makes_no_alarm() -> None:
    found = Counter(verdicts(noise(7 * 1_440)))
    assert (found["anomaly"], found["level shift"], found["warming up"]) == (0, 0, 30)
    assert found["suspect"] < 20


@pytest.mark.parametrize("shift", [-15.0, 7.5, 50.0])
def test_a_level_shift_is_told_once_and_then_usual(shift: float) -> None:
    found = verdicts([*noise(300), *[value + shift for value in noise(300, seed=1)]])
    assert "level shift" not in found[:300]
    assert found.count("level shift") == 1
    at = found.index("level shift") - 300
    assert at <= 40
    assert set(found[300 + at + 1 : 300 + at + 30]) == {"warming up"}
    assert Counter(found[300 + at + 31 :])["ok"] > 200


def test_a_slow_decay_that_no_single_value_shows_is_a_level_shift() -> None:
    found = verdicts([value + 0.05 * max(0, n - 200) for n, value in enumerate(noise(600))])
    assert "anomaly" not in found[: found.index("level shift")]
    assert 200 < found.index("level shift") < 500


def test_one_enormous_value_is_no_level_shift() -> None:
    found = verdicts([*noise(100), 1e9, *noise(100, seed=1)])
    assert "level shift" not in found


def test_what_is_usual_at_this_hour_of_the_week_is_taken_off() -> None:
    def load(n: int) -> float:
        # Noon is ten times midnight, every day.
        return 100 * (1 + 9 * (n % 24 == 12)) + (n * 7_919 % 5)

    hours = 24 * 7 * 5
    found = judged([load(n) for n in range(hours)], step=timedelta(hours=1))
    noons = [judgement for n, judgement in enumerate(found) if n % 24 == 12]
    assert {judgement.verdict for judgement in noons[3:20]} == {"suspect"}
    assert {judgement.verdict for judgement in noons[-7:]} == {"ok"}
    assert {judgement.baseline for judgement in found[-168:]} == {"hour of week"}
    assert noons[-1].expected == pytest.approx(1_000, abs=5)


def test_the_season_is_the_median_of_the_weeks_before() -> None:
    season = HourOfWeek(fewest_weeks=3)
    for week, values in enumerate([(1.0, 3.0), (10.0,), (3.0,), (99.0,)]):
        for value in values:
            season.add(START + timedelta(weeks=week), value)
    assert season.expected(START + timedelta(weeks=2)) is None
    assert season.expected(START + timedelta(weeks=3)) == 3.0
    assert season.expected(START + timedelta(weeks=4)) == 6.5
    assert season.expected(START + timedelta(weeks=4, hours=1)) is None


def test_page_hinkley_is_worked_out_by_hand() -> None:
    # Means 0, 0, 1, 1.5, 1.8; deviations 0, 0, 2, 1.5, 1.2; less delta 0.5: -0.5 -1 0.5 1.5 2.2; lowest -1.
    detector = PageHinkley(delta=0.5, threshold=3.0, warm_up=1)
    assert [detector.update(value) for value in (0.0, 0.0, 3.0, 3.0, 3.0)] == [0, 0, 0, 0, 1]
    mirrored = PageHinkley(delta=0.5, threshold=3.0, warm_up=1)
    assert [mirrored.update(value) for value in (0.0, 0.0, -3.0, -3.0, -3.0)] == [0, 0, 0, 0, -1]
    late = PageHinkley(delta=0.5, threshold=3.0, warm_up=10)
    assert [late.update(value) for value in (0.0, 0.0, 3.0, 3.0, 3.0)] == [0] * 5


def test_page_hinkley_alarms_where_that_of_river_does() -> None:
    # river 0.26.1: PageHinkley(min_instances=30, delta=0.5, threshold=20, alpha=1.0, mode="both").
    of_river = [[321, 410], [321, 412], [326, 413], [312, 410], [321, 411]]
    for seed, expected in enumerate(of_river):
        drawn = random.Random(seed)
        values = [drawn.gauss(mean, 1) for mean, n in ((0, 300), (1.5, 100), (-1, 100)) for _ in range(n)]
        detector = PageHinkley(delta=0.5, threshold=20, warm_up=30)
        assert [n for n, value in enumerate(values) if detector.update(value)] == expected


@pytest.mark.parametrize("options", [{"warm_up": 6}, {"warm_up": 61}, {"threshold": 0}, {"in_a_row": 0}])
def test_a_detector_that_could_not_work_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        StreamingDetector(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="value must be finite, got nan"):
        StreamingDetector().update(START, math.nan)


# --- As a rule ------------------------------------------------------------------------------------------------------


def minutes(metrics: PlainMetrics, values: list[float]) -> None:
    for value in values:
        metrics.record_all("api_latency_ms", [value] * 3)
        metrics.advance(minutes=1)


def test_the_rule_warms_up_on_what_was_measured_before_and_follows_minute_by_minute() -> None:
    metrics = PlainMetrics()
    check = unusual("api_latency_ms", log_scale=True)
    assert isinstance(check(metrics, metrics.now), NoData)
    minutes(metrics, noise(90))
    assert check(metrics, metrics.now) is None
    minutes(metrics, [400.0])
    assert check(metrics, metrics.now) is None
    minutes(metrics, [400.0])
    found = check(metrics, metrics.now)
    assert isinstance(found, Finding)
    assert found.evidence["value"] == 400.0
    assert found.evidence["usual"] == pytest.approx(100, rel=0.05)
    # Looked at again within the minute, nothing new is learned.
    assert check(metrics, metrics.now + timedelta(seconds=20)) == found
    minutes(metrics, noise(1))
    assert check(metrics, metrics.now) is None


def test_the_rule_tells_a_level_shift_until_the_new_level_is_learned() -> None:
    metrics = PlainMetrics()
    check = unusual("api_latency_ms", log_scale=True)
    minutes(metrics, noise(90))
    told: list[str] = []
    for value in noise(60, seed=1):
        minutes(metrics, [2 * value])
        outcome = check(metrics, metrics.now)
        told.append(outcome.evidence["verdict"] if isinstance(outcome, Finding) else "nothing")
    # One alert: an anomaly that turns out to be a shift, and ends when the new level is usual.
    assert told[0] == "nothing"
    assert list(dict.fromkeys(told[1:])) == ["anomaly", "level shift", "nothing"]


def test_a_silent_service_is_no_data() -> None:
    metrics = PlainMetrics()
    check = unusual("api_latency_ms")
    minutes(metrics, noise(90))
    metrics.advance(minutes=6)
    assert isinstance(check(metrics, metrics.now), NoData)
