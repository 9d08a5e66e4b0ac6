"""Simulated cooks at the service's door: they ask over HTTP, and do with the answers what their tastes say.

They are those of :mod:`recipes.simulate`: hidden tastes, looking by position, clicking by worth. Here they ask the real
service through its API, and from one day on many of them are in a hurry.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from recipes.demo.client import Client
from recipes.demo.clock import LeapingClock
from recipes.demo.errors import DemoFailed
from recipes.simulate.visits import Visit
from recipes.simulate.world import N_SHOWN, Request, World

# Of the cooks in a hurry, what they say and which recipes they mean.
SHARE_IN_A_HURRY = 0.6
HURRIED_MINUTES = 30
_HURRIED_WORDS = {"es": "en menos de 30 minutos", "en": "in under 30 minutes"}
_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Tally:
    """What cooks met since the tally began."""

    n_asked: int = 0
    n_clicked: int = 0
    n_failed: int = 0
    n_in_a_hurry: int = 0
    versions: Counter[str] = field(default_factory=Counter)


class Cooks:
    """Lives through the days of *world*, an hour at a time, against the service that *client* reaches.

    Attributes:
        tally: of what they met; replace it to begin anew.
        in_a_hurry_from: the day, counted from 1, from which on many of them are in a hurry; None: never.
    """

    def __init__(self, world: World, client: Client, clock: LeapingClock, *, begins_at: datetime) -> None:
        """Nothing has happened yet.

        Args:
            begins_at: midnight, on *clock*, of the world's first day. The days of the story lie elsewhere in the
                calendar than those of the world, so that a seed tells the same story on any day of the week.
        """
        self._world = world
        self._client = client
        self._clock = clock
        self._shift = begins_at - world.options.midnight(1)
        self._days: Iterator[tuple[int, list[Visit]]] = iter(world.days())
        self._waiting: list[tuple[datetime, int, dict[str, Any]]] = []
        self._count = itertools.count()
        self._coming: list[Visit] = []
        self.day, self.hour = 0, 24
        self.tally = Tally()
        self.in_a_hurry_from: int | None = None

    def live_an_hour(self) -> None:
        """Ask and react for an hour of the story; the clock stands at its end then.

        Raises:
            StopIteration: the world has no more days.
        """
        if self.hour == 24:
            self.day, visits = next(self._days)
            self.hour, self._coming = 0, list(reversed(visits))
        self.hour += 1
        ends = self._world.options.midnight(self.day) + self.hour * _HOUR
        while self._coming and self._coming[-1].at < ends:
            visit = self._coming.pop()
            self._hand_in(until=visit.at + self._shift)
            self._clock.leap(visit.at + self._shift)
            self._ask(visit)
        self._hand_in(until=ends + self._shift)
        self._clock.leap(ends + self._shift)

    def ask_one(self) -> None:
        """One more question now, on the clock as it is, with what comes of it at once.

        Raises:
            StopIteration: the world has no more days.
        """
        while not self._coming:
            self.day, visits = next(self._days)
            self._coming = list(reversed(visits))
        self._ask(self._coming.pop())
        self._hand_in(until=self._clock())

    def _ask(self, visit: Visit) -> None:
        request = self._request(visit)
        self.tally.n_asked += 1
        body = {"query": request.ask.query, "n": N_SHOWN, "usuario": f"simulated-{visit.cook}"}
        try:
            answer = self._client.post("/recommend", {**body, "idioma": request.ask.language})
        except DemoFailed:
            # Counted as a cook without an answer, which is told.
            self.tally.n_failed += 1
            return
        self.tally.versions[answer["modelo"]["version"]] += 1
        shown = [recipe["id"] for recipe in answer["recetas"]]
        self._remember(request, answer["request_id"], shown)

    def _remember(self, request: Request, request_id: str, shown: list[str]) -> None:
        """What the cook does with the answer, to be handed in when its time comes."""
        reactions = self._world.reactions(request, shown)
        self.tally.n_clicked += any(one.event == "click" for one in reactions)
        now = self._clock()
        for one in reactions:
            body: dict[str, Any] = {"request_id": request_id, "recipe_id": shown[one.position - 1], "evento": one.event}
            if one.value is not None:
                body |= {"valor": one.value}
            heapq.heappush(self._waiting, (now + one.after, next(self._count), body))

    def _hand_in(self, *, until: datetime) -> None:
        while self._waiting and self._waiting[0][0] < until:
            at, _, body = heapq.heappop(self._waiting)
            self._clock.leap(at)
            try:
                self._client.post("/feedback", body)
            except DemoFailed:
                self.tally.n_failed += 1

    def _request(self, visit: Visit) -> Request:
        request = self._world.request(self.day, visit)
        if self.in_a_hurry_from is None or self.day < self.in_a_hurry_from or not self._is_in_a_hurry(visit):
            return request
        self.tally.n_in_a_hurry += 1
        query = f"{request.ask.query} {_HURRIED_WORDS[request.ask.language]}"
        fits = self._world.pantry.minutes <= HURRIED_MINUTES
        return replace(request, ask=replace(request.ask, query=query), worths=request.worths * fits)

    def _is_in_a_hurry(self, visit: Visit) -> bool:
        rng = np.random.default_rng([self._world.options.seed, 71, visit.cook, visit.number])
        return bool(rng.random() < SHARE_IN_A_HURRY)
