"""Anomalies of a stream: each value against the values before it, and level shifts, told once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from mlops.monitoring.anomalies import Floats, robust_scale
from mlops.monitoring.hour_of_week import HourOfWeek
from mlops.monitoring.page_hinkley import PageHinkley

Verdict = Literal["warming up", "ok", "suspect", "anomaly", "level shift"]

# Page–Hinkley on standardised values: shifts of a standard deviation matter, and half of one goes unnoticed.
_DELTA = 0.5
_SHIFT = 20.0
# No single value may count as a shift, however far off it is.
_FARTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a value.

    Attributes:
        verdict: ``warming up``: too few values before it; ``ok``; ``suspect``: far off, for the first time;
            ``anomaly``: so often in a row as it takes; ``level shift``: the mean has moved, and is learned anew.
        score: robust standard deviations from what was expected; 0.0 while warming up.
        expected: the middle of what is usual, in the unit of the values; None while warming up.
        baseline: where that comes from: ``window``, or ``hour of week``.
        n: values that it was judged by.
    """

    verdict: Verdict
    score: float
    expected: float | None
    baseline: Literal["window", "hour of week"]
    n: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """The zero and the unit of standardised values."""

    zero: float
    unit: float

    def standardised(self, residual: float) -> float:
        return max(-_FARTHEST, min(_FARTHEST, (residual - self.zero) / self.unit))


class StreamingDetector:
    """Judges each value by the *window* values before it, never by itself, by median and MAD.

    With a history of three weeks and more, what is usual at this hour of the week is taken off first. A level shift
    (Page–Hinkley on standardised values, as soon as the window is full) is told once; then the detector warms up on the
    new level.
    """

    def __init__(
        self,
        *,
        window: int = 60,
        warm_up: int = 30,
        threshold: float = 4.0,
        in_a_row: int = 2,
        season: HourOfWeek | None = None,
    ) -> None:
        """Nothing was seen yet.

        Args:
            window: how many values before it a value is judged by.
            warm_up: how many have to be there, from 7 to *window*.
            threshold: of the absolute score, more than 0.
            in_a_row: how many values must be beyond it, on the same side, at least 1.
            season: what is usual by hour of the week; default: an empty one.

        Raises:
            ValueError: one of these is out of range.
        """
        if not 7 <= warm_up <= window:
            raise ValueError(f"warm_up must be from 7 to window ({window}), got {warm_up}")
        if threshold <= 0 or in_a_row < 1:
            raise ValueError(f"threshold must be above 0 and in_a_row at least 1, got {threshold} and {in_a_row}")
        self._warm_up = warm_up
        self._threshold = threshold
        self._in_a_row = in_a_row
        self._season = season or HourOfWeek()
        self._window: deque[tuple[datetime, float]] = deque(maxlen=window)
        self._shift = PageHinkley(delta=_DELTA, threshold=_SHIFT, warm_up=1)
        self._frame: _Frame | None = None
        self._is_seasonal = False
        self._run = 0

    def update(self, at: datetime, value: float) -> Judgement:
        """Judge *value*, then learn from it. Times come in order.

        Raises:
            ValueError: *value* is not finite.
        """
        if not np.isfinite(value):
            raise ValueError(f"value must be finite, got {value}")
        judgement = self._judged(at, value)
        self._season.add(at, value)
        self._window.append((at, value))
        return judgement

    def _judged(self, at: datetime, value: float) -> Judgement:
        usual = self._season.expected(at)
        self._use_season(usual is not None)
        baseline: Literal["window", "hour of week"] = "hour of week" if self._is_seasonal else "window"
        before = np.array([self._residual(*point) for point in self._window])
        if before.size < self._warm_up:
            return Judgement("warming up", 0.0, None, baseline, before.size)
        middle = float(np.median(before))
        # Where nothing ever differed there is no unit: then a difference is counted as it is.
        scale = robust_scale(before, center=middle) or 1.0
        residual = value - (usual or 0.0)
        score = (residual - middle) / scale
        if self._frame is None and before.size == self._window.maxlen:
            self._frame = self._framed(before, middle, scale)
        verdict = self._verdict(score, residual)
        return Judgement(verdict, score, middle + (usual or 0.0), baseline, before.size)

    def _residual(self, at: datetime, value: float) -> float:
        usual = self._season.expected(at) if self._is_seasonal else None
        return value - (usual or 0.0)

    def _use_season(self, is_seasonal: bool) -> None:
        if is_seasonal != self._is_seasonal:
            # Residuals of another kind: nothing that was summed up of the old ones holds for them.
            self._is_seasonal = is_seasonal
            self._frame = None

    def _framed(self, before: Floats, middle: float, scale: float) -> _Frame:
        # It stands still until the next shift: one that followed the values would hide a slow decay.
        frame = _Frame(middle, scale)
        self._shift.reset()
        for residual in before:
            self._shift.update(frame.standardised(float(residual)))
        return frame

    def _verdict(self, score: float, residual: float) -> Verdict:
        self._run = _longer(self._run, score, self._threshold)
        if self._frame is not None and self._shift.update(self._frame.standardised(residual)):
            self._window.clear()
            self._frame = None
            self._run = 0
            return "level shift"
        if abs(self._run) >= self._in_a_row:
            return "anomaly"
        return "suspect" if self._run else "ok"


def _longer(run: int, score: float, threshold: float) -> int:
    """The length of the run beyond *threshold* that ends with *score*, below 0 where it is on the lower side."""
    if abs(score) <= threshold:
        return 0
    side = 1 if score > 0 else -1
    return run + side if run * side > 0 else side
