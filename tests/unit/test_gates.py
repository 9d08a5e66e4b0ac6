"""Gates: each passes, fails or cannot tell, with figures and a sentence; configurations are checked."""

from __future__ import annotations

import json
import math
import tomllib
from typing import Any

import numpy as np
import pytest

from mlops.evaluation.errors import BadGate
from mlops.evaluation.gates import (
    Gate,
    beats,
    covers,
    gates_from,
    holds,
    keeps_golden,
    output_valid,
    run_gates,
    stays_above,
    stays_below,
)
from mlops.evaluation.results import Evaluation, MetricResult

BASE = np.random.default_rng(0).uniform(0.2, 0.8, 100)
NOISE = np.random.default_rng(1).normal(0, 0.05, 100)


def _result(shift: float, *, n: int = 100, higher_is_better: bool = True, equal: bool = False) -> MetricResult:
    values = BASE[:n] + shift + (0 if equal else (NOISE - NOISE.mean())[:n])
    return MetricResult("ndcg@10", values, np.arange(n), n, 0, "as tested", higher_is_better)


def _evaluation(label: str = "m 1.1.0", shift: float = 0.0, **facts: Any) -> Evaluation:
    return Evaluation(label, {"ndcg@10": _result(shift, equal=shift == 0.0)}, **facts)


CHAMPION = _evaluation("m 1.0.0", figures={"coverage": 0.5}, golden={"a": True, "b": True, "c": False})


@pytest.mark.parametrize(
    ("gate", "challenger", "outcome"),
    [
        (beats("ndcg@10"), _evaluation(shift=0.05), "passed"),
        (beats("ndcg@10", by=0.04), _evaluation(shift=0.05), "passed"),
        (beats("ndcg@10", by=0.06), _evaluation(shift=0.05), "failed"),
        (beats("ndcg@10"), _evaluation(shift=-0.05), "failed"),
        (beats("ndcg@10"), _evaluation(shift=0.0), "failed"),
        (beats("ndcg@10"), _evaluation(shift=1e-4), "cannot tell"),
        (beats("mrr"), _evaluation(shift=0.05), "cannot tell"),
        (holds("ndcg@10", slack=0.02), _evaluation(shift=1e-4), "passed"),
        (holds("ndcg@10", slack=0.02), _evaluation(shift=0.05), "passed"),
        (holds("ndcg@10", slack=0.02), _evaluation(shift=-0.05), "failed"),
        (holds("ndcg@10"), _evaluation(shift=1e-4), "cannot tell"),
        (holds("coverage", slack=0.02), _evaluation(figures={"coverage": 0.49}), "passed"),
        (holds("coverage", slack=0.02), _evaluation(figures={"coverage": 0.47}), "failed"),
        (holds("coverage"), _evaluation(figures={"coverage": math.nan}), "cannot tell"),
        (holds("coverage"), _evaluation(), "cannot tell"),
        (stays_below("p95_ms", 80), _evaluation(figures={"p95_ms": 79.9}), "passed"),
        (stays_below("p95_ms", 80), _evaluation(figures={"p95_ms": 80.0}), "failed"),
        (stays_below("p95_ms", 80), _evaluation(), "cannot tell"),
        (stays_above("coverage", 0.4), _evaluation(figures={"coverage": 0.4}), "passed"),
        (stays_above("coverage", 0.4), _evaluation(figures={"coverage": 0.39}), "failed"),
        (covers(0.4), _evaluation(figures={"coverage": 0.4}), "passed"),
        (covers(0.4, slack=0.05), _evaluation(figures={"coverage": 0.44}), "failed"),
        (covers(0.6, slack=0.05), _evaluation(figures={"coverage": 0.5}), "failed"),
        (keeps_golden(), _evaluation(golden={"a": True, "b": True, "c": False}), "passed"),
        (keeps_golden(), _evaluation(golden={"a": True, "b": False, "c": True}), "failed"),
        (keeps_golden(at_most_lost=1), _evaluation(golden={"a": True, "b": False}), "passed"),
        (keeps_golden(), _evaluation(golden={"a": True}), "cannot tell"),
        (output_valid(), _evaluation(problems=[]), "passed"),
        (output_valid(), _evaluation(problems=["two recipes are the same"]), "failed"),
        (output_valid(), _evaluation(), "cannot tell"),
    ],
)
def test_a_gate_decides(gate: Gate, challenger: Evaluation, outcome: str) -> None:
    verdict = gate(challenger, CHAMPION)
    assert verdict.outcome == outcome
    assert verdict.passed == (outcome == "passed")
    assert verdict.sentence.endswith(".")


def test_a_champion_that_answers_no_golden_query_has_none_to_lose() -> None:
    verdict = keeps_golden()(CHAMPION, _evaluation(golden={"c": False}))
    assert (verdict.outcome, "answers none" in verdict.sentence) == ("cannot tell", True)


def test_where_lower_is_better_gates_turn_round() -> None:
    champion, challenger = (Evaluation("m", {"rmse": _result(shift, higher_is_better=False)}) for shift in (0.0, -0.05))
    assert beats("rmse", by=0.01)(challenger, champion).passed
    assert holds("rmse")(champion, challenger).outcome == "failed"


def test_verdicts_bring_figures_and_can_be_written_as_json() -> None:
    challenger = _evaluation(shift=0.05, figures={"p95_ms": 91.0}, golden={"a": False, "b": True})
    verdicts = run_gates([beats("ndcg@10", by=0.5), stays_below("p95_ms", 80), keeps_golden()], challenger, CHAMPION)
    written = json.loads(json.dumps([verdict.to_dict() for verdict in verdicts]))
    assert [one["gate"] for one in written] == ["beats(ndcg@10)", "stays_below(p95_ms)", "keeps_golden"]
    assert written[0]["figures"]["effect"] == pytest.approx(0.05)
    assert written[0]["figures"]["n_units"] == 100
    assert "less than the 0.5 asked for" in written[0]["sentence"]
    assert written[1]["sentence"] == "p95_ms is 91; it must be below 80."
    assert written[2]["sentence"] == "1 of 2 golden queries are lost: 'a'; at most 0 may be."


def test_versions_measured_on_other_queries_cannot_be_compared() -> None:
    fewer = Evaluation("m 1.1.0", {"ndcg@10": _result(0.05, n=50)})
    verdict = beats("ndcg@10")(fewer, CHAMPION)
    assert verdict.outcome == "cannot tell"
    assert "not measured on the same units" in verdict.sentence


def test_the_level_of_a_gate_changes_its_verdict() -> None:
    challenger = _evaluation(shift=0.012)
    outcomes = [beats("ndcg@10", alpha=alpha)(challenger, CHAMPION).outcome for alpha in (0.05, 0.001)]
    assert outcomes == ["passed", "cannot tell"]


# Configuration


def test_gates_are_read_from_toml() -> None:
    text = """
        [[gates]]
        gate = "beats"
        metric = "ndcg@10"
        by = 0.01
        [[gates]]
        gate = "stays_below"
        figure = "p95_ms"
        limit = 80
        [[gates]]
        gate = "keeps_golden"
        at_most_lost = 1
        [[gates]]
        gate = "output_valid"
    """
    gates = gates_from(tomllib.loads(text)["gates"])
    challenger = _evaluation(shift=0.05, figures={"p95_ms": 79.0}, golden={"a": False, "b": True}, problems=[])
    assert [verdict.outcome for verdict in run_gates(gates, challenger, CHAMPION)] == ["passed"] * 4


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"metric": "mrr"}, "gate 2 must be a mapping with the key 'gate'"),
        ("beats", "gate 2 must be a mapping"),
        ({"gate": "beat"}, "gate 2 is 'beat'; there are beats, holds"),
        ({"gate": 3}, "gate 2 is 3"),
        ({"gate": "beats"}, r"gate 2 \(beats\) needs the argument 'metric'"),
        ({"gate": "beats", "metric": "mrr", "at": 1}, "no argument 'at'; it takes metric, by, alpha"),
        ({"gate": "beats", "metric": 5}, "metric must be text, got 5"),
        ({"gate": "beats", "metric": "mrr", "by": "much"}, "by must be a number, got 'much'"),
        ({"gate": "beats", "metric": "mrr", "by": True}, "by must be a number, got True"),
        ({"gate": "beats", "metric": "mrr", "by": -1}, r"gate 2 \(beats\): by of beats must be 0 or more, got -1"),
        ({"gate": "beats", "metric": "mrr", "alpha": 1.5}, "alpha of beats must lie between 0 and 1"),
        ({"gate": "holds", "metric": "mrr", "slack": math.nan}, "slack of holds must be 0 or more, got nan"),
        ({"gate": "stays_below", "figure": "p95_ms", "limit": math.inf}, "limit of stays_below must be finite"),
        ({"gate": "covers", "at_least": 1.5}, "at_least of covers must be from 0 to 1"),
        ({"gate": "keeps_golden", "at_most_lost": 0.5}, "at_most_lost must be a whole number"),
        ({"gate": "keeps_golden", "at_most_lost": -1}, "at_most_lost of keeps_golden must be 0 or more"),
        ({"gate": "output_valid", "strict": True}, "it takes none"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(entry: Any, reason: str) -> None:
    with pytest.raises(BadGate, match=reason):
        gates_from([{"gate": "output_valid"}, entry])


@pytest.mark.parametrize("configuration", [{"gate": "output_valid"}, "beats"])
def test_a_configuration_that_is_no_list_is_refused(configuration: Any) -> None:
    with pytest.raises(BadGate, match="list of mappings"):
        gates_from(configuration)
