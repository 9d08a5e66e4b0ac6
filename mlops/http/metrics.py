"""Metrics over HTTP: JSON for people and programs, Prometheus text for who asks for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from mlops.clock import Clock, utc_now
from mlops.http import problems
from mlops.http.access import Access
from mlops.http.answers import json_response
from mlops.monitoring.collector import MetricsCollector
from mlops.monitoring.prometheus import CONTENT_TYPE, exposition

LONGEST_WINDOW_MINUTES = 90 * 24 * 60

Window = Annotated[
    float,
    Query(gt=0, le=LONGEST_WINDOW_MINUTES, allow_inf_nan=False, description="Length of the window that ends now."),
]
Label = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z_]\w{0,63}$", description="A label; the statistics come apart for each of its values, too."
    ),
]


def router(metrics: MetricsCollector, access: Access, *, clock: Clock = utc_now) -> APIRouter:
    """The endpoints over *metrics*."""
    routes = APIRouter(
        dependencies=[Depends(access.reads)], responses=problems.documented(401, 403, 422), tags=["metrics"]
    )

    def as_prometheus() -> Response:
        return Response(exposition(metrics), headers={"content-type": CONTENT_TYPE})

    @routes.get("/metrics", summary="Statistics of every metric over a window")
    def window(request: Request, window_minutes: Window = 60, by: Label = None) -> Response:
        """As JSON; as Prometheus text where `Accept` asks for `text/plain` or OpenMetrics."""
        if wants_prometheus(request.headers.get("accept", "")):
            return as_prometheus()
        until = clock()
        found = {name: _statistics(metrics, name, window_minutes, by) for name in metrics.names()}
        return json_response(
            {
                "window_minutes": window_minutes,
                "until": until.isoformat(),
                "metrics": {name: statistics for name, statistics in found.items() if statistics},
                "collector": asdict(metrics.status()),
            }
        )

    @routes.get("/metrics/prometheus", summary="Everything as Prometheus text")
    def prometheus() -> Response:
        """Text format 0.0.4."""
        return as_prometheus()

    return routes


def wants_prometheus(accept: str) -> bool:
    """Whether the header *accept* asks for Prometheus text, and does not ask for JSON as well."""
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return not kinds.isdisjoint({"text/plain", "application/openmetrics-text"}) and "application/json" not in kinds


def _statistics(metrics: MetricsCollector, name: str, window_minutes: float, by: str | None) -> dict[str, Any]:
    statistics: dict[str, Any] = dict(metrics.get_stats(name, window_minutes))
    if statistics and by is not None:
        statistics["by"] = {by: metrics.stats_by(name, by, window_minutes)}
    return statistics
