"""How the service and its models are, in a word and with reasons. Quiet traffic is "no data", not health."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from mlops.clock import Clock, utc_now
from mlops.monitoring.degradation import lower_is_better
from mlops.monitoring.protocol import Metrics, Stats
from mlops.monitoring.thresholds import Thresholds, thresholds_of
from mlops.sentences import say

Status = Literal["healthy", "degraded", "unhealthy", "no data"]

# A check says what is wrong, in sentences; nothing where all is well.
PartCheck = Callable[[], Iterable[str]]

FEWEST_REQUESTS = 20
_BASELINE = "baseline_"
_WORST_FIRST: tuple[Status, ...] = ("unhealthy", "degraded", "healthy")


class HealthMonitor:
    """Health of the API by its metrics, of models by their figures, and of parts by checks that are handed in."""

    def __init__(
        self,
        metrics: Metrics | None = None,
        *,
        thresholds: Thresholds | None = None,
        checks: Mapping[str, PartCheck] | None = None,
        window_minutes: float = 60,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            metrics: default: those of the environment's settings.
            thresholds: default: those of the environment's settings.
            checks: of the parts of the service, by name.
            window_minutes: of the metrics.
        """
        self._metrics = metrics
        self._thresholds = thresholds
        self._checks = dict(checks or {})
        self._window_minutes = window_minutes
        self._clock = clock

    def get_system_status(self) -> dict[str, Any]:
        """Everything in one answer.

        Returns:
            ``timestamp``; ``overall_status``, the worst of all that have data: ``unhealthy``, ``degraded``,
            ``healthy``, or ``no data`` where none has; ``problems``, sentences; ``api`` as :meth:`check_api_health`
            gives it; ``checks``, by name a ``status`` and ``problems``.
        """
        api = self.check_api_health()
        checks = {name: _part(check) for name, check in self._checks.items()}
        parts = [api, *checks.values()]
        return {
            "timestamp": self._clock().isoformat(),
            "overall_status": _worst(part["status"] for part in parts),
            "problems": [problem for part in parts for problem in part["problems"]],
            "api": api,
            "checks": checks,
        }

    def check_api_health(self) -> dict[str, Any]:
        """Latency and errors of the last minutes against the thresholds.

        Returns:
            ``status``: ``unhealthy`` where requests fail too often, ``degraded`` where they are too slow, ``no data``
            below 20 requests, else ``healthy``; ``problems``; ``window_minutes``; ``request_count``, ``error_rate``,
            ``latency_ms`` (statistics) and the thresholds. What nothing was measured of is None.
        """
        now, lines = self._clock(), self._lines()
        metrics = self._metrics_or_default()
        latency = metrics.get_stats("api_latency_ms", self._window_minutes, until=now)
        errors = metrics.get_stats("error_rate", self._window_minutes, until=now)
        n = int(max(latency.get("count", 0), errors.get("count", 0)))
        failing, slow = _failing(errors, lines), _slow(latency, lines)
        status: Status = (
            "no data" if n < FEWEST_REQUESTS else "unhealthy" if failing else "degraded" if slow else "healthy"
        )
        return {
            "status": status,
            "problems": [] if status == "no data" else [*failing, *slow],
            "window_minutes": self._window_minutes,
            "request_count": n,
            "error_rate": errors.get("mean"),
            "latency_ms": latency or None,
            "thresholds": {"latency_ms": lines.latency_ms, "error_rate": lines.error_rate},
        }

    def check_model_health(
        self, metrics: Mapping[str, float], *, baseline: Mapping[str, float] | None = None
    ) -> dict[str, Any]:
        """A model's figures against the thresholds.

        Args:
            metrics: figures by name. ``accuracy_drop`` and other names that end in ``_drop`` are relative falls;
                ``drift`` and names that begin or end with it are changes of a distribution; ``error_rate`` and names
                that end in ``latency_ms`` are what they say. Anything else is compared with its baseline.
            baseline: figures of the same names, such as those of the holdout; or in *metrics*, as ``baseline_NAME``.

        Returns:
            ``status``: ``unhealthy`` where a figure is no number, ``degraded`` where one is beyond its threshold, ``no
            data`` where none could be judged, else ``healthy``; ``problems``; ``checks``: by name ``value``,
            ``baseline``, ``change`` (for the worse, relative), ``threshold`` and ``is_well``; ``timestamp``.
        """
        before = {name.removeprefix(_BASELINE): value for name, value in metrics.items() if name.startswith(_BASELINE)}
        before.update(baseline or {})
        figures = {name: float(value) for name, value in metrics.items() if not name.startswith(_BASELINE)}
        broken = [
            f"{name} is {value}, which is no figure" for name, value in figures.items() if not math.isfinite(value)
        ]
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        checks = {
            name: check
            for name, value in finite.items()
            if (check := _model_check(name, value, before.get(name), self._lines())) is not None
        }
        worse = [_complaint(name, check) for name, check in checks.items() if not check["is_well"]]
        status: Status = "unhealthy" if broken else "degraded" if worse else "healthy" if checks else "no data"
        return {
            "timestamp": self._clock().isoformat(),
            "status": status,
            "problems": [*broken, *worse],
            "checks": checks,
        }

    def _metrics_or_default(self) -> Metrics:
        if self._metrics is None:
            # Opens a folder, which importing this module must not.
            from mlops.monitoring.collector import default_collector

            self._metrics = default_collector()
        return self._metrics

    def _lines(self) -> Thresholds:
        if self._thresholds is None:
            from mlops.config import default_settings

            self._thresholds = thresholds_of(default_settings())
        return self._thresholds


def _failing(errors: Stats, lines: Thresholds) -> list[str]:
    rate = errors.get("mean", 0.0)
    if rate <= lines.error_rate:
        return []
    return [
        say(
            "{share:.1%} of {n:.0f} requests failed; the line is {line:.1%}",
            share=rate,
            n=errors["count"],
            line=lines.error_rate,
        )
    ]


def _slow(latency: Stats, lines: Thresholds) -> list[str]:
    p95 = latency.get("p95", 0.0)
    if p95 <= lines.latency_ms:
        return []
    return [
        say("5 % of requests took longer than {p95:.0f} ms; the line is {line:g} ms", p95=p95, line=lines.latency_ms)
    ]


def _part(check: PartCheck) -> dict[str, Any]:
    try:
        problems = [str(problem) for problem in check()]
    except Exception as error:
        # Health is asked for when things are broken: whatever a check raises is an answer.
        problems = [f"{type(error).__name__}: {error}"]
    return {"status": "unhealthy" if problems else "healthy", "problems": problems}


def _worst(statuses: Iterable[Status]) -> Status:
    found = set(statuses)
    return next((status for status in _WORST_FIRST if status in found), "no data")


def _model_check(name: str, value: float, before: float | None, lines: Thresholds) -> dict[str, Any] | None:
    """The verdict on a figure; None where there is nothing to hold it to."""
    line = _line_of(name, lines)
    if line is not None:
        return {"value": value, "baseline": before, "change": None, "threshold": line, "is_well": value <= line}
    if before is None or not math.isfinite(before) or before == 0:
        return None
    fall = (before - value) / abs(before)
    worse = -fall if lower_is_better(name) else fall
    limit = lines.accuracy_drop
    # A fall from 1.0 to 0.95 is one of exactly 5 %, however floats put it.
    return {
        "value": value, "baseline": before, "change": worse, "threshold": limit, "is_well": worse <= limit + 1e-9,
    }  # fmt: skip


def _line_of(name: str, lines: Thresholds) -> float | None:
    if name == "error_rate":
        return lines.error_rate
    if name.endswith("latency_ms"):
        return lines.latency_ms
    if name.endswith("_drop"):
        return lines.accuracy_drop
    return lines.drift if name.startswith("drift") or name.endswith("drift") else None


def _complaint(name: str, check: Mapping[str, Any]) -> str:
    value, line = check["value"], check["threshold"]
    if check["change"] is None:
        return f"{name} is {value:.4g}; the line is {line:g}"
    return f"{name} is {value:.4g}, {check['change']:.1%} worse than {check['baseline']:.4g}; the line is {line:.1%}"


health_monitor = HealthMonitor()
