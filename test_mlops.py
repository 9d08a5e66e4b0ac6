"""The owner's quick self-check: ``python test_mlops.py``, or ``python -m unittest test_mlops.TestModelRegistry -v``.

Every test works in a folder of its own, which is gone afterwards: no setting of the environment and no ``.env`` leads
it to real data. The whole suite is ``make test``.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import unittest
from pathlib import Path

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
from mlops.config import Settings
from mlops.errors import InvalidMetadata, UnknownTrainer
from mlops.logging_config import tear_down_logging
from mlops.model_registry import open_registry
from mlops.retraining import Trainers
from mlops.retraining.opening import open_orchestrator
from mlops.retraining.schedule import AutomaticRetrainingScheduler

MODEL = "hybrid_ranker"


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

    def test_no_traffic_is_no_data(self) -> None:
        monitor = HealthMonitor(MetricsCollector(self.folder / "metrics"))
        self.assertEqual(monitor.get_system_status()["overall_status"], "no data")

    def test_a_line_in_the_log_is_json_and_holds_no_secret(self) -> None:
        setup_logging(self.settings, console=False)
        self.addCleanup(tear_down_logging)
        extra = {"request_id": "123", "latency_ms": 250, "api_key": "do-not-tell"}
        get_logger("app").log_with_context(level=logging.INFO, msg="Recommendation generated", extra_data=extra)
        (path,) = (self.folder / "logs").glob("app_*.log")
        line = json.loads(path.read_text("utf-8"))
        self.assertEqual((line["event"], line["latency_ms"]), ("Recommendation generated", 250))
        self.assertNotIn("do-not-tell", path.read_text("utf-8"))


class TestRetraining(Isolated):
    """Need and jobs. A model is trained for real or not at all: docs/bring-your-own-model.md trains one."""

    def setUp(self) -> None:
        super().setUp()
        self.registry = self.open_registry()
        self.orchestrator = open_orchestrator(self.settings, registry=self.registry, trainers=Trainers())

    def test_a_model_that_nobody_can_train_gets_no_job(self) -> None:
        needed, reasons = self.orchestrator.check_retrain_needed("churn")
        self.assertFalse(needed)
        self.assertTrue(reasons)
        with self.assertRaises(UnknownTrainer):
            self.orchestrator.create_retrain_job("churn")
        self.assertEqual(self.orchestrator.list_jobs(), [])

    def test_a_check_says_which_models_it_looked_at(self) -> None:
        found = AutomaticRetrainingScheduler(self.orchestrator).check_and_schedule_retraining(["churn"])
        self.assertEqual(found["models_checked"], ["churn"])
        self.assertEqual((found["retraining_needed"], found["scheduled_jobs"]), ([], []))


class TestIntegration(Isolated):
    """From a registered version to its evaluation, its promotion, its metrics and its end."""

    def test_the_way_of_a_version(self) -> None:
        registry = self.open_registry()
        truth, rng = np.array([3.0, 1.0, 2.0, 0.0] * 10), np.random.default_rng(1)
        metrics = ModelEvaluator().calculate_ranking_metrics(truth, truth + rng.normal(0, 0.1, truth.size))
        registry.register_model(ModelMetadata(MODEL, "1.0.0", metrics={"rmse": float(metrics["rmse"])}))
        registry.promote(MODEL, "1.0.0", because="first")
        with MetricsCollector(self.folder / "metrics") as collector:
            for latency in rng.normal(50, 5, 40):
                collector.record("api_latency_ms", float(latency), {"version": "1.0.0"})
                collector.record("error_rate", 0.0)
            health = HealthMonitor(collector).check_api_health()
        self.assertEqual(health["status"], "healthy")
        registry.archive_model(MODEL, "1.0.0")
        self.assertIsNone(registry.get_production_model(MODEL))
        history = [(move.from_status, move.to_status) for move in registry.moves(MODEL)]
        self.assertEqual(history[-1], ("production", "archived"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
