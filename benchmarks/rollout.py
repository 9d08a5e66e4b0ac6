"""Rollouts: what routing and a shadow cost a request, how well the stop rules decide, how soon drills heal.

The stop rules are compared with a test of fixed horizon on the same simulated requests: Fisher's exact test, one-sided,
looked at once, when all requests are in. Lists of both rankings are compared with whole lists of either, half and half,
to cooks of the same taste (``tests/interleaved_traffic.py``): how many requests until the same harm is found?
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import finish, machine, parser, table
from scipy import stats

from mlops import ModelMetadata, ModelRegistry, schema
from mlops.artefacts import MemoryArtefacts
from mlops.rollout import CanaryRouter, Ranked, RolloutController, RolloutPlan, ShadowRunner
from mlops.rollout.drill import run_drills
from mlops.rollout.sequential import Block, log_evidence_worse, log_likelihood
from mlops.store import Database
from tests.interleaved_traffic import interleaved_until, kitchen, split_until

ALPHA = 0.05
N_ROLLOUTS = 1_000
# A look after every 20 requests of the challenger, which has a fifth of the traffic; 2,000 of its requests in all.
N_BLOCKS, N_CHALLENGER, N_CHAMPION = 100, 20, 80
SCENARIOS = [
    ("errors, no harm", 0.02, 0.02, False),
    ("errors, 2 % to 3 %", 0.02, 0.03, False),
    ("errors, 2 % to 4 %", 0.02, 0.04, False),
    ("errors, 2 % to 10 %", 0.02, 0.10, False),
    ("clicks, no harm", 0.30, 0.30, True),
    ("clicks, 30 % to 27 %", 0.30, 0.27, True),
    ("clicks, 30 % to 24 %", 0.30, 0.24, True),
]


# A challenger whose ranking is as good, or has so much more noise than its champion's (0.1), in 4,000 requests at most,
# looked at after every 40 of them.
NOISES = (0.1, 0.15, 0.2, 0.3)
N_REQUESTS, EVERY = 4_000, 40


@dataclass(frozen=True)
class Sensitivity:
    """How often, and after how many requests, lists of both and whole lists find the same harm; medians over all."""

    clicked: tuple[float, float]
    taken_back_interleaved: float
    median_interleaved: float
    taken_back_split: float
    median_split: float


def sensitivity(noise: float, *, n_rollouts: int) -> Sensitivity:
    """Both ways to compare a challenger's ranking with its champion's, in *n_rollouts* rollouts each."""
    cooks, rng = kitchen(noise=NOISES[0], challenger_noise=noise), np.random.default_rng(2026)
    found = {
        until: np.array([
            until(cooks, n=N_REQUESTS, every=EVERY, alpha=ALPHA, rng=rng) for _ in range(n_rollouts)
        ])
        for until in (interleaved_until, split_until)
    }  # fmt: skip
    share = {until: float((stopped > 0).mean()) for until, stopped in found.items()}
    median = {until: float(np.median(np.where(at > 0, at, N_REQUESTS))) for until, at in found.items()}
    return Sensitivity(
        cooks.click_rates, share[interleaved_until], median[interleaved_until], share[split_until],
        median[split_until],
    )  # fmt: skip


@dataclass(frozen=True)
class Decisions:
    """How often a challenger was taken back, and after how many of its requests."""

    scenario: str
    share_sequential: float
    share_fixed: float
    exposed_sequential: float
    median_exposed: float
    exposed_fixed: int


def decisions(
    scenario: str, champion: float, challenger: float, higher_is_better: bool, *, n_rollouts: int
) -> Decisions:
    """Both tests on the same requests of *n_rollouts* rollouts."""
    rng = np.random.default_rng(2026)
    shape = (n_rollouts, N_BLOCKS)
    counted = rng.binomial(N_CHALLENGER, challenger, shape), rng.binomial(N_CHAMPION, champion, shape)
    stopped = np.array([_stopped_at(*pair, higher_is_better) for pair in zip(*counted, strict=True)])
    exposed = np.where(stopped > 0, stopped, N_BLOCKS) * N_CHALLENGER
    alternative = "less" if higher_is_better else "greater"
    n = N_BLOCKS * N_CHALLENGER, N_BLOCKS * N_CHAMPION
    fixed = [
        stats.fisher_exact([[a, n[0] - a], [b, n[1] - b]], alternative=alternative).pvalue <= ALPHA
        for a, b in zip(counted[0].sum(axis=1).tolist(), counted[1].sum(axis=1).tolist(), strict=True)
    ]
    return Decisions(
        scenario, float((stopped > 0).mean()), float(np.mean(fixed)), float(exposed.mean()),
        float(np.median(exposed)), n[0],
    )  # fmt: skip


def _stopped_at(challenger: Any, champion: Any, higher_is_better: bool) -> int:
    """The number of the block at which the guard alarmed, 0 where it never did."""
    likelihood = np.zeros_like(log_likelihood(Block(0, 0, 0, 0)))
    for i, (a, b) in enumerate(zip(challenger.tolist(), champion.tolist(), strict=True), start=1):
        likelihood = likelihood + log_likelihood(Block(N_CHALLENGER, a, N_CHAMPION, b))
        if log_evidence_worse(likelihood, higher_is_better=higher_is_better) >= -math.log(ALPHA):
            return i
    return 0


@contextmanager
def routed(plan: RolloutPlan) -> Iterator[CanaryRouter]:
    """A router that follows a rollout, as in a service."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder)}/state.db", tables=(schema.MIGRATIONS,))
        registry = ModelRegistry(database, artefacts=MemoryArtefacts(), actor="bench")
        for version in ("1.0.0", "1.1.0"):
            registry.register(ModelMetadata("ranker", version))
        registry.promote("ranker", "1.0.0", because="first")
        RolloutController(registry).start("ranker", "1.1.0", plan=plan)
        router = CanaryRouter(database, "ranker")
        router.refresh()
        router.ready("1.1.0")
        router.start()
        yield router
        router.stop()
        database.close()


def routing() -> dict[str, float]:
    """Microseconds of choosing an arm, for users seen before and new ones, and of noting what came of it."""
    with routed(RolloutPlan(shadow_seconds=0)) as router:
        users = [f"user-{n}" for n in range(20_000)]
        new = _each(lambda user: router.choose(user), users)
        known = _each(lambda user: router.choose(user), users)
        choices = [router.choose(user) for user in users]
        noted = _each(lambda choice: router.observe(choice, seconds=0.01), choices)
    return {
        "choose, known user": float(np.median(known)), "choose, known user, p99": float(np.quantile(known, 0.99)),
        "choose, new user": float(np.median(new)), "observe": float(np.median(noted)),
    }  # fmt: skip


def _each(call: Callable[[Any], object], arguments: list[Any]) -> list[float]:
    found = []
    for argument in arguments:
        began = time.perf_counter_ns()
        call(argument)
        found.append((time.perf_counter_ns() - began) / 1_000)
    return found


def work(_request: str) -> list[str]:
    """About two milliseconds of Python, the worst case for a shadow: nothing in it lets go of the interpreter."""
    total = 0
    for n in range(30_000):
        total += n * n
    return ["a", "b", str(total)]


def shadow_p99(rest: float, *, n: int) -> dict[str, float]:
    """Milliseconds of requests that come 100 times a second, by turns of 50 with a shadow and without one.

    By turns, since another process on the machine disturbs more than any shadow.
    """
    found: dict[bool, list[float]] = {True: [], False: []}
    with routed(RolloutPlan(shadow_seconds=3_600)) as router:
        shadow = ShadowRunner(router, answer=work, ranked=Ranked, rest=rest)
        rng = np.random.default_rng(1)
        for turn in range(2 * n // 50):
            is_on = turn % 2 == 1
            if is_on:
                shadow.start()
            for _ in range(50):
                time.sleep(rng.exponential(0.01))
                began = time.perf_counter()
                answer = work("soup")
                if is_on:
                    shadow.submit("soup", answer)
                found[is_on].append(1_000 * (time.perf_counter() - began))
            if is_on:
                shadow.stop()
    report = shadow.report()
    return {
        "p50 without": float(np.median(found[False])), "p50 with": float(np.median(found[True])),
        "p99 without": float(np.quantile(found[False], 0.99)), "p99 with": float(np.quantile(found[True], 0.99)),
        "answered": report.n_answered, "shed": report.n_shed,
    }  # fmt: skip


def main() -> None:
    """Measure, print, keep."""
    options = parser(__doc__ or "")
    options.add_argument("--quick", action="store_true", help="a tenth of the rollouts and requests")
    arguments = options.parse_args()
    n_rollouts, n_requests = (100, 300) if arguments.quick else (N_ROLLOUTS, 1_500)
    print(f"{machine()}, {threading.active_count()} thread\n")
    costs = routing()
    print(table(("routing", "µs"), [(name, f"{value:.1f}") for name, value in costs.items()]), "\n")
    shadows = {f"rests {rest:g} times as long": shadow_p99(rest, n=n_requests) for rest in (99.0, 1.0)}
    names = list(next(iter(shadows.values())))
    rows = [(name, *(f"{value:.2f}" for value in each.values())) for name, each in shadows.items()]
    print(table(("shadow, ms", *names), rows), "\n")
    decided = [decisions(*scenario, n_rollouts=n_rollouts) for scenario in SCENARIOS]
    print(table(
        (f"{n_rollouts:,} rollouts each", "taken back", "by fixed horizon", "exposed, mean", "median", "fixed horizon"),
        [
            (each.scenario, f"{each.share_sequential:.1%}", f"{each.share_fixed:.1%}",
             f"{each.exposed_sequential:.0f}", f"{each.median_exposed:.0f}", each.exposed_fixed)
            for each in decided
        ],
    ), "\n")  # fmt: skip
    preferred = [sensitivity(noise, n_rollouts=n_rollouts) for noise in NOISES]
    print(table(
        ("lists clicked, champion and challenger", "taken back: both in a list", "requests, median", "whole lists",
         "requests, median"),
        [
            ("{:.1%}, {:.1%}".format(*each.clicked), f"{each.taken_back_interleaved:.1%}",
             f"{each.median_interleaved:.0f}", f"{each.taken_back_split:.1%}", f"{each.median_split:.0f}")
            for each in preferred
        ],
    ), "\n")  # fmt: skip
    drilled = run_drills()
    print(table(
        ("drill", "healed", "seconds", "requests that met the fault"),
        [(each.name, "yes" if each.healed else "NO", f"{each.seconds:.2f}", each.n_exposed) for each in drilled],
    ))  # fmt: skip
    figures = {
        "machine": machine(), "routing_us": costs, "shadow_ms": shadows,
        "decisions": [vars(each) for each in decided],
        "interleaving": [vars(each) for each in preferred], "drills": [each.to_dict() for each in drilled],
    }  # fmt: skip
    finish(figures, arguments.json)


if __name__ == "__main__":
    main()
