"""Drills: a model is broken on purpose, in a sandbox, to see that it is noticed, what is done, and how soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from mlops.errors import BadPlan
from mlops.rollout.sandbox import CHALLENGER, CHAMPION, GOOD, MODEL, PLAN, Sandbox, TinyModel

# Packages add drills of their own under this group: the name of the drill, and a function as below.
ENTRY_POINTS = "mlops.drills"
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DrillResult:
    """How a drill went.

    Attributes:
        noticed: what the system said; None where it noticed nothing.
        done: what it did, read back.
        seconds: from the fault to the moment at which nobody met it any more.
        healed: all is as it was before the fault.
        n_exposed: requests that met the fault meanwhile.
    """

    name: str
    noticed: str | None
    done: str
    seconds: float
    healed: bool
    n_exposed: int

    def to_dict(self) -> dict[str, object]:
        """As plain values."""
        return {
            "name": self.name,
            "noticed": self.noticed,
            "done": self.done,
            "seconds": round(self.seconds, 3),
            "healed": self.healed,
            "n_exposed": self.n_exposed,
        }


Drill = Callable[[], DrillResult]


def drills() -> dict[str, Drill]:
    """All drills by name: those of the toolkit, then those of installed packages (entry points ``mlops.drills``)."""
    found: dict[str, Drill] = dict(_DRILLS)
    for entry in entry_points(group=ENTRY_POINTS):
        found[entry.name] = entry.load()
    return found


def run_drills(name: str = "all", *, known: Mapping[str, Drill] | None = None) -> list[DrillResult]:
    """Run one drill, or all of them one after another.

    Args:
        known: default: :func:`drills`.

    Raises:
        BadPlan: there is no such drill.
    """
    there = drills() if known is None else known
    if name != "all" and name not in there:
        raise BadPlan(f"there is no drill {name!r}; there are all, {', '.join(there)}")
    return [drill() for each, drill in there.items() if name in ("all", each)]


def _in_canary(name: str, model: TinyModel, *, damaged: bool = False) -> DrillResult:
    """A broken challenger is rolled out."""
    with Sandbox() as sandbox:
        sandbox.register(CHALLENGER, model)
        if damaged:
            _damage(sandbox)
        for _ in range(300):
            sandbox.answer()
        began = time.monotonic()
        sandbox.controller.start(MODEL, CHALLENGER, plan=PLAN, because=f"drill: {name}", actor="drill")
        return _outcome(name, sandbox, began)


def _in_production(name: str, model: TinyModel) -> DrillResult:
    """A version that begins to fail after its promotion, without a canary in between."""
    with Sandbox() as sandbox:
        sandbox.register(CHALLENGER, model)
        sandbox.controller.start(MODEL, CHALLENGER, plan=PLAN, because=f"drill: {name}", actor="drill")
        sandbox.router.refresh()
        for _ in range(200):
            # Before the challenger is ready here, so that only the champion is counted.
            choice = sandbox.router.choose("a user")
            sandbox.router.observe(choice, seconds=0.001)
        began = time.monotonic()
        sandbox.controller.promote_now(MODEL, because=f"drill: {name}", actor="drill")
        return _outcome(name, sandbox, began)


def _outcome(name: str, sandbox: Sandbox, began: float) -> DrillResult:
    """Send requests until the rollout has ended and the champion answers everybody, or patience ends."""
    deadline = began + _PATIENCE_SECONDS
    while time.monotonic() < deadline and not _is_over(sandbox):
        for _ in range(20):
            sandbox.answer()
        # Users take their time, and the threads need theirs.
        time.sleep(0.005)
    seconds = time.monotonic() - began
    rollout = sandbox.rollout()
    assert rollout is not None  # noqa: S101
    ended = not rollout.is_open
    serving = sandbox.serving(MODEL)
    barred = [bar.version for bar in sandbox.controller.bars(MODEL)]
    done = f"{rollout.status}; {serving} answers everybody; barred: {', '.join(barred) or 'nothing'}"
    healed = ended and serving == CHAMPION and bool(sandbox.alarms) and CHALLENGER in barred
    return DrillResult(name, rollout.because if ended else None, done, seconds, healed, _exposed(sandbox, rollout))


def _is_over(sandbox: Sandbox) -> bool:
    rollout = sandbox.rollout()
    over = rollout is not None and not rollout.is_open and rollout.settled
    return over and sandbox.serving(MODEL) == CHAMPION and sandbox.router.choose("anybody").rollout_id is None


def _exposed(sandbox: Sandbox, rollout: object) -> int:
    from mlops.rollout.counts import read_totals
    from mlops.rollout.state import Rollout

    assert isinstance(rollout, Rollout)  # noqa: S101
    with sandbox.database.reading() as connection:
        totals = read_totals(connection, rollout.rollout_id)
    return totals.of("challenger", "error").n + totals.of("watch", "error").n


def _damage(sandbox: Sandbox) -> None:
    """Change one byte of the challenger's file on the disk."""
    one = sandbox.registry.get_model(MODEL, CHALLENGER)
    assert one is not None  # noqa: S101
    assert one.artefact is not None  # noqa: S101
    path = next((sandbox.artefacts.folder / one.artefact).rglob("model.json"))
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


_WORSE = TinyModel({"stew": 0.9, "soup": 0.5, "bread": 0.1})

_DRILLS: dict[str, Drill] = {
    "slow": lambda: _in_canary("slow", TinyModel(GOOD.weights, "slow")),
    "raising": lambda: _in_canary("raising", TinyModel(GOOD.weights, "raising")),
    "rubbish": lambda: _in_canary("rubbish", TinyModel(GOOD.weights, "rubbish")),
    "quietly-worse": lambda: _in_canary("quietly-worse", _WORSE),
    "corrupt-artefact": lambda: _in_canary("corrupt-artefact", TinyModel(GOOD.weights, "none"), damaged=True),
    "raising-in-production": lambda: _in_production("raising-in-production", TinyModel(GOOD.weights, "raising")),
}
