"""Who gets the challenger, in the process that answers, and what came of it.

:meth:`CanaryRouter.choose` and :meth:`CanaryRouter.observe` are on the path of each request: no I/O, no logging, and
the only lock they take is never held across either. A thread reads the share and writes the counts.
"""

from __future__ import annotations

import functools
import logging
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mlops.background import Repeating
from mlops.errors import StoreError
from mlops.rollout import _rows
from mlops.rollout.assignment import Arm, place_of
from mlops.rollout.counts import Name, bucket_metric, bucket_of, users_metric, write_counts
from mlops.rollout.guards import STREAK
from mlops.rollout.interleaving import Draft, Item, keyed_draft
from mlops.rollout.means import Sums
from mlops.rollout.state import ARMS, Rollout
from mlops.store import Database

POLL_SECONDS = 0.5
_MOST_USERS = 200_000

_log = logging.getLogger("mlops.rollout")


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers a request. Log it with each impression.

    Attributes:
        arm: ``interleaved``: the list is to be drafted from both rankings, see :meth:`CanaryRouter.interleave`.
        version: that answers; None: whichever is in production, and no rollout is under way. Of an interleaved list the
            challenger, whose part in it is what is counted.
        propensity: probability with which users, or requests where lists are interleaved, get this arm.
        rollout_id: None outside of a rollout.
        counted_as: arm under which what came of it is counted; None: it is not.
    """

    arm: Arm | Literal["interleaved"]
    version: str | None
    propensity: float
    rollout_id: int | None = None
    counted_as: Literal["champion", "challenger", "interleaved", "watch"] | None = None


@dataclass(frozen=True, slots=True)
class _Traffic:
    """A rollout as a request needs it: one reference, swapped as a whole."""

    rollout_id: int
    status: str
    share: float
    key: bytes
    champion: Choice
    challenger: Choice
    version: str
    interleaved: Choice


_NOBODY = Choice("champion", None, 1.0)


class Drafter(Protocol):
    """Drafts the list of one request from both rankings: :func:`mlops.rollout.keyed_draft`, with its coins."""

    def __call__(self, champion: Sequence[Item], challenger: Sequence[Item], *, k: int) -> Draft[Item]: ...


class CanaryRouter:
    """Follows the rollout of *model_id*, chooses an arm for each request, and counts what came of it.

    Attributes:
        rollout: the one under way, as it was last read; None where there is none.
    """

    def __init__(
        self, database: Database, model_id: str, *, poll_seconds: float = POLL_SECONDS, worker: str | None = None
    ) -> None:
        """Nothing is read yet.

        Args:
            poll_seconds: how often the share is read and the counts are written; every worker has a new share after
                so long at most.
            worker: a name that no other process has, nor had; default: a random one.
        """
        self._database = database
        self._model_id = model_id
        self.worker = worker or secrets.token_hex(8)
        self.rollout: Rollout | None = None
        self._traffic: _Traffic | None = None
        self._ready: str | None = None
        self._tripped: int | None = None
        self._streaks = {"challenger": 0, "champion": 0, "interleaved": 0, "watch": 0, "shadow": 0}
        self._users: set[float] = set()
        self._counts: dict[Name, list[float]] = {}
        self._unwritten: set[Name] = set()
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._thread = Repeating(
            f"canary-{model_id}",
            self._turn,
            every_seconds=poll_seconds,
            log=_log,
            trouble=f"following the rollout of {model_id} goes on after an error that nobody foresaw",
        )

    # --- On the path of a request -----------------------------------------------------------------------------------

    def choose(self, unit_id: str) -> Choice:
        """The arm of a user, or of a request where there are no users. The same each time, whatever the process.

        While the challenger is not ready in this process (see :meth:`ready`), everybody gets the champion, uncounted.
        """
        traffic = self._traffic
        if traffic is None:
            return _NOBODY
        if traffic.status not in ("interleave", "canary"):
            return traffic.champion
        if not self._is_ready(traffic):
            return _NOBODY
        if traffic.status == "interleave":
            return traffic.champion
        place = place_of(unit_id, traffic.key)
        choice = traffic.challenger if place < traffic.share else traffic.champion
        if place not in self._users:
            self._count_user(traffic, place, choice.arm)
        return choice

    def interleave(self, request_id: str) -> tuple[Choice, Drafter] | None:
        """Where this request is to be answered with a list of both rankings: its arm, and what drafts that list.

        Ask this first, with what tells requests apart, and :meth:`choose` where the answer is None. The same each time,
        whatever the process; a program that never asks interleaves nothing. Log the draft's teams and propensities with
        its impressions. What came of it is told to :meth:`observe`, with what the challenger's ranking alone would have
        taken, and to :meth:`outcome` as ``preference``, see :func:`mlops.rollout.credit`.
        """
        traffic = self._traffic
        if traffic is None or traffic.status != "interleave" or not self._is_ready(traffic):
            return None
        if place_of(f"interleave {request_id}", traffic.key) >= traffic.share:
            return None
        return traffic.interleaved, functools.partial(keyed_draft, request_id=request_id, key=traffic.key)

    def _is_ready(self, traffic: _Traffic) -> bool:
        return self._ready == traffic.version and self._tripped != traffic.rollout_id

    def observe(
        self,
        choice: Choice,
        *,
        answered_by: str | None = None,
        failed: bool = False,
        valid: bool = True,
        seconds: float | None = None,
    ) -> None:
        """Note how an answer came out.

        Args:
            answered_by: the version that made it. Where it is another than was chosen, as for a moment after a
                promotion, nothing is counted: it would be held against the wrong arm.
            failed: the model raised, or no answer was given.
            valid: the answer passed validation.
            seconds: how long the model took.
        """
        if answered_by is not None and answered_by != choice.version:
            return
        if choice.counted_as is not None and choice.rollout_id is not None:
            self.count(choice.rollout_id, choice.counted_as, failed=failed, valid=valid, seconds=seconds)

    def outcome(self, choice: Choice, metric: str, value: float) -> None:
        """Note what is known later, such as ``click``: 1 or 0, once for each answer, when its time to be clicked is up.

        Counted where the rollout is still under way.
        """
        traffic = self._traffic
        if choice.counted_as is not None and traffic is not None and traffic.rollout_id == choice.rollout_id:
            with self._lock:
                self._add((choice.counted_as, metric), value)

    def count(self, rollout_id: int, arm: str, *, failed: bool, valid: bool, seconds: float | None) -> None:
        """Count one answer under *arm*."""
        traffic = self._traffic
        if traffic is None or traffic.rollout_id != rollout_id:
            return
        with self._lock:
            self._add((arm, "error"), float(failed))
            if not failed:
                self._add((arm, "invalid"), float(not valid))
            if seconds is not None and not failed:
                self._add((arm, "latency"), seconds)
                self._add((arm, bucket_metric(bucket_of(seconds))), 1.0)
            self._streak(arm, rollout_id, failed=failed)

    def note(self, rollout_id: int, arm: str, values: Mapping[str, float]) -> None:
        """Add figures of one answer, by metric."""
        traffic = self._traffic
        if traffic is not None and traffic.rollout_id == rollout_id:
            with self._lock:
                for metric, value in values.items():
                    self._add((arm, metric), value)

    def _add(self, name: Name, value: float) -> None:
        sums = self._counts.get(name)
        if sums is None:
            sums = self._counts[name] = [0, 0.0, 0.0]
        sums[0] += 1
        sums[1] += value
        sums[2] += value * value
        self._unwritten.add(name)

    def _streak(self, arm: str, rollout_id: int, *, failed: bool) -> None:
        if not failed:
            self._streaks[arm] = 0
            return
        self._streaks[arm] += 1
        # Where the champion fails, too, the fault is elsewhere.
        if arm != "champion" and self._streaks[arm] >= STREAK and self._streaks["champion"] < STREAK:
            self._trip(arm, rollout_id)

    def _trip(self, arm: str, rollout_id: int) -> None:
        # At once, in this process: it must not wait for somebody to step.
        if self._tripped != rollout_id:
            self._tripped = rollout_id
            self._add((arm, "crash"), 1.0)
            self._thread.wake()

    def _count_user(self, traffic: _Traffic, place: float, arm: str) -> None:
        with self._lock:
            if len(self._users) < _MOST_USERS and place not in self._users and traffic is self._traffic:
                self._users.add(place)
                self._add((arm, users_metric(traffic.share)), 1.0)

    # --- Beside it --------------------------------------------------------------------------------------------------

    def ready(self, version: str | None) -> None:
        """Say which challenger this process has loaded and tried out, None for none."""
        self._ready = version

    def cannot_load(self, reason: str) -> None:
        """Say that the challenger cannot be loaded here: it is counted as a crash."""
        traffic = self._traffic
        if traffic is not None:
            _log.error("%s %s cannot be loaded: %s", self._model_id, traffic.version, reason)
            arm = ARMS[traffic.status]
            with self._lock:
                self._trip(arm, traffic.rollout_id)

    @property
    def is_tripped(self) -> bool:
        """Whether the challenger failed in a row here, and gets no more requests from this process."""
        traffic = self._traffic
        return traffic is not None and self._tripped == traffic.rollout_id

    def start(self) -> None:
        """Follow the rollout in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Follow it no more, and write what is counted."""
        self._thread.stop()
        self.flush()

    def refresh(self) -> None:
        """Read the rollout once.

        Raises:
            StoreError: the database does not answer; shares stay as they were.
        """
        with self._database.reading() as connection:
            rollout = _rows.open_one(connection, self._model_id)
        if rollout is None or self.rollout is None or rollout.rollout_id != self.rollout.rollout_id:
            self._begin_anew()
        fresh = None if rollout is None else _traffic_of(rollout)
        if fresh != self._traffic:
            with self._lock:
                # Failures in a row are those of one stage: after a promotion, the champion of before says nothing.
                self._streaks = dict.fromkeys(self._streaks, 0)
                self._traffic = fresh
        self.rollout = rollout

    def flush(self) -> None:
        """Write what was counted since the last time.

        Raises:
            StoreError: the database does not answer; it is written the next time.
        """
        with self._flushing:
            traffic = self._traffic
            with self._lock:
                names, self._unwritten = self._unwritten, set()
                counted = {name: Sums(int(self._counts[name][0]), *self._counts[name][1:]) for name in names}
            if traffic is None or not counted:
                return
            try:
                with self._database.writing() as connection:
                    write_counts(connection, traffic.rollout_id, self.worker, counted)
            except BaseException:
                with self._lock:
                    self._unwritten |= names
                raise

    def _begin_anew(self) -> None:
        """Forget the rollout before; what of it is not written is of no use any more."""
        with self._flushing, self._lock:
            self._traffic = None
            self._users, self._counts, self._unwritten = set(), {}, set()
            self._streaks = dict.fromkeys(self._streaks, 0)

    def _turn(self) -> None:
        try:
            self.flush()
            self.refresh()
        except StoreError as error:
            _log.debug("the share of %s cannot be read now: %s", self._model_id, error)


def _traffic_of(rollout: Rollout) -> _Traffic:
    is_drawn = rollout.status in ("interleave", "canary")
    number = rollout.rollout_id
    if rollout.status == "watch":
        champion = Choice("challenger", rollout.challenger, 1.0, number, "watch")
    else:
        propensity = 1 - rollout.share if is_drawn else 1.0
        champion = Choice("champion", rollout.champion, propensity, number, "champion")
    challenger = Choice("challenger", rollout.challenger, rollout.share, number, "challenger")
    interleaved = Choice("interleaved", rollout.challenger, rollout.share, number, "interleaved")
    key = bytes.fromhex(rollout.key)
    return _Traffic(
        number, rollout.status, rollout.share, key, champion, challenger, rollout.challenger, interleaved
    )  # fmt: skip
