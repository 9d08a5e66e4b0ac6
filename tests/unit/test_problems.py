"""Errors as problem documents, and the ceiling on bodies, as plain ASGI."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from mlops.http import problems
from mlops.http.limits import BodyLimit

MAX_BYTES = 1_000
TYPED = {"content-type": "application/json"}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


class Away(Exception):
    """A part does not answer."""


class FarAway(Away):
    """A kind of it, with no status of its own."""


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = FastAPI()
    problems.install(app, {Away: 503})

    @app.post("/echo")
    async def echo(body: Body) -> dict[str, str]:
        if body.name == "far":
            raise FarAway("line one\n\tline two \x1b[31m" + "x" * 5_000)
        if body.name == "broken":
            raise ZeroDivisionError("secret")
        return {"name": body.name}

    app.add_middleware(BodyLimit, max_bytes=MAX_BYTES)
    return app


def send(app: FastAPI, method: str = "POST", path: str = "/echo", **request: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **request)

    return asyncio.run(run())


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem document, with what must be true of each."""
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"].isprintable()
    assert len(response.content) < 8_000
    assert "Traceback" not in response.text
    return document


def test_a_good_body_passes_through(app: FastAPI) -> None:
    assert send(app, json={"name": "ñandú"}).json() == {"name": "ñandú"}


def test_a_wrong_field_is_named(app: FastAPI) -> None:
    problem = problem_of(send(app, json={"name": 5}))
    assert problem["status"] == 422
    assert problem["errors"] == [{"field": "name", "reason": "Input should be a valid string"}]
    assert problem["detail"] == "name: Input should be a valid string"


def test_malformed_json_is_a_bad_request(app: FastAPI) -> None:
    assert problem_of(send(app, content=b'{"name":', headers={"content-type": "application/json"}))["status"] == 400


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_body_that_is_not_said_to_be_json_is_answered_with_the_header_to_send(app: FastAPI, kind: str) -> None:
    problem = problem_of(send(app, content=b'{"name": "a"}', headers={"content-type": kind} if kind else {}))
    assert problem["status"] == 415
    assert "content-type: application/json" in problem["detail"]


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON; charset=utf-8", "application/vnd.api+json"])
def test_every_way_to_say_json_will_do(app: FastAPI, kind: str) -> None:
    assert send(app, content=b'{"name": "a"}', headers={"content-type": kind}).status_code == 200
    assert send(app, content=b"[]", headers={"content-type": kind}).status_code == 422


def test_no_body_at_all_is_a_missing_body_whatever_its_kind(app: FastAPI) -> None:
    assert problem_of(send(app))["errors"] == [{"field": "body", "reason": "Field required"}]


def test_an_unknown_path_says_where_to_look(app: FastAPI) -> None:
    problem = problem_of(send(app, path="/nope/%1b%5b31m"))
    assert problem["status"] == 404
    assert "/openapi.json" in problem["detail"]


def test_a_wrong_method_is_answered_with_the_right_one(app: FastAPI) -> None:
    response = send(app, method="DELETE")
    assert problem_of(response)["detail"] == "DELETE is not possible at this address; use POST."
    assert response.headers["allow"] == "POST"


def test_a_known_error_has_its_status_and_one_short_printable_line(app: FastAPI) -> None:
    problem = problem_of(send(app, json={"name": "far"}))
    assert problem["status"] == 503
    assert problem["detail"].startswith("line one line two \ufffd[31mxxx")
    assert len(problem["detail"]) == 600


def test_an_unknown_error_tells_nothing_of_itself(app: FastAPI) -> None:
    response = send(app, json={"name": "broken"})
    assert problem_of(response)["status"] == 500
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text
    assert response.headers["connection"] == "close"


@given(names=st.lists(st.text(max_size=300), min_size=1, max_size=60, unique=True))
def test_whatever_a_field_is_called_the_error_is_short_and_printable(app: FastAPI, names: list[str]) -> None:
    body = {name: 1 for name in names if name != "name"}
    response = send(app, content=json.dumps(body).encode(), headers={"content-type": "application/json"})
    if response.status_code == 413:
        return
    problem = problem_of(response)
    assert all(error["field"].isprintable() and len(error["field"]) <= 80 for error in problem["errors"])
    assert len(problem["errors"]) <= 20


# --- In Spanish -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_of", "title", "detail"),
    [
        ({"json": {}}, "Petición no válida", "name: falta"),
        ({"json": {"name": 5}}, "Petición no válida", "name: tiene que ser un texto"),
        ({"method": "DELETE"}, "Método no admitido", "DELETE no se puede usar en esta dirección; usa POST."),
        ({"path": "/nope"}, "No encontrado", "En esta dirección no hay nada; /openapi.json dice lo que hay."),
        ({"content": b"{", "headers": TYPED}, "Petición incorrecta", "El cuerpo no es JSON válido."),
        (
            {"json": {"name": "broken"}},
            "Error interno del servidor",
            "El servicio falló al responder a esta petición. El registro del servicio dice más.",
        ),
    ],
)
def test_who_prefers_spanish_is_told_in_spanish(
    app: FastAPI, request_of: dict[str, Any], title: str, detail: str
) -> None:
    headers = {**request_of.get("headers", {}), "accept-language": "es-ES,es;q=0.9,en;q=0.8"}
    response = send(app, **{**request_of, "headers": headers})
    document = problem_of(response)
    assert (document["title"], document["detail"]) == (title, detail)
    assert (response.headers["content-language"], response.headers["vary"]) == ("es", "accept-language")
    assert document.keys() == problem_of(send(app, **request_of)).keys()


def test_each_wrong_field_is_told_in_spanish_under_its_own_name(app: FastAPI) -> None:
    document = problem_of(send(app, json={"name": 5, "size": 1}, headers={"accept-language": "es"}))
    assert document["errors"] == [
        {"field": "name", "reason": "tiene que ser un texto"}, {"field": "size", "reason": "no existe este campo"},
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "en, es", "es;q=0.5, en", "*", "es;q=high", ""])
def test_everybody_else_is_told_in_english_byte_by_byte(app: FastAPI, language: str) -> None:
    plain = send(app, json={})
    response = send(app, json={}, headers={"accept-language": language})
    assert response.content == plain.content
    assert problem_of(response)["detail"] == "name: Field required"
    assert {each.headers["content-language"] for each in (plain, response)} == {"en"}
    assert {each.headers["vary"] for each in (plain, response)} == {"accept-language"}


def test_what_is_not_known_in_spanish_stays_english_as_a_whole(app: FastAPI) -> None:
    plain = send(app, json={"name": "far"})
    response = send(app, json={"name": "far"}, headers={"accept-language": "es"})
    assert (response.content, response.headers["content-language"]) == (plain.content, "en")


def test_an_application_brings_its_own_sentences(tmp_path: Path) -> None:
    (tmp_path / "kitchen.toml").write_text('"the oven of {cook} is cold" = "el horno de {cook} está frío"', "utf-8")
    app = FastAPI()
    problems.install(app, {Away: 503}, sentences=[tmp_path])

    @app.get("/bread")
    async def bread() -> None:
        raise Away("the oven of ana is cold")

    headers = [("accept-language", "fr"), ("accept-language", "es;q=0.7")]
    document = problem_of(send(app, "GET", "/bread", headers=headers))
    assert (document["detail"], document["error"]) == ("el horno de ana está frío", "Away")
    assert document["title"] == "Servicio no disponible"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 415, 422, 500, 503])
def test_every_title_is_known_in_spanish(status: int) -> None:
    titles = tomllib.loads((Path(problems.__file__).parent / "spanish" / "problems.toml").read_text("utf-8"))
    assert HTTPStatus(status).phrase in titles


# --- The ceiling on bodies ------------------------------------------------------------------------------------------

JSON_OF = {size: b'{"name":"' + b"a" * (size - 11) + b'"}' for size in (MAX_BYTES, MAX_BYTES + 1)}


def test_the_ceiling_is_exact(app: FastAPI) -> None:
    headers = {"content-type": "application/json"}
    assert send(app, content=JSON_OF[MAX_BYTES], headers=headers).status_code == 200
    refused = send(app, content=JSON_OF[MAX_BYTES + 1], headers=headers)
    assert problem_of(refused)["status"] == 413
    assert str(MAX_BYTES) in refused.json()["detail"]
    assert refused.headers["connection"] == "close"


@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=20), size=st.sampled_from(sorted(JSON_OF)))
def test_the_ceiling_holds_for_bodies_without_a_length_however_they_are_cut(
    app: FastAPI, cuts: list[int], size: int
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        rest, turn = JSON_OF[size], 0
        while rest:
            yield rest[: cuts[turn % len(cuts)]]
            rest, turn = rest[cuts[turn % len(cuts)] :], turn + 1

    response = send(app, content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == (200 if size == MAX_BYTES else 413)


@pytest.mark.parametrize("body", [b'{"name":"\xff"}', b"\xed\xa0\x80", b'{"name":"\xc3'])
def test_a_body_that_is_not_utf8_is_a_bad_request(app: FastAPI, body: bytes) -> None:
    problem = problem_of(send(app, content=body, headers={"content-type": "application/json"}))
    assert (problem["status"], problem["detail"]) == (400, "The body is not valid UTF-8.")


def test_a_body_is_read_no_further_than_the_ceiling() -> None:
    n_read, _ = _run_limit([{"type": "http.request", "body": b"a" * 600, "more_body": True}] * 50)
    assert n_read == 2


def test_a_client_that_goes_away_in_the_middle_is_nobody_s_request() -> None:
    _, was_called = _run_limit(
        [{"type": "http.request", "body": b'{"name":"a"}', "more_body": True}, {"type": "http.disconnect"}]
    )
    assert not was_called


def _run_limit(messages: Sequence[dict[str, Any]]) -> tuple[int, bool]:
    """How many messages were read, and whether the application was called."""
    waiting = iter(messages)
    n_read = 0
    was_called = False

    async def app(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        nonlocal was_called
        was_called = True

    async def receive() -> dict[str, Any]:
        nonlocal n_read
        n_read += 1
        return next(waiting)

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "POST", "headers": []}
    asyncio.run(BodyLimit(app, max_bytes=MAX_BYTES)(scope, receive, send))  # type: ignore[arg-type]
    return n_read, was_called
