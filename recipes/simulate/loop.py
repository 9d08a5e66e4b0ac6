"""The night shift of the loop arm: the toolkit's own check, jobs, gates and promotion, in simulated time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np

from mlops.clock import Clock
from mlops.retraining import RetrainingConfig, RetrainingOrchestrator
from mlops.retraining.book import JobBook
from mlops.retraining.jobs import RetrainingJob
from mlops.retraining.process import train_here
from mlops.retraining.schedule import AutomaticRetrainingScheduler
from mlops.retraining.trainers import Trainers
from recipes.ranker import MODEL_ID, Ranker
from recipes.service import Service
from recipes.signals import RecipeSignals
from recipes.simulate.clock import SimulatedClock
from recipes.simulate.story import LoopEvent, Promotion
from recipes.simulate.world import World
from recipes.training import HybridRankerTrainer

# When the loop looks whether there is something to do.
_NIGHT_HOUR = 3
# Questions on which a promotion is judged by the cooks' tastes.
N_JUDGED = 1_000
# A day brings that many new labelled samples to a service of this size, so that a training is at most that often.
COOLDOWN_HOURS = 71.0
_Z = 1.959964


class Loop:
    """Checks, trains, promotes each night, as an installation would; judges each promotion, as no installation can."""

    def __init__(self, world: World, service: Service, clock: SimulatedClock) -> None:
        self._world = world
        self._service = service
        self._clock = clock
        self._scheduler = AutomaticRetrainingScheduler(_orchestrator(world, service, clock))
        self.events: list[LoopEvent] = []
        self.promotions: list[Promotion] = []

    def night_after(self, day: int) -> None:
        """What happens between *day* and the next one."""
        self._clock.set(self._world.options.midnight(day + 1) + timedelta(hours=_NIGHT_HOUR))
        self._service.answers.flush()
        self._service.learn_tastes()
        found = self._scheduler.check_and_schedule_retraining([MODEL_ID])
        if not found["scheduled_jobs"]:
            return
        need = found["needs"][MODEL_ID]
        if _is_alarming(need["figures"]):
            self._tell(day, "alarm", "Fewer clicks, or other requests, than the champion was trained on.")
        self._tell(day, "retraining", " ".join(need["reasons"]))
        before = self._service.recommender.ranker
        job = self._scheduler.orchestrator.worker(name="simulation").run_next()
        if job is not None:
            self._tell_of(day, job)
        self._service.live.refresh()
        after = self._service.recommender.ranker
        if after.version != before.version:
            self.promotions.append(self._judged(day, before, after))

    def _tell(self, day: int, kind: str, sentence: str) -> None:
        self.events.append(LoopEvent(day, kind, sentence))  # type: ignore[arg-type]

    def _tell_of(self, day: int, job: RetrainingJob) -> None:
        kind = "promotion" if job.outcome == "promoted" else "refusal"
        made = f"{job.challenger} against {job.champion}" if job.challenger else f"job {job.job_id}"
        self._tell(day, kind, f"{made}: {job.outcome}. {job.reason or ''}".strip())

    def _judged(self, day: int, before: Ranker, after: Ranker) -> Promotion:
        """Both versions answer the same fresh questions, off the record; the world knows what the answers are worth."""
        answer_with = self._service.recommender.answer_with
        differences: list[float] = []
        for request in self._world.fresh_requests(day, N_JUDGED):
            slates = [
                [one.stored.recipe.recipe_id for one in answer_with(ranker, request.ask).shown]
                for ranker in (before, after)
            ]
            old, new = (self._world.ndcg(request, slate) for slate in slates)
            if old is not None and new is not None:
                differences.append(new - old)
        effect = float(np.mean(differences))
        half = _Z * float(np.std(differences)) / math.sqrt(len(differences))
        return Promotion(day, before.version, after.version, effect, effect - half, effect + half, len(differences))


def _is_alarming(figures: Mapping[str, Any]) -> bool:
    """Whether monitoring says that the champion got worse, or that its data have moved."""
    is_worse = bool((figures["degradation"] or {}).get("degraded"))
    return is_worse or any(column["drifted"] for column in figures["drift"] or ())


def _orchestrator(world: World, service: Service, clock: Clock) -> RetrainingOrchestrator:
    trainers = Trainers()
    trainers.register(MODEL_ID, lambda: HybridRankerTrainer(service.database, clock=clock), seed=world.options.seed)
    return RetrainingOrchestrator(
        service.registry,
        folder=service.settings.var_dir / "retraining",
        trainers=trainers,
        config=RetrainingConfig(cooldown_hours=COOLDOWN_HOURS),
        signals=RecipeSignals(service.registry, service.database, clock=clock),
        training=train_here,
        book=JobBook(service.database, clock=clock),
    )
