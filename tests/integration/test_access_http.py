"""Who may call which endpoint: keys, scopes, and this machine as long as there is no key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import Depends

from mlops.http.access import ANYBODY, Access, start_line
from mlops.store import Database
from tests.models_app import JSON, ModelsApp

PROMOTE = "/models/ranker/versions/1.0.1/promote"
ELSEWHERE = "10.0.0.7"
READS = [
    "/models", "/models/ranker", "/models/ranker/production", "/models/ranker/versions",
    "/models/ranker/versions/1.0.0", "/models/ranker/moves", "/models/ranker/at?time=2026-11-17", "/approvals",
]  # fmt: skip
CHANGES = [
    *(f"/models/ranker/versions/1.0.1/{change}" for change in ("promote", "archive", "validate", "approve", "reject")),
    "/models/ranker/rollback", "/freeze", "/unfreeze",
]  # fmt: skip


@pytest.fixture
def app(sqlite_database: Database) -> ModelsApp:
    return ModelsApp(sqlite_database)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def last_actor(app: ModelsApp) -> str:
    return app.registry.moves("ranker")[-1].actor


# --- Keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["operate", "admin"])
@pytest.mark.parametrize("client", ["127.0.0.1", ELSEWHERE])
def test_a_key_that_may_operate_promotes_and_is_the_actor(app: ModelsApp, scope: str, client: str) -> None:
    token = app.keys.create("ci", scope).token
    app.post(PROMOTE, client=client, headers=bearer(token))
    assert (app.champion, last_actor(app)) == ("1.0.1", "ci")


@pytest.mark.parametrize("headers", ["bearer {}", "Bearer  {} "])
def test_the_kind_of_the_header_may_be_written_as_one_likes(app: ModelsApp, headers: str) -> None:
    token = app.keys.create("ci", "operate").token
    app.post(PROMOTE, headers={"authorization": headers.format(token)})


def test_the_other_header_will_do_and_goes_first(app: ModelsApp) -> None:
    token = app.keys.create("ci", "operate").token
    app.post(PROMOTE, headers={"x-api-key": token, "authorization": "Bearer of-the-proxy"})
    assert last_actor(app) == "ci"
    app.post(PROMOTE, headers={**bearer(token), "x-api-key": "wrong"}, status=401)


def test_a_browser_elsewhere_with_a_key_is_no_danger(app: ModelsApp) -> None:
    token = app.keys.create("ci", "operate").token
    cross_site = {"origin": "https://console.example", "sec-fetch-site": "cross-site", "x-forwarded-for": "8.8.8.8"}
    app.post(PROMOTE, headers={**bearer(token), **cross_site})


def test_a_key_that_may_only_read_reads_and_changes_nothing(app: ModelsApp) -> None:
    token = app.keys.create("board", "read").token
    app.get("/models", headers=bearer(token))
    for path in CHANGES:
        problem = app.post(path, headers=bearer(token), status=403)
        assert problem["error"] == "NotAllowed"
        assert "'board' has the scope read, and this needs operate" in problem["detail"]
    assert app.champion == "1.0.0"


def test_a_key_that_does_not_count_is_refused_everywhere_with_the_way_to_authenticate(app: ModelsApp) -> None:
    app.keys.create("ci", "operate")
    wrong = bearer(f"mlops_{'0' * 16}_{'A' * 43}")
    for answer in [
        *(app.send("POST", path, json={"reason": "better"}, headers=wrong) for path in CHANGES),
        *(app.send("GET", path, headers=wrong) for path in READS),
    ]:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="mlops"'
        assert answer.json()["error"] == "NotAuthenticated"
    assert app.champion == "1.0.0"


def test_a_wrong_key_does_not_pass_for_none_at_this_machine(app: ModelsApp) -> None:
    app.post(PROMOTE, headers={"x-api-key": ""}, status=401)
    app.post(PROMOTE, headers={"authorization": "Bearer"}, status=401)
    app.post(PROMOTE, headers={"authorization": "Bearer ñ".encode("latin-1")}, status=401)
    assert app.champion == "1.0.0"


def test_a_revoked_key_counts_no_more_from_the_next_request_on(app: ModelsApp) -> None:
    token = app.keys.create("ci", "operate").token
    app.keys.create("ana", "operate")
    app.post(PROMOTE, headers=bearer(token))
    app.keys.revoke("ci")
    problem = app.post("/models/ranker/rollback", headers=bearer(token), status=401)
    assert "'ci' was revoked on" in problem["detail"]
    assert app.champion == "1.0.1"


def test_an_expired_key_counts_no_more(sqlite_database: Database) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    app = ModelsApp(sqlite_database, clock=lambda: now)
    token = app.keys.create("ci", "operate", expires_at=now + timedelta(days=1)).token
    app.post(PROMOTE, headers=bearer(token))
    now += timedelta(days=1)
    problem = app.post("/models/ranker/rollback", headers=bearer(token), status=401)
    assert "'ci' expired on 2026-11-25" in problem["detail"]


def test_a_refusal_never_repeats_the_token(app: ModelsApp) -> None:
    token = app.keys.create("ci", "read").token
    secret = token.split("_", 2)[2]
    for sent in (token, token[:-1] + "."):
        answer = app.send("POST", PROMOTE, json={"reason": "better"}, headers=bearer(sent))
        assert answer.status_code in {401, 403}
        assert secret[:20] not in answer.text


# --- No key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CHANGES[:1] + CHANGES[-3:])
def test_as_long_as_there_is_no_key_this_machine_may_change_things(app: ModelsApp, path: str) -> None:
    if path.endswith("rollback"):
        app.registry.promote("ranker", "1.0.1", because="better")
    app.post(path)


def test_the_actor_without_a_key_is_loopback(app: ModelsApp) -> None:
    app.post(PROMOTE)
    assert last_actor(app) == "loopback"


NOT_FROM_HERE: list[dict[str, Any]] = [
    {"client": ELSEWHERE},
    {"client": "2001:db8::1"},
    {"headers": {"x-forwarded-for": "127.0.0.1"}},
    {"client": ELSEWHERE, "headers": {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"}},
    {"headers": {"forwarded": "for=127.0.0.1"}},
    {"headers": {"host": "evil.example:8000"}},
    {"headers": {"host": "localhost.evil.example"}},
    {"headers": {"origin": "https://evil.example"}},
    {"headers": {"origin": "http://localhost:3000", "sec-fetch-site": "same-site"}},
    {"headers": {"origin": "null"}},
    {"headers": {"sec-fetch-site": "cross-site"}},
]


@pytest.mark.parametrize("request_", NOT_FROM_HERE, ids=str)
def test_from_elsewhere_nothing_can_be_changed_without_a_key(app: ModelsApp, request_: dict[str, Any]) -> None:
    moved = app.registry.moves("ranker")
    for path in CHANGES:
        problem = app.post(path, status=403, **request_)
        assert problem["detail"].endswith("make a key with: mlops keys create NAME --scope operate")
    assert app.registry.moves("ranker") == moved
    assert app.registry.freezes() == {}
    app.get("/models", **request_)


def test_once_there_is_a_key_this_machine_needs_one_too(app: ModelsApp) -> None:
    app.keys.create("board", "read")
    for path in CHANGES:
        answer = app.send("POST", path, json={"reason": "better"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="mlops"'
        assert "needs an API key of scope operate" in answer.json()["detail"]
    assert app.champion == "1.0.0"


def test_when_the_last_key_is_revoked_this_machine_may_change_things_again(app: ModelsApp) -> None:
    app.keys.create("ci", "operate")
    app.post(PROMOTE, status=401)
    app.keys.revoke("ci")
    app.post(PROMOTE, client=ELSEWHERE, status=403)
    app.post(PROMOTE)


def test_a_password_for_the_proxy_is_no_key(app: ModelsApp) -> None:
    app.keys.create("ci", "operate")
    problem = app.post(PROMOTE, headers={"authorization": "Basic YTpi"}, status=401)
    assert "needs an API key" in problem["detail"]


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_page_of_another_site_can_send_unasked_is_no_change(app: ModelsApp, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for path in CHANGES:
        for body in (b'{"reason": "better"}', b"{}", b""):
            answer = app.send("POST", path, content=body, headers=headers)
            assert answer.status_code == 415, (path, body)
            assert "content-type: application/json" in answer.json()["detail"]
    assert app.champion == "1.0.0"


def test_an_empty_object_is_a_body_that_lacks_a_reason(app: ModelsApp) -> None:
    for path in CHANGES:
        problem = app.post(path, {}, status=422)
        assert problem["errors"] == [{"field": "reason", "reason": "Field required"}]


# --- Reading --------------------------------------------------------------------------------------------------------


def test_reading_is_open(app: ModelsApp) -> None:
    app.keys.create("ci", "operate")
    for path in READS:
        app.get(path, client=ELSEWHERE)


def test_reading_needs_a_key_where_it_is_asked_for(sqlite_database: Database) -> None:
    app = ModelsApp(sqlite_database, require_key_to_read=True)
    for path in READS:
        app.get(path)
        app.get(path, client=ELSEWHERE, status=403)
        app.get(path, headers={"host": "evil.example"}, status=403)
    token = app.keys.create("board", "read").token
    for path in READS:
        assert "needs an API key of scope read" in app.get(path, status=401)["detail"]
        app.get(path, client=ELSEWHERE, headers=bearer(token))


# --- The dependencies by themselves ---------------------------------------------------------------------------------


def test_each_dependency_gives_the_actor_and_asks_for_its_scope(app: ModelsApp) -> None:
    access = Access(app.keys)

    @app.app.get("/who")
    def who(actor: str = Depends(access.reads)) -> str:
        return actor

    @app.app.post("/keys")
    def administer(actor: str = Depends(access.administers)) -> str:
        return actor

    assert app.get("/who") == ANYBODY
    assert app.post("/keys") == "loopback"
    operator = bearer(app.keys.create("ci", "operate").token)
    admin = bearer(app.keys.create("root", "admin").token)
    assert app.get("/who", headers=operator) == "ci"
    assert (
        "'ci' has the scope operate, and this needs admin" in app.post("/keys", headers=operator, status=403)["detail"]
    )
    assert app.post("/keys", headers=admin) == "root"


def test_the_start_says_in_one_line_that_no_key_exists(app: ModelsApp) -> None:
    line = start_line(app.keys)
    assert line is not None
    assert line.startswith("no API key exists: changes over HTTP are accepted from this machine only")
    assert "\n" not in line
    app.keys.create("ci", "operate")
    assert start_line(app.keys) is None


def test_keys_count_on_both_databases(emptied_database: Database) -> None:
    app = ModelsApp(emptied_database)
    app.post(PROMOTE)
    token = app.keys.create("ci", "operate").token
    app.post("/models/ranker/rollback", status=401)
    app.post("/models/ranker/rollback", headers={**JSON, **bearer(token)})
    assert (app.champion, last_actor(app)) == ("1.0.0", "ci")
