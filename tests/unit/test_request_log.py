"""One summary of each request: what is in it, what never is, and that it harms no request."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from structlog.contextvars import get_contextvars

from mlops.http import problems
from mlops.http.request_log import RequestLog, RequestSummary, current_request_id, describe_request
from mlops.logging_config import get_logger


class Watched:
    """An application of a few endpoints under a RequestLog."""

    def __init__(self, on_request: Callable[[RequestSummary], object] | None = None) -> None:
        self.summaries: list[RequestSummary] = []
        self.app = FastAPI()
        problems.install(self.app, {})
        self._add_endpoints()
        self.app.mount("/files", Starlette(routes=[Route("/{name}", lambda request: PlainTextResponse("x"))]))
        self.outside = RequestLog(self.app, on_request=on_request or self.summaries.append)

    def ask(self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self.outside, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(answer())

    def _add_endpoints(self) -> None:
        @self.app.get("/models/{model_id}")
        async def model(model_id: str) -> dict[str, Any]:
            describe_request(version="1.2.0", mode="hybrid")
            return {"id": current_request_id(), "context": get_contextvars()}

        @self.app.get("/in-a-thread")
        def in_a_thread() -> Response:
            contextvars.copy_context().run(describe_request, stage_ms={"rank": 1.5})
            return Response(status_code=202)

        @self.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("no")

        @self.app.get("/slow")
        async def slow() -> StreamingResponse:
            async def parts() -> Any:
                yield b"a"
                await asyncio.sleep(0.05)
                yield b"b"

            return StreamingResponse(parts())

    def only(self) -> RequestSummary:
        (summary,) = self.summaries
        return summary


def test_a_request_is_summed_up_by_its_template_and_what_the_endpoint_said() -> None:
    watched = Watched()
    answer = watched.ask("/models/my-private-name?q=also+private")
    summary = watched.only()
    assert (summary.method, summary.route, summary.status) == ("GET", "/models/{model_id}", 200)
    assert summary.fields == {"version": "1.2.0", "mode": "hybrid"}
    assert answer.headers["x-request-id"] == summary.request_id == answer.json()["id"]
    assert answer.json()["context"] == {"request_id": summary.request_id}
    assert "private" not in repr(summary.to_dict())


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/in-a-thread", "/in-a-thread", 202),
        ("/broken", "/broken", 500),
        ("/nothing/here", "unmatched", 404),
        ("/files/a-name", "/files/{name}", 200),
    ],
)
def test_the_route_and_the_status_are_those_of_the_answer(path: str, route: str, status: int) -> None:
    watched = Watched()
    assert watched.ask(path).status_code == status
    assert (watched.only().route, watched.only().status) == (route, status)


def test_what_is_said_in_a_thread_counts() -> None:
    watched = Watched()
    watched.ask("/in-a-thread")
    assert watched.only().fields == {"stage_ms": {"rank": 1.5}}


def test_an_unknown_method_is_not_repeated() -> None:
    watched = Watched()
    watched.ask("/slow", method="SALSA")
    assert watched.only().method == "OTHER"


def test_the_time_runs_until_the_last_byte() -> None:
    watched = Watched()
    watched.ask("/slow")
    assert 50 <= watched.only().latency_ms < 5_000


def test_nothing_remains_bound_after_a_request() -> None:
    Watched().ask("/models/a")
    assert (current_request_id(), get_contextvars()) == (None, {})
    describe_request(version="nobody listens")


@pytest.mark.parametrize("good", ["a", "0123456789abcdef" * 4, "6f9619ff-8b86-d011-b42d-00c04fc964ff", "A_b.c-1"])
def test_a_plain_id_of_the_client_is_taken_over(good: str) -> None:
    watched = Watched()
    assert watched.ask("/slow", headers={"X-Request-ID": good}).headers["x-request-id"] == good
    assert watched.only().request_id == good


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=100))
def test_whatever_a_client_sends_as_its_id_the_id_is_short_and_plain(sent: bytes) -> None:
    summaries: list[RequestSummary] = []
    scope = {"type": "http", "method": "GET", "headers": [(b"x-request-id", sent)]}
    asyncio.run(RequestLog(_answers, on_request=summaries.append)(scope, _receive, _send))
    kept = summaries[0].request_id
    assert 1 <= len(kept) <= 64
    assert set(kept) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_a_callback_that_fails_fails_no_request_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def fails(summary: RequestSummary) -> None:
        raise OSError("disk full")

    watched = Watched(fails)
    assert [watched.ask("/slow").status_code for _ in range(3)] == [200] * 3
    assert watched.outside.n_failed == 3
    assert len([record for record in caplog.records if record.name == "mlops.http"]) == 1


def test_a_client_that_goes_away_is_a_499() -> None:
    summaries: list[RequestSummary] = []

    async def cancelled(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    scope = {"type": "http", "method": "GET", "headers": []}
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(RequestLog(cancelled, on_request=summaries.append)(scope, _receive, _send))
    assert (summaries[0].status, summaries[0].route) == (499, "unmatched")


def test_requests_at_the_same_time_do_not_see_each_others_context(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, str | None, dict[str, Any]]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["headers"][0][1].decode()
        for _ in range(5):
            describe_request(mine=mine)
            await asyncio.sleep(0)
            get_logger("app").warning("working", mine=mine)
            seen.append((mine, current_request_id(), get_contextvars()))

    async def all_at_once() -> None:
        watched = RequestLog(application, on_request=summaries.append)
        scopes = [{"type": "http", "method": "GET", "headers": [(b"x-request-id", b"id-%d" % n)]} for n in range(20)]
        await asyncio.gather(*(watched(scope, _receive, _send) for scope in scopes))

    summaries: list[RequestSummary] = []
    asyncio.run(all_at_once())
    assert len(seen) == 100
    assert all(mine == current and context == {"request_id": mine} for mine, current, context in seen)
    assert {(one.request_id, one.fields["mine"]) for one in summaries} == {(f"id-{n}", f"id-{n}") for n in range(20)}


async def _answers(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _receive() -> Any:
    return {"type": "http.disconnect"}


async def _send(message: Any) -> None:
    pass
