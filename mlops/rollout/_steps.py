"""One step of a rollout: look, decide, do. Each change is one transaction, which a death leaves undone or done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mlops.clock import Clock
from mlops.rollout import _rows
from mlops.rollout._ends import Elsewhere, Ends
from mlops.rollout.counts import read_totals
from mlops.rollout.deciding import Decision, decide
from mlops.rollout.judging import Look, begun, look, watch_lines
from mlops.rollout.state import Rollout, Status, check_move
from mlops.store import Database

_ACTOR = "rollout"


class Steps:
    """What a controller does when it looks at a rollout."""

    def __init__(self, database: Database, ends: Ends, *, clock: Clock) -> None:
        self._database = database
        self._ends = ends
        self._clock = clock

    def look(self, rollout: Rollout) -> Look:
        """What the guards say now; nothing is remembered of it."""
        with self._database.reading() as connection:
            totals = read_totals(connection, rollout.rollout_id)
        return look(rollout.plan, totals, rollout.status, rollout.state, now=self._clock())

    def step(self, model_id: str) -> Rollout | None:
        """Look at the rollout of *model_id* that is under way, do what is to be done, and read back how it stands."""
        with self._database.reading() as connection:
            rollout = _rows.open_one(connection, model_id)
        if rollout is not None:
            elsewhere = self._ends.changed_elsewhere(rollout)
            rollout = self._catch_up(rollout, elsewhere) if elsewhere else self._decided(rollout)
        self._ends.settle(model_id)
        return None if rollout is None else self._get(rollout)

    def _catch_up(self, rollout: Rollout, elsewhere: Elsewhere) -> Rollout:
        """Somebody else moved a version, or a step of ours died after it had: take note of what is so."""
        if elsewhere.kind == "watch":
            return self.watch(rollout, self.look(rollout), elsewhere.sentence, actor=_ACTOR, automatic=True)
        return self._ends.end(rollout, elsewhere.kind, elsewhere.sentence, self.look(rollout).figures())

    def _decided(self, rollout: Rollout) -> Rollout:
        now = self._clock()
        seen = self.look(rollout)
        decision = decide(rollout, seen, now=now, frozen=self._ends.is_frozen(rollout.model_id))
        if decision.kind in ("interleave", "canary"):
            return self._next_stage(rollout, decision, seen, now)
        if decision.kind == "promote":
            return self._promote(rollout, decision, seen)
        if decision.kind == "stay":
            return self._remembered(rollout, seen)
        if decision.kind == "roll_back" and rollout.status == "watch":
            return self._ends.roll_back_production(rollout, decision.sentence, seen.figures())
        kind = _END_OF[decision.kind]
        return self._ends.end(rollout, kind, decision.sentence, seen.figures())

    def _remembered(self, rollout: Rollout, seen: Look) -> Rollout:
        # Without new requests there is nothing to remember, and nothing is written.
        if seen.state.get("seen") == rollout.state.get("seen"):
            return rollout
        with self._database.writing() as connection:
            return _rows.change(connection, rollout, state=seen.state)

    def _next_stage(self, rollout: Rollout, decision: Decision, seen: Look, now: datetime) -> Rollout:
        plan, status = rollout.plan, decision.kind
        share = plan.interleave_share if status == "interleave" else plan.shares[decision.step]
        state: Mapping[str, Any] = seen.state
        with self._database.writing() as connection:
            if rollout.status != "canary":
                totals = read_totals(connection, rollout.rollout_id)
                state = begun(totals, plan.watched, _STAGES[status], {**seen.state, **_began(status, now)})
            # The evidence goes on from share to share; only the count of this stage's requests begins anew.
            state = {**state, "requests_at_start": state["requests_at_start"] + _more(rollout, seen)}
            changed = _rows.change(
                connection, rollout, status=status, share=share, step=decision.step, stage_began_at=now, state=state
            )
            _rows.remember(
                connection, rollout.rollout_id, "stage", decision.sentence, at=now, actor=_ACTOR, automatic=True,
                figures=seen.figures(),
            )  # fmt: skip
        return changed

    def _promote(self, rollout: Rollout, decision: Decision, seen: Look) -> Rollout:
        evidence = {"rollout_id": rollout.rollout_id, **seen.figures()}
        if not self._ends.promoted(rollout, decision.sentence, evidence):
            return self._get(rollout)
        return self.watch(rollout, seen, decision.sentence, actor=_ACTOR, automatic=True)

    def watch(self, rollout: Rollout, seen: Look, because: str, *, actor: str, automatic: bool) -> Rollout:
        """Note that the challenger is in production, and begin to watch it."""
        check_move(rollout.status, "watch")
        now = self._clock()
        lines = watch_lines(rollout.plan, seen.readings)
        with self._database.writing() as connection:
            totals = read_totals(connection, rollout.rollout_id)
            state = begun(totals, rollout.plan.watched, "watch", {**seen.state, "watch_lines": lines})
            changed = _rows.change(
                connection, rollout, status="watch", share=1.0, stage_began_at=now, state=state, paused_at=None
            )
            _rows.remember(
                connection, rollout.rollout_id, "promoted", because, at=now, actor=actor, automatic=automatic,
                figures={**seen.figures(), "watch_lines": lines},
            )  # fmt: skip
        return changed

    def _get(self, rollout: Rollout) -> Rollout:
        with self._database.reading() as connection:
            return _rows.by_id(connection, rollout.rollout_id)


_STAGES: Mapping[str, Status] = {"interleave": "interleave", "canary": "canary"}
_END_OF: Mapping[str, Any] = {
    "roll_back": "rolled_back", "void": "aborted", "expire": "expired", "finish": "promoted",
}  # fmt: skip


def _began(status: str, now: datetime) -> dict[str, str]:
    # Who counts what becomes known late has to tell the lists of this stage from those before.
    return {"canary_began_at": now.isoformat()} if status == "canary" else {}


def _more(rollout: Rollout, seen: Look) -> int:
    return seen.n_challenger if rollout.status == "canary" else 0
