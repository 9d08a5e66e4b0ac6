"""A challenger answers the same requests, aside: nobody sees its answers, and nobody waits for them.

The queue is short and the thread single: where the machine is busy, requests are passed over and counted as such. The
thread's own priority is lowered where the system knows priorities of threads (Linux). What priority does not help
against is the interpreter's lock: while a model in pure Python answers aside, a request may wait some milliseconds for
it. So the thread rests after each answer for 99 times as long as that took: at most one request in a hundred can meet
it, and the 99th percentile does not move.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlops.rollout.router import CanaryRouter

_log = logging.getLogger("mlops.rollout")

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_NICENESS = 19
_RBO_P = 0.9
_LONGEST_REST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """An answer as it is compared: ids, best first, and the score of each."""

    ids: Sequence[str]
    scores: Sequence[float] = ()


def rank_overlap(one: Sequence[str], other: Sequence[str], *, p: float = _RBO_P) -> float:
    """Rank-biased overlap of two rankings, 0 to 1: the weighted mean agreement of their first d ids.

    The extrapolated form for lists of equal length (Webber, Moffat & Zobel, "A similarity measure for indefinite
    rankings", TOIS 2010, equation 23); the shorter length counts where they differ. Two empty lists agree: 1.

    Args:
        p: patience, between 0 and 1: a p-th of the readers goes on from each rank to the next.
    """
    depth = min(len(one), len(other))
    if depth == 0:
        return 1.0 if len(one) == len(other) else 0.0
    seen_one: set[str] = set()
    seen_other: set[str] = set()
    total = agreement = 0.0
    for d in range(1, depth + 1):
        seen_one.add(one[d - 1])
        seen_other.add(other[d - 1])
        agreement = len(seen_one & seen_other) / d
        total += agreement * p**d
    return (1 - p) / p * total + agreement * p**depth


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What a shadow has shown in this process.

    Attributes:
        n_shed: requests that were passed over, since the queue was full.
        overlap: mean rank-biased overlap with what was answered, 0 to 1; None without an answer.
        overlap_at_k: mean share of the first *k* ids that both have.
        score_mean: mean over answers of the challenger's mean score; beside it the champion's, to the same requests.
        latency_ms: mean time of the challenger's answers; aside and at low priority, so no measure of what users
            would wait.
    """

    n_answered: int
    n_failed: int
    n_invalid: int
    n_shed: int
    overlap: float | None
    overlap_at_k: float | None
    score_mean: float | None
    score_mean_champion: float | None
    latency_ms: float | None


class ShadowRunner(Generic[Request, Answer]):
    """Lets a challenger answer requests aside, while the rollout that *router* follows is in shadow."""

    def __init__(
        self,
        router: CanaryRouter,
        *,
        answer: Callable[[Request], Answer],
        ranked: Callable[[Answer], Ranked],
        is_valid: Callable[[Answer], bool] = lambda answer: True,
        k: int = 10,
        most_waiting: int = 16,
        rest: float = 99.0,
    ) -> None:
        """Nothing runs yet.

        Args:
            answer: the challenger's answer to a request.
            ranked: an answer as it is compared.
            is_valid: whether an answer passes validation.
            k: cut of :attr:`ShadowReport.overlap_at_k`.
            most_waiting: requests that may wait; further ones are passed over.
            rest: how long the thread rests after an answer, as a multiple of what it took; at most a minute.
        """
        self._router = router
        self._answer = answer
        self._ranked = ranked
        self._is_valid = is_valid
        self._k = k
        self._rest = rest
        self._waiting: queue.Queue[tuple[int, Request, Answer] | None] = queue.Queue(most_waiting)
        self._n_shed = 0
        self._n = {"answered": 0, "failed": 0, "invalid": 0}
        self._sums: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, request: Request, answered: Answer) -> bool:
        """Have *request*, to which *answered* was given, answered by the challenger, too. Never waits.

        Returns:
            False where it is passed over: no shadow is under way, or too many wait.
        """
        rollout = self._router.rollout
        if rollout is None or rollout.status != "shadow" or self._router.is_tripped:
            return False
        try:
            self._waiting.put_nowait((rollout.rollout_id, request, answered))
        except queue.Full:
            self._n_shed += 1
            return False
        return True

    def start(self) -> None:
        """Begin to answer in the background."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the answer that is being made; what waits is dropped."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def report(self) -> ShadowReport:
        """What was seen so far."""
        with self._lock:
            means = {name: total / n for name, (n, total) in self._sums.items() if n}
            n = dict(self._n)
        return ShadowReport(
            n_answered=n["answered"], n_failed=n["failed"], n_invalid=n["invalid"], n_shed=self._n_shed,
            overlap=means.get("overlap"), overlap_at_k=means.get("overlap_at_k"), score_mean=means.get("score"),
            score_mean_champion=means.get("score_champion"), latency_ms=means.get("latency_ms"),
        )  # fmt: skip

    def _run(self) -> None:
        _lower_priority()
        while not self._stopping.is_set():
            try:
                waiting = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            if waiting is not None:
                seconds = self._one(*waiting)
                self._stopping.wait(min(seconds * self._rest, _LONGEST_REST_SECONDS))

    def _one(self, rollout_id: int, request: Request, answered: Answer) -> float:
        began = time.perf_counter()
        try:
            answer = self._answer(request)
            seconds = time.perf_counter() - began
            valid = self._is_valid(answer)
            compared = _compared(self._ranked(answer), self._ranked(answered), self._k)
        except Exception as error:
            # That it raises is what is to be found out.
            seconds = time.perf_counter() - began
            _log.debug("a challenger in shadow raised: %s", error)
            self._router.count(rollout_id, "shadow", failed=True, valid=True, seconds=None)
            with self._lock:
                self._n["failed"] += 1
        else:
            self._router.count(rollout_id, "shadow", failed=False, valid=valid, seconds=seconds)
            self._router.note(rollout_id, "shadow", compared)
            self._keep({**compared, "latency_ms": 1_000 * seconds}, valid=valid)
        return seconds

    def _keep(self, values: Mapping[str, float], *, valid: bool) -> None:
        with self._lock:
            self._n["answered"] += 1
            self._n["invalid"] += not valid
            for name, value in values.items():
                sums = self._sums.setdefault(name, [0.0, 0.0])
                sums[0] += 1
                sums[1] += value


def _compared(own: Ranked, shown: Ranked, k: int) -> dict[str, float]:
    """How two answers to one request agree; scores by their mean, where there are any."""
    length = max(min(k, max(len(own.ids), len(shown.ids))), 1)
    values = {
        "overlap": rank_overlap(own.ids, shown.ids),
        "overlap_at_k": len(set(own.ids[:k]) & set(shown.ids[:k])) / length if own.ids or shown.ids else 1.0,
    }
    for name, scores in (("score", own.scores), ("score_champion", shown.scores)):
        if len(scores):
            values[name] = float(sum(scores)) / len(scores)
    return values


def _lower_priority() -> None:
    # Linux gives each thread a niceness of its own.
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        except OSError as error:
            _log.debug("the shadow keeps the priority of the process: %s", error)
