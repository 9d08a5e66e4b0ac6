"""The registry's endpoints behind a real server: the OpenAPI document is kept, and a real socket is no loophole."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from mlops.store import Database
from tests.models_app import ModelsApp, Running

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
READS = [
    "/models", "/models/{model_id}", "/models/{model_id}/production", "/models/{model_id}/versions",
    "/models/{model_id}/versions/{version}", "/models/{model_id}/moves", "/models/{model_id}/at", "/approvals",
]  # fmt: skip
WRITES = [
    *(f"/models/{{model_id}}/versions/{{version}}/{change}"
      for change in ("promote", "archive", "validate", "approve", "reject")),
    "/models/{model_id}/rollback", "/freeze", "/unfreeze",
]  # fmt: skip


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Address of a service that has a key, and the header with it."""
    database, app = _app(tmp_path_factory)
    headers = {"Authorization": f"Bearer {app.keys.create('ci', 'operate').token}"}
    server = Running(app.app)
    yield server.url, headers
    server.stop()
    database.close()


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that has no key."""
    database, app = _app(tmp_path_factory)
    server = Running(app.app)
    yield server
    server.stop()
    database.close()


def _app(tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, ModelsApp]:
    import mlops.schema

    database = Database(f"sqlite:///{tmp_path_factory.mktemp('models')}/state.db", tables=(mlops.schema.MIGRATIONS,))
    return database, ModelsApp(database)


ASKED = [
    *(("GET", path, GOOD) for path in READS),
    # Nothing about /models can be wrong.
    *(("GET", path, BAD) for path in READS if path != "/models"),
    *(("POST", path, mode) for path in WRITES for mode in (GOOD, BAD)),
]


@pytest.mark.parametrize(("method", "path", "mode"), ASKED)
def test_generated_requests_are_answered_as_documented(
    keyed: tuple[str, dict[str, str]], method: str, path: str, mode: Any
) -> None:
    url, headers = keyed
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    # Which ids there are, and which reasons are blank, no generator knows.
    unknowable = [schemathesis.checks.positive_data_acceptance]
    cases = document[path][method].as_strategy(generation_mode=mode)

    @given(case=cases)
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def run(case: Any) -> None:
        case.call_and_validate(headers=headers, excluded_checks=unknowable)

    run()


def test_the_document_names_what_there_is_and_what_a_change_needs(keyed: tuple[str, dict[str, str]]) -> None:
    document = httpx.get(f"{keyed[0]}/openapi.json").json()
    named = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert named == {*(("GET", path) for path in READS), *(("POST", path) for path in WRITES)}
    for path in WRITES:
        change = document["paths"][path]["post"]
        assert set(change["responses"]) >= {"200", "400", "401", "403", "404", "409", "413", "415", "422", "503"}
        assert change["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}]
    assert set(document["components"]["schemas"]["Promotion"]["properties"]) == {"reason", "evidence", "expected"}


# --- Real sockets ---------------------------------------------------------------------------------------------------


def _raw(server: Running, head: str) -> int:
    """The status of the answer to a request whose head is sent as it stands."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        body = b'{"reason": "x"}'
        connection.sendall(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        return int(connection.recv(4_096).split()[1])


POST = "POST /unfreeze HTTP/1.1\r\ncontent-type: application/json"


def test_a_person_at_this_machine_needs_no_key(keyless: Running) -> None:
    assert httpx.post(f"{keyless.url}/unfreeze", json={"reason": "x"}).status_code == 200
    assert _raw(keyless, f"{POST}\r\nhost: localhost") == 200


@pytest.mark.parametrize(
    "head",
    [f"{POST}\r\nhost: evil.example", f"{POST}\r\nhost: localhost\r\nx-forwarded-for: 127.0.0.1",
     f"{POST}\r\nhost: localhost\r\nX-FORWARDED-FOR: 8.8.8.8", f"{POST}\r\nhost: localhost\r\norigin: null",
     f"{POST}\r\nhost: localhost\r\nSec-Fetch-Site: cross-site",
     "POST /unfreeze HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json"],
)  # fmt: skip
def test_what_only_comes_by_way_of_this_machine_needs_one(keyless: Running, head: str) -> None:
    assert _raw(keyless, head) == 403


def test_two_hosts_are_refused(keyless: Running) -> None:
    assert _raw(keyless, f"{POST}\r\nhost: localhost\r\nhost: evil.example") in {400, 403}


def test_another_address_in_the_first_line_is_no_loophole(keyless: Running) -> None:
    head = POST.replace("/unfreeze", "http://localhost/unfreeze")
    assert _raw(keyless, f"{head}\r\nhost: evil.example") in {400, 403, 404}
