"""What the loop is worth, under simulated cooks whose tastes no model can see. See docs/simulation.md.

Each seed is a world of its own. In it live three arms with the same cooks and the same draws: the loop (retraining,
gates, promotion), 1.0.0 for ever, and an oracle that ranks the same candidates by the true tastes. For each seed:

- gain: how far the loop has come from 1.0.0 to the oracle, in true nDCG@3 and in answers with a click, on the last day
  and over the last seven.
- recovery: days after the drift until the lead over 1.0.0 (mean of three days) is 80 % of that of the week before it.
- wrong promotions: versions truly worse, on 1,000 fresh questions, than those that they replaced.
- lost: answers, impressions and events that were sent to the service and are not in its database.

The exit code is 0 whatever the figures are.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from _common import finish, machine, parser, table

from recipes.catalog import starter_recipes
from recipes.encoder import UseEncoder
from recipes.lexicon import cooking_lexicon
from recipes.simulate.options import Options
from recipes.simulate.run import simulate
from recipes.simulate.sandbox import Found, RememberingEncoder
from recipes.simulate.story import DAYS_TO_RECOVER, RECOVERED, Simulation

AIM_SHARE, AIM_WRONG = 1 / 3, 1 / 20
_SHM = Path("/dev/shm")


@cache
def remembered() -> tuple[RememberingEncoder, Found]:
    """Vectors of questions, and what they find in the index: the same in every seed, whatever is shown of it."""
    return RememberingEncoder(UseEncoder(n_threads=1)), {}


def live(options: Options) -> Simulation:
    """One seed, from the first day to the last, in a folder that is gone afterwards."""
    encoder, found = remembered()
    with tempfile.TemporaryDirectory(dir=_SHM if _SHM.is_dir() else None) as folder:
        return simulate(
            options,
            list(starter_recipes()),
            lexicon=cooking_lexicon(),
            encoder=encoder,
            folder=Path(folder),
            found=found,
        )


def percent(share: float | None) -> str:
    """*share* for a table."""
    return "–" if share is None else f"{share:.0%}"


def row(one: Simulation) -> list[str]:
    """The figures of one seed."""
    ends = {name: days[-1].ndcg for name, days in one.days.items()}
    recovered = one.days_to_recover()
    return [
        str(one.options.seed),
        f"{ends['frozen']:.3f}",
        f"{ends['loop']:.3f}",
        f"{ends['oracle']:.3f}",
        percent(one.gained_share()),
        percent(one.gained_share(last_days=7)),
        percent(one.gained_share(figure="click_share", last_days=7)),
        f"{one.lead_before_drift() or 0:.3f}",
        "never" if recovered is None else str(recovered),
        f"{sum(each.was_wrong for each in one.promotions)} of {len(one.promotions)}",
        str(one.kept.lost),
        f"{one.seconds:.0f}",
    ]


COLUMNS = (
    "seed", "1.0.0", "loop", "oracle", "gain, last day", "gain, last week", "clicks, last week", "lead before drift",
    "days to recover", "wrong promotions", "lost", "s",
)  # fmt: skip


def verdicts(found: Sequence[Simulation]) -> list[str]:
    """Each aim, and whether it was met."""
    promotions = [each for one in found for each in one.promotions]
    n_wrong = sum(each.was_wrong for each in promotions)
    recovered = [one.days_to_recover() for one in found]
    least = min(one.gained_share() or 0.0 for one in found)
    recovers = all(days is not None and days <= DAYS_TO_RECOVER for days in recovered)
    lost = sum(one.kept.lost for one in found)
    told = {
        f"a third of the distance in every seed, on the last day: {least:.0%} at least": least >= AIM_SHARE,
        f"{RECOVERED:.0%} of the lead within {DAYS_TO_RECOVER} days after the drift: {recovered}": recovers,
        f"at most 1 promotion in 20 wrong: {n_wrong} of {len(promotions)}": n_wrong <= AIM_WRONG * len(promotions),
        f"nothing lost: {lost}": lost == 0,
    }
    return [f"- {'met' if met else 'MISSED'}: {what}" for what, met in told.items()]


def figures(one: Simulation) -> dict[str, Any]:
    """One seed for the file of figures."""
    return one.to_dict() | {"gained_share_last_week": one.gained_share(last_days=7)}


def main() -> None:
    """Live through all seeds, print a table and each aim."""
    options = parser(__doc__ or "")
    options.add_argument("--seeds", type=int, default=5, help="worlds")
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--users", type=int, default=2_000, help="cooks in each")
    options.add_argument("--days", type=int, default=60)
    options.add_argument("--processes", type=int, default=2, help="seeds that live at the same time")
    given = options.parse_args()
    # Each process has one core; a second thread of its linear algebra would take that of the other.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    since = time.perf_counter()
    worlds = [
        Options(n_days=given.days, n_cooks=given.users, seed=seed, drift_day=given.days * 2 // 3)
        for seed in range(given.first_seed, given.first_seed + given.seeds)
    ]
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        found = []
        for one in pool.map(live, worlds):
            print(", ".join(f"{name} {value}" for name, value in zip(COLUMNS, row(one), strict=True)), flush=True)
            found.append(one)
    size = f"{given.users} cooks, {given.days} days, drift on day {worlds[0].drift_day}"
    print(f"\nSimulated: {size}; {machine()}; {time.perf_counter() - since:.0f} s in all\n")
    print(table(COLUMNS, [row(one) for one in found]))
    print("\n" + "\n".join(verdicts(found)))
    finish({"simulated": True, "seeds": [figures(one) for one in found]}, given.json)


if __name__ == "__main__":
    main()
