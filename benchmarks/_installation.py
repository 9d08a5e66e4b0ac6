"""An installation in which much has happened, for benchmarks: written in bulk, in the formats that the service writes.

A real service makes the folder (catalogue, index, version 1.0.0) and ends. Then rows of the state database are inserted
by SQLAlchemy, a thousand at a time; metrics of past days are written as the rollups that housekeeping makes of them,
those of the last day as segments of points, which housekeeping then rolls up itself; the rollout under way is a real
one, driven through :class:`~mlops.rollout.RolloutController`, and every rollout before it has the figures of that one.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from serving import server

from mlops import schema
from mlops.drift import check_drift
from mlops.model_registry import open_registry
from mlops.monitoring.alert_records import SEVERITIES
from mlops.monitoring.housekeeping import Ages, keep_house
from mlops.monitoring.rollups import write_rollup
from mlops.monitoring.segments import SegmentWriter, encoded
from mlops.monitoring.series import MAX_NAMES, MAX_SERIES_PER_NAME, series_of
from mlops.monitoring.sketch import Sketch, merged
from mlops.monitoring.windows import DAY, EVER, HOUR, MINUTE, Windows
from mlops.rollout import CanaryRouter, RolloutController, RolloutPlan
from recipes.config import Settings
from recipes.query_map import EDGE
from recipes.ranker import MODEL_ID
from recipes.schema import answers, golden_results, quality_days, query_maps

Row = dict[str, Any]
_BATCH = 1_000
_LANGUAGES = (("es", 0.8), ("en", 0.2))
_ROUTES = ("/recommend", "/feedback", "/buscar", "/recetas/{recipe_id}", "/static/{name}")
_STAGES = (("parse_ms", 0.05), ("encode_ms", 0.3), ("retrieve_ms", 0.4), ("rank_ms", 0.25))
_PLAN = RolloutPlan(shadow_seconds=0, shares=(0.2, 0.5), hold_seconds=40_000, max_seconds=172_800, least_requests=500)
# Nothing is to go on aside that is not measured: no mirror, no schedule.
QUIET = {"MLFLOW_TRACKING_URI": "off", "RETRAIN_SCHEDULE": "", "LOG_LEVEL": "WARNING"}


@dataclass(frozen=True)
class Size:
    """How much has happened."""

    days: int = 90
    versions: int = 1_000
    jobs: int = 10_000
    alerts: int = 100_000
    rollouts: int = 300
    answers: int = 20_000
    requests_a_day: int = 2_000


def installation(folder: Path, size: Size) -> None:
    """Make it in *folder*, unless an earlier run did."""
    mark = folder / "installation.json"
    if mark.exists() and json.loads(mark.read_text()) == vars(size):
        return
    if mark.exists() or (folder / "var").exists():
        raise SystemExit(f"{folder} holds another installation; name an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    with server("app:app", folder, **QUIET):
        pass
    _Maker(folder, size).make()
    mark.write_text(json.dumps(vars(size)))


class _Maker:
    def __init__(self, folder: Path, size: Size) -> None:
        self.size = size
        self.folder = folder
        self.now = datetime.now(UTC)
        self.draw = random.Random(6)
        self.settings = Settings(data_dir=folder)
        self.registry = open_registry(self.settings, actor="ana")
        self.database = self.registry.database

    def make(self) -> None:
        first = self.registry.get_production_model(MODEL_ID)
        assert first is not None
        self._versions(first.artefact)
        self._insert(schema.retraining_jobs, self._jobs())
        self._insert(schema.alerts, self._alerts())
        self._rollouts()
        self._checks()
        self._answers()
        self._metrics()
        self.registry.close()
        self.database.close()

    def _insert(self, table: sa.Table, rows: Iterable[Row]) -> None:
        waiting = iter(rows)
        while batch := list(itertools.islice(waiting, _BATCH)):
            with self.database.writing() as connection:
                connection.execute(table.insert(), batch)

    def _at(self, share: float) -> datetime:
        """A time of the installation's life: 0 its begin, 1 an hour ago."""
        return self.now - timedelta(days=self.size.days) * (1 - share) - timedelta(hours=1)

    # --- The registry -----------------------------------------------------------------------------------------------

    def _name(self, number: int) -> str:
        return f"1.{number}.0" if number else "1.0.0"

    @property
    def champion(self) -> str:
        """The last version that was promoted."""
        return self._name(self._promoted()[-1])

    def _promoted(self) -> list[int]:
        """Of the versions, one for each day at most."""
        every = max(4, self.size.versions // self.size.days)
        return list(range(every, self.size.versions - 3, every))

    def _versions(self, artefact: str | None) -> None:
        promoted = set(self._promoted())
        with self.database.writing() as connection:
            moves_of_first = [
                self._move(self._name(0), "production", "archived", self._at(0), "gave way", kind="moved")
            ]
            connection.execute(schema.moves.insert(), moves_of_first)
            connection.execute(
                sa.update(schema.model_versions)
                .where(schema.model_versions.c.model_id == MODEL_ID)
                .values(status="archived", deployed_at=self._at(0))
            )
        with self.database.reading() as connection:
            content = json.loads(connection.execute(sa.select(schema.model_versions.c.content)).scalar() or "{}")
        numbers = range(1, self.size.versions)
        self._insert(schema.model_versions, (self._version(n, content, artefact, promoted) for n in numbers))
        self._insert(schema.moves, (move for n in numbers for move in self._moves(n, promoted)))
        self._insert(
            schema.approvals, (self._approval(n) for n in numbers if n % 4 == 0 or n == self.size.versions - 1)
        )
        self._insert(schema.freezes, (self._freeze(n) for n in range(50)))
        with self.database.writing() as connection:
            connection.execute(sa.update(schema.models).values(generation=4 * self.size.versions, changed_at=self.now))

    def _version(self, number: int, content: Mapping[str, Any], artefact: str | None, promoted: set[int]) -> Row:
        served = number in promoted
        name = self._name(number)
        status = (
            "production" if name == self.champion else "validation" if number >= self.size.versions - 3 else "archived"
        )
        gain = 0.4 + 0.1 * number / self.size.versions + self.draw.gauss(0, 0.01)
        metrics = {
            "ndcg@3": gain,
            "mrr": gain + 0.08,
            "coverage": 0.6,
            "auc": 0.7,
            "n_train": 50_000.0,
            "log_loss": 0.3,
        }
        parameters = {"learning_rate": 0.05, "num_leaves": 31, "min_child_samples": 20, "n_trees": 200 + number % 7}
        kept = {
            **content,
            "metrics": metrics,
            "parameters": parameters,
            "parent_version": self._name(max(number - 4, 0)),
        }
        return {
            "model_id": MODEL_ID, "version": name, "status": status, "content": json.dumps(kept), "artefact": artefact,
            "registered_at": self._at(number / self.size.versions),
            "deployed_at": self._at(number / self.size.versions) if served else None, "generation": 4 * number,
        }  # fmt: skip

    def _moves(self, number: int, promoted: set[int]) -> Iterator[Row]:
        name, at = self._name(number), self._at(number / self.size.versions)
        yield self._move(name, None, "training", at, "trained by a job", kind="registered")
        yield self._move(name, "training", "validation", at, "its gates are looked at", evidence=self._evidence(number))
        if number in promoted:
            yield self._move(name, "validation", "production", at, "all gates passed", evidence=self._evidence(number))
            if name != self.champion:
                later = self._at((number + 4) / self.size.versions)
                yield self._move(name, "production", "archived", later, "another version took its place")
        elif number < self.size.versions - 3:
            yield self._move(name, "validation", "archived", at, "it is not better")

    def _move(
        self, version: str, before: str | None, to: str, at: datetime, because: str, *, kind: str = "moved",
        evidence: Any = None,
    ) -> Row:  # fmt: skip
        return {
            "model_id": MODEL_ID, "version": version, "kind": kind, "from_status": before, "to_status": to,
            "outcome": "done", "at": at, "actor": "retraining", "automatic": True, "because": because,
            "evidence": None if evidence is None else json.dumps(evidence),
        }  # fmt: skip

    def _evidence(self, number: int) -> dict[str, Any]:
        effect = self.draw.gauss(0.004, 0.01)
        verdicts = []
        for gate in ("better", "holds", "covers", "fast", "slices"):
            figures = {
                "metric": "ndcg@3", "champion_mean": 0.41, "challenger_mean": 0.41 + effect, "effect": effect,
                "low": effect - 0.006, "high": effect + 0.006, "n_units": 8_200, "p": 0.04, "alpha": 0.05,
            }  # fmt: skip
            sentence = (
                f"ndcg@3 {effect:+.4f} (95 % interval {effect - 0.006:+.4f} to {effect + 0.006:+.4f}), 8,200 lists"
            )
            verdicts.append({"gate": gate, "outcome": "passed", "sentence": sentence, "figures": figures})
        return {"verdicts": verdicts, "n_looks": number % 20, "holdout_id": f"{number:064x}"}

    def _approval(self, number: int) -> Row:
        at, is_open = self._at(number / self.size.versions), number == self.size.versions - 1
        return {
            "model_id": MODEL_ID, "version": self._name(number), "champion": self._name(max(number - 4, 0)),
            "state": "pending" if is_open else "approved" if number % 3 else "rejected", "requested_at": at,
            "requested_by": "retraining", "because": "all gates passed", "evidence": json.dumps(self._evidence(number)),
            "decided_at": None if is_open else at, "decided_by": None if is_open else "ana",
            "decided_because": None if is_open else "the slices look good",
        }  # fmt: skip

    def _freeze(self, number: int) -> Row:
        at = self._at(number / 50)
        return {
            "scope": MODEL_ID, "frozen_at": at, "frozen_by": "ana", "because": "holidays", "lifted_by": "ana",
            "lifted_at": at + timedelta(hours=2), "lifted_because": "back again",
        }  # fmt: skip

    # --- Jobs, alerts, checks ---------------------------------------------------------------------------------------

    def _jobs(self) -> Iterator[Row]:
        curve = [0.7 - 0.3 * step / (step + 20) for step in range(100)]
        ends = [("completed", "not promoted")] * 6 + [("completed", "promoted"), ("failed", "failed")]
        ends += [("skipped", "nothing new"), ("cancelled", "cancelled")]
        for number in range(self.size.jobs):
            is_last = number == self.size.jobs - 1
            state, outcome = ("awaiting_approval", None) if is_last else ends[number * 7 % len(ends)]
            at = self._at((number + 1) / self.size.jobs)
            version = self._name(number * self.size.versions // self.size.jobs or 1)
            entered = {"pending": at, "running": at + timedelta(seconds=5), state: at + timedelta(minutes=4)}
            result = {
                "metrics": {"ndcg@3": 0.41},
                "parameters": {"n_trees": 200},
                "curves": {"train": curve, "valid": curve},
            }
            yield {
                "model_id": MODEL_ID, "state": state, "requested_at": at, "requested_by": "schedule", "automatic": True,
                "because": "1,204 new labelled samples", "parameters": "{}", "seed": number, "token": number,
                "worker": "worker-1", "attempts": 1, "progress": 1.0, "doing": "over",
                "log": json.dumps([f"{at:%Y-%m-%d %H:%M:%S} tree {n} of 200, loss {number}" for n in range(40)]),
                "entered": json.dumps({name: time.isoformat() for name, time in entered.items()}),
                "champion": self._name(1), "challenger": version, "artefact": f"{number:064x}",
                "data_fingerprint": f"{number:064x}", "result": json.dumps(result),
                "evidence": json.dumps(self._evidence(number)), "outcome": outcome,
                "reason": None if is_last else "ndcg@3 is not better by the margin that the gate asks for",
                "finished_at": None if is_last else at + timedelta(minutes=4),
            }  # fmt: skip

    def _alerts(self) -> Iterator[Row]:
        rules = ("latency", "error_budget", "drift", "job_failed", "disk_space", "quality", "anomaly")
        for number in range(self.size.alerts):
            is_open, rule = number >= self.size.alerts - 40, rules[number * 5 % len(rules)]
            at = self._at((number + 1) / self.size.alerts)
            state = "resolved" if not is_open else "acknowledged" if number % 3 == 0 else "firing"
            yield {
                "key": f"bench:{rule}:{number}", "rule": f"bench_{rule}", "severity": SEVERITIES[number % 3],
                "state": state,
                "sentence": f"p95 of api_latency_ms is {900 + number % 90} ms over 60 minutes; the limit is 500.",
                "labels": {"model_id": MODEL_ID} if number % 2 else {}, "uid": f"{number:032x}", "opening": 1,
                "evidence": {"value": 912.5, "limit": 500, "window_minutes": 60, "n": 4_212}, "count": 1 + number % 9,
                "fired_at": at, "last_seen_at": at + timedelta(minutes=5), "quiet_until": None,
                "acknowledged_at": at if state == "acknowledged" else None,
                "acknowledged_by": "luis" if state == "acknowledged" else None,
                "acknowledged_because": "I look at it" if state == "acknowledged" else None,
                "resolved_at": None if is_open else at + timedelta(minutes=9),
                "resolved_by": None if is_open else "watch",
                "resolved_because": None if is_open else "it is no longer so",
            }  # fmt: skip

    def _checks(self) -> None:
        rng = np.random.default_rng(5)
        names = [f"feature_{number}" for number in range(12)]
        before = {name: rng.normal(size=2_000) for name in names}
        report = check_drift(before, {name: rng.normal(0.4 * (n < 3), size=2_000) for n, name in enumerate(names)})
        text = json.dumps(report.to_dict(), default=lambda value: np.asarray(value).tolist())
        row = {
            "model_id": MODEL_ID, "version": self.champion, "verdict": report.verdict, "report": text,
            "n_drifted": len(report.columns_with_drift), "n_compared": len(names),
        }  # fmt: skip
        times = [self.now - timedelta(hours=6 * (200 - number)) for number in range(200)]
        self._insert(schema.drift_checks, ({**row, "made_at": at, "since": at - timedelta(days=1)} for at in times))

    # --- Rollouts ---------------------------------------------------------------------------------------------------

    def _rollouts(self) -> None:
        clock = _Clock(self.now - timedelta(hours=3))
        controller = RolloutController(self.registry, clock=clock)
        ended = [
            n for n in range(1, self.size.versions - 3) if n % max(1, self.size.versions // self.size.rollouts) == 0
        ]
        ended = ended[: self.size.rollouts]
        self._insert(schema.rollouts, (self._ended(n) for n in ended))
        challenger = self._name(self.size.versions - 2)
        rollout = controller.start(
            MODEL_ID, challenger, plan=_PLAN, because="asked for by the weekly review", actor="ana"
        )
        router = CanaryRouter(self.database, MODEL_ID, worker="bench")
        router.refresh()
        router.ready(challenger)
        users = itertools.count()
        for _ in range(40):
            for _ in range(30):
                choice = router.choose(f"user-{next(users)}")
                router.observe(choice, failed=self.draw.random() < 0.01, seconds=self.draw.lognormvariate(-4, 0.4))
                router.outcome(choice, "click", float(self.draw.random() < 0.3))
            router.flush()
            clock.time += timedelta(minutes=4)
            controller.step()
        figures = controller.look(controller.get(rollout.rollout_id)).figures()
        self._insert(
            schema.rollout_events,
            (event for place, n in enumerate(ended, 1) for event in self._events(place, n, figures)),
        )
        bars = (n for place, n in enumerate(ended) if place % 6 == 5)
        self._insert(schema.barred_versions, (self._bar(n) for n in bars))

    def _ended(self, number: int) -> Row:
        at = self._at(number / self.size.versions)
        status = ("promoted", "promoted", "rolled_back", "aborted", "expired")[number // 3 % 5]
        return {
            "model_id": MODEL_ID, "champion": self._name(max(number - 4, 0)), "challenger": self._name(number),
            "status": status, "share": 0.5, "step": 1, "revision": 40, "key": "5eed" * 8, "plan": _PLAN.to_dict(),
            "state": {"likelihood": {"error_rate": [0.0] * 400}, "series": []}, "started_at": at, "started_by": "ana",
            "stage_began_at": at, "ends_at": at + timedelta(days=2), "paused_at": None, "because": "the weekly review",
            "ended_at": at + timedelta(hours=7), "settled": True,
        }  # fmt: skip

    def _events(self, rollout_id: int, number: int, figures: Mapping[str, Any]) -> Iterator[Row]:
        at = self._at(number / self.size.versions)
        for hour, kind in enumerate(("started", "stage", "stage", "promoted", "watched", "verified")):
            yield {
                "rollout_id": rollout_id, "at": at + timedelta(hours=hour), "kind": kind, "figures": figures,
                "sentence": "no guard has alarmed; the next share follows", "actor": "rollout", "automatic": True,
            }  # fmt: skip

    def _bar(self, number: int) -> Row:
        return {
            "model_id": MODEL_ID, "version": self._name(number), "artefact": f"{number:064x}", "barred_by": "rollout",
            "barred_at": self._at(number / self.size.versions), "because": "error_rate alarmed",
        }  # fmt: skip

    # --- What cooks did ---------------------------------------------------------------------------------------------

    def _answers(self) -> None:
        with self.database.reading() as connection:
            encoder = connection.execute(sa.select(query_maps.c.encoder)).scalar()
            golden = connection.execute(sa.select(golden_results.c.answered)).scalar()
        self._insert(answers, (self._answer(number, encoder) for number in range(self.size.answers)))
        self._insert(quality_days, self._quality_days())
        known = golden or {f"es: consulta {number}": number % 9 > 0 for number in range(41)}
        results = ({"version": self._name(n), "index_name": "old", "made_at": self._at(n / self.size.versions),
                    "ndcg": 0.8, "answered": known} for n in self._promoted())  # fmt: skip
        self._insert(golden_results, results)

    def _answer(self, number: int, encoder: str | None) -> Row:
        return {
            "request_id": f"{number:032x}", "user_id": f"user-{number % 500}", "query_hash": f"{number:016x}",
            "answered_at": self.now - timedelta(days=35) * (1 - number / self.size.answers),
            "language": "es", "constraints": {}, "mode": "full", "model_id": MODEL_ID, "model_version": self.champion,
            "n_candidates": 200, "latency_ms": 20.0,
            "arm_propensity": 1.0, "query_map": encoder, "map_x": self._on_map(), "map_y": self._on_map(),
        }  # fmt: skip

    def _on_map(self) -> int:
        return max(-EDGE, min(EDGE, round(self.draw.gauss(0, EDGE / 3))))

    def _quality_days(self) -> Iterator[Row]:
        promoted = self._promoted()
        for ago in range(1, self.size.days):
            place = max(len(promoted) - 1 - ago * len(promoted) // self.size.days, 0)
            versions = {self.champion, *(self._name(n) for n in promoted[max(place - 2, 0) : place + 1])}
            for version, language, mode in itertools.product(versions, ("es", "en"), ("full", "words")):
                n = self.draw.randrange(20, 400)
                row = {
                    "day": (self.now - timedelta(days=ago)).date(),
                    "version": version,
                    "language": language,
                    "mode": mode,
                }
                clicked = float(round(n * 0.3))
                yield {**row, "measure": "click_rate", "n": n, "total": clicked, "squares": clicked}
                yield {**row, "measure": "ndcg@3", "n": n, "total": n * 0.6, "squares": n * 0.42}

    # --- Metrics ----------------------------------------------------------------------------------------------------

    def _metrics(self) -> None:
        folder = self.settings.metrics_dir
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(7)
        now_ms = int(self.now.timestamp() * 1000)
        today = now_ms // DAY
        for day in range(today - self.size.days + 1, today):
            self._past_day(folder, day, rng)
        self._recent(
            folder, max(today * DAY, now_ms - DAY) if now_ms - today * DAY > HOUR else now_ms - DAY, now_ms, rng
        )
        keep_house(folder, clock=lambda: datetime.now(UTC), ages=Ages())

    def _measures(self, day: int) -> Iterator[tuple[str, dict[str, str], float, Callable[..., Any]]]:
        """Name, labels, share of the requests, and how values are drawn: of each series of a day."""
        promoted = self._promoted()
        ago = int(self.now.timestamp() * 1000) // DAY - day
        place = max(len(promoted) - 1 - ago * len(promoted) // self.size.days, 0)
        latency = _lognormal(3.0, 0.4)
        for (language, share), version in itertools.product(_LANGUAGES, (self._name(promoted[place]),)):
            labels = {"version": version, "language": language}
            yield "api_latency_ms", labels, share, latency
            yield "slow_rate", labels, share, _share(0.01)
            for name, part in _STAGES:
                yield name, labels, share, _lognormal(3.0 + float(np.log(part)), 0.4)
            yield "num_recipes", labels, share, lambda rng, n: np.full(n, 3.0)
            yield "empty_results", labels, share, _share(0.02)
            yield "degraded_answers", labels, share, _share(0.001)
            yield "top_score", labels, share, lambda rng, n: rng.beta(6, 3, n)
        for route in _ROUTES:
            yield "request_count", {"route": route, "status": "200"}, 0.5, lambda rng, n: np.ones(n)
            yield "request_count", {"route": route, "status": "500"}, 0.01, lambda rng, n: np.ones(n)
            yield "error_rate", {"route": route}, 0.5, _share(0.01)
            yield "http_latency_ms", {"route": route}, 0.5, _lognormal(1.0, 0.6)
        for bound, rate in (("rate", 0.29), ("low", 0.25), ("high", 0.33)):
            for outcome in ("click", "cook"):
                yield "expected_rate", {"outcome": outcome, "bound": bound}, 0.05, _normal(rate, 0.01)
        for outcome in ("click", "cook"):
            yield "observed_rate", {"outcome": outcome}, 0.05, _normal(0.28, 0.01)
        for queue in ("answers", "answer_check", "translation"):
            yield "queue_depth", {"queue": queue}, 1.0, lambda rng, n: rng.poisson(2, n).astype(float)
        yield "process_memory_mb", {}, 1.0, _normal(700.0, 20.0)
        yield "process_cpu_percent", {}, 1.0, _normal(20.0, 4.0)
        yield "event_loop_lag_ms", {}, 1.0, _lognormal(0.0, 0.5)

    def _past_day(self, folder: Path, day: int, rng: np.random.Generator) -> None:
        """A day as its rollup: sketches of hours, of the day, of all time, and the last hundred points."""
        windows = Windows(
            retention_days=90,
            now_ms=lambda: (day + 1) * DAY,
            max_series_per_name=MAX_SERIES_PER_NAME,
            max_names=MAX_NAMES,
        )
        for name, labels, share, drawn in self._measures(day):
            series = series_of(name, labels)
            assert series is not None
            into = windows.at(series)
            n = max(1, round(self.size.requests_a_day * share / 24))
            hours = {day * 24 + hour: Sketch.of(np.abs(drawn(rng, n))) for hour in range(24)}
            whole = merged(list(hours.values()))
            into.add(HOUR, hours)
            into.add(DAY, {day: whole})
            into.add(EVER, {0: whole})
            times = np.sort(rng.integers(day * DAY, (day + 1) * DAY, 100))
            into.keep_latest(times, np.abs(drawn(rng, 100)))
        date = datetime.fromtimestamp(day * DAY / 1000, UTC)
        write_rollup(folder / f"day-{date:%Y%m%d}.rollup", windows, {}, steps=(HOUR, DAY, EVER))

    def _recent(self, folder: Path, begin: int, end: int, rng: np.random.Generator) -> None:
        """Points until now, a line for each minute and series, a segment for each hour."""
        clock = _Clock(datetime.fromtimestamp(begin / 1000, UTC))
        writer = SegmentWriter(folder, clock=clock)
        all_of_them = list(self._measures(end // DAY))
        for minute in range(begin // MINUTE, end // MINUTE):
            clock.time = datetime.fromtimestamp(minute * MINUTE / 1000, UTC)
            lines = []
            for name, labels, share, drawn in all_of_them:
                n = rng.poisson(self.size.requests_a_day * share / 1_440)
                series = series_of(name, labels)
                if n and series is not None:
                    times = np.sort(rng.integers(minute * MINUTE, (minute + 1) * MINUTE, n))
                    lines += encoded(series, times, np.abs(drawn(rng, n)))
            if lines:
                writer.append(lines)
        writer.close()


class _Clock:
    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


def _lognormal(mean: float, sigma: float) -> Callable[..., Any]:
    return lambda rng, n: rng.lognormal(mean, sigma, n)


def _normal(mean: float, sigma: float) -> Callable[..., Any]:
    return lambda rng, n: rng.normal(mean, sigma, n)


def _share(share: float) -> Callable[..., Any]:
    return lambda rng, n: (rng.random(n) < share).astype(float)


def n_bytes(folder: Path) -> int:
    """Of all files in *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
