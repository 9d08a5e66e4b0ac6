"""One arm of a simulation: a service, the world's cooks, and what is measured of each day."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from recipes import schema
from recipes.answer import Answer
from recipes.feedback import Feedback
from recipes.service import Service
from recipes.simulate.clock import SimulatedClock
from recipes.simulate.visits import Visit
from recipes.simulate.world import Request, World

_HOUR = timedelta(hours=1)
# A service reads new ratings every half a minute; the simulated one at these hours.
_REFRESHES_EVERY_HOURS = 6

AnswerRequest = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Day:
    """What was measured of the answers given on one day.

    Attributes:
        ndcg: mean true nDCG@3 over the answers to questions that some recipe fits.
        click_share: share of the answers with a click.
        cook_share: share of the answers of which something was cooked, on whatever day.
        version: that answered last.
    """

    day: int
    n_answers: int
    ndcg: float
    click_share: float
    cook_share: float
    version: str


@dataclass(slots=True)
class Sent:
    """How much an arm handed to the service, to compare with what the service kept."""

    answers: int = 0
    impressions: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """What was sent to a service, and what its database holds at the end."""

    sent_answers: int
    stored_answers: int
    sent_impressions: int
    stored_impressions: int
    sent_events: int
    stored_events: int

    @property
    def lost(self) -> int:
        """How many answers, impressions and events were sent and are not there."""
        return (
            abs(self.sent_answers - self.stored_answers)
            + abs(self.sent_impressions - self.stored_impressions)
            + abs(self.sent_events - self.stored_events)
        )


class Arm:
    """Lives through the days of *world* with *service*."""

    def __init__(
        self, world: World, service: Service, clock: SimulatedClock, *, answer: AnswerRequest, records: bool = True
    ) -> None:
        """Nothing has happened yet.

        Args:
            answer: how *service* answers a request.
            records: hand the cooks' feedback back to *service*; the oracle learns nothing.
        """
        self._world = world
        self._service = service
        self._clock = clock
        self._answer = answer
        self._records = records
        self._waiting: list[tuple[datetime, int, Feedback]] = []
        self._count = itertools.count()
        self.sent = Sent()

    def live(self, day: int, visits: Sequence[Visit]) -> Day:
        """Answer the visits of *day* in the order of their times, an hour at a time, and hand in what cooks did."""
        tally = _Tally()
        remaining = list(reversed(visits))
        for hour in range(24):
            ends = self._world.options.midnight(day) + (hour + 1) * _HOUR
            while remaining and remaining[-1].at < ends:
                self._serve(day, remaining.pop(), tally)
            self._hand_in(until=ends)
            # Where nothing is recorded there is nothing new.
            if self._records and (hour + 1) % _REFRESHES_EVERY_HOURS == 0:
                self._service.recommender.refresh()
        return tally.day(day)

    def kept(self) -> Kept:
        """What the service's database holds of what was sent, all that waits written first."""
        self._service.answers.flush()
        tables = (schema.answers, schema.impressions, schema.feedback_events)
        with self._service.database.reading() as connection:
            answers, impressions, events = (
                int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()) for table in tables
            )
        sent = self.sent
        return Kept(sent.answers, answers, sent.impressions, impressions, sent.events, events)

    def _serve(self, day: int, visit: Visit, tally: _Tally) -> None:
        self._clock.set(visit.at)
        request = self._world.request(day, visit)
        answer = self._answer(request)
        shown = [one.stored.recipe.recipe_id for one in answer.shown]
        reactions = self._world.reactions(request, shown)
        self.sent.answers += 1
        self.sent.impressions += len(shown)
        tally.add(self._world.ndcg(request, shown), {one.event for one in reactions}, answer.model_version)
        if self._records:
            for one in reactions:
                number = next(self._count)
                feedback = Feedback(answer.request_id, shown[one.position - 1], one.event, one.value, f"event-{number}")
                heapq.heappush(self._waiting, (visit.at + one.after, number, feedback))

    def _hand_in(self, *, until: datetime) -> None:
        """Hand in all feedback up to *until*, in the order of its times."""
        while self._waiting and self._waiting[0][0] < until:
            at, _, feedback = heapq.heappop(self._waiting)
            self._clock.set(at)
            self._service.feedback.record(feedback)
            self.sent.events += 1
        self._clock.set(until)


class _Tally:
    def __init__(self) -> None:
        self._ndcg: list[float] = []
        self._n_answers = self._n_clicked = self._n_cooked = 0
        self._version = ""

    def add(self, ndcg: float | None, events: set[str], version: str) -> None:
        self._n_answers += 1
        self._n_clicked += "click" in events
        self._n_cooked += "cook" in events
        self._version = version
        if ndcg is not None:
            self._ndcg.append(ndcg)

    def day(self, day: int) -> Day:
        n = max(1, self._n_answers)
        mean = sum(self._ndcg) / len(self._ndcg) if self._ndcg else float("nan")
        return Day(day, self._n_answers, mean, self._n_clicked / n, self._n_cooked / n, self._version)
