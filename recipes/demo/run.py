"""A demonstration from its options to its exit code."""

from __future__ import annotations

import hashlib
import itertools
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from mlops.clock import utc_now
from mlops.sentences import say
from recipes.api import create_app
from recipes.catalog import Recipe, starter_recipes
from recipes.config import Settings
from recipes.demo.account import Account
from recipes.demo.client import Client
from recipes.demo.clock import LeapingClock
from recipes.demo.cooks import ONE_IN_OVER_HTTP, Cooks
from recipes.demo.doors import HttpDoor, InnerDoor
from recipes.demo.errors import DemoError
from recipes.demo.questions import Questions
from recipes.demo.server import HOST, Server, listening
from recipes.demo.stages import QUIET_DAYS, STAGES, Stage
from recipes.demo.story import Story
from recipes.encoder import encoder_for
from recipes.lexicon import cooking_lexicon
from recipes.service import Service
from recipes.simulate.options import Options
from recipes.simulate.sandbox import RememberingEncoder, isolated_settings
from recipes.simulate.world import World

NOTICE = say("Demonstration: the cooks are simulated; the service, the measurements and the decisions are real.")
# How the demonstration differs from the defaults: shorter stages for fewer cooks, and only a drift calls for training.
# No guard of latency, since it shares the machine with whatever else is done there.
SETTINGS: dict[str, Any] = {
    "console_notice": NOTICE,
    "watch_seconds": 2.0,
    "retrain_data_threshold": 1_000_000,
    "retrain_interval_days": 365.0,
    "retrain_cooldown_hours": 20.0,
    "rollout_policy": "canary",
    "rollout_shadow": "2h",
    "rollout_canary": "20%,50%",
    "rollout_hold": "6h",
    "rollout_watch": "6h",
    "rollout_guards": "error_rate,click_rate",
    "rollout_least_requests": 20,
    "rollout_max_hours": 240.0,
    "rollout_click_seconds": 120.0,
    "rollout_shadow_load": 0.5,
}
N_COOKS, ASKS_PER_DAY = 250, 1.6
# The story lies in the past, so that it may leap ahead and never gets beyond the present. It takes about thirteen
# days.
LONGEST_DAYS = 26
_EXPECTED_HOURS = 13 * 24
_SECONDS_BETWEEN_COOKS = 1.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for.

    Attributes:
        port: the first one that is tried.
        minutes: that the story takes at least, about; a machine that is slower takes longer.
        seed: of the cooks; threads and processes are as they are, so that equal seeds tell nearly equal stories.
        keep: leave the folder where it is.
        go_on: serve on after the story, until it is interrupted.
    """

    port: int = 8001
    minutes: float = 2.0
    seed: int = 1
    keep: bool = False
    go_on: bool = True


def demo(options: DemoOptions, console: Console, *, on_open: Callable[[str], object] = lambda url: None) -> bool:
    """Tell the story; whether all of it came about. An interruption ends it cleanly, and is passed on.

    Args:
        on_open: told where the console is, as soon as it answers.

    Raises:
        DemoFailed: it cannot be shown at all.
    """
    bound = listening(options.port)
    url = f"http://{HOST}:{bound.getsockname()[1]}"
    console.print(f"Console: {url}/consola   (pages for cooks: {url})")
    with bound, _folder(options, console) as folder:
        settings = isolated_settings(folder, port=bound.getsockname()[1], **SETTINGS)
        begins_at = _midnight(utc_now()) - timedelta(days=LONGEST_DAYS)
        clock = LeapingClock(begins_at)
        # Cooks ask the same things over and over.
        encoder = RememberingEncoder(encoder_for(settings))
        service = Service(settings, encoder=encoder, clock=clock, new_id=_ids(options.seed))
        app = create_app(settings, service=service, logs_to_console=False)
        world = _world(list(starter_recipes()), options)
        client = Client(HOST, bound.getsockname()[1])
        cooks = Cooks(Questions(world), HttpDoor(client), InnerDoor(service), clock, begins_at=begins_at)
        account = Account(console, day=lambda: cooks.day)
        _say_what_it_is(account, settings, options)
        try:
            with Server(app, bound):
                on_open(f"{url}/consola")
                hour_seconds = options.minutes * 60 / _EXPECTED_HOURS
                succeeded = told(Story(service, client, cooks, account, hour_seconds))
                _say_how_long_it_took(account)
                if options.go_on:
                    _go_on(account, clock, cooks, url)
        finally:
            client.close()
    return succeeded


def told(story: Story) -> bool:
    """Go through the stages; the first that does not come about ends the story."""
    for number, (title, stage) in enumerate(STAGES.items(), start=1):
        story.account.begun(number, title)
        try:
            _through(story.account, stage, story)
        except DemoError as error:
            story.account.failed(f"{title}: {error}")
            return False
    return True


def _through(account: Account, stage: Stage, story: Story) -> None:
    observed = stage(story)
    while True:
        try:
            account.seen(next(observed))
        except StopIteration as end:
            account.done(end.value)
            return


@contextmanager
def _folder(options: DemoOptions, console: Console) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="recipes-demo-"))
    console.print(f"Data: {folder} ({'kept' if options.keep else 'removed at the end'})")
    try:
        yield folder
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _ids(seed: int) -> Callable[[], str]:
    """Ids of answers, in which exploration has its chance: the same ones for the same seed."""
    numbers = itertools.count()

    def new_id() -> str:
        return hashlib.blake2b(f"{seed} {next(numbers)}".encode(), digest_size=16).hexdigest()

    return new_id


def _world(recipes: Sequence[Recipe], options: DemoOptions) -> World:
    size = Options(
        n_days=LONGEST_DAYS,
        n_cooks=N_COOKS,
        seed=options.seed,
        drift_day=QUIET_DAYS + 1,
        asks_per_day=ASKS_PER_DAY,
    )
    return World(recipes, cooking_lexicon(), size)


def _say_what_it_is(account: Account, settings: Settings, options: DemoOptions) -> None:
    account.plain(
        f"SIMULATED: {N_COOKS} cooks with hidden tastes (seed {options.seed}); one in {ONE_IN_OVER_HTTP} comes over "
        "HTTP, the others to the functions behind it. Real: the service, its metrics, checks, alerts, trainings, "
        "gates, rollouts; each line says what the service told."
    )
    account.plain(
        "The clock of the service leaps: from one question to the next no time is waited for, so that a day takes "
        f"seconds. The story begins {LONGEST_DAYS} days ago; at its end the clock is set to now."
    )
    different = [f"{name.upper()}={getattr(settings, name)}" for name in _TOLD]
    account.plain(f"Other than by default: {', '.join(different)}")


_TOLD = [name for name in SETTINGS if name != "console_notice"]


def _say_how_long_it_took(account: Account) -> None:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    account.plain(f"That took {account.seconds:.0f} s, and {cpu:.0f} s of processor time, trainings included.")


def _go_on(account: Account, clock: LeapingClock, cooks: Cooks, url: str) -> None:
    """Serve on until somebody interrupts it; now and then a simulated cook asks, on the time of the world outside."""
    clock.leap(utc_now())
    account.plain(f"The service goes on at {url}, and a simulated cook asks each second. Ctrl-C ends it.")
    while True:
        time.sleep(_SECONDS_BETWEEN_COOKS)
        try:
            cooks.ask_one()
        except StopIteration:
            account.plain("All simulated cooks have asked; the service waits for you.")
            while True:
                time.sleep(3_600)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
