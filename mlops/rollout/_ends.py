"""How rollouts end: by a promotion, a rollback, a person, or time; and what follows from it, however often one dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mlops.clock import Clock
from mlops.errors import ApprovalRequired, ArtefactError, Conflict, Frozen, IllegalMove, NothingToRollBackTo
from mlops.model_registry import ModelRegistry
from mlops.rollout import _rows
from mlops.rollout.state import Rollout, Status, check_move
from mlops.sentences import say

_log = logging.getLogger("mlops.rollout")

# Told of a model, a sentence and the figures that led to it, among them the challenger as "version".
Alarm = Callable[[str, str, Mapping[str, Any]], object]
Serving = Callable[[str], str | None]

_ACTOR = "rollout"
_ALL = "*"
_ASK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What was found in the registry that this rollout did not do, or does not remember."""

    kind: Literal["watch", "rolled_back", "aborted"]
    sentence: str


def ended(rollout: Rollout, status: Status, now: datetime, because: str, *, settled: bool = False) -> dict[str, Any]:
    """The columns of a rollout that ends. Nobody gets the challenger by it any more.

    Raises:
        RolloutRefused: it cannot end like that.
    """
    check_move(rollout.status, status)
    share = 1.0 if status == "promoted" else 0.0
    return {"status": status, "share": share, "ended_at": now, "because": because, "settled": settled}


class Ends:
    """What a controller does when a rollout ends."""

    def __init__(
        self, registry: ModelRegistry, *, alarm: Alarm, serving: Serving | None, clock: Clock, verify_seconds: float
    ) -> None:
        self._registry = registry
        self._database = registry.database
        self._alarm = alarm
        self._serving = serving
        self._clock = clock
        self._verify_seconds = verify_seconds

    def is_frozen(self, model_id: str) -> bool:
        """Whether automatic moves of *model_id* are switched off."""
        freezes = self._registry.freezes()
        return _ALL in freezes or model_id in freezes

    def refuse_if_frozen(self, model_id: str) -> None:
        """See that programs may move versions of *model_id*.

        Raises:
            Frozen: they may not.
        """
        if self.is_frozen(model_id):
            raise Frozen(say("{model!s} is frozen: automatic moves are off until `mlops unfreeze`", model=model_id))

    def changed_elsewhere(self, rollout: Rollout) -> Elsewhere | None:
        """What the registry says that this rollout does not know of yet."""
        champion = self._registry.get_production_model(rollout.model_id)
        now = None if champion is None else champion.version
        if rollout.status == "watch":
            if now == rollout.challenger:
                return None
            return Elsewhere("rolled_back", _taken_out(rollout, now))
        if now == rollout.challenger:
            return Elsewhere("watch", say("{version} was put into production", version=rollout.challenger))
        if now != rollout.champion:
            return Elsewhere("aborted", _displaced(rollout, now))
        challenger = self._registry.get_model(rollout.model_id, rollout.challenger)
        if challenger is None or challenger.status == "archived":
            return Elsewhere("aborted", say("{version} was archived meanwhile", version=rollout.challenger))
        return None

    def end(self, rollout: Rollout, status: Status, because: str, figures: Mapping[str, Any]) -> Rollout:
        """End a rollout in one transaction; :meth:`settle` does what follows."""
        now = self._clock()
        with self._database.writing() as connection:
            changed = _rows.change(
                connection, rollout, **ended(rollout, status, now, because, settled=status == "promoted")
            )
            if status == "rolled_back":
                _rows.bar(connection, self._bar(rollout, because, now))
            kind = "watched" if status == "promoted" else status
            _rows.remember(
                connection, rollout.rollout_id, kind, because, at=now, actor=_ACTOR, automatic=True, figures=figures
            )
        return changed

    def promoted(self, rollout: Rollout, because: str, evidence: Mapping[str, Any]) -> bool:
        """Put the challenger into production; False where that has to wait, for a person or the end of a freeze."""
        waits = rollout.state.get("waits_for_approval")
        if waits is not None:
            return self._still_waits(rollout, waits, evidence)
        try:
            self._registry.promote(
                rollout.model_id, rollout.challenger, because=because, evidence=evidence, actor=_ACTOR,
                automatic=True, expected=rollout.champion,
            )  # fmt: skip
        except ApprovalRequired as request:
            self._note(rollout, "waits", str(request), waits_for_approval=request.approval_id)
            return False
        except (Frozen, Conflict) as error:
            # The next step sees what is so then.
            _log.info("%s is not promoted now: %s", rollout.name, error)
            return False
        except (ArtefactError, IllegalMove) as error:
            because = say("{version} cannot be promoted: {error}", version=rollout.challenger, error=error)
            self.end(rollout, "aborted", because, evidence)
            return False
        return True

    def _still_waits(self, rollout: Rollout, approval_id: int, figures: Mapping[str, Any]) -> bool:
        pending = {each.approval_id for each in self._registry.approvals(rollout.model_id, "pending")}
        if approval_id not in pending:
            because = say("the promotion of {version} was not approved", version=rollout.challenger)
            self.end(rollout, "aborted", because, figures)
        return False

    def roll_back_production(self, rollout: Rollout, because: str, figures: Mapping[str, Any]) -> Rollout:
        """Take a promoted challenger out of production. In a freeze only an alarm is raised: people decide then."""
        try:
            self._registry.rollback(
                rollout.model_id, because=because, actor=_ACTOR, automatic=True, expected=rollout.challenger
            )
        except Conflict:
            # Somebody else was quicker; the next step sees it.
            return rollout
        except (Frozen, NothingToRollBackTo, ArtefactError) as error:
            sentence = say("{because} It could not be rolled back: {error}", because=because, error=error)
            if not rollout.state.get("alarmed_in_watch"):
                self._raise_alarm(rollout, sentence, figures)
                self._note(rollout, "waits", sentence, alarmed_in_watch=True)
            return rollout
        return self.end(rollout, "rolled_back", because, figures)

    # --- What follows -----------------------------------------------------------------------------------------------

    def settle(self, model_id: str) -> None:
        """Raise the alarm, archive the challenger and see what serves, for rollouts of *model_id* that ended."""
        with self._database.reading() as connection:
            left = _rows.unsettled(connection, model_id)
        for rollout in left:
            self._settle(rollout)

    def _settle(self, rollout: Rollout) -> None:
        if not rollout.state.get("alarmed"):
            self._raise_alarm(rollout, rollout.because, {"rollout": rollout.to_dict()})
            rollout = self._note(rollout, None, "", alarmed=True)
        if rollout.status == "rolled_back":
            try:
                self._archive(rollout)
            except Frozen:
                # It serves nobody. It is archived when the freeze is lifted.
                return
            self._verify(rollout)
        with self._database.writing() as connection:
            _rows.change(connection, rollout, settled=True)

    def _archive(self, rollout: Rollout) -> None:
        one = self._registry.get_model(rollout.model_id, rollout.challenger)
        if one is None or one.status in ("archived", "production"):
            return
        self._registry.archive(
            rollout.model_id, rollout.challenger, because=rollout.because, actor=_ACTOR, automatic=True, retire=False
        )
        archived = say("{version} is archived, and barred until somebody unbars it", version=rollout.challenger)
        self._remember(rollout, "archived", archived)

    def _verify(self, rollout: Rollout) -> None:
        """See that the champion of the registry is what answers."""
        if self._serving is None:
            return
        champion = self._registry.get_production_model(rollout.model_id)
        wanted = None if champion is None else champion.version
        serves = self._asked(rollout.model_id, wanted)
        if serves == wanted:
            self._remember(rollout, "verified", say("{version} answers, as the registry has it", version=serves))
            return
        sentence = _answers_other(serves, wanted)
        self._raise_alarm(rollout, sentence, {})
        self._remember(rollout, "not_verified", sentence)

    def _asked(self, model_id: str, wanted: str | None) -> str | None:
        assert self._serving is not None  # noqa: S101
        deadline = time.monotonic() + self._verify_seconds
        while (found := self._serving(model_id)) != wanted and time.monotonic() < deadline:
            time.sleep(_ASK_AGAIN_SECONDS)
        return found

    def _raise_alarm(self, rollout: Rollout, sentence: str, figures: Mapping[str, Any]) -> None:
        try:
            self._alarm(rollout.model_id, sentence, {"version": rollout.challenger, **figures})
        except Exception:
            # Whoever is told must not keep a rollout from ending.
            _log.exception("the alarm of %s could not be raised: %s", rollout.name, sentence)

    def _bar(self, rollout: Rollout, because: str, now: datetime) -> dict[str, Any]:
        one = self._registry.get_model(rollout.model_id, rollout.challenger)
        return {
            "model_id": rollout.model_id,
            "version": rollout.challenger,
            "artefact": None if one is None else one.artefact,
            "barred_at": now,
            "barred_by": _ACTOR,
            "because": because,
        }

    def _note(self, rollout: Rollout, kind: str | None, sentence: str, **state: Any) -> Rollout:
        with self._database.writing() as connection:
            changed = _rows.change(connection, rollout, state={**rollout.state, **state})
            if kind is not None:
                _rows.remember(
                    connection, rollout.rollout_id, kind, sentence, at=self._clock(), actor=_ACTOR, automatic=True
                )
        return changed

    def _remember(self, rollout: Rollout, kind: str, sentence: str) -> None:
        with self._database.writing() as connection:
            _rows.remember(
                connection, rollout.rollout_id, kind, sentence, at=self._clock(), actor=_ACTOR, automatic=True
            )


def _taken_out(rollout: Rollout, now: str | None) -> str:
    if now is None:
        return say("{version} was taken out of production; none serves", version=rollout.challenger)
    return say("{version} was taken out of production; {now} serves", version=rollout.challenger, now=now)


def _displaced(rollout: Rollout, now: str | None) -> str:
    if now is None:
        return say("no version took the place of {champion} meanwhile", champion=rollout.champion)
    return say("{version} took the place of {champion} meanwhile", version=now, champion=rollout.champion)


def _answers_other(serves: str | None, wanted: str | None) -> str:
    if serves is None:
        return say("nothing answers, and the registry has {wanted} in production", wanted=wanted)
    if wanted is None:
        return say("{version} answers, and the registry has no version in production", version=serves)
    return say("{version} answers, and the registry has {wanted} in production", version=serves, wanted=wanted)
