"""What the watch, the health and the drift checks say is read in Spanish, with the values that they put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mlops import HealthMonitor
from mlops.drift import check_drift
from mlops.monitoring.anomaly_rules import unusual
from mlops.monitoring.rules import Finding, budget_burns, default_rules
from mlops.monitoring.slo import Slo
from mlops.monitoring.thresholds import Thresholds
from mlops.retraining.needs import ColumnDrift
from mlops.retraining.rules import rule_of_drift
from tests.plain_metrics import PlainMetrics
from tests.unit.test_sentences import ALL

N = 400
SHARE = "\N{NO-BREAK SPACE}%"
MS = "\N{NO-BREAK SPACE}ms"
MIN = "\N{NO-BREAK SPACE}min"


@pytest.fixture
def metrics() -> PlainMetrics:
    return PlainMetrics()


def read(name: str, metrics: PlainMetrics) -> str | None:
    """What the rule *name* finds, in Spanish."""
    (check,) = [rule.check for rule in default_rules() if rule.name == name]
    found = check(metrics, metrics.now)
    assert isinstance(found, Finding)
    return ALL(found.sentence)


def test_slow_and_failing_requests(metrics: PlainMetrics) -> None:
    metrics.record_all("api_latency_ms", [6_000.0] * 1_200)
    metrics.record_all("error_rate", [1.0] * 13 + [0.0] * 87)
    assert read("latency", metrics) == (
        f"en 5{MIN}, el 5{SHARE} de 1200 peticiones tardó más de 6000{MS}; el límite es 5000{MS}"
    )
    assert read("error_rate", metrics) == (
        f"peticiones fallidas en 5{MIN}: 13 de 100 (13,0{SHARE}, al menos 6,3{SHARE}); el límite es 5,0{SHARE}"
    )


def test_an_error_budget_that_burns(metrics: PlainMetrics) -> None:
    metrics.record_all("error_rate", [1.0] * 30 + [0.0] * 70)
    found = budget_burns(Slo("availability", "error_rate", 0.99))(metrics, metrics.now)
    assert isinstance(found, Finding)
    assert ALL(found.sentence) == (
        f"el margen de errores de «availability» (objetivo 99,000{SHARE}) se gasta 30,0 veces más deprisa de lo debido "
        f"en 60{MIN}, y 30,0 veces en 5{MIN}; el límite es 14,4"
    )


def test_what_should_never_happen(metrics: PlainMetrics) -> None:
    for name, labels in (
        ("dropped_count", {"queue": "metrics"}),
        ("dropped_count", {"queue": "answers"}),
        ("label_overflow_count", {}),
        ("metric_write_failures", {}),
        ("answer_problem_count", {"kind": "twice"}),
    ):
        metrics.record(name, 2, labels)
    assert read("dropped", metrics) == f"datos perdidos en 5{MIN}: 4 (answers: 2, metrics: 2)"
    assert read("label_overflow", metrics) == f"puntos con una etiqueta de más en 5{MIN}: 2"
    assert read("metric_writes", metrics) == f"escrituras de métricas fallidas o a medias en 5{MIN}: 2"
    assert read("answer_problems", metrics) == f"respuestas que incumplen una regla en 5{MIN}: 2 (twice: 2)"


def test_what_is_unusual_and_what_has_moved(metrics: PlainMetrics) -> None:
    check = unusual("api_latency_ms", stat="mean")
    told: list[str | None] = []
    for minute in range(120):
        metrics.record("api_latency_ms", 100.0 + minute % 5 + (312.5 if minute > 89 else 0))
        metrics.advance(minutes=1)
        found = check(metrics, metrics.now)
        told += [ALL(found.sentence)] if isinstance(found, Finding) else []
    assert told[0] == "valor inusual de api_latency_ms (mean): 413,5 a las 13:31 UTC; lo normal es 102"
    assert told[-1] is not None
    assert told[-1].startswith("cambio de nivel de api_latency_ms (mean): ")


def test_health_says_what_is_wrong_with_the_requests(metrics: PlainMetrics) -> None:
    metrics.record_all("api_latency_ms", [5_001.0] * 100)
    metrics.record_all("error_rate", [1.0] * 9 + [0.0] * 91)
    monitor = HealthMonitor(metrics, thresholds=Thresholds(), clock=metrics.clock)
    assert [ALL(problem) for problem in monitor.get_system_status()["problems"]] == [
        f"falló el 9,0{SHARE} de 100 peticiones; el límite es 5,0{SHARE}",
        f"el 5{SHARE} de las peticiones tardó más de 5001{MS}; el límite es 5000{MS}",
    ]


def test_columns_that_moved_are_told_in_the_words_of_the_need_of_a_training(metrics: PlainMetrics) -> None:
    columns = [ColumnDrift("time_limit", 0.4, 0.15, drifted=True), ColumnDrift("hour", 1.0, 0.15, drifted=True)]
    found = rule_of_drift("churn", lambda: columns).check(metrics, metrics.now)
    assert isinstance(found, Finding)
    assert ALL(found.sentence) == (
        "columnas con deriva en lo que llega a churn, 2 de 2: time_limit 0,40 (límite 0,15), hour 1,00 (límite 0,15)"
    )


CUISINES = np.array(["it", "mx", "pe", "es"] * (N // 4))


@pytest.mark.parametrize(
    ("before", "now", "finding"),
    [
        ({"x": np.arange(N), "y": np.arange(N)}, {"x": np.arange(N)}, "Falta y: la referencia la tiene."),
        ({"x": np.arange(N)}, {"x": np.arange(N), "y": np.arange(N)}, "y es nueva: la referencia no la tiene."),
        ({"x": np.arange(N)}, {"x": np.full(N, np.nan)}, "x ya no tiene valores."),
        ({"x": np.arange(N)}, {"x": ["a", "b"] * 200}, "x contenía números y ahora contiene categorías."),
        ({"x": [1.0, "two"] * 200}, {"x": [1.0, "two"] * 200}, "x no se juzga: contiene tipos mezclados."),
        ({"x": np.arange(N)}, {"x": np.full(N, 2.5)}, "x vale ahora 2,5 en todas las filas."),
        (
            {"x": CUISINES},
            {"x": np.where(np.arange(N) < 4, "jp", CUISINES)},
            f"x tiene un valor nuevo en el 1,00{SHARE} de las filas: jp.",
        ),
        (
            {"x": CUISINES},
            {"x": np.where(np.arange(N) < 8, [f"v{n}" for n in range(N)], CUISINES)},
            f"x tiene 8 valores nuevos en el 2,00{SHARE} de las filas: v0, v1, v2, v3, v4, ….",
        ),
    ],
)
def test_what_a_drift_check_finds_besides(before: Mapping[str, Any], now: Mapping[str, Any], finding: str) -> None:
    assert finding in [ALL(one.sentence) for one in check_drift(before, now).findings]


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        ({"x": np.arange(N), "y": np.arange(N)}, "Columnas con deriva: ninguna de 2 (400 filas frente a 1.200)."),
        (
            {"x": np.arange(N) + 5_000.0, "y": np.arange(N)},
            "Columnas con deriva, 1 de 2 (400 filas frente a 1.200): x.",
        ),
        (
            {"x": np.arange(N) + 5_000.0},
            "Columnas con deriva, 1 de 1 (400 filas frente a 1.200): x; faltan o ya no son como eran: y.",
        ),
        ({"x": np.arange(5), "y": np.arange(5)}, "No se puede decir nada: pocos datos, 5 filas frente a 1.200."),
    ],
)
def test_the_verdict_of_a_drift_check(now: Mapping[str, Any], sentence: str) -> None:
    before = {name: np.tile(np.arange(N), 3) for name in "xy"}
    assert ALL(check_drift(before, now).sentence) == sentence
