"""Health in a word and with reasons; quiet traffic is no health."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mlops import HealthMonitor
from mlops.monitoring.thresholds import Thresholds
from tests.plain_metrics import PlainMetrics


@pytest.fixture
def metrics() -> PlainMetrics:
    return PlainMetrics()


@pytest.fixture
def monitor(metrics: PlainMetrics) -> HealthMonitor:
    return HealthMonitor(metrics, thresholds=Thresholds(), clock=metrics.clock)


def test_no_traffic_is_no_data(metrics: PlainMetrics, monitor: HealthMonitor) -> None:
    status = monitor.get_system_status()
    assert (status["overall_status"], status["problems"], status["checks"]) == ("no data", [], {})
    assert status["timestamp"] == metrics.now.isoformat()
    assert (status["api"]["error_rate"], status["api"]["latency_ms"]) == (None, None)
    metrics.record_all("error_rate", [1.0] * 19)
    assert monitor.check_api_health()["status"] == "no data"


@pytest.mark.parametrize(
    ("latency", "failed", "status"), [(100.0, 5, "healthy"), (5_001.0, 5, "degraded"), (5_001.0, 6, "unhealthy")]
)
def test_the_api_is_held_to_the_owner_s_thresholds(
    metrics: PlainMetrics, monitor: HealthMonitor, latency: float, failed: int, status: str
) -> None:
    metrics.record_all("api_latency_ms", [latency] * 100)
    metrics.record_all("error_rate", [1.0] * failed + [0.0] * (100 - failed))
    found = monitor.check_api_health()
    assert (found["status"], found["request_count"], found["error_rate"]) == (status, 100, failed / 100)
    assert len(found["problems"]) == {"healthy": 0, "degraded": 1, "unhealthy": 2}[status]


def test_a_part_that_is_unwell_or_fails_to_answer_is_told(metrics: PlainMetrics) -> None:
    def fails() -> Iterable[str]:
        raise OSError("the disk is gone")

    monitor = HealthMonitor(
        metrics, thresholds=Thresholds(), checks={"index": list, "disk": fails, "model": lambda: ["no version"]}
    )
    status = monitor.get_system_status()
    assert status["overall_status"] == "unhealthy"
    assert status["problems"] == ["OSError: the disk is gone", "no version"]
    assert status["checks"]["index"] == {"status": "healthy", "problems": []}


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ({}, "no data"),
        ({"accuracy": 0.9}, "no data"),
        ({"accuracy": 0.95, "baseline_accuracy": 1.0}, "healthy"),
        ({"accuracy": 0.94, "baseline_accuracy": 1.0}, "degraded"),
        ({"rmse": 1.06, "baseline_rmse": 1.0}, "degraded"),
        ({"rmse": 0.5, "baseline_rmse": 1.0}, "healthy"),
        ({"accuracy_drop": 0.06}, "degraded"),
        ({"drift": 0.11}, "degraded"),
        ({"drift_score": 0.1, "error_rate": 0.05, "latency_ms": 5_000}, "healthy"),
        ({"p95_latency_ms": 5_001}, "degraded"),
        ({"accuracy": float("nan"), "baseline_accuracy": 1.0}, "unhealthy"),
    ],
)
def test_a_model_is_held_to_the_owner_s_thresholds(
    monitor: HealthMonitor, figures: dict[str, float], status: str
) -> None:
    found = monitor.check_model_health(figures)
    assert found["status"] == status
    assert bool(found["problems"]) is (status in {"degraded", "unhealthy"})


def test_a_baseline_may_stand_apart_and_the_problem_names_both(monitor: HealthMonitor) -> None:
    found = monitor.check_model_health({"ndcg": 0.36}, baseline={"ndcg": 0.4})
    assert found["problems"] == ["ndcg is 0.36, 10.0% worse than 0.4; the line is 5.0%"]
    assert found["checks"]["ndcg"]["change"] == pytest.approx(0.1)


def test_the_one_that_ships_reads_the_metrics_that_ship(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops import health_monitor
    from mlops.monitoring import collector

    metrics = PlainMetrics()
    metrics.record_all("error_rate", [1.0] * 100)
    monkeypatch.setattr(collector, "default_collector", lambda: metrics)
    monkeypatch.setattr(health_monitor, "_clock", metrics.clock)
    monkeypatch.setattr(health_monitor, "_metrics", None)
    monkeypatch.setattr(health_monitor, "_thresholds", Thresholds())
    status = health_monitor.get_system_status()
    assert (status["overall_status"], status["api"]["status"]) == ("unhealthy", "unhealthy")
