"""The owner's quick self-check: ``python test_mlops.py``, or ``python -m unittest test_mlops.TestModelRegistry -v``.

A class for each module of the toolkit, with its use as an example, and one for the way from a training to a rollback.
Every test works in a folder of its own, which is gone afterwards: no setting of the environment and no ``.env`` leads
it to real data. The whole suite is ``make test``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mlops import (
    AnomalyDetector,
    EvaluationReport,
    HealthMonitor,
    MetricsCollector,
    ModelEvaluator,
    ModelMetadata,
    ModelRegistry,
    ModelValidator,
    get_logger,
    setup_logging,
)
from mlops.artefacts import DiskArtefacts
from mlops.config import Settings, load_settings
from mlops.errors import InvalidMetadata, InvalidSettings, TooLittleData, UnknownTrainer
from mlops.evaluation import Gate, beats
from mlops.evaluation.results import Evaluation, MetricResult
from mlops.logging_config import tear_down_logging
from mlops.model_registry import open_registry
from mlops.retraining import Progress, Trained, Trainers
from mlops.retraining.opening import open_orchestrator
from mlops.retraining.schedule import AutomaticRetrainingScheduler

MODEL = "hybrid_ranker"


class Mean:
    """The smallest model there is: it answers with the mean of what it has seen. It is trained for real."""

    def load(self) -> Sequence[float]:
        """The data of a job to which nobody brings any."""
        raise TooLittleData("there are 0 values, and it takes 100")

    def take(
        self, training_data: Mapping[str, Any], validation_data: Mapping[str, Any] | None = None
    ) -> Sequence[float]:
        """The data that a caller brings, those to validate with last; the last 40 values are held out."""
        tables = [table for table in (training_data, validation_data) if table is not None]
        values: list[float] = np.concatenate([np.asarray(table["minutes"], float) for table in tables]).tolist()
        return values

    def fingerprint(self, data: Sequence[float]) -> str:
        """Equal data, equal text."""
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()

    def train(self, data: Sequence[float], _parameters: Mapping[str, Any], _seed: int, progress: Progress) -> Trained:
        """Learn from all but the holdout."""
        progress(0.5, "takes the mean")
        return Trained({"mean.json": json.dumps(float(np.mean(data[:-40]))).encode()})

    def evaluate(self, files: Mapping[str, bytes], data: Sequence[float]) -> Evaluation:
        """How far the values of the holdout are from the mean."""
        distance = np.abs(np.asarray(data[-40:]) - json.loads(files["mean.json"]))
        metric = MetricResult("distance", distance, np.arange(40), 40, 0, "absolute", higher_is_better=False)
        return Evaluation("minutes", {"distance": metric})

    def gates(self) -> Sequence[Gate]:
        """What it takes to go live."""
        return [beats("distance")]


class Isolated(unittest.TestCase):
    """Has a folder of its own, and the settings that lead there."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="test-mlops-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            data_dir=self.folder,
            database_url=f"sqlite:///{self.folder}/state.db",
            mlflow_tracking_uri="off",
        )

    def open_registry(self) -> ModelRegistry:
        """A registry in the folder, closed with the test."""
        registry = open_registry(self.settings)
        self.addCleanup(registry.database.close)
        self.addCleanup(registry.close)
        return registry


class TestModelRegistry(Isolated):
    """Versions, states and moves."""

    def setUp(self) -> None:
        super().setUp()
        self.registry = self.open_registry()

    def test_a_version_is_registered_and_promoted(self) -> None:
        name = self.registry.register_model(ModelMetadata(MODEL, "1.0.1", metrics={"accuracy": 0.92}))
        self.assertEqual(name, "hybrid_ranker_1.0.1")
        self.assertTrue(self.registry.update_model_status(MODEL, "1.0.1", "production"))
        champion = self.registry.get_production_model(MODEL)
        assert champion is not None
        self.assertEqual((champion["version"], champion["metrics"]), ("1.0.1", {"accuracy": 0.92}))

    def test_promoting_another_version_archives_the_first_and_a_rollback_brings_it_back(self) -> None:
        for version in ("1.0.0", "1.1.0"):
            self.registry.register_model(ModelMetadata(MODEL, version))
            self.registry.promote(MODEL, version, because="test")
        self.assertEqual([one["version"] for one in self.registry.list_models(MODEL, "archived")], ["1.0.0"])
        self.registry.rollback(MODEL, because="test")
        champion = self.registry.get_production_model(MODEL)
        assert champion is not None
        self.assertEqual(champion["version"], "1.0.0")
        self.assertEqual([one["version"] for one in self.registry.get_version_history(MODEL)], ["1.1.0", "1.0.0"])

    def test_a_version_that_is_none_is_refused_and_an_unknown_one_is_false(self) -> None:
        with self.assertRaises(InvalidMetadata):
            ModelMetadata(MODEL, "1.0")
        self.assertFalse(self.registry.update_model_status(MODEL, "9.9.9", "production"))

    def test_the_view_is_a_readable_file(self) -> None:
        self.registry.register_model(ModelMetadata(MODEL, "1.0.0"))
        self.registry.refresh_view()
        text = (self.folder / "models" / "registry.json").read_text("utf-8")
        self.assertIn("1.0.0", json.dumps(json.loads(text)))

    def test_artefacts_are_kept_and_verified(self) -> None:
        self.registry.register(ModelMetadata(MODEL, "1.0.0"), artefact={"weights.json": b"[0.7, 0.3]"})
        one = self.registry.get_model(MODEL, "1.0.0")
        assert one is not None
        self.assertEqual(self.registry.files(one), {"weights.json": b"[0.7, 0.3]"})
        self.assertIsInstance(self.registry.artefacts, DiskArtefacts)


class TestModelEvaluation(Isolated):
    """Metrics, validation, drift, reports."""

    def test_ranking_metrics_are_those_of_the_formulas(self) -> None:
        found = ModelEvaluator().calculate_ranking_metrics(np.array([3.0, 1.0, 2.0]), np.array([2.0, 1.0, 3.0]))
        self.assertAlmostEqual(found["mse"], 2 / 3)
        self.assertAlmostEqual(found["mae"], 2 / 3)
        self.assertAlmostEqual(found["r2_score"], 0.0)
        # Gains 2, 3, 1 at ranks 1, 2, 3, over the ideal 3, 2, 1.
        ideal = 3 + 2 / np.log2(3) + 1 / 2
        self.assertAlmostEqual(found["ndcg"], (2 + 3 / np.log2(3) + 1 / 2) / ideal)

    def test_retrieval_metrics_count(self) -> None:
        found = ModelEvaluator().calculate_retrieval_metrics([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1], threshold=0.5)
        self.assertEqual([found[name] for name in ("tp", "fp", "tn", "fn")], [1, 1, 1, 1])
        self.assertEqual(found["specificity"], 0.5)

    def test_a_mean_that_moved_is_drift_and_one_that_did_not_is_none(self) -> None:
        rng = np.random.default_rng(0)
        before = {"minutes": rng.normal(30, 5, 1_000), "servings": rng.normal(4, 1, 1_000)}
        now = {"minutes": rng.normal(36, 5, 1_000), "servings": rng.normal(4, 1, 1_000)}
        found = ModelValidator().check_data_drift(before, now, threshold=0.1)
        self.assertTrue(found["drift_detected"])
        self.assertEqual(found["columns_with_drift"], ["minutes"])

    def test_classification_metrics_and_the_rank_of_the_first_hit(self) -> None:
        evaluator = ModelEvaluator()
        found = evaluator.calculate_classification_metrics([1, 1, 1, 0], [1, 1, 0, 1])
        self.assertEqual([found[name] for name in ("accuracy", "precision", "recall")], [0.5, 2 / 3, 2 / 3])
        self.assertAlmostEqual(found["f1_score"], 2 / 3)
        # The only relevant item is second.
        self.assertAlmostEqual(evaluator.calculate_mrr([0, 1, 0], [0.9, 0.5, 0.1]), 0.5)
        self.assertAlmostEqual(evaluator.calculate_ndcg([0, 1, 0], [0.9, 0.5, 0.1], k=5), 1 / np.log2(3))

    def test_output_out_of_range_is_named(self) -> None:
        found = ModelValidator().validate_model_output([0.2, 1.7], expected_shape=(2,), value_range=(0, 1))
        self.assertFalse(found["valid"])
        self.assertEqual(len(found["issues"]), 1)

    def test_a_report_is_saved_as_it_is(self) -> None:
        report = EvaluationReport(MODEL, "1.0.0")
        report.add_metrics({"ndcg": 0.9})
        path = self.folder / "report.json"
        report.save(path)
        self.assertEqual(json.loads(path.read_text("utf-8"))["metrics"], report.to_dict()["metrics"])


class TestMonitoring(Isolated):
    """Metrics, anomalies, health, logs."""

    def test_statistics_are_those_of_the_points_and_outlive_the_process_that_wrote_them(self) -> None:
        values = np.linspace(100, 200, 101)
        with MetricsCollector(self.folder / "metrics") as collector:
            for value in values:
                collector.record("api_latency_ms", float(value))
        found = MetricsCollector(self.folder / "metrics").get_stats("api_latency_ms")
        self.assertEqual((found["count"], found["min"], found["max"]), (101, 100, 200))
        self.assertAlmostEqual(found["mean"], 150)
        self.assertAlmostEqual(found["p95"], np.percentile(values, 95), delta=0.01 * 195)

    def test_what_stands_out_is_an_anomaly_and_too_little_data_says_so(self) -> None:
        found = AnomalyDetector().detect_anomalies([100, 102, 98, 101, 99, 100, 103, 97, 100, 101, 99, 950])
        self.assertEqual(found["anomaly_indices"], [11])
        self.assertEqual(AnomalyDetector().detect_anomalies([1, 2])["verdict"], "not enough data")

    def test_a_fall_is_a_degradation_and_a_rise_is_none(self) -> None:
        rng = np.random.default_rng(2)
        steady, worse = rng.normal(0.9, 0.01, 40), rng.normal(0.7, 0.01, 10)
        detector = AnomalyDetector()
        fallen = detector.detect_performance_degradation({"accuracy": [*steady, *worse]})
        risen = detector.detect_performance_degradation({"accuracy": [*worse, *steady]})
        self.assertEqual((fallen["degraded"], risen["degraded"]), (["accuracy"], []))

    def test_no_traffic_is_no_data(self) -> None:
        monitor = HealthMonitor(MetricsCollector(self.folder / "metrics"))
        self.assertEqual(monitor.get_system_status()["overall_status"], "no data")


class TestLogging(Isolated):
    """Lines of JSON, without secrets."""

    def test_a_line_in_the_log_is_json_and_holds_no_secret(self) -> None:
        setup_logging(self.settings, console=False)
        self.addCleanup(tear_down_logging)
        extra = {"request_id": "123", "latency_ms": 250, "api_key": "do-not-tell"}
        get_logger("app").log_with_context(level=logging.INFO, msg="Recommendation generated", extra_data=extra)
        (path,) = (self.folder / "logs").glob("app_*.log")
        line = json.loads(path.read_text("utf-8"))
        self.assertEqual((line["event"], line["latency_ms"]), ("Recommendation generated", 250))
        self.assertNotIn("do-not-tell", path.read_text("utf-8"))


class TestConfiguration(Isolated):
    """One object, read once, which names what is wrong."""

    def test_the_environment_is_read_and_the_rest_has_defaults(self) -> None:
        with mock.patch.dict("os.environ", {"ALERT_THRESHOLD_LATENCY": "250", "DATA_DIR": str(self.folder)}):
            settings = load_settings(Settings)
        self.assertEqual((settings.alert_threshold_latency, settings.data_dir), (250, self.folder))
        self.assertEqual(Settings.model_fields["alert_threshold_error_rate"].default, 0.05)

    def test_a_wrong_value_is_named(self) -> None:
        named = 'RETRAIN_INTERVAL_DAYS cannot be "weekly"'
        with (
            mock.patch.dict("os.environ", {"RETRAIN_INTERVAL_DAYS": "weekly"}),
            self.assertRaisesRegex(InvalidSettings, named),
        ):
            load_settings(Settings)


class TestRetraining(Isolated):
    """Need, jobs, and a training in a process of its own. A model is trained for real or not at all."""

    def setUp(self) -> None:
        super().setUp()
        self.registry = self.open_registry()
        self.trainers = Trainers()
        self.orchestrator = open_orchestrator(self.settings, registry=self.registry, trainers=self.trainers)

    def test_a_model_that_nobody_can_train_gets_no_job(self) -> None:
        needed, reasons = self.orchestrator.check_retrain_needed("churn")
        self.assertFalse(needed)
        self.assertTrue(reasons)
        with self.assertRaises(UnknownTrainer):
            self.orchestrator.create_retrain_job("churn")
        self.assertEqual(self.orchestrator.list_jobs(), [])

    def test_too_little_data_is_said_and_nothing_is_made_up(self) -> None:
        self.trainers.register("minutes", Mean)
        self.registry.register(ModelMetadata("minutes", "1.0.0", status="production"), artefact={"mean.json": b"10.0"})
        job = self.orchestrator.create_retrain_job("minutes")
        self.assertFalse(self.orchestrator.execute_retrain(job))
        status = self.orchestrator.get_job_status(job)
        self.assertEqual((status["state"], status["reason"]), ("skipped", "there are 0 values, and it takes 100"))
        self.assertEqual([one["version"] for one in self.registry.list_models("minutes")], ["1.0.0"])

    def test_a_check_says_which_models_it_looked_at(self) -> None:
        found = AutomaticRetrainingScheduler(self.orchestrator).check_and_schedule_retraining(["churn"])
        self.assertEqual(found["models_checked"], ["churn"])
        self.assertEqual((found["retraining_needed"], found["scheduled_jobs"]), ([], []))


class TestIntegration(Isolated):
    """The whole way: a first version, its traffic, a better one trained and promoted by evidence, and back again."""

    def test_from_a_first_version_to_a_better_one_and_back(self) -> None:
        registry = self.open_registry()
        registry.register(ModelMetadata("minutes", "1.0.0", status="production"), artefact={"mean.json": b"10.0"})
        with MetricsCollector(self.folder / "metrics") as collector:
            for latency in np.random.default_rng(1).normal(50, 5, 40):
                collector.record("api_latency_ms", float(latency), {"version": "1.0.0"})
                collector.record("error_rate", 0.0)
            self.assertEqual(HealthMonitor(collector).check_api_health()["status"], "healthy")

        trainers = Trainers()
        trainers.register("minutes", Mean)
        orchestrator = open_orchestrator(self.settings, registry=registry, trainers=trainers)
        job = orchestrator.create_retrain_job("minutes")
        data = {"minutes": np.random.default_rng(0).normal(30, 5, 200).tolist()}
        self.assertTrue(orchestrator.execute_retrain(job, data))
        self.assertEqual(orchestrator.get_job_status(job)["outcome"], "promoted")

        champion = registry.get_production_model("minutes")
        assert champion is not None
        self.assertEqual(champion["version"], "1.1.0")
        self.assertAlmostEqual(json.loads(registry.files(champion)["mean.json"]), np.mean(data["minutes"][:-40]))
        last = registry.moves("minutes", "1.1.0")[-1]
        self.assertEqual((last.to_status, last.automatic), ("production", True))
        self.assertTrue(last.evidence)

        registry.rollback("minutes", because="a drill")
        champion = registry.get_production_model("minutes")
        assert champion is not None
        self.assertEqual(champion["version"], "1.0.0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
