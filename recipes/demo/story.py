"""What the stages of a demonstration work with: the service, its cooks, the clock, and how fast time passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlops.retraining import AutomaticRetrainingScheduler
from recipes.demo.account import Account
from recipes.demo.client import Client
from recipes.demo.cooks import Cooks, Tally
from recipes.demo.errors import StageFailed
from recipes.ranker import MODEL_ID
from recipes.service import Service

# When the nightly work is done.
NIGHT_HOUR = 3
# It takes a second of processor time.
_QUALITY_EVERY_DAYS = 4
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Story:
    """Everything a stage needs.

    Attributes:
        hour_seconds: of real time that an hour of the story takes at least, so that it can be followed.
    """

    service: Service
    client: Client
    cooks: Cooks
    account: Account
    hour_seconds: float

    def live_an_hour(self) -> None:
        """An hour of cooks, and at night the work that the service's own timers would do in a night of real time.

        Raises:
            StageFailed: the world of the story has no more days.
        """
        began = time.monotonic()
        try:
            self.cooks.live_an_hour()
        except StopIteration:
            raise StageFailed(f"after day {self.cooks.day} there are no more days") from None
        # The thread counts them so many seconds later, and in the story minutes pass in less.
        self.service.rollout.count_clicks()
        if self.cooks.hour == NIGHT_HOUR:
            self._work_at_night()
        time.sleep(max(0.0, self.hour_seconds - (time.monotonic() - began)))

    def live_until(self, condition: Callable[[], bool], *, hours: int, otherwise: Callable[[], str]) -> None:
        """Live on until *condition* holds, which is asked after each hour.

        Raises:
            StageFailed: it does not within so many *hours*; *otherwise* says what was observed instead.
        """
        for _ in range(hours):
            if condition():
                return
            self.live_an_hour()
        if not condition():
            raise StageFailed(f"{otherwise()} (after {hours} hours of the story)")

    def wait_for(self, condition: Callable[[], bool], *, seconds: float, otherwise: Callable[[], str]) -> None:
        """Wait in real time, while nobody asks, until *condition* holds.

        Raises:
            StageFailed: it does not within so many *seconds*.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise StageFailed(f"{otherwise()} (after {seconds:.0f} seconds)")
            time.sleep(_LOOK_SECONDS)

    def fresh_tally(self) -> Tally:
        """Begin to count anew what cooks meet."""
        self.cooks.tally = Tally()
        return self.cooks.tally

    def check(self) -> dict[str, Any]:
        """What ``POST /retrain/check`` says of the ranker."""
        found: dict[str, Any] = self.client.post("/retrain/check", {"model_ids": [MODEL_ID]})["models"][0]
        return found

    def keep_drift_check(self) -> None:
        """Check the drift and keep what was found, as the service does every quarter of an hour for the console."""
        self.service.insight.check_drift()

    def schedule(self) -> int | None:
        """What ``python schedule_retraining.py`` does at its hour: the job that it makes, None for none."""
        scheduler = AutomaticRetrainingScheduler(self.service.operations.retraining)
        jobs = scheduler.check_and_schedule_retraining([MODEL_ID])["scheduled_jobs"]
        return int(jobs[0]["job_id"]) if jobs else None

    def alerts(self, rule: str) -> list[dict[str, Any]]:
        """Alerts of *rule*, newest first, open or not."""
        found: list[dict[str, Any]] = self.client.get(f"/alerts?rule={rule}")["alerts"]
        return found

    def model(self) -> dict[str, Any]:
        """``GET /models/hybrid_ranker``: what is in production, and what this process answers with."""
        found: dict[str, Any] = self.client.get(f"/models/{MODEL_ID}")
        return found

    def rollout(self, rollout_id: int) -> dict[str, Any]:
        """A rollout with its events."""
        found: dict[str, Any] = self.client.get(f"/rollouts/{rollout_id}")
        return found

    def newest_rollout(self) -> dict[str, Any] | None:
        """The rollout that began last."""
        found = self.client.get(f"/models/{MODEL_ID}/rollouts?limit=1")["rollouts"]
        return found[0] if found else None

    def versions_answering(self, n: int) -> set[str]:
        """The versions that answer the next *n* cooks."""
        tally = self.fresh_tally()
        while tally.n_asked < n:
            self.live_an_hour()
        return set(tally.versions)

    def _work_at_night(self) -> None:
        self.service.answers.flush()
        self.service.learn_tastes()
        self.service.recommender.refresh()
        self.service.insight.days.refresh()
        self.keep_drift_check()
        if self.cooks.day % _QUALITY_EVERY_DAYS == 0:
            self.service.operations.quality.turn()
