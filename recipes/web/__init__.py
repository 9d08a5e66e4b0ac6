"""The cook's pages: search, recipe, feedback; HTML from the server, no build step, nothing from another host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from recipes.web.pages import STATIC_FOLDER, Pages, router

if TYPE_CHECKING:
    from recipes.service import Service

__all__ = ["Pages", "mount", "router"]

_ONE_YEAR_SECONDS = 365 * 24 * 3600


def mount(app: FastAPI, service: Service) -> None:
    """Add the pages and, under ``/static``, their files to *app*."""
    app.include_router(router(service))
    app.mount("/static", _HashedFiles(directory=STATIC_FOLDER), name="static")
    _show_missing_pages(app, Pages(service))


def _show_missing_pages(app: FastAPI, pages: Pages) -> None:
    """Answer a browser that asks for an address we do not have with a page; programs get what they got before."""
    before = cast("Callable[[Request, Exception], Awaitable[Response]]", app.exception_handlers[HTTPException])

    async def missing(request: Request, error: Exception) -> Response:
        if request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", ""):
            return pages.error(request, HTTPStatus.NOT_FOUND)
        return await before(request, error)

    app.add_exception_handler(HTTPStatus.NOT_FOUND, missing)


class _HashedFiles(StaticFiles):
    """Files that a browser may keep for good where the address holds the hash of their content."""

    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        is_hashed = b"v=" in scope["query_string"]
        keep = f"public, max-age={_ONE_YEAR_SECONDS}, immutable" if is_hashed else "no-cache"
        response.headers["Cache-Control"] = keep
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
