"""What watches the service, and makes it better: metrics, the rules over them, alerts, retraining, rollouts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlops.clock import Clock, utc_now
from mlops.logging_config import log_state
from mlops.model_registry import ModelRegistry
from mlops.monitoring.alert_records import Firing, Severity
from mlops.monitoring.alerting import open_alerting
from mlops.monitoring.collector import open_metrics
from mlops.monitoring.health import HealthMonitor
from mlops.monitoring.process import Count, ProcessSampler, Total
from mlops.monitoring.thresholds import thresholds_of
from mlops.retraining import RetrainingOrchestrator, RetrainingRunner
from mlops.retraining.opening import open_orchestrator, trainers_of
from mlops.retraining.rules import rule_of_drift, rules_of_jobs
from mlops.rollout import Expect, Expected, RolloutController, RolloutRunner
from mlops.sentences import say
from recipes.config import Settings
from recipes.live_quality import LiveQuality
from recipes.measures import MEASURES, ServiceMeasures
from recipes.ranker import MODEL_ID
from recipes.signals import RecipeSignals

# Where the process that trains finds the trainer.
TRAINER = "recipes.training:hybrid_ranker_trainer"


class Operations:
    """Metrics, watch, alerts, retraining and rollouts of a service.

    :meth:`start` begins, :meth:`stop` leaves nothing unwritten. Nothing of it is on the path of an answer but
    appending points to a list, and nothing of it can fail one.

    Attributes:
        metrics: where everything is recorded; what other processes recorded is in it, too.
        measures: what the service records there.
        alerts: the book of alerts.
        health: the state of the service by its metrics.
        retraining: tells whether the model needs to be trained anew, and keeps the jobs.
        rollouts: brings new versions in step by step, and takes them back.
        quality: estimates how good answers are before feedback tells.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: ModelRegistry,
        queues: Mapping[str, Count],
        totals: Callable[[], Iterable[Total]],
        serving: Callable[[str], str | None],
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is opened yet.

        Args:
            queues: how much waits in each queue of the service, by its name.
            totals: what the service counts by itself, see :class:`~mlops.monitoring.process.ProcessSampler`.
            serving: the version of a model that this process answers with, None for a model that it does not serve.
        """
        thresholds = thresholds_of(settings)
        database = registry.database
        signals = RecipeSignals(registry, database, clock=clock)
        self.retraining = _retraining(settings, registry, signals, clock)
        self.rollouts = RolloutController(
            registry, alarm=self._raise_alarm, serving=serving, expect=_expectations(registry, clock), clock=clock
        )
        self._runners = (RetrainingRunner(self.retraining), RolloutRunner(self.rollouts))
        self.metrics = open_metrics(settings, clock=clock)
        for name, one in MEASURES.items():
            self.metrics.describe(name, one.kind, unit=one.unit, help=one.help, boundaries=one.boundaries)
        self.measures = ServiceMeasures(self.metrics, slow_ms=thresholds.slo_latency_ms)
        self.health = HealthMonitor(self.metrics, thresholds=thresholds, clock=clock)
        self._alerting = open_alerting(
            settings,
            metrics=self.metrics,
            database=database,
            more_rules=[
                *rules_of_jobs(self.retraining.book),
                rule_of_drift(MODEL_ID, lambda: signals.requests_drift(MODEL_ID), subject=say("what cooks ask")),
            ],
            clock=clock,
        )
        self.alerts = self._alerting.book
        self.quality = LiveQuality(database, self.metrics, clock=clock)
        self._totals_of_service = totals
        self._sampler = ProcessSampler(self.metrics, queues=queues, totals=self._totals)
        self._is_on = settings.monitoring_enabled

    def start(self) -> None:
        """Begin to work on jobs and rollouts and, unless MONITORING_ENABLED is off, to measure and to watch."""
        if self._is_on:
            self.metrics.start()
            self._sampler.start()
            self._alerting.start()
            self.quality.start()
        for runner in self._runners:
            runner.start()

    def stop(self) -> None:
        """Stop watching, and write what was measured so far."""
        for runner in self._runners:
            runner.stop()
        if self._is_on:
            self.quality.stop()
            self._alerting.stop()
            self._sampler.stop()
        self.metrics.stop()

    def _raise_alarm(self, model_id: str, sentence: str, figures: Mapping[str, Any]) -> None:
        # A challenger that was taken back is a matter for the morning; one that could not be is not.
        severity: Severity = "warning" if "rollout" in figures else "critical"
        # By version: an alert that nobody has closed must not be written over by a rollback weeks later.
        labels = {"model_id": model_id, "version": str(figures["version"])}
        firing = Firing("rollout", sentence, severity=severity, labels=labels, evidence=figures)
        self._alerting.patient.fire(firing)

    def _totals(self) -> Iterable[Total]:
        status = self.metrics.status()
        yield "dropped_count", {"queue": "metrics"}, status.n_dropped
        yield "dropped_count", {"queue": "log"}, log_state().n_lost
        yield "label_overflow_count", {}, status.n_overflowed
        yield "metric_write_failures", {}, status.n_write_failures + status.n_torn
        yield from self._totals_of_service()


def _retraining(
    settings: Settings, registry: ModelRegistry, signals: RecipeSignals, clock: Clock
) -> RetrainingOrchestrator:
    trainers = trainers_of(settings)
    trainers.register(MODEL_ID, TRAINER)
    return open_orchestrator(
        settings,
        registry=registry,
        trainers=trainers,
        signals=signals,
        expect=_expectations(registry, clock),
        clock=clock,
    )


def _expectations(registry: ModelRegistry, clock: Clock) -> Expect:
    def expect(model_id: str, champion: str, challenger: str) -> Expected | None:
        # A service that starts no rollout does without what this loads.
        from recipes.evaluation.off_policy import FirstPlaceExpectations

        return FirstPlaceExpectations(registry, clock=clock)(model_id, champion, challenger)

    return expect
