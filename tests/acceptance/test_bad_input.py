"""Whatever is sent to a real service process, it answers with a problem document, and lives."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

JSON = {"content-type": "application/json"}
MEGABYTES_10 = b'{"query":"' + b"a" * 10_000_000 + b'"}'


@pytest.fixture(scope="module")
def api(live_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server, timeout=30) as client:
        yield client


@pytest.fixture(autouse=True)
def _lives_afterwards(api: httpx.Client) -> Iterator[None]:
    yield
    assert api.get("/health/ready").status_code == 200


def problem_of(response: httpx.Response, status: int) -> str:
    """The detail of a problem document, with what must be true of each."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["title"]
    assert len(response.content) < 4_000
    assert response.text.isprintable()
    for trace in ("Traceback", 'File "', "recipes/", "site-packages", "pydantic"):
        assert trace not in response.text
    detail: str = document["detail"]
    return detail


def post(api: httpx.Client, body: object, path: str = "/recommend") -> httpx.Response:
    return api.post(path, content=json.dumps(body).encode(), headers=JSON)


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({}, "query: Field required"),
    ({"query": ""}, "query: must not be empty"),
    ({"query": " \n\t "}, "query: must not be empty"),
    ({"query": "a" * 501}, "query: String should have at most 500 characters"),
    ({"query": "🍕🍳🥑"}, "query: must hold at least one letter or number"),
    ({"query": "¿?!…"}, "query: must hold at least one letter or number"),
    ({"query": "sopa\0de ajo"}, "query: must not hold control characters"),
    ({"query": "sopa \x1b[31m roja"}, "query: must not hold control characters"),
    ({"query": "sopa \ud83c"}, "unicode"),
    ({"query": 5}, "query: Input should be a valid string"),
    ({"query": None}, "query: Input should be a valid string"),
    ({"query": ["sopa"]}, "query: Input should be a valid string"),
    ({"n": 0}, "n: Input should be greater than or equal to 1"),
    ({"n": 21}, "n: Input should be less than or equal to 20"),
    ({"n": -1}, "n: "),
    ({"n": "3"}, "n: Input should be a valid integer"),
    ({"n": True}, "n: Input should be a valid integer"),
    ({"n": 2.5}, "n: Input should be a valid integer"),
    ({"n": None}, "n: Input should be a valid integer"),
    ({"n": 10**400}, "n: "),
    ({"idioma": "fr"}, "idioma: Input should be 'es' or 'en'"),
    ({"usuario": ""}, "usuario: "),
    ({"usuario": "a b\n"}, "usuario: "),
    ({"explica": "yes"}, "explica: Input should be a valid boolean"),
    ({"recetas": 3}, "recetas: Extra inputs are not permitted"),
    ({"filtros": {"dieta": "keto"}}, "filtros.dieta: 'keto' is not a diet; use one of vegano"),
    ({"filtros": {"comida": ["cena", "brunchinho"]}}, "filtros.comida: 'brunchinho' is not a meal"),
    ({"filtros": {"tiempo": 0}}, "filtros.tiempo: "),
    ({"filtros": {"tiempo": "20"}}, "filtros.tiempo: "),
    ({"filtros": {"color": "rojo"}}, "filtros.color: Extra inputs are not permitted"),
    ({"filtros": {"excluir": ["a" * 81]}}, "filtros.excluir.0: "),
    ({"filtros": {"excluir": ["ajo"] * 21}}, "filtros.excluir: "),
    ({"filtros": {"excluir": [5]}}, "filtros.excluir.0: "),
    ({"filtros": {"excluir": ["花生"]}}, "filtros.excluir.0: must hold a word in Latin letters"),
    ({"filtros": "vegano"}, "filtros: "),
]


@pytest.mark.parametrize(("fields", "detail"), WRONG_FIELDS, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named_with_what_is_wrong(api: httpx.Client, fields: dict[str, Any], detail: str) -> None:
    body = fields if "query" in fields or not fields else {"query": "sopa", **fields}
    assert detail in problem_of(post(api, body), 422)


def test_all_that_is_wrong_is_told_at_once(api: httpx.Client) -> None:
    response = post(api, {"query": "", "n": 99, "idioma": "fr"})
    problem_of(response, 422)
    assert [error["field"] for error in response.json()["errors"]] == ["query", "n", "idioma"]


def test_a_query_of_500_characters_is_no_problem(api: httpx.Client) -> None:
    assert post(api, {"query": "sopa " * 100}).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"x" * 60_000: 1},
        {"x\0\x1b[31m\u202e\ud83c": 1},
        {f"field{number}": 1 for number in range(3_000)},
        {"query": "a" * 60_000},
        {"filtros": {"dieta": "k" * 60_000}},
        {"filtros": {"dieta": "ke\x1b[31m\u202eto"}},
        {"filtros": {"excluir": ["\x07" * 9_000]}},
        {"usuario": "\n" * 9_000},
    ],
    ids=lambda fields: str(fields)[:24],
)
def test_no_problem_echoes_control_characters_or_more_than_a_little(api: httpx.Client, fields: dict[str, Any]) -> None:
    problem_of(post(api, {"query": "sopa", **fields}), 422)


@pytest.mark.parametrize("body", ["[]", '["sopa"]', '"sopa"', "5", "null", "true"])
def test_json_that_is_no_object_is_refused(api: httpx.Client, body: str) -> None:
    assert problem_of(api.post("/recommend", content=body, headers=JSON), 422).startswith("body: ")


@pytest.mark.parametrize(
    "body",
    [
        '{"query":',
        '{"query" "sopa"}',
        "{'query': 'sopa'}",
        "sopa",
        '{"query": "sopa"}}',
        "[" * 60_000,
        '{"n": 1' + "0" * 9_000,
    ],
    ids=lambda body: body[:12],
)
def test_malformed_json_is_a_bad_request(api: httpx.Client, body: str) -> None:
    assert problem_of(api.post("/recommend", content=body, headers=JSON), 400)


def test_no_body_is_a_missing_body(api: httpx.Client) -> None:
    assert problem_of(api.post("/recommend", headers=JSON), 422) == "body: Field required"
    assert problem_of(api.post("/recommend"), 422) == "body: Field required"


@pytest.mark.parametrize(
    "body", [b'{"query":"\xff\xfe"}', b'{"query":"sopa de lim\xf3n"}', b"\xed\xa0\x80", b"\xc0\x80"]
)
@pytest.mark.parametrize("path", ["/recommend", "/feedback"])
def test_what_is_not_utf8_is_a_bad_request(api: httpx.Client, path: str, body: bytes) -> None:
    assert problem_of(api.post(path, content=body, headers=JSON), 400) == "The body is not valid UTF-8."


@pytest.mark.parametrize("path", ["/recommend", "/feedback", "/nowhere"])
def test_ten_megabytes_are_too_much(api: httpx.Client, path: str) -> None:
    response = api.post(path, content=MEGABYTES_10, headers=JSON)
    assert "65536 bytes" in problem_of(response, 413)


def test_ten_megabytes_are_too_much_without_a_length_too(api: httpx.Client) -> None:
    chunks = (MEGABYTES_10[start : start + 8_192] for start in range(0, len(MEGABYTES_10), 8_192))
    response = api.post("/recommend", content=chunks, headers=JSON)
    assert "content-length" not in response.request.headers
    assert "65536 bytes" in problem_of(response, 413)


def test_a_good_body_without_a_length_is_read(api: httpx.Client) -> None:
    pieces = iter([b'{"que', b'ry": "so', b'pa"}'])
    assert api.post("/recommend", content=pieces, headers=JSON).status_code == 200


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_another_content_type_is_told_which_one_to_send(api: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    response = api.post("/recommend", content=b'{"query": "sopa"}', headers=headers)
    assert "content-type: application/json" in problem_of(response, 415)


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/recommend", "POST"),
        ("PUT", "/recommend", "POST"),
        ("DELETE", "/feedback", "POST"),
        ("POST", "/health", "GET"),
        ("PATCH", "/health/live", "GET"),
    ],
)
def test_another_method_is_told_which_one_to_use(api: httpx.Client, method: str, path: str, right: str) -> None:
    response = api.request(method, path)
    assert right in problem_of(response, 405)
    assert response.headers["allow"] == right


@pytest.mark.parametrize("path", ["/recomend", "/v1/recommend", "/%00", "/%1b%5b31m", "/a" * 500, "/health/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_says_where_to_look(api: httpx.Client, method: str, path: str) -> None:
    assert "/openapi.json" in problem_of(api.request(method, path), 404)


WRONG_FEEDBACK: list[tuple[dict[str, Any], str]] = [
    ({"evento": "like"}, "evento: "),
    ({"evento": "rating"}, "valor goes with the event rating"),
    ({"evento": "rating", "valor": 0}, "valor: "),
    ({"evento": "rating", "valor": 6}, "valor: "),
    ({"evento": "rating", "valor": "5"}, "valor: "),
    ({"evento": "rating", "valor": True}, "valor: "),
    ({"evento": "click", "valor": 3}, "valor goes with the event rating"),
    ({"event_id": ""}, "event_id: "),
    ({"event_id": "a b"}, "event_id: "),
    ({"event_id": "x" * 129}, "event_id: "),
    ({"request_id": "a\0b"}, "request_id: "),
    ({"recipe_id": "a\x1bb"}, "recipe_id: "),
    ({"request_id": 5}, "request_id: "),
    ({"stars": 5}, "stars: "),
]


@pytest.mark.parametrize(("fields", "detail"), WRONG_FEEDBACK, ids=lambda value: str(value)[:40])
def test_wrong_feedback_is_named_with_what_is_wrong(api: httpx.Client, fields: dict[str, Any], detail: str) -> None:
    good = {"request_id": "0" * 32, "recipe_id": "sopa-de-ajo", "evento": "click"}
    assert detail in problem_of(post(api, {**good, **fields}, "/feedback"), 422)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(max_size=8), value))
BODIES = st.fixed_dictionaries(
    {"query": st.text(max_size=40) | VALUES},
    optional={
        "n": st.integers(-2, 25) | VALUES,
        "idioma": st.sampled_from(["es", "en", "fr"]) | VALUES,
        "filtros": st.dictionaries(st.sampled_from(["tiempo", "dieta", "incluir", "exclude", "meal"]), VALUES) | VALUES,
        "usuario": st.text(max_size=10) | VALUES,
    },
)


@given(body=BODIES | VALUES)
@settings(max_examples=150, deadline=None)
def test_any_json_is_answered_or_refused(api: httpx.Client, body: object) -> None:
    response = post(api, body)
    if response.status_code != 200:
        problem_of(response, 422)


@given(body=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_refused(api: httpx.Client, body: bytes) -> None:
    response = api.post("/recommend", content=body, headers=JSON)
    problem_of(response, 422 if response.status_code == 422 else 400)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{",
        b"POST /recommend HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999999\r\n\r\n{}",
        b"POST /recommend HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nnonsense\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ],
    ids=["cut short", "negative length", "huge length", "broken chunk", "TLS", "nothing"],
)
def test_a_client_that_breaks_the_protocol_harms_nobody(live_server: str, sent: bytes) -> None:
    address = urlsplit(live_server)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert not answer.startswith(b"HTTP/1.1 5")
