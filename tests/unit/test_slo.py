"""Burn rates: hand-worked windows, and what they page for."""

from __future__ import annotations

import pytest

from mlops.monitoring.rules import Finding, NoData, budget_burns, lowest_share
from mlops.monitoring.slo import Slo, burn_rate, burns
from tests.plain_metrics import PlainMetrics

AVAILABILITY = Slo("availability", "error_rate", 0.99)


@pytest.fixture
def metrics() -> PlainMetrics:
    return PlainMetrics()


def a_minute(metrics: PlainMetrics, *, bad: int, of: int) -> None:
    metrics.record_all("error_rate", [1.0] * bad + [0.0] * (of - bad))
    metrics.advance(minutes=1)


def verdicts(metrics: PlainMetrics) -> list[str]:
    return [burn.verdict for burn in burns(metrics, AVAILABILITY, metrics.now)]


def test_a_burn_rate_is_the_bad_share_over_the_budget() -> None:
    assert burn_rate(0.144, 0.99) == pytest.approx(14.4)
    assert burn_rate(0.0, 0.999) == 0.0
    # 14.4 times too fast for one hour spends 2 % of the budget of 30 days.
    assert pytest.approx(0.02) == 14.4 * 1 / (30 * 24)


@pytest.mark.parametrize(("bad", "expected"), [(9, "ok"), (18, "burning")])
def test_an_hour_burns_where_both_windows_do(metrics: PlainMetrics, bad: int, expected: str) -> None:
    # 45 quiet minutes, then 15 minutes with *bad* of 30: a quarter of the hour at 30 or 60 %, so 7.5 or 15 %.
    for _ in range(45):
        a_minute(metrics, bad=0, of=30)
    for _ in range(15):
        a_minute(metrics, bad=bad, of=30)
    first = burns(metrics, AVAILABILITY, metrics.now)[0]
    assert (first.verdict, first.n_long, first.n_short) == (expected, 1_800, 150)
    assert first.long == pytest.approx(bad / 30 * 15 / 60 / 0.01)
    assert first.short == pytest.approx(bad / 30 / 0.01)


def test_what_is_over_burns_no_more_in_the_short_window(metrics: PlainMetrics) -> None:
    for _ in range(30):
        a_minute(metrics, bad=15, of=30)
    assert verdicts(metrics)[0] == "burning"
    for _ in range(6):
        a_minute(metrics, bad=0, of=30)
    first = burns(metrics, AVAILABILITY, metrics.now)[0]
    assert (first.verdict, first.short) == ("ok", 0.0)
    assert first.long > 14.4


def test_exactly_on_the_line_burns_whatever_the_rounding(metrics: PlainMetrics) -> None:
    a_minute(metrics, bad=60, of=1_000)
    assert verdicts(metrics) == ["ok", "burning", "burning"]


def test_quiet_traffic_is_no_data(metrics: PlainMetrics) -> None:
    assert verdicts(metrics) == ["no data"] * 3
    a_minute(metrics, bad=29, of=29)
    assert verdicts(metrics) == ["no data"] * 3
    assert isinstance(budget_burns(AVAILABILITY)(metrics, metrics.now), NoData)
    for _ in range(5):
        a_minute(metrics, bad=1, of=1)
    assert verdicts(metrics)[0] == "burning"
    # The hour has requests, the last five minutes have none.
    metrics.advance(minutes=10)
    assert verdicts(metrics)[:2] == ["no data", "burning"]


def test_the_fastest_burning_windows_make_the_alert(metrics: PlainMetrics) -> None:
    a_minute(metrics, bad=30, of=100)
    found = budget_burns(AVAILABILITY)(metrics, metrics.now)
    assert isinstance(found, Finding)
    assert found.severity == "critical"
    assert found.sentence == (
        "the error budget of availability (objective 99.000%) burns 30.0 times too fast over 60 minutes and "
        "30.0 times over 5; the line is 14.4"
    )
    slow = PlainMetrics()
    a_minute(slow, bad=2, of=100)
    found = budget_burns(AVAILABILITY)(slow, slow.now)
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["factor"]) == ("warning", 1.0)


def test_an_objective_that_leaves_no_budget_is_refused() -> None:
    with pytest.raises(ValueError, match=r"objective must lie between 0 and 1, got 1\.0"):
        Slo("all", "error_rate", 1.0)


def test_the_exact_interval_is_scipys() -> None:
    from scipy import stats

    for k, n in [(1, 20), (5, 20), (20, 20), (13, 100)]:
        exact = stats.binomtest(k, n, alternative="greater").proportion_ci(0.99, method="exact")
        assert lowest_share(k, n, alpha=0.01) == pytest.approx(exact.low)
    assert lowest_share(0, 20) == 0.0
