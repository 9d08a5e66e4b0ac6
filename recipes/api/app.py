"""Building the application: one function, everything handed in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlops.access import KeyRing
from mlops.errors import StoreUnavailable
from mlops.http import alerts, console, metrics, models, problems, retraining, rollouts
from mlops.http.access import Access, start_line
from mlops.http.limits import BodyLimit
from mlops.http.request_log import RequestLog, RequestSummary
from mlops.logging_config import get_logger, setup_logging, tear_down_logging
from mlops.memory import tune_allocator
from mlops.monitoring.process import measure_loop_lag
from mlops.rollout import plan_from_settings
from recipes import web
from recipes.api import health, routes
from recipes.api.console import console_parts
from recipes.api.workers import Workers
from recipes.config import Settings
from recipes.errors import EncoderUnavailable, IndexUnavailable, NotShown, UnknownRecipe, UnknownRequest
from recipes.measures import is_of_operators
from recipes.sentences import SPANISH
from recipes.service import Service
from recipes.version import VERSION

_log = logging.getLogger("recipes.api")
_requests = get_logger("recipes.requests")

# The status of every error that a handler may let through; the nearest class counts.
STATUSES: dict[type[Exception], int] = {
    **models.STATUSES,
    **alerts.STATUSES,
    **retraining.STATUSES,
    **rollouts.STATUSES,
    UnknownRecipe: 404,
    UnknownRequest: 404,
    NotShown: 404,
    StoreUnavailable: 503,
    IndexUnavailable: 503,
    EncoderUnavailable: 503,
}


def create_app(settings: Settings, *, service: Service | None = None, logs_to_console: bool = True) -> FastAPI:
    """The application over *service*, by default one made from *settings*; it starts and stops with the server.

    Args:
        logs_to_console: write logs to standard output, too, not to files alone.
    """
    service = service or Service(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tune_allocator()
        setup_logging(settings, console=logs_to_console, also=["recipes"], hash_query=service.hash_query)
        service.start()
        _warn_where_no_key_exists(keys)
        async with _measuring_lag(service):
            yield
        service.stop()
        tear_down_logging()

    app = FastAPI(
        title="Recipe Recommender",
        summary="Recipes for what you feel like, in Spanish and English.",
        version=VERSION,
        lifespan=lifespan,
        redoc_url=None,
        docs_url=None,
    )
    problems.install(app, STATUSES, sentences=[SPANISH])
    workers = Workers()
    keys = KeyRing(service.database)
    app.include_router(routes.router(service, workers))
    told = health.HealthReport(service)
    app.include_router(health.router(service, told, workers))
    access = Access(keys, require_key_to_read=settings.require_key_to_read)
    app.include_router(models.router(service.registry, access, serving=service.version_served))
    app.include_router(metrics.router(service.operations.metrics, access))
    app.include_router(alerts.router(service.operations.alerts, access))
    app.include_router(retraining.router(service.operations.retraining, access))
    app.include_router(rollouts.router(service.operations.rollouts, access, plan=plan_from_settings(settings)))
    console.mount(app, console_parts(service, told), access)
    web.mount(app, service)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    # The last one is the outermost: it sees what the others answer, too.
    app.add_middleware(RequestLog, on_request=_recording(service))
    return app


def _recording(service: Service) -> Callable[[RequestSummary], None]:
    """What becomes of each request that is over: its measures, and one line in the log."""

    def record(summary: RequestSummary) -> None:
        fields = summary.fields
        service.operations.measures.requested(
            summary.route,
            summary.status,
            summary.latency_ms,
            version=fields.get("version"),
            language=fields.get("language"),
        )
        log = _requests.debug if is_of_operators(summary.route) else _requests.info
        log("request_served", **summary.to_dict())

    return record


@asynccontextmanager
async def _measuring_lag(service: Service) -> AsyncIterator[None]:
    task = asyncio.create_task(measure_loop_lag(service.operations.metrics))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _warn_where_no_key_exists(keys: KeyRing) -> None:
    with contextlib.suppress(StoreUnavailable):  # `/health` tells
        line = start_line(keys)
        if line is not None:
            _log.warning("%s", line)
