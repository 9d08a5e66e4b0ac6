"""Building the application: one function, everything handed in."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlops.access import KeyRing
from mlops.errors import StoreUnavailable
from mlops.http import models, problems
from mlops.http.access import Access, start_line
from mlops.http.limits import BodyLimit
from recipes import web
from recipes.api import health, routes
from recipes.api.workers import Workers
from recipes.config import Settings
from recipes.errors import EncoderUnavailable, IndexUnavailable, NotShown, UnknownRecipe, UnknownRequest
from recipes.service import Service

_log = logging.getLogger("recipes.api")

STATUSES: dict[type[Exception], int] = {
    UnknownRecipe: 404,
    UnknownRequest: 404,
    NotShown: 404,
    StoreUnavailable: 503,
    IndexUnavailable: 503,
    EncoderUnavailable: 503,
}


def create_app(settings: Settings, *, service: Service | None = None) -> FastAPI:
    """The application over *service*, by default one made from *settings*; it starts and stops with the server."""
    service = service or Service(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        _warn_where_no_key_exists(keys)
        yield
        service.stop()

    app = FastAPI(
        title="Recipe Recommender",
        summary="Recipes for what you feel like, in Spanish and English.",
        version="0.1.0",
        lifespan=lifespan,
        redoc_url=None,
        docs_url=None,
    )
    problems.install(app, {**models.STATUSES, **STATUSES})
    workers = Workers()
    keys = KeyRing(service.database)
    app.include_router(routes.router(service, workers))
    app.include_router(health.router(service, workers))
    access = Access(keys, require_key_to_read=settings.require_key_to_read)
    app.include_router(models.router(service.registry, access, serving=service.version_served))
    web.mount(app, service)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    return app


def _warn_where_no_key_exists(keys: KeyRing) -> None:
    with contextlib.suppress(StoreUnavailable):  # `/health` tells
        line = start_line(keys)
        if line is not None:
            _log.warning("%s", line)
