"""Simulated cooks at the service's doors: they ask, and do with the answers what their tastes say.

They are those of :mod:`recipes.simulate`: hidden tastes, looking by position, clicking by worth. Here they ask
the real service.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from recipes.demo.clock import LeapingClock
from recipes.demo.doors import Door, Served
from recipes.demo.errors import DemoFailed
from recipes.demo.questions import Questions
from recipes.feedback import Feedback
from recipes.simulate.visits import Visit
from recipes.simulate.world import Request

# Of all cooks; the others reach the same functions without a request, see :mod:`recipes.demo.doors`.
ONE_IN_OVER_HTTP = 6
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
    """Lives through the days of a world, an hour at a time, against the service behind its doors.

    Attributes:
        tally: of what they met; replace it to begin anew.
        questions: that they ask.
    """

    def __init__(
        self, questions: Questions, http: Door, inner: Door, clock: LeapingClock, *, begins_at: datetime
    ) -> None:
        """Nothing has happened yet.

        Args:
            http, inner: their ways to the service, see :func:`comes_over_http`.
            begins_at: midnight, on *clock*, of the world's first day. The days of the story lie elsewhere in the
                calendar than those of the world, so that a seed tells the same story on any day of the week.
        """
        self.questions = questions
        self._world = world = questions.world
        self._http = http
        self._inner = inner
        self._clock = clock
        self._shift = begins_at - world.options.midnight(1)
        self._days: Iterator[tuple[int, list[Visit]]] = iter(world.days())
        self._waiting: list[tuple[datetime, int, Feedback, Door]] = []
        self._count = itertools.count()
        self._coming: list[Visit] = []
        self.day, self.hour = 0, 24
        self.tally = Tally()

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
        question = self.questions.asked(self.day, visit)
        self.tally.n_asked += 1
        self.tally.n_in_a_hurry += question.is_hurried
        door = self._http if comes_over_http(visit.cook) else self._inner
        try:
            served = door.ask(replace(question.request.ask, user_id=f"simulated-{visit.cook}"))
        except DemoFailed:
            # Counted as a cook without an answer, which is told.
            self.tally.n_failed += 1
            return
        self.tally.versions[served.version] += 1
        self._remember(question.request, served, door)

    def _remember(self, request: Request, served: Served, door: Door) -> None:
        """What the cook does with the answer, to be handed in when its time comes."""
        reactions = self._world.reactions(request, served.recipe_ids)
        self.tally.n_clicked += any(one.event == "click" for one in reactions)
        now = self._clock()
        for one in reactions:
            feedback = Feedback(served.request_id, served.recipe_ids[one.position - 1], one.event, one.value)
            heapq.heappush(self._waiting, (now + one.after, next(self._count), feedback, door))

    def _hand_in(self, *, until: datetime) -> None:
        while self._waiting and self._waiting[0][0] < until:
            at, _, feedback, door = heapq.heappop(self._waiting)
            self._clock.leap(at)
            try:
                door.react(feedback)
            except DemoFailed:
                self.tally.n_failed += 1


def comes_over_http(cook: int) -> bool:
    """One in :data:`ONE_IN_OVER_HTTP` cooks asks and reacts over HTTP."""
    return cook % ONE_IN_OVER_HTTP == 0
