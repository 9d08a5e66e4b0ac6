"""Evaluation reports: JSON that stays readable, a page beside it, and values that JSON can hold."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops.evaluation import (
    BadInput,
    BadReport,
    Evaluation,
    EvaluationReport,
    compare,
    evaluate_arrays,
    output_valid,
    run_gates,
    stays_below,
)

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
# As the first release wrote it. It must stay readable.
VERSION_1 = """{
  "schema_version": 1, "model_id": "hybrid_ranker", "version": "1.1.0", "created_at": "2026-11-17T12:00:00+00:00",
  "metrics": {"ranking": {"ndcg@10": {"metric": "ndcg@10", "mean": 0.5, "n_queries": 10, "n_without_relevant": 1,
    "higher_is_better": true, "convention": "nDCG"}, "mse": 0.25}},
  "validations": {"output": {"valid": true, "issues": []}},
  "comparisons": [{"metric": "ndcg@10", "verdict": "better", "sentence": "Better: ndcg@10.", "champion_mean": 0.4,
    "challenger_mean": 0.5, "effect": 0.1, "effect_relative": 0.25, "low": 0.05, "high": 0.15, "p_value": 0.001,
    "p_adjusted": 0.001, "smallest_detectable": 0.02, "n_units": 100, "n_better": 60, "n_worse": 20, "margin": 0.0,
    "alpha": 0.05, "power": 0.8, "n_resamples": 10000, "seed": 0, "method": "percentile", "higher_is_better": true,
    "n_looks": 2, "label": "1.0.0"}],
  "gates": [{"gate": "beats(ndcg@10)", "outcome": "passed", "sentence": "Better.", "figures": {"effect": 0.1}}]
}"""


def _report() -> EvaluationReport:
    report = EvaluationReport("hybrid_ranker", "1.1.0", created_at=NOON)
    report.add_metrics("ranking", evaluate_arrays([[0, 1]], [[2.0, 1.0]], metrics=["mrr"]))
    report.add_metrics("regression", {"mse": np.float64(0.25), "n": np.int64(4)})
    report.add_validation("output", {"valid": False, "issues": ["row 3 <b>is</b> empty"]})
    report.add_comparison(compare(np.zeros(30), np.ones(30), metric="mrr"), label="1.0.0")
    challenger = Evaluation("hybrid_ranker 1.1.0", figures={"p95_ms": 90.0}, problems=[])
    report.add_gates(run_gates([stays_below("p95_ms", 80), output_valid()], challenger, challenger))
    return report


def test_a_report_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    report = _report()
    path = report.save(tmp_path / "reports" / "one.json")
    assert path == tmp_path / "reports" / "one.json"
    assert EvaluationReport.load(path).to_dict() == report.to_dict()
    assert sorted(file.name for file in path.parent.iterdir()) == ["one.html", "one.json"]


def test_the_json_has_a_schema_version_and_plain_values() -> None:
    written = _report().to_dict()
    assert written["schema_version"] == 1
    assert written["created_at"] == "2026-11-17T12:00:00+00:00"
    assert written["metrics"]["ranking"]["mrr"]["mean"] == 0.5
    assert written["metrics"]["regression"] == {"mse": 0.25, "n": 4}
    assert json.loads(json.dumps(written)) == written


def test_changing_what_to_dict_gave_changes_no_report() -> None:
    report = _report()
    report.to_dict()["metrics"]["regression"]["mse"] = 9.0
    assert report.to_dict()["metrics"]["regression"]["mse"] == 0.25


def test_a_report_of_the_first_schema_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(VERSION_1)
    report = EvaluationReport.load(path)
    assert (report.model_id, report.version, report.created_at) == ("hybrid_ranker", "1.1.0", NOON)
    assert report.to_dict() == json.loads(VERSION_1)
    assert "look" in report.to_html()


def test_the_page_shows_everything_and_escapes_it(tmp_path: Path) -> None:
    page = _report().save(tmp_path).with_suffix(".html").read_text("utf-8")
    for text in ("hybrid_ranker 1.1.0", "failed", "p95_ms is 90", "Better: mrr", "regression", "0.25", "<svg"):
        assert text in page
    assert "row 3 &lt;b&gt;is&lt;/b&gt; empty" in page
    assert len(page.encode()) < 30_000


def test_an_empty_report_has_a_page() -> None:
    assert "Evaluation of m 1.0.0" in EvaluationReport("m", "1.0.0").to_html()


def test_a_folder_is_given_a_file_named_by_model_and_version(tmp_path: Path) -> None:
    assert _report().save(tmp_path).name == "hybrid_ranker_1.1.0.json"
    assert _report().save(tmp_path / "new").parent.name == "new"


def test_saving_again_replaces_both_files(tmp_path: Path) -> None:
    path = _report().save(tmp_path / "one.json")
    EvaluationReport("m", "2.0.0").save(path)
    assert EvaluationReport.load(path).version == "2.0.0"
    assert "hybrid_ranker" not in path.with_suffix(".html").read_text()


def test_metrics_and_validations_may_come_without_a_name_and_add_up() -> None:
    report = EvaluationReport("m", "1.0.0")
    report.add_metrics({"mse": 1.0})
    report.add_metrics({"mae": 2.0})
    report.add_validation({"valid": True})
    assert report.to_dict()["metrics"] == {"metrics": {"mse": 1.0, "mae": 2.0}}
    assert report.to_dict()["validations"] == {"validation": {"valid": True}}


def test_a_time_of_another_zone_is_kept_in_utc() -> None:
    report = EvaluationReport("m", "1.0.0", created_at=NOON.astimezone(timezone(timedelta(hours=-5))))
    assert report.to_dict()["created_at"] == "2026-11-17T12:00:00+00:00"


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (lambda r: r.add_metrics("a", {"mse": math.nan}), "a.mse is nan"),
        (lambda r: r.add_metrics("a", {"b": {"c": [1.0, math.inf]}}), r"a.b.c\[1\] is inf"),
        (lambda r: r.add_metrics("a", {"mse": object()}), "a.mse is a object"),
        (lambda r: r.add_metrics("a"), "a needs a mapping, got NoneType"),
        (lambda r: r.add_metrics({"a": 1}, {"b": 2}), "one mapping"),
        (lambda r: r.add_validation("a", [1]), "a needs a mapping, got list"),
        (lambda r: r.save("report.txt"), "must end with .json"),
        (lambda _: EvaluationReport("m", "1.0.0", created_at=datetime(2026, 1, 1)), "time zone"),  # noqa: DTZ001
    ],
)
def test_what_a_report_cannot_hold_is_refused(add: Any, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        add(EvaluationReport("m", "1.0.0"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError: 'schema_version'"),
        ('{"schema_version": 1}', "KeyError"),
        ('{"schema_version": 2}', "schema version 2, this release reads 1; it was written by a later release"),
        (VERSION_1.replace("2026-11-17T12:00:00+00:00", "noon"), "ValueError"),
    ],
)
def test_a_file_that_is_no_report_is_refused_by_name(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(BadReport, match=reason) as raised:
        EvaluationReport.load(path)
    assert "bad.json" in str(raised.value)
