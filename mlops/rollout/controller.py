"""Rollouts of a registry's models: starting, stepping, stopping them. State and decisions are in the database.

Every worker of a service may call :meth:`RolloutController.step` as often as it likes: one at a time does it, under a
lease. A step that dies half-way leaves either the old state or the new one, and the next step goes on from there.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mlops.clock import Clock, utc_now
from mlops.errors import Barred, RolloutChanged, RolloutRefused, UnknownVersion
from mlops.model_registry import ModelRegistry, ModelVersion
from mlops.rollout import _ends, _rows
from mlops.rollout._ends import Alarm, Serving
from mlops.rollout._steps import Steps
from mlops.rollout.expecting import Expect, Expected
from mlops.rollout.judging import Look
from mlops.rollout.plan import RolloutPlan
from mlops.rollout.state import Bar, Happening, Rollout, RolloutEvent, Status
from mlops.sentences import say
from mlops.store import Database
from mlops.store.leases import Leases

_log = logging.getLogger("mlops.rollout")

LEASE_SECONDS = 10.0
_ACTOR = "rollout"
_ASKED_FOR = say("a rollout was asked for")


class RolloutController:
    """What can be done with rollouts. Safe to use from threads and processes."""

    def __init__(
        self,
        registry: ModelRegistry,
        *,
        alarm: Alarm = lambda model_id, sentence, figures: None,
        serving: Serving | None = None,
        expect: Expect | None = None,
        clock: Clock = utc_now,
        verify_seconds: float = 2.0,
        new_key: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """A controller over the versions of *registry*, in its database.

        Args:
            alarm: told, at least once each, that a challenger was taken back, a comparison became void, a rollout
                expired, or a rollback could not be carried out; the challenger is among the figures, as ``version``.
            serving: the version of a model that answers now, None where none does: asked after a rollback.
            expect: what is expected of a challenger before it gets any traffic; default: nothing. Commands ask
                installed packages, see :class:`~mlops.rollout.expecting.InstalledExpectations`.
            verify_seconds: for how long an answer of *serving* is waited for.
            new_key: makes the key of a rollout's assignment, hexadecimal: who gets which arm.
        """
        self.registry = registry
        self.database: Database = registry.database
        self._clock = clock
        self._expect = expect
        self._ends = _ends.Ends(registry, alarm=alarm, serving=serving, clock=clock, verify_seconds=verify_seconds)
        self._steps = Steps(self.database, self._ends, clock=clock)
        self._leases = Leases(self.database, clock=clock)
        self._holder = f"rollout-{secrets.token_hex(4)}"
        self._new_key = new_key

    # --- Reading ----------------------------------------------------------------------------------------------------

    def status(self, model_id: str) -> Rollout | None:
        """The rollout of *model_id* that is under way."""
        with self.database.reading() as connection:
            return _rows.open_one(connection, model_id)

    def under_way(self) -> list[Rollout]:
        """The rollouts that are under way, of all models, by model."""
        with self.database.reading() as connection:
            return _rows.open_ones(connection)

    def get(self, rollout_id: int) -> Rollout:
        """A rollout.

        Raises:
            UnknownRollout: there is none of this number.
        """
        with self.database.reading() as connection:
            return _rows.by_id(connection, rollout_id)

    def history(self, model_id: str | None = None, *, limit: int = 100, before: int | None = None) -> list[Rollout]:
        """Rollouts of one model or all, newest first."""
        with self.database.reading() as connection:
            return _rows.listed(connection, model_id, limit=limit, before=before)

    def events(self, rollout_id: int) -> list[RolloutEvent]:
        """What happened to a rollout, oldest first, with the sentence and the figures of each decision.

        Raises:
            UnknownRollout: there is none of this number.
        """
        with self.database.reading() as connection:
            _rows.by_id(connection, rollout_id)
            return _rows.events(connection, rollout_id)

    def latest_events(self, *, limit: int) -> list[Happening]:
        """What happened last to rollouts of all models, newest first, without the figures."""
        with self.database.reading() as connection:
            return _rows.latest_events(connection, limit)

    def look(self, rollout: Rollout) -> Look:
        """What the guards of an open rollout say now; nothing is remembered of it."""
        return self._steps.look(rollout)

    def bars(self, model_id: str | None = None) -> list[Bar]:
        """The versions that must not come back by themselves, oldest first."""
        with self.database.reading() as connection:
            return _rows.bars(connection, model_id)

    # --- Starting ---------------------------------------------------------------------------------------------------

    def start(
        self,
        model_id: str,
        version: str,
        *,
        plan: RolloutPlan | None = None,
        because: str = _ASKED_FOR,
        actor: str = _ACTOR,
        automatic: bool = False,
        force: bool = False,
    ) -> Rollout:
        """Begin to bring *version* in, by the first stage that the plan has.

        A version that is in training goes to validation. What was expected of it is kept with the event.

        Args:
            force: begin even where the challenger is expected to be clearly worse.

        Raises:
            UnknownVersion: there is no such version.
            RolloutRefused: no version is in production to compare it with, or it is expected to be clearly worse.
            RolloutChanged: it is in production or archived.
            Barred: it, or a version with the same files, was rolled back.
            RolloutOpen: a rollout of this model is under way.
            Frozen: *automatic*, and automatic moves are switched off.
        """
        plan = plan or RolloutPlan()
        one, champion = self._startable(model_id, version)
        if automatic:
            self._ends.refuse_if_frozen(model_id)
        expected = self._expected(champion, one, force=force)
        if one.status == "training":
            self.registry.validate(model_id, version, because=because, actor=actor, automatic=automatic)
        now = self._clock()
        row = _new_row(one, champion, plan, key=self._new_key(), now=now, actor=actor, because=because)
        with self.database.writing() as connection:
            self._refuse_if_barred(_rows.bars(connection, model_id), one)
            started = _rows.insert(connection, row)
            sentence = say(
                "{rollout} begins against {champion}: {because}",
                rollout=started.name,
                champion=champion.version,
                because=because,
            )
            figures: dict[str, Any] = {"plan": plan.to_dict()}
            if expected is not None:
                figures |= {"expected": expected.to_dict(), "forced": force}
            _rows.remember(
                connection, started.rollout_id, "started", sentence, at=now, actor=actor, automatic=automatic,
                figures=figures,
            )  # fmt: skip
        return started

    def _expected(self, champion: ModelVersion, one: ModelVersion, *, force: bool) -> Expected | None:
        """What is expected of a challenger.

        Raises:
            RolloutRefused: that it is clearly worse, and nobody forces it.
        """
        if self._expect is None:
            return None
        try:
            found = self._expect(one.model_id, champion.version, one.version)
        except Exception as error:
            # It is foresight: without it a rollout is as safe as it was.
            _log.warning("nothing is expected of %s %s", one.model_id, one.version, exc_info=True)
            sentence = say("Off-policy: no estimate, since {kind}: {error}.", kind=type(error).__name__, error=error)
            return Expected("cannot tell", sentence)
        if found is not None and found.verdict == "clearly worse" and not force:
            refused = say("{version} is not rolled out unless forced.", version=_who(one))
            raise RolloutRefused(f"{refused} {found.sentence}")
        return found

    def unbar(self, model_id: str, version: str, *, because: str, actor: str) -> Bar:
        """Let a version, and others with the same files, be rolled out again.

        Raises:
            RolloutChanged: it is not barred.
        """
        with self.database.writing() as connection:
            lifted = _rows.lift_bar(
                connection, model_id, version, at=self._clock(), actor=actor, because=because
            )  # fmt: skip
        if lifted is None:
            raise RolloutChanged(say("{version} is not barred", version=f"{model_id} {version}"))
        return lifted

    def _startable(self, model_id: str, version: str) -> tuple[ModelVersion, ModelVersion]:
        one = self.registry.get_model(model_id, version)
        if one is None:
            raise UnknownVersion(say("{model!s} has no version {version}", model=model_id, version=version))
        champion = self.registry.get_production_model(model_id)
        self._refuse_if_barred(self.bars(model_id), one)
        if champion is None:
            raise RolloutRefused(
                say(
                    "no version of {model!s} is in production to compare {version} with: promote it",
                    model=model_id,
                    version=version,
                )
            )
        if one.status == "production":
            raise RolloutChanged(
                say("{version} is production; a challenger is in training or validation", version=_who(one))
            )
        if one.status == "archived":
            raise RolloutChanged(
                say("{version} is archived; a challenger is in training or validation", version=_who(one))
            )
        return one, champion

    def _refuse_if_barred(self, bars: list[Bar], one: ModelVersion) -> None:
        bar = _rows.bar_of(bars, one.version, one.artefact)
        if bar is not None:
            raise Barred(_barred(one, bar))

    # --- A person's hand --------------------------------------------------------------------------------------------

    # Each takes as *expected* the number of the rollout that the person looked at: where another one is under way by
    # now, nothing is done. By default it is the one under way.

    def pause(self, model_id: str, *, because: str, actor: str, expected: int | None = None) -> Rollout:
        """Keep the share as it is until :meth:`resume`; a guard that alarms still takes the challenger back.

        Raises:
            RolloutChanged: no rollout, or another than *expected*, is under way, or it is paused already.
        """

        def paused(rollout: Rollout, now: datetime) -> Mapping[str, Any]:
            if rollout.paused_at is not None:
                raise RolloutChanged(say("{rollout} is paused already", rollout=rollout.name))
            return {"paused_at": now}

        return self._by_hand(model_id, "paused", paused, because=because, actor=actor, expected=expected)

    def resume(self, model_id: str, *, because: str, actor: str, expected: int | None = None) -> Rollout:
        """Go on after a pause, which counts neither for the stage nor for the longest time.

        Raises:
            RolloutChanged: no rollout, or another than *expected*, is under way, or it is not paused.
        """

        def resumed(rollout: Rollout, now: datetime) -> Mapping[str, Any]:
            if rollout.paused_at is None:
                raise RolloutChanged(say("{rollout} is not paused", rollout=rollout.name))
            lasted = now - rollout.paused_at
            return {
                "paused_at": None,
                "stage_began_at": rollout.stage_began_at + lasted,
                "ends_at": rollout.ends_at + lasted,
            }

        return self._by_hand(model_id, "resumed", resumed, because=because, actor=actor, expected=expected)

    def abort(self, model_id: str, *, because: str, actor: str, expected: int | None = None) -> Rollout:
        """End the rollout: nobody gets the challenger any more. It is not barred, and may be rolled out again.

        Raises:
            RolloutChanged: no rollout, or another than *expected*, is under way.
        """

        def aborted(rollout: Rollout, now: datetime) -> Mapping[str, Any]:
            return _ends.ended(rollout, "aborted", now, because, settled=True)

        return self._by_hand(model_id, "aborted", aborted, because=because, actor=actor, expected=expected)

    def promote_now(self, model_id: str, *, because: str, actor: str, expected: int | None = None) -> Rollout:
        """Put the challenger into production without waiting for the stages; it is watched as planned.

        Raises:
            RolloutChanged: no rollout, or another than *expected*, is under way, or it is in production already.
            ApprovalRequired, Conflict, ArtefactError: see :meth:`mlops.ModelRegistry.promote`.
        """
        rollout = self._under_way(model_id)
        _refuse_another(rollout, expected)
        if rollout.status == "watch":
            raise RolloutChanged(say("{rollout}: it is in production already, and watched", rollout=rollout.name))
        seen = self.look(rollout)
        evidence = {"rollout_id": rollout.rollout_id, **seen.figures()}
        self.registry.promote(
            model_id, rollout.challenger, because=because, evidence=evidence, actor=actor, expected=rollout.champion
        )
        return self._steps.watch(self._under_way(model_id), seen, because, actor=actor, automatic=False)

    def _by_hand(
        self,
        model_id: str,
        kind: str,
        values: Callable[[Rollout, datetime], Mapping[str, Any]],
        *,
        because: str,
        actor: str,
        expected: int | None,
    ) -> Rollout:
        now = self._clock()
        with self.database.writing() as connection:
            rollout = _rows.open_one(connection, model_id)
            if rollout is None:
                raise _none_under_way(model_id)
            _refuse_another(rollout, expected)
            changed = _rows.change(connection, rollout, **values(rollout, now))
            _rows.remember(connection, rollout.rollout_id, kind, because, at=now, actor=actor, automatic=False)
        return changed

    def _under_way(self, model_id: str) -> Rollout:
        rollout = self.status(model_id)
        if rollout is None:
            raise _none_under_way(model_id)
        return rollout

    # --- Stepping ---------------------------------------------------------------------------------------------------

    def step(self, model_id: str | None = None) -> list[Rollout]:
        """Look at all rollouts under way (or that of one model), and do what is to be done.

        Returns:
            The rollouts as they stand afterwards; those that another process is looking at are left out.
        """
        if model_id is None:
            with self.database.reading() as connection:
                names = _rows.open_models(connection)
        else:
            names = [model_id]
        return [found for name in names if (found := self._step_alone(name)) is not None]

    def _step_alone(self, model_id: str) -> Rollout | None:
        lease = self._leases.take(f"rollout-{model_id}", self._holder, LEASE_SECONDS)
        if lease is None:
            return None
        try:
            return self._steps.step(model_id)
        finally:
            self._leases.release(lease)


def _refuse_another(rollout: Rollout, expected: int | None) -> None:
    if expected is not None and rollout.rollout_id != expected:
        raise RolloutChanged(
            say(
                "rollout {expected:d} is over: {rollout} is under way now; look again",
                expected=expected,
                rollout=rollout.name,
            )
        )


def _none_under_way(model_id: str) -> RolloutChanged:
    return RolloutChanged(say("no rollout of {model!s} is under way", model=model_id))


def _who(one: ModelVersion) -> str:
    return f"{one.model_id} {one.version}"


def _barred(one: ModelVersion, bar: Bar) -> str:
    barred = f"{one.model_id} {bar.version}"
    if bar.version == one.version:
        return say(
            "{version} is barred ({because}); mlops rollout unbar {barred}",
            version=_who(one),
            because=bar.because,
            barred=barred,
        )
    return say(
        "{version} has the files of {other}, which is barred ({because}); mlops rollout unbar {barred}",
        version=_who(one),
        other=bar.version,
        because=bar.because,
        barred=barred,
    )


def _first_stage(plan: RolloutPlan) -> tuple[Status, float]:
    if plan.shadow_seconds > 0:
        return "shadow", 0.0
    return ("interleave", plan.interleave_share) if plan.interleave_seconds > 0 else ("canary", plan.shares[0])


def _new_row(
    one: ModelVersion,
    champion: ModelVersion,
    plan: RolloutPlan,
    *,
    key: str,
    now: datetime,
    actor: str,
    because: str,
) -> dict[str, Any]:
    status, share = _first_stage(plan)
    seen = {guard.name: [0, 0, 0, 0] for guard in plan.watched}
    return {
        "model_id": one.model_id,
        "champion": champion.version,
        "challenger": one.version,
        "status": status,
        "share": share,
        "step": 0 if status == "canary" else -1,
        "revision": 1,
        "key": key,
        "plan": plan.to_dict(),
        "state": {"seen_at_start": seen, "seen": seen, "likelihood": {}, "requests_at_start": 0, "series": []},
        "started_at": now,
        "started_by": actor,
        "stage_began_at": now,
        "ends_at": now + plan.max_length,
        "because": because,
        "settled": False,
    }
