"""A simulation from its options to its story: three arms live through the same days."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from recipes.answer import Answer
from recipes.catalog import Recipe
from recipes.encoder.base import Encoder
from recipes.lexicon import Lexicon
from recipes.service import Service
from recipes.simulate.arms import AnswerRequest, Arm, Day, Kept
from recipes.simulate.clock import SimulatedClock
from recipes.simulate.loop import Loop
from recipes.simulate.options import ARMS, ArmName, Options
from recipes.simulate.oracle import OracleRanker
from recipes.simulate.sandbox import Found, RememberingEncoder, sandbox
from recipes.simulate.story import LoopEvent, Promotion, Simulation
from recipes.simulate.visits import Visit
from recipes.simulate.world import Request, World

OnProgress = Callable[[int, int, str], None]
"""Told how many days of all arms are done, of how many, and which arm lives now."""

# The loop and the frozen version differ in this alone: nothing is trained in the frozen arm. Metrics would be rolled up
# by a thread in real time, over days that pass in seconds; nothing of a simulation reads them.
SETTINGS: Mapping[str, object] = {
    "answer_check_share": 0.0,
    "impression_buffer_size": 1_000_000,
    "monitoring_enabled": False,
}


def simulate(
    options: Options,
    recipes: Sequence[Recipe],
    *,
    lexicon: Lexicon,
    encoder: Encoder,
    folder: Path,
    on_progress: OnProgress = lambda n_done, n_total, arm: None,
    found: Found | None = None,
) -> Simulation:
    """Live through all days in each arm.

    Args:
        recipes: what the cooks choose from; at most 2,000, see ``MAX_INDEXED_AT_START``.
        folder: empty; each arm gets a folder below it, and nothing outside of it is written.
        found: what simulations over the same *recipes* found in their index; what this one finds is added.

    Raises:
        IndexUnavailable, EncoderUnavailable: the service cannot be prepared.
        StoreUnavailable: a database below *folder* does not answer.
    """
    since = time.perf_counter()
    world = World(recipes, lexicon, options)
    remembering = RememberingEncoder(encoder)
    found = {} if found is None else found
    days: dict[ArmName, Sequence[Day]] = {}
    events: Sequence[LoopEvent] = []
    promotions: Sequence[Promotion] = []
    kept = Kept(0, 0, 0, 0, 0, 0)
    for number, name in enumerate(ARMS):
        clock, ids = SimulatedClock(options.start), AnswerIds()
        with sandbox(
            folder / name, recipes, encoder=remembering, clock=clock, new_id=ids, settings=SETTINGS, found=found
        ) as service:
            answer = _answering(name, world, service, ids)
            arm = Arm(world, service, clock, answer=answer, records=name != "oracle")
            loop = Loop(world, service, clock) if name == "loop" else None

            def advance(day: int, name: ArmName = name, number: int = number) -> None:
                on_progress(number * options.n_days + day, len(ARMS) * options.n_days, name)

            days[name] = _lived(world, arm, loop, advance)
            if loop is not None:
                events, promotions, kept = loop.events, loop.promotions, arm.kept()
    return Simulation(options, len(recipes), days, events, promotions, kept, time.perf_counter() - since)


class AnswerIds:
    """Names an answer by its cook and ask, so that what is explored is the same in each arm.

    Attributes:
        visit: the one that is answered next.
    """

    def __init__(self) -> None:
        self.visit: Visit | None = None

    def __call__(self) -> str:
        """The id of the answer to :attr:`visit`; off the record there is none, and no id counts."""
        return "off-the-record" if self.visit is None else f"cook-{self.visit.cook}-ask-{self.visit.number}"


class _Nightly(Protocol):
    def night_after(self, day: int) -> None: ...


def _lived(world: World, arm: Arm, loop: _Nightly | None, advance: Callable[[int], None]) -> list[Day]:
    days = []
    for day, visits in world.days():
        days.append(arm.live(day, visits))
        if loop is not None:
            loop.night_after(day)
        advance(day)
    return days


def _answering(name: ArmName, world: World, service: Service, ids: AnswerIds) -> AnswerRequest:
    if name == "oracle":
        return _oracle(world, service)

    def answer(request: Request) -> Answer:
        ids.visit = request.visit
        return service.recommender.answer(request.ask)

    return answer


def _oracle(world: World, service: Service) -> AnswerRequest:
    stored = (one for batch in service.catalogue.walk() for one in batch)
    oracle = OracleRanker({one.recipe_no: world.row_of[one.recipe.recipe_id] for one in stored})

    def answer(request: Request) -> Answer:
        oracle.worths = request.worths
        return service.recommender.answer_with(oracle, request.ask)

    return answer
