"""Building the application: one function, everything handed in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlops.errors import StoreUnavailable
from mlops.http import problems
from mlops.http.limits import BodyLimit
from recipes import web
from recipes.api import health, routes
from recipes.api.workers import Workers
from recipes.config import Settings
from recipes.errors import EncoderUnavailable, IndexUnavailable, NotShown, UnknownRecipe, UnknownRequest
from recipes.service import Service

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
    problems.install(app, STATUSES)
    workers = Workers()
    app.include_router(routes.router(service, workers))
    app.include_router(health.router(service, workers))
    web.mount(app, service)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    return app
