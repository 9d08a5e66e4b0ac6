"""One summary of each request, as plain ASGI: a middleware built on requests costs every request its throughput."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

# A method that is none of these is somebody's text.
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_HEADER = b"x-request-id"
_IS_AN_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# As nginx notes it: the client went away before the answer began.
CLIENT_GONE = 499
UNMATCHED = "unmatched"

_fields: ContextVar[dict[str, Any] | None] = ContextVar("mlops_request_fields", default=None)
_request_id: ContextVar[str | None] = ContextVar("mlops_request_id", default=None)
_log = logging.getLogger("mlops.http")


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A request that is over.

    Attributes:
        method: in capitals; ``OTHER`` for one that HTTP does not know.
        route: the template, such as ``/models/{model_id}``, never the path, which may hold what people typed;
            ``unmatched`` where no route was found.
        status: 500 where the application failed, 499 where the client went away before the answer began.
        latency_ms: from the first byte that was handed in to the last that was handed out.
        request_id: that of the header ``X-Request-ID``, or one that was made up; the answer carries it.
        fields: what the endpoint said by :func:`describe_request`.
    """

    method: str
    route: str
    status: int
    latency_ms: float
    request_id: str
    fields: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For the line in the log; the request id is in its context already."""
        known = {"method": self.method, "route": self.route, "status": self.status}
        return {**self.fields, **known, "latency_ms": round(self.latency_ms, 3)}


def describe_request(**fields: Any) -> None:
    """Add *fields* to the summary of the request that is being served; nothing where none is.

    In a thread, run in a copy of the request's context: ``contextvars.copy_context().run(function)``.
    """
    known = _fields.get()
    if known is not None:
        known.update(fields)


def current_request_id() -> str | None:
    """The id of the request that is being served; None where none is."""
    return _request_id.get()


class RequestLog:
    """Gives each request an id, binds it to what is logged meanwhile, and hands a summary to *on_request*.

    Attributes:
        n_failed: how often *on_request* raised. That never reaches a client; the first time is logged.
    """

    def __init__(self, app: ASGIApp, *, on_request: Callable[[RequestSummary], object]) -> None:
        """Make it the outermost layer.

        Args:
            on_request: called on the event loop when the answer is out; it must not block.
        """
        self._app = app
        self._on_request = on_request
        self.n_failed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _Watched(_id_of(scope), send)
        tokens = _fields.set(watched.fields), _request_id.set(watched.request_id)
        try:
            with bound_contextvars(request_id=watched.request_id):
                try:
                    await self._app(scope, receive, watched.send)
                except Exception:
                    watched.status = watched.status or 500
                    raise
                finally:
                    self._tell(watched.summary(scope))
        finally:
            _fields.reset(tokens[0])
            _request_id.reset(tokens[1])

    def _tell(self, summary: RequestSummary) -> None:
        try:
            self._on_request(summary)
        except Exception:
            self.n_failed += 1
            if self.n_failed == 1:
                _log.exception("the summary of a request could not be recorded; further ones are only counted")


class _Watched:
    """A request on its way."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.fields: dict[str, Any] = {}
        self.status: int | None = None
        self._began = time.perf_counter()
        self._ended: float | None = None
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass *message* on, and note what it says."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (_HEADER, self.request_id.encode())
            message = {**message, "headers": [*message.get("headers", ()), own]}
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._ended = time.perf_counter()

    def summary(self, scope: Scope) -> RequestSummary:
        """What there is to say now that it is over."""
        seconds = (self._ended or time.perf_counter()) - self._began
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        status = self.status or CLIENT_GONE
        return RequestSummary(method, _route_of(scope), status, seconds * 1000, self.request_id, self.fields)


def _id_of(scope: Scope) -> str:
    """The client's id where it is short and plain; otherwise a new one of 32 hexadecimal digits."""
    for name, value in scope["headers"]:
        if name == _HEADER and _IS_AN_ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(16)


def _route_of(scope: Scope) -> str:
    """The template of the route. What a mounted application does not tell apart is one route: its files are many.

    FastAPI does not tell the prefix that a router was included with: write it into the paths.
    """
    route = scope.get("route")
    if isinstance(route, Mount):
        return scope.get("root_path") or "/"
    template = getattr(route, "path_format", None)
    return scope.get("root_path", "") + template if isinstance(template, str) else UNMATCHED
