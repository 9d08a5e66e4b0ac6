"""A model on its way in, for tests: two versions, a clock that stands still, requests and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops import ModelMetadata, ModelRegistry
from mlops.artefacts import MemoryArtefacts
from mlops.rollout import CanaryRouter, RolloutController, RolloutPlan
from mlops.store import Database

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
PLAN = RolloutPlan(
    shadow_seconds=0, shares=(0.2, 0.5), hold_seconds=3_600, guards=("error_rate", "p95_latency", "click_rate"),
    max_seconds=86_400, watch_seconds=3_600, least_requests=40,
)  # fmt: skip

# Who gets which arm is the same in every run: by chance a few of one arm may come first.
KEY = "5eed" * 8


class Traffic:
    """*ranker* 1.0.0 is in production; 1.1.0 wants to take its place."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.now = START
        self.alarms: list[str] = []
        self.registry = ModelRegistry(database, artefacts=MemoryArtefacts(), actor="ana", clock=self.clock)
        for version in ("1.0.0", "1.1.0"):
            self.register(version)
        self.registry.promote("ranker", "1.0.0", because="first")
        self.controller = RolloutController(
            self.registry,
            alarm=lambda model_id, sentence, figures: self.alarms.append(sentence),
            clock=self.clock,
            new_key=lambda: KEY,
            **options,
        )
        self.router = CanaryRouter(database, "ranker")
        self._n = 0

    def register(self, version: str, content: str | None = None) -> None:
        """Register a version; its only file says *content*, or the version."""
        files = {"model.json": (content or f'"{version}"').encode()}
        self.registry.register(ModelMetadata("ranker", version), artefact=files)

    def clock(self) -> datetime:
        return self.now

    def start(self, plan: RolloutPlan = PLAN, version: str = "1.1.0", **options: Any) -> None:
        """Start a rollout, and have the router follow it."""
        self.controller.start("ranker", version, plan=plan, **options)
        self.router.refresh()
        self.router.ready(version)

    def send(self, n: int, *, every: Mapping[str, Mapping[str, int]] | None = None) -> None:
        """Send *n* requests of as many users, and write what came of them.

        Args:
            every: by arm and event, each how many-th request has it: ``{"challenger": {"failed": 4}}``.
        """
        seen: dict[str, int] = {}
        for _ in range(n):
            self._n += 1
            choice = self.router.choose(f"user-{self._n}")
            arm = choice.counted_as or "nobody"
            number = seen[arm] = seen.get(arm, 0) + 1
            events = {name: number % each == 0 for name, each in (every or {}).get(arm, {}).items()}
            self.router.observe(
                choice,
                failed=events.get("failed", False),
                valid=not events.get("invalid", False),
                seconds=0.5 if events.get("slow", False) else 0.01,
            )
            self.router.outcome(choice, "click", float(events.get("click", number % 3 == 0)))
        self.router.flush()

    def step(self, *, hours: float = 0.0) -> Any:
        """Let time pass, step, and have the router read what is so now. The rollout under way, or the last one."""
        self.now += timedelta(hours=hours)
        self.controller.step()
        self.router.refresh()
        return self.controller.history("ranker", limit=1)[0]

    def go_on(self, n_steps: int, n: int = 200, **events: Any) -> Any:
        """Send and step by turns, until the rollout ends or *n_steps* are done."""
        for _ in range(n_steps):
            self.send(n, **events)
            rollout = self.step()
            if not rollout.is_open:
                break
        return rollout

    def kinds(self) -> list[str]:
        """The kinds of what happened to the last rollout, oldest first."""
        last = self.controller.history("ranker", limit=1)[0]
        return [event.kind for event in self.controller.events(last.rollout_id)]

    @property
    def champion(self) -> str | None:
        """The version in production."""
        found = self.registry.get_production_model("ranker")
        return None if found is None else found.version

    def status_of(self, version: str) -> str:
        """Where a version stands."""
        found = self.registry.get_model("ranker", version)
        assert found is not None
        return found.status
