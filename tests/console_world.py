"""An application with a console in which much has happened, at a clock that stands still, for tests of its pages.

``ranker`` has six versions: 1.1.0 serves, after a rollout; 1.2.0 was taken back; 1.3.0 was trained and no better; 1.4.0
is in the middle of its rollout; 1.5.0 waits for a person. ``other`` has one version, and is being trained: its pages
show what there is where there is little.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI

from mlops import ModelMetadata, ModelRegistry
from mlops import schema as mlops_schema
from mlops.artefacts import DiskArtefacts
from mlops.drift import ReferenceProfile, check_drift
from mlops.http import alerts, console, metrics, models, problems, retraining, rollouts
from mlops.http.access import Access
from mlops.http.console import Gauge, Headline, Parts
from mlops.http.console.measures import (
    Breakdown,
    EstimateMeasures,
    QualityMeasure,
    QualityMeasures,
    TrafficMeasures,
)
from mlops.http.console.pages import PAGES
from mlops.http.limits import BodyLimit
from mlops.model_registry import Lineage
from mlops.monitoring.alerts import AlertBook, Firing
from mlops.monitoring.collector import MetricsCollector
from mlops.monitoring.daily_quality import DayTally
from mlops.monitoring.drift_book import DriftBook
from mlops.retraining import (
    ColumnDrift,
    Degradation,
    RetrainingConfig,
    RetrainingJob,
    RetrainingOrchestrator,
    Trainers,
    train_here,
)
from mlops.retraining.book import JobBook
from mlops.rollout import CanaryRouter, RolloutController, RolloutPlan
from mlops.store import Database
from tests.models_app import ModelsApp
from tests.retraining_app import SetClock
from tests.tiny_trainer import TinyTrainer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_OTHER_ROUTES = ("/feedback", "/recipes/{recipe_id}/similar", "/models/{model_id}/versions/{version}/promote")
MODEL, OTHER = "ranker", "other"
STATUSES: dict[type[Exception], int] = {
    **models.STATUSES, **alerts.STATUSES, **retraining.STATUSES, **rollouts.STATUSES,
}  # fmt: skip
PLAN = RolloutPlan(
    shadow_seconds=0, shares=(0.2, 0.5), hold_seconds=3_600, guards=("error_rate", "p95_latency", "click_rate"),
    max_seconds=86_400, watch_seconds=3_600, least_requests=40,
)  # fmt: skip
_EVERY_MINUTES = 15
TRAFFIC = TrafficMeasures(
    requests="request_count",
    errors="error_rate",
    latency="api_latency_ms",
    latency_limit_ms=500,
    error_limit=0.05,
    slow_ms=100,
    breakdowns=(
        Breakdown("version", "version", latency="api_latency_ms"),
        Breakdown("route", "route", requests="request_count", errors="error_rate"),
        Breakdown("other_routes", "route", latency="http_latency_ms"),
    ),
    stages={"parse": "parse_ms", "encode": "encode_ms", "shelf": "shelf_ms"},
    waiting=("queue_depth", "queue"),
    dropped=("dropped_count", "queue"),
    gauges={"memory": "process_memory_mb"},
)
HEADLINE = Headline(
    MODEL,
    {"es": "clics por lista", "en": "clicks per list"},
    *(Gauge("expected_rate", {"outcome": "click", "bound": bound}) for bound in ("rate", "low", "high")),
    observed=Gauge("observed_rate", {"outcome": "click"}),
)


class WorldTrainer(TinyTrainer):
    """Learns the mean of the same 200 values about 5, whatever the working directory."""

    def load(self) -> Any:
        return self._checked(np.random.default_rng(1).normal(5.0, 1.0, 200).tolist())


class WorldSignals:
    """What the application knows of ``ranker``; nothing of others."""

    def labelled_since(self, model_id: str, at: datetime) -> int | None:
        return 640 if model_id == MODEL else None

    def degradation(self, model_id: str) -> Degradation | None:
        return Degradation("click_ratio", 0.31, 0.27, -0.06, -0.02, degraded=True) if model_id == MODEL else None

    def drift(self, model_id: str) -> Sequence[ColumnDrift] | None:
        if model_id != MODEL:
            return None
        return [
            ColumnDrift("query_length", 0.31, 0.2, drifted=True), ColumnDrift("minutes", 0.04, 0.2, drifted=False),
        ]  # fmt: skip


# An address of each page whose route has parameters, in this world, the richest first; beside them, addresses worth a
# look of their own.
SAMPLES: Mapping[str, Sequence[str]] = {
    "/alertas": ["/alertas", "/alertas?estado=resolved", "/alertas?estado=acknowledged&antes=2"],
    "/alertas/{alert_id}": ["/alertas/2", "/alertas/1"],
    "": ["", "?modelo=other"],
    "/modelos": ["/modelos", "/modelos?modelo=other", "/modelos?estado=archived"],
    "/modelos/{model_id}/{version}": [
        "/modelos/ranker/1.5.0?con=1.1.0,1.0.0",
        *(f"/modelos/ranker/1.{minor}.0" for minor in range(6)),
        "/modelos/other/1.0.0",
    ],
    "/reentrenamiento": ["/reentrenamiento", "/reentrenamiento?estado=failed", "/reentrenamiento?estado=cancelled"],
    "/reentrenamiento/{job_id}": [f"/reentrenamiento/{number}" for number in (3, 1, 2, 4)],
    "/despliegues": ["/despliegues"],
    "/despliegues/{rollout_id}": [f"/despliegues/{number}" for number in (3, 2, 1)],
}


def addresses() -> list[str]:
    """Addresses of all pages, under that of the console."""
    return [address for page in PAGES for address in SAMPLES.get(page.route, [page.route])]


def front_addresses() -> list[str]:
    """One address of each page, the richest."""
    return [next(iter(SAMPLES.get(page.route, [page.route]))) for page in PAGES]


class World(ModelsApp):
    """The application; requests to it as to :class:`ModelsApp`. Close it at the end."""

    def __init__(
        self, folder: Path, *, require_key_to_read: bool = False, is_empty: bool = False, notice: str = ""
    ) -> None:
        """In *folder*; where another world has been in it, with what happened there. *notice*: over every page."""
        is_new = not (folder / "state.db").exists()
        self.folder = folder
        self.clock = SetClock(NOW)
        self.database = Database(f"sqlite:///{folder}/state.db", tables=(mlops_schema.MIGRATIONS,))
        self.database.upgrade(mlops_schema.MIGRATIONS)
        super().__init__(self.database, is_empty=True, clock=self.clock, model_id=MODEL)
        self.registry = ModelRegistry(
            self.database, artefacts=DiskArtefacts(folder / "artifacts"), actor="ana", clock=self.clock
        )
        self.metrics = MetricsCollector(folder / "metrics", clock=self.clock)
        self.alerts = AlertBook(self.database, clock=self.clock)
        self.retraining = self._retraining()
        self.rollouts = RolloutController(self.registry, clock=self.clock, new_key=lambda: "5eed" * 8)
        self.router = CanaryRouter(self.database, MODEL, worker="world")
        if is_new and not is_empty:
            self._live_through()
        self.clock.now = NOW
        self.app = self._app(Access(self.keys, require_key_to_read=require_key_to_read), notice)

    def _retraining(self) -> RetrainingOrchestrator:
        trainers = Trainers()
        for model_id in (MODEL, OTHER):
            trainers.register(model_id, WorldTrainer)
        return RetrainingOrchestrator(
            self.registry,
            folder=self.folder / "jobs",
            trainers=trainers,
            config=RetrainingConfig(backoff_seconds=0.0, lease_seconds=30, auto_approve=False),
            signals=WorldSignals(),
            training=train_here,
            book=JobBook(self.database, clock=self.clock),
        )

    def parts(self, **changed: Any) -> Parts:
        """What the console reads, with *changed* instead of what it usually is."""
        usual: dict[str, Any] = {
            "registry": self.registry,
            "metrics": self.metrics,
            "alerts": self.alerts,
            "retraining": self.retraining,
            "rollouts": self.rollouts,
            "health": self.health,
            "serving": self.serving,
            "model_ids": lambda: [MODEL, *(each for each in self.registry.model_ids() if each != MODEL)],
            "clock": self.clock,
            "headline": HEADLINE,
            "plan": PLAN,
            "traffic": TRAFFIC,
            "quality": QualityMeasures(
                self.tallies,
                [QualityMeasure("click_rate"), QualityMeasure("ndcg@3", is_share=False)],
                ["language"],
                EstimateMeasures("expected_rate", "observed_rate", ["click"]),
            ),
        }
        return Parts(**{**usual, **changed})

    def _app(self, access: Access, notice: str) -> FastAPI:
        app = FastAPI()
        problems.install(app, STATUSES)
        app.include_router(models.router(self.registry, access, serving=self.serving))
        app.include_router(metrics.router(self.metrics, access))
        app.include_router(alerts.router(self.alerts, access))
        app.include_router(retraining.router(self.retraining, access))
        app.include_router(rollouts.router(self.rollouts, access, plan=PLAN))
        self.live = console.mount(app, self.parts(notice=notice), access)
        app.add_middleware(BodyLimit, max_bytes=65_536)
        return app

    def close(self) -> None:
        """Let go of files and threads."""
        self.metrics.stop()
        self.database.close()

    # --- What the application says of itself ------------------------------------------------------------------------

    def serving(self, model_id: str) -> str | None:
        """The version that answers: the champion."""
        found = self.registry.get_production_model(model_id)
        return None if found is None else found.version

    def health(self) -> Mapping[str, Any]:
        """As ``/health`` of an application tells it."""
        n_open = len(self.alerts.open_alerts())
        reasons = [f"alerts: {n_open} open"] if n_open else []
        return {
            "status": "degraded" if reasons else "ok",
            "reasons": reasons,
            "problems": {},
            "timestamp": self.clock().isoformat(),
            "uptime_seconds": 93_784.5,
            "pid": 4242,
            "version": "0.1.0",
            "model": {"id": MODEL, "version": self.serving(MODEL)},
        }

    # --- What has happened ------------------------------------------------------------------------------------------

    def _live_through(self) -> None:
        self._at(days=20)
        self.register("1.0.0", 0.402)
        self.registry.promote(MODEL, "1.0.0", because="the first version")
        self.register("1.0.0", 0.2, model_id=OTHER)
        self._a_rollout_that_ends_well()
        self._a_rollout_that_is_taken_back()
        self._jobs()
        self._measured()
        self._alerted()
        self._a_rollout_under_way()
        self._drift_checked()

    def _at(self, **before_now: float) -> None:
        self.clock.now = NOW - timedelta(**before_now)

    def register(self, version: str, ndcg: float, *, model_id: str = MODEL, parent: str | None = None) -> None:
        """Register a version now; its only file is a number."""
        metadata = ModelMetadata(
            model_id,
            version,
            timestamp=self.clock(),
            description=f"Version {version}, weights tuned on clicks",
            metrics={"ndcg@3": ndcg, "mrr": ndcg + 0.08, "coverage": 0.61},
            parameters={"learning_rate": 0.05, "num_leaves": 31},
            parent_version=parent,
            tags=["nightly"],
        )
        weights = json.dumps(ndcg).encode()
        lineage = Lineage("5f" * 32, "git 0cc9773", 7)
        self.registry.register(metadata, artefact={"model.json": weights}, lineage=lineage)

    def _a_rollout_that_ends_well(self) -> None:
        self._at(days=12)
        self.register("1.1.0", 0.431, parent="1.0.0")
        self._begin_rollout("1.1.0", "ndcg@3 +0.029 on the holdout")
        for _ in range(4):
            self._answer(200)
            self.clock.forward(hours=1.1)
            self.rollouts.step()
            self.router.refresh()

    def _a_rollout_that_is_taken_back(self) -> None:
        self._at(days=9)
        self.register("1.2.0", 0.437, parent="1.1.0")
        self._begin_rollout("1.2.0", "ndcg@3 +0.006 on the holdout")
        for _ in range(6):
            self._answer(200, failed={"challenger": 3})
            self.clock.forward(minutes=20)
            self.rollouts.step()
            self.router.refresh()

    def _a_rollout_under_way(self) -> None:
        self._at(hours=1)
        self._begin_rollout("1.4.0", "asked for by the weekly review")
        for _ in range(4):
            self._answer(120)
            self.clock.forward(minutes=12)
            self.rollouts.step()
            self.router.refresh()

    def _begin_rollout(self, version: str, because: str) -> None:
        self.rollouts.start(MODEL, version, plan=PLAN, because=because, actor="ana")
        self.router.refresh()
        self.router.ready(version)

    def _answer(self, n: int, *, failed: Mapping[str, int] | None = None) -> None:
        """Answer *n* users; each so many-th of an arm in *failed* gets an error."""
        seen = {"challenger": 0, "champion": 0}
        self._n_users = getattr(self, "_n_users", 0)
        for _ in range(n):
            self._n_users += 1
            choice = self.router.choose(f"user-{self._n_users}")
            arm = choice.counted_as or "champion"
            number = seen[arm] = seen.get(arm, 0) + 1
            every = (failed or {}).get(arm, 0)
            self.router.observe(choice, failed=bool(every) and number % every == 0, seconds=0.02)
            self.router.outcome(choice, "click", float(number % 3 == 0))
        self.router.flush()

    def _jobs(self) -> None:
        self._at(days=8)
        self.job("ndcg@3 fell", noise=100.0)
        self._at(days=6)
        self.job("the schedule asks", raises="the label column is empty")
        self._at(days=5)
        self.register("1.4.0", 0.444, parent="1.1.0")
        self._at(days=1, hours=2)
        self.job("640 new labelled samples", noise=0.01)
        self._at(minutes=10)
        waiting = self.retraining.create_retrain_job(OTHER, because="asked for", requested_by="ana", held_for_seconds=0)
        self.advance(waiting, 0.4, "learns from 200 values")

    def job(self, because: str, **parameters: Any) -> RetrainingJob:
        """A job for ``ranker``, worked on to its end, or to where it waits for a person."""
        made = self.retraining.create_retrain_job(
            MODEL, because=because, parameters=parameters, requested_by="ana", held_for_seconds=0
        )
        self.retraining.worker(name="worker-1").run(made.job_id)
        return self.retraining.book.get(made.job_id)

    def advance(self, job: RetrainingJob, progress: float, doing: str) -> RetrainingJob:
        """What a worker writes while it trains."""
        book = self.retraining.book
        if job.state == "pending":
            claimed = book.claim(job, token=1, worker="worker-1")
            assert claimed is not None
            job = claimed
        return book.write(job, progress=progress, doing=doing)

    def _measured(self) -> None:
        """Three days of traffic, with a day's rhythm, and a bad hour this morning."""
        rng = np.random.default_rng(7)
        for step in range(3 * 24 * 60 // _EVERY_MINUTES, 0, -1):
            self._at(minutes=step * _EVERY_MINUTES)
            is_bad = timedelta(hours=3) < NOW - self.clock() <= timedelta(hours=4)
            for _ in range(2 + round(2 * math.sin(self.clock().hour / 24 * math.pi))):
                self._measure_one(rng, is_bad=is_bad)
        for number, route in enumerate(_OTHER_ROUTES, start=1):
            self.metrics.record("http_latency_ms", 1_234.5 * number, {"route": route})
        self.metrics.flush()

    def _measure_one(self, rng: np.random.Generator, *, is_bad: bool) -> None:
        record = self.metrics.record
        version = "1.1.0" if rng.random() < 0.8 else "1.4.0"
        labels = {"version": version, "language": "es" if rng.random() < 0.8 else "en"}
        latency = float(rng.lognormal(3.0, 0.4)) * (6 if is_bad else 1)
        is_failed = bool(rng.random() < (0.2 if is_bad else 0.01))
        record("api_latency_ms", latency, labels)
        record("slow_rate", float(latency > 100), labels)
        record("request_count", 1.0, {"route": "/recommend", "status": "500" if is_failed else "200"})
        record("error_rate", float(is_failed), {"route": "/recommend"})
        for stage, share in (("parse_ms", 0.05), ("encode_ms", 0.3), ("retrieve_ms", 0.4), ("rank_ms", 0.25)):
            record(stage, latency * share)
        record("top_score", float(rng.beta(6, 3)), labels)
        for bound, value in (("rate", 0.29), ("low", 0.25), ("high", 0.33)):
            record("expected_rate", value, {"outcome": "click", "bound": bound})
        record("observed_rate", 0.27, {"outcome": "click"})
        for bound, value in (("rate", 0.29), ("low", 0.27), ("high", 0.31)):
            record("expected_rate", value + 0.01 * float(rng.standard_normal()), {"outcome": "click", "bound": bound})

    def _alerted(self) -> None:
        self._at(days=2)
        old = self.alerts.fire(Firing("disk_space", "The disk of metrics is 92 % full.", "warning"))
        self.clock.forward(hours=1)
        self.alerts.resolve(old.alert_id, because="old logs removed", actor="ana")
        self._at(hours=4)
        for _ in range(3):
            self.fire("latency", "p95 of api_latency_ms is 912 ms over 60 minutes; the limit is 500.", "critical")
            self.clock.forward(minutes=10)
        self._at(hours=2)
        seen = self.fire("drift", "query_length has moved: PSI 0.31, the limit is 0.2.", "warning")
        self.alerts.acknowledge(seen.alert_id, because="holidays, I look at it tomorrow", actor="luis")
        self._at(minutes=40)
        self.fire("job_failed", "Job 2 of ranker failed: the label column is empty.", "warning")
        self.alerts.mute("disk_space", until=NOW + timedelta(hours=2), because="a bigger disk comes", actor="ana")

    def fire(self, rule: str, sentence: str, severity: Any = "warning") -> Any:
        """Open an alert about ``ranker``, or count it once more."""
        return self.alerts.fire(
            Firing(rule, sentence, severity, labels={"model_id": MODEL}, evidence={"value": 0.31, "limit": 0.2})
        )

    def tallies(self, model_id: str, since: date) -> list[DayTally]:
        """What people made of the answers of ``ranker`` by day: 1.1.0 is a little better than 1.0.0 was."""
        found = []
        for ago in range(19, -1, -1) if model_id == MODEL and self.serving(MODEL) else ():
            day = (NOW - timedelta(days=ago)).date()
            # They shared a day, that of the rollout.
            for version, rate in [("1.0.0", 0.27)] * (ago >= 12) + [("1.1.0", 0.33)] * (ago <= 12):
                for language, n in (("es", 240 + 10 * (ago % 7)), ("en", 60)):
                    k = round(n * (rate + 0.02 * math.sin(ago)))
                    labels = {"language": language}
                    found.append(DayTally(day, version, "click_rate", n, k, k, labels))
                    found.append(DayTally(day, version, "ndcg@3", k, 0.8 * k, 0.7 * k, labels))
        return [one for one in found if one.day >= since]

    def _drift_checked(self) -> None:
        """Three checks; in the last one queries have become longer."""
        book, profile = DriftBook(self.database, clock=self.clock), ReferenceProfile.of(self._columns(900, 0.0))
        for hours, longer in ((6, 0.0), (3, 0.1), (0.25, 0.9)):
            self._at(hours=hours)
            report = check_drift(profile, self._columns(600, longer))
            book.keep(MODEL, "1.1.0", report, since=NOW - timedelta(days=7))

    def _columns(self, n: int, longer: float) -> Mapping[str, Any]:
        rng = np.random.default_rng(n)
        return {
            "query_length": rng.gamma(4, 1 + longer, n),
            "minutes": rng.normal(35, 12, n),
            "meal": rng.choice(["cena", "comida", "desayuno"], n, p=[0.5, 0.3, 0.2]),
            "score": rng.beta(6, 3, n),
        }


def served() -> FastAPI:
    """The application of a world in the working directory, for a server in a process of its own."""
    return World(Path.cwd()).app
