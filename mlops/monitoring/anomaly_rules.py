"""The rule that a measure behaves as it usually does."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mlops.errors import StoreError
from mlops.monitoring.hour_of_week import HourOfWeek, UsualHours
from mlops.monitoring.protocol import Bucket, Metrics
from mlops.monitoring.rules import Check, Finding, NoData
from mlops.monitoring.streaming import Judgement, StreamingDetector
from mlops.sentences import say

_log = logging.getLogger("mlops.monitoring")

STEP_SECONDS = 60.0
# Read anew at start, and after a pause that is longer. Metrics know single minutes for two hours.
_WARM_UP = timedelta(minutes=110)
# Metrics know single hours for a bit more than a week.
_KNOWN_HOURS = timedelta(days=7)
_HOUR = timedelta(hours=1)


def unusual(
    metric: str, *, stat: str = "p95", log_scale: bool = False, hours: UsualHours | None = None, least: int = 0
) -> Check:
    """Whether *stat* of each minute of *metric* is as usual, by a StreamingDetector.

    Only whole minutes are judged. A minute without a point is left out: no data is not zero. A level shift is told
    until the detector has warmed up on the new level.

    Args:
        stat: ``p50``, ``p95``, ``mean``, ``count`` and so on.
        log_scale: judge factors instead of differences, for what is above 0.
        hours: where what is usual by hour of the week is kept. Default: only this process remembers it.
        least: points of a minute. With fewer, a percentile is chance, and is not judged; a count is told only where it
            or what is usual is as large.
    """
    return _Unusual(metric, stat, log_scale=log_scale, hours=hours, least=least).check


class _Unusual:
    def __init__(self, metric: str, stat: str, *, log_scale: bool, hours: UsualHours | None, least: int) -> None:
        self._least = least
        self._metric = metric
        self._stat = stat
        self._log_scale = log_scale
        self._hours = hours
        self._name = f"{'log ' if log_scale else ''}{stat} of {metric}"
        self._season = HourOfWeek()
        self._detector: StreamingDetector | None = None
        self._seen_until: datetime | None = None
        self._last: tuple[Bucket, Judgement] | None = None
        self._shift: Finding | None = None

    def check(self, metrics: Metrics, now: datetime) -> Finding | NoData | None:
        whole_until = _whole_step(now)
        since = self._seen_until
        if self._detector is None or since is None or since < whole_until - _WARM_UP:
            since = self._begin(metrics, whole_until)
        if since < whole_until:
            for bucket in metrics.history(self._metric, since=since, until=whole_until, step_seconds=STEP_SECONDS):
                if self._stat == "count" or bucket.stats["count"] >= self._least:
                    self._see(bucket)
            self._seen_until = whole_until
        return self._verdict(whole_until)

    def _begin(self, metrics: Metrics, until: datetime) -> datetime:
        begin = until - _WARM_UP
        self._season = self._learned()
        # Hours in which no process watched.
        hours = metrics.history(
            self._metric, since=until - _KNOWN_HOURS, until=begin - _HOUR, step_seconds=_HOUR.total_seconds()
        )
        missed = [bucket for bucket in hours if self._season.at(bucket.since) is None]
        for bucket in missed:
            self._season.add(bucket.since, self._value(bucket, steps=_HOUR.total_seconds() / STEP_SECONDS))
        self._keep([bucket.since for bucket in missed])
        self._detector = StreamingDetector(season=self._season)
        self._last = self._shift = None
        return begin

    def _learned(self) -> HourOfWeek:
        if self._hours is None:
            return HourOfWeek()
        try:
            return self._hours.load(self._name)
        except StoreError as error:
            _log.warning("what is usual of %s by hour of the week is not known now: %s", self._name, error)
            return HourOfWeek()

    def _keep(self, times: Sequence[datetime]) -> None:
        learned = [hour for at in times if (hour := self._season.at(at)) is not None]
        if self._hours is None:
            return
        try:
            self._hours.save(self._name, learned)
        except StoreError as error:
            # It is learned anew next week; the rule must not fail because of it.
            _log.warning("what is usual of %s at this hour cannot be kept: %s", self._name, error)

    def _see(self, bucket: Bucket) -> None:
        judgement = self._judge(bucket)
        before = None if self._last is None else self._last[0].since
        if before is not None and _whole_hour(before) < _whole_hour(bucket.since):
            self._keep([before])
        if self._is_small(bucket, judgement):
            judgement = replace(judgement, verdict="ok")
        self._last = (bucket, judgement)
        if judgement.verdict == "level shift":
            self._shift = self._finding(bucket, judgement)
        elif judgement.verdict != "warming up":
            self._shift = None

    def _is_small(self, bucket: Bucket, judgement: Judgement) -> bool:
        """Whether an unusual count is one of a handful of points, where one more or less doubles it."""
        if self._stat != "count" or judgement.verdict not in ("anomaly", "level shift"):
            return False
        return max(bucket.stats["count"], self._usual(judgement)) < self._least

    def _usual(self, judgement: Judgement) -> float:
        expected = judgement.expected or 0.0
        return math.exp(expected) if self._log_scale else expected

    def _judge(self, bucket: Bucket) -> Judgement:
        if self._detector is None:
            raise RuntimeError("a detector is made before the first bucket is seen")
        return self._detector.update(bucket.since, self._value(bucket))

    def _value(self, bucket: Bucket, *, steps: float = 1) -> float:
        """What is judged of *bucket*, which is so many steps long: only a count grows with the time."""
        value = bucket.stats[self._stat] / (steps if self._stat == "count" else 1)
        # What is smaller is as good as 0, which has no logarithm.
        return math.log(max(value, 1e-9)) if self._log_scale else value

    def _verdict(self, until: datetime) -> Finding | NoData | None:
        if self._shift is not None:
            return self._shift
        if self._last is None or self._last[0].since < until - timedelta(minutes=5):
            return NoData(f"{self._metric} has no points in the last minutes")
        bucket, judgement = self._last
        if judgement.verdict == "warming up":
            return NoData(f"{judgement.n} minutes of {self._metric} are too few to tell what is usual")
        if judgement.verdict == "anomaly":
            return self._finding(bucket, judgement)
        return None

    def _finding(self, bucket: Bucket, judgement: Judgement) -> Finding:
        usual, value = self._usual(judgement), bucket.stats[self._stat]
        figures = say(
            "{value:.4g} at {at:%H:%M} UTC, where {usual:.4g} is usual", value=value, at=bucket.since, usual=usual
        )
        if judgement.verdict == "level shift":
            sentence = say(
                "{stat!s} of {metric!s} has moved to another level: {figures}",
                stat=self._stat,
                metric=self._metric,
                figures=figures,
            )
        else:
            sentence = say(
                "{stat!s} of {metric!s} is unusual: {figures}", stat=self._stat, metric=self._metric, figures=figures
            )
        return Finding(
            sentence,
            evidence={
                "metric": self._metric, "stat": self._stat, "value": value, "usual": usual, "score": judgement.score,
                "verdict": judgement.verdict, "baseline": judgement.baseline, "n": judgement.n,
                "minute": bucket.since.isoformat(),
            },
        )  # fmt: skip


def _whole_step(now: datetime) -> datetime:
    seconds = now.timestamp() // STEP_SECONDS * STEP_SECONDS
    return datetime.fromtimestamp(seconds, tz=now.tzinfo)


def _whole_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
