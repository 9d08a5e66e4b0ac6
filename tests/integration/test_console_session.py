"""Who gets into the console, how far, and what a page of another site can do with somebody's session: nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.console_world import MODEL, World

OURS = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
SIGN_IN = "/consola/entrar"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def world(make_world: Any) -> World:
    made: World = make_world()
    return made


@pytest.fixture
def tokens(world: World) -> dict[str, str]:
    """A key of each scope; so none is let in without one."""
    return {scope: world.keys.create(f"{scope}-key", scope).token for scope in ("read", "operate", "admin")}


def sign_in(world: World, token: str, *, address: str = SIGN_IN, **headers: str) -> httpx.Response:
    return world.send("POST", address, content=f"clave={token}", headers={**FORM, **OURS, **headers})


def cookie(token: str) -> dict[str, str]:
    return {"cookie": f"mlops_key={token}"}


def ack(world: World, token: str, **headers: str) -> httpx.Response:
    return world.send("POST", "/alerts/2/ack", json={"reason": "mine"}, headers={**cookie(token), **headers})


def state_of(world: World, alert_id: int = 2) -> str:
    return world.alerts.get(alert_id).state


# ---- Signing in


def test_somebody_signs_in_and_comes_back_to_the_page_that_was_asked_for(world: World, tokens: dict[str, str]) -> None:
    asked = world.send("GET", "/consola/alertas?estado=firing&idioma=en")
    assert asked.status_code == 303
    found = urlsplit(asked.headers["location"])
    assert (found.netloc, found.path) == ("", SIGN_IN)
    assert parse_qs(found.query) == {"idioma": ["en"], "a": ["/consola/alertas?estado=firing&idioma=en"]}
    form = world.send("GET", asked.headers["location"])
    assert '<html lang="en">' in form.text
    answer = sign_in(world, tokens["operate"], address=asked.headers["location"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/consola/alertas?estado=firing&idioma=en")
    set_cookie = answer.headers["set-cookie"]
    assert set_cookie.startswith(f"mlops_key={tokens['operate']};")
    attributes = {part.strip().lower() for part in set_cookie.split(";")[1:]}
    assert attributes == {"httponly", "samesite=lax", "path=/", "max-age=43200"}
    page = world.send("GET", "/consola/alertas/2", headers=cookie(tokens["operate"])).text
    assert "Eres operate-key" in page
    assert "data-action" in page


def test_over_tls_the_cookie_is_sent_over_tls_only(world: World, tokens: dict[str, str]) -> None:
    answer = sign_in(world, tokens["read"], address=f"https://localhost{SIGN_IN}", origin="https://localhost")
    assert "secure" in {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}


STRANGE_TARGETS = [
    "https://evil.example/", "//evil.example", "/\\evil.example", "/recommend", "javascript:alert(1)", "",
    "/consolas", "/consola.evil.example", "consola", "/consola\r\nset-cookie: x=y",
]  # fmt: skip


def test_signing_in_leads_nowhere_but_to_the_console(world: World, tokens: dict[str, str]) -> None:
    for target in STRANGE_TARGETS:
        request = httpx.Request("POST", f"http://localhost:8000{SIGN_IN}", params={"a": target})
        answer = sign_in(world, tokens["read"], address=str(request.url.raw_path, "ascii"))
        assert answer.headers["location"] == "/consola", target


def test_a_wrong_key_gets_the_form_again_with_the_reason_and_no_cookie(world: World, tokens: dict[str, str]) -> None:
    for token in ("", "wr0ng", "mlops_0123456789abcdef_wrong", "x" * 5_000):
        answer = sign_in(world, token)
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
        assert "Con esta clave no se puede entrar." in answer.text
        assert not token or token not in answer.text


def test_a_page_of_another_site_cannot_sign_somebody_in_or_out(world: World, tokens: dict[str, str]) -> None:
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert sign_in(world, tokens["admin"], **foreign).status_code == 403
    answer = world.send("POST", "/consola/salir", headers={**cookie(tokens["read"]), **foreign})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_signing_out_forgets_the_key(world: World, tokens: dict[str, str]) -> None:
    answer = world.send("POST", "/consola/salir", headers={**cookie(tokens["read"]), **OURS})
    assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN)
    assert 'mlops_key=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "set-cookie" not in world.send("GET", "/consola/salir", headers=cookie(tokens["read"])).headers


def test_a_revoked_key_is_forgotten_and_leads_to_the_form(world: World, tokens: dict[str, str]) -> None:
    world.keys.revoke("operate-key")
    answer = world.send("GET", "/consola/alertas?estado=firing", headers=cookie(tokens["operate"]))
    assert (answer.status_code, answer.headers["location"]) == (303, "/consola/alertas?estado=firing")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert world.send("GET", answer.headers["location"]).headers["location"].startswith(SIGN_IN)
    assert ack(world, tokens["operate"], **OURS).status_code == 401
    assert state_of(world) == "firing"


# ---- What a session may do, and what others may do with it


def test_a_page_of_ours_acts_in_the_name_of_who_signed_in(world: World, tokens: dict[str, str]) -> None:
    assert ack(world, tokens["operate"], **OURS).status_code == 200
    found = world.alerts.get(2)
    assert (found.state, found.acknowledged_by, found.acknowledged_because) == ("acknowledged", "operate-key", "mine")


FOREIGN: Sequence[dict[str, str]] = [
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
    {"origin": "null"}, {"origin": "http://localhost:8001", "sec-fetch-site": "same-site"}, {},
    {"origin": "http://localhost:8000.evil.example"}, {"origin": "http://localhost:8000", "sec-fetch-site": "none"},
]  # fmt: skip
CHANGES = ("/alerts/2/ack", f"/models/{MODEL}/rollback", f"/models/{MODEL}/rollout/abort", "/retrain/jobs/3/approve")


def test_a_page_of_another_site_changes_nothing_with_somebodys_cookie(world: World, tokens: dict[str, str]) -> None:
    for headers in FOREIGN:
        for path in CHANGES:
            sent = {**cookie(tokens["admin"]), **headers}
            assert world.send("POST", path, json={"reason": "x"}, headers=sent).status_code == 401, (path, headers)
    assert (state_of(world), world.champion) == ("firing", "1.1.0")
    assert world.rollouts.status(MODEL) is not None
    assert world.retraining.book.get(3).state == "awaiting_approval"


def test_a_form_of_another_site_cannot_pass_for_json(world: World, tokens: dict[str, str]) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {**cookie(tokens["admin"]), **OURS, "content-type": kind}
        answer = world.send("POST", "/alerts/2/ack", content='{"reason": "x"}', headers=headers)
        assert answer.status_code == 415
    assert state_of(world) == "firing"


def test_a_key_in_a_header_needs_no_page_of_ours(world: World, tokens: dict[str, str]) -> None:
    headers = {"x-api-key": tokens["operate"], "origin": "https://tools.example", "sec-fetch-site": "cross-site"}
    answer = world.send("POST", "/alerts/2/ack", json={"reason": "x"}, headers=headers)
    assert answer.status_code == 200


def test_who_may_only_read_sees_every_page_and_no_button(world: World, tokens: dict[str, str]) -> None:
    page = world.send("GET", "/consola/alertas/2", headers=cookie(tokens["read"]))
    assert page.status_code == 200
    assert "<dialog" not in page.text
    assert "data-open" not in page.text
    answer = ack(world, tokens["read"], **OURS)
    assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed")
    assert state_of(world) == "firing"


def test_without_a_key_this_machine_alone_gets_in(world: World) -> None:
    assert "desde esta máquina" in world.send("GET", "/consola/alertas").text
    for address in ("/consola/alertas", "/consola/alertas?formato=json", "/consola/vivo"):
        answer = world.send("GET", address, client="192.0.2.7")
        assert answer.status_code == 403
        assert "latency" not in answer.text
    forwarded = world.send("GET", "/consola/alertas", headers={"x-forwarded-for": "192.0.2.7"})
    assert forwarded.status_code == 403


def test_with_a_key_every_page_every_form_of_it_and_the_stream_ask_for_one(
    world: World, tokens: dict[str, str]
) -> None:
    for address in ("/consola/alertas", "/consola/alertas/2?formato=json", "/consola/alertas?formato=csv"):
        assert world.send("GET", address).status_code == 303
        by_header = world.send("GET", address, headers={"authorization": f"Bearer {tokens['read']}"})
        assert by_header.status_code == 200
    assert world.send("GET", "/consola/vivo").status_code == 401


def test_files_and_what_is_not_there_tell_nothing_to_anybody(world: World, tokens: dict[str, str]) -> None:
    missing = world.send("GET", "/consola/no-existe", client="192.0.2.7")
    assert (missing.status_code, 'class="menu"' in missing.text) == (404, False)
    assert world.send("GET", "/consola/archivos/console.css", client="192.0.2.7").status_code == 200
