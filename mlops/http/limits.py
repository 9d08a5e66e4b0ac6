"""A ceiling on request bodies, as plain ASGI: a middleware built on requests costs every request its throughput."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops.http.problems import problem


class BodyLimit:
    """Answers 413 to a body of more than *max_bytes*, and 400 to one that is not UTF-8."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send, 413, f"A body may have at most {self._max_bytes} bytes.")
            return
        try:
            body = await self._read(receive)
        except _ClientGone:
            return
        if body is None:
            await self._refuse(scope, receive, send, 413, f"A body may have at most {self._max_bytes} bytes.")
        elif not _is_utf8(body):
            await self._refuse(scope, receive, send, 400, "The body is not valid UTF-8.")
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None where it is too long."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                return None
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
        # The rest of the body is not read: the connection cannot carry another request.
        await problem(status, detail=detail, headers={"connection": "close"})(scope, receive, send)


class _ClientGone(Exception):
    """The client went away before it had sent the whole body: what came of it is nobody's request."""


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
