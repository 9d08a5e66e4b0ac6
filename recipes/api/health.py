"""How the service is: for people, for load balancers, for whoever restarts processes."""

from __future__ import annotations

import os
import time
from typing import Any

import orjson
from fastapi import APIRouter, Response

from mlops.errors import StoreUnavailable
from recipes.api.responses import json_response
from recipes.api.workers import Workers
from recipes.ranker import MODEL_ID
from recipes.service import Service
from recipes.version import VERSION

_UNAVAILABLE: dict[int | str, dict[str, Any]] = {503: {"description": "Nothing can be answered; `reasons` tells why"}}


class HealthReport:
    """How *service* is, as ``/health`` tells it: status, reasons, versions, uptime and counts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._began = time.monotonic()

    def __call__(self) -> dict[str, Any]:
        """As it is now."""
        return _health(self._service, time.monotonic() - self._began)


def router(service: Service, report: HealthReport, off_the_loop: Workers) -> APIRouter:
    """The health endpoints over *service*."""
    routes = APIRouter()

    @routes.get("/health", summary="How the service is", responses=_UNAVAILABLE)
    async def health() -> Response:
        """Status, reasons, versions, uptime and counts. 503 only where no question can be answered at all."""
        body = await off_the_loop(report)
        return json_response(orjson.dumps(body), status=503 if body["status"] == "unavailable" else 200)

    @routes.get("/health/live", summary="Is the process alive?")
    async def live() -> Response:
        """200 as long as the process answers."""
        return json_response(b'{"status":"ok"}')

    @routes.get(
        "/health/ready",
        summary="Can the service answer fully?",
        responses={503: {"description": "Some part is missing; `problems` names it"}},
    )
    async def ready() -> Response:
        """200, or 503 with the parts that are missing."""
        missing = await off_the_loop(service.check)
        body = {"status": "unavailable" if missing else "ok", "problems": missing}
        return json_response(orjson.dumps(body), status=503 if missing else 200)

    return routes


def _health(service: Service, uptime_seconds: float) -> dict[str, Any]:
    missing = service.check()
    told = service.operations.health.get_system_status()
    reasons = [*(f"{part}: {problem}" for part, problem in missing.items()), *told["problems"]]
    index = service.recommender.index
    return {
        "status": "unavailable" if not service.recommender.can_answer else "degraded" if reasons else "ok",
        "reasons": reasons,
        "problems": missing,
        "timestamp": told["timestamp"],
        "uptime_seconds": round(uptime_seconds, 1),
        "pid": os.getpid(),
        "version": VERSION,
        "model": {"id": MODEL_ID, "version": service.recommender.ranker.version},
        "rollout": service.rollout.to_dict(),
        "index": None if index is None else {"name": index.name, "recipes": len(index)},
        "api": told["api"],
        "alerts": _alerts(service),
        "mlflow": _mirror(service),
        "answers": {
            "waiting": service.answers.n_waiting,
            "written": service.answers.n_written,
            "dropped": service.answers.n_dropped,
        },
        "answer_check": service.answer_check.to_dict(),
    }


def _alerts(service: Service) -> dict[str, int] | None:
    """How many alerts are open, by severity."""
    try:
        found = service.operations.alerts.open_alerts()
    except StoreUnavailable:
        return None
    severities = [alert.severity for alert in found]
    return {"open": len(found), **{each: severities.count(each) for each in ("critical", "warning", "info")}}


def _mirror(service: Service) -> dict[str, Any] | None:
    """How much waits for MLflow. What failed is for operators, who ask `mlops models mirror`: it may name hosts."""
    try:
        status = service.mirror.status()
    except StoreUnavailable:
        return None
    return {"on": status.is_on, "waiting": status.n_waiting if status.is_on else 0, "failing": status.n_failing}
