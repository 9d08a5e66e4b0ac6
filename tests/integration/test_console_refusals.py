"""What the buttons of the console are refused with: in the language of the page, and whether because it is old."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops import errors
from mlops.http import console
from mlops.model_registry import ApprovalPolicy
from tests.console_world import MODEL, NOW, OTHER, STATUSES, World, addresses

RANKER = f"/models/{MODEL}"
OURS = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Refusal:
    """A button's request, what went before, and how it is refused."""

    path: str
    error: str | None
    body: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[World], object] = lambda _world: None
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.path} {self.error}"

    @property
    def button(self) -> str:
        return button(self.path)


def button(path: str) -> str:
    """Which of the buttons sends to *path*, whatever it is about."""
    return re.sub(r"/(\d[\d.]*|ranker|other)(?=/)", "/*", path)


def asked_for_by_its_own(world: World) -> None:
    world.registry.approval = ApprovalPolicy(None, by_another=True)
    with pytest.raises(errors.ApprovalRequired):
        world.registry.promote(MODEL, "1.4.0", because="better", actor="loopback")


def damaged(world: World) -> None:
    for file in (world.folder / "artifacts").rglob("*"):
        if file.is_file() and file.name != "manifest.json":
            file.write_bytes(b"rubbish")


def paused(world: World) -> None:
    world.rollouts.pause(MODEL, because="until tomorrow", actor="luis")


def promoted(world: World) -> None:
    world.rollouts.promote_now(MODEL, because="no need to wait", actor="luis")


def aborted(world: World) -> None:
    world.rollouts.abort(MODEL, because="enough", actor="luis")


OLD_PAGE = [
    Refusal("/alerts/1/ack", "AlertClosed", detail="la alerta 1 (disk_space) está resuelta desde"),
    Refusal("/alerts/1/resolve", "AlertClosed"),
    Refusal("/retrain/jobs/1/approve", "JobConflict", detail="no hay nada que decidir en el trabajo 1 ("),
    Refusal("/retrain/jobs/1/reject", "JobConflict"),
    Refusal("/retrain/jobs/1/cancel", "JobConflict", detail="no hay nada que cancelar en el trabajo 1 (terminado)"),
    Refusal("/retrain/jobs/3/cancel", "JobConflict"),
    Refusal(f"{RANKER}/versions/1.4.0/promote", "Conflict", {"expected": "1.0.0"}),
    Refusal(f"{RANKER}/versions/1.4.0/promote", "Conflict", {"expected": None}),
    Refusal(f"{RANKER}/versions/1.2.0/promote", "IllegalMove"),
    Refusal(f"{RANKER}/versions/1.1.0/validate", "IllegalMove"),
    Refusal(f"{RANKER}/versions/1.1.0/archive", "IllegalMove"),
    Refusal(f"{RANKER}/versions/1.3.0/approve", "NothingToDecide"),
    Refusal(f"{RANKER}/versions/1.5.0/approve", "NothingToDecide", {"request": 99}),
    Refusal(f"{RANKER}/versions/1.3.0/reject", "NothingToDecide"),
    Refusal(f"{RANKER}/rollback", "Conflict", {"to": "1.0.0", "expected": "1.0.0"}),
    Refusal(f"{RANKER}/rollout/start", "RolloutOpen", {"version": "1.5.0"}),
    Refusal(f"{RANKER}/rollout/start", "RolloutChanged", {"version": "1.1.0"}),
    Refusal(f"{RANKER}/rollout/start", "RolloutChanged", {"version": "1.0.0"}),
    Refusal(f"{RANKER}/rollout/pause", "RolloutChanged", before=paused),
    Refusal(f"{RANKER}/rollout/pause", "RolloutChanged", {"rollout_id": 1}),
    Refusal(f"{RANKER}/rollout/resume", "RolloutChanged"),
    Refusal(f"{RANKER}/rollout/abort", "RolloutChanged", before=aborted),
    Refusal(f"{RANKER}/rollout/promote-now", "RolloutChanged", before=promoted),
    Refusal(f"{RANKER}/rollout/promote-now", "RolloutChanged", before=aborted),
    Refusal(f"{RANKER}/versions/1.3.0/unbar", "RolloutChanged"),
]
OTHERS = [
    Refusal("/alerts/99/ack", "UnknownAlert", detail="no hay ninguna alerta 99"),
    Refusal("/alerts/mute", None, {"scope": "latency", "reason": " "}, detail="reason: no puede estar vacío"),
    Refusal("/alerts/mute", None, {"scope": " "}, detail="scope: tiene que ser una clave o una regla"),
    Refusal("/freeze", None, {"reason": ""}, detail="reason: no puede estar vacío: al menos 1 carácter"),
    Refusal("/freeze", None, {"reason": "x" * 501}, detail="reason: tiene que tener como mucho 500 caracteres"),
    Refusal("/freeze", None, {"reason": "\x00"}, detail="reason: no puede tener caracteres de control"),
    Refusal("/unfreeze", "UnknownModel", {"model_id": "nothing"}),
    Refusal("/retrain/check", "UnknownModel", {"model_ids": ["nothing"], "reason": None}),
    Refusal("/retrain", "UnknownModel", {"model_id": "nothing"}),
    Refusal("/retrain", "JobOpen", {"model_id": OTHER, "seed": 5}),
    Refusal("/retrain/jobs/99/cancel", "UnknownJob", {"reason": None}),
    Refusal(f"{RANKER}/versions/9.0.0/promote", "UnknownVersion"),
    Refusal(f"{RANKER}/versions/1.4.0/promote", "ArtefactDamaged", before=damaged),
    Refusal(f"{RANKER}/versions/1.4.0/approve", "ApprovalRefused", before=asked_for_by_its_own),
    Refusal(f"{RANKER}/rollback", "NothingToRollBackTo", {"to": "1.3.0"}),
    Refusal(f"{RANKER}/rollout/start", "Barred", {"version": "1.2.0"}),
    Refusal(f"/models/{OTHER}/rollout/start", "RolloutRefused", {"version": "1.0.0"}),
]


@pytest.fixture
def world(make_world: Any) -> World:
    made: World = make_world()
    return made


def send(world: World, refusal: Refusal, **headers: str) -> httpx.Response:
    reason = {} if refusal.path.endswith("/cancel") else {"reason": "because"}
    body = {name: value for name, value in {**reason, **refusal.body}.items() if (name, value) != ("reason", None)}
    return world.send("POST", refusal.path, json=body, headers=headers)


@pytest.mark.parametrize("refusal", OLD_PAGE + OTHERS, ids=str)
def test_a_button_is_refused_in_the_language_of_its_page(world: World, refusal: Refusal) -> None:
    refusal.before(world)
    english, plain = send(world, refusal, **{"accept-language": "en"}), send(world, refusal)
    spanish = send(world, refusal, **{"accept-language": "es"})
    assert 400 <= spanish.status_code < 500
    assert (english.content, english.headers["content-language"]) == (plain.content, "en")
    assert (spanish.status_code, spanish.headers["content-language"]) == (english.status_code, "es"), english.text
    told, original = spanish.json(), english.json()
    assert told.get("error") == original.get("error") == refusal.error
    assert told["detail"].startswith(refusal.detail)
    assert told["detail"] != original["detail"]


def stale() -> set[str]:
    """The errors that the console's script takes for signs of an old page."""
    script = (Path(console.__file__).parent / "static" / "console.js").read_text("utf-8")
    found = re.search(r"STALE = new Set\(\[(.*?)\]\)", script, re.DOTALL)
    assert found is not None
    return set(re.findall(r'"(\w+)"', found[1]))


def test_the_page_takes_for_old_what_is_refused_because_it_is_old() -> None:
    assert stale() == {refusal.error for refusal in OLD_PAGE}
    assert stale().isdisjoint({refusal.error for refusal in OTHERS})
    for name in stale():
        kind = getattr(errors, name)
        assert next(STATUSES[each] for each in kind.__mro__ if each in STATUSES) == 409


def test_no_button_is_forgotten(world: World) -> None:
    pages = "".join(world.send("GET", f"/consola{address}").text for address in addresses())
    paths = {unescape(path) for path in re.findall(r'<form data-action action="([^"]+)"', pages)}
    assert len(paths) > 20
    assert {button(path) for path in paths} <= {refusal.button for refusal in OLD_PAGE + OTHERS}


# ---- Who may not


@pytest.mark.parametrize(
    ("token_of", "status", "detail"),
    [
        (
            "nobody",
            401,
            "para esto hace falta una clave de API de alcance operate, en Authorization: Bearer … o X-API-Key: …; "
            "haz una con: mlops keys create NAME --scope operate",
        ),
        ("stranger", 401, "esta clave de API no existe; `mlops keys list` muestra las que hay"),
        ("reader", 403, "la clave 'reader' tiene el alcance read, y para esto hace falta operate"),
        ("guest", 401, "la clave de API 'guest' caducó el 2026-11-25"),
        ("gone", 401, "la clave de API 'gone' se revocó el 2026-11-24"),
    ],
)
def test_a_key_that_does_not_reach_is_told_so(world: World, token_of: str, status: int, detail: str) -> None:
    tokens = {"nobody": "", "stranger": "mlops_0123456789abcdef_wrong"}
    tokens |= {name: world.keys.create(name, "read").token for name in ("reader", "gone")}
    tokens["guest"] = world.keys.create("guest", "admin", expires_at=NOW + timedelta(days=1)).token
    world.keys.revoke("gone")
    if token_of == "guest":
        world.clock.forward(hours=30)
    headers = {"x-api-key": tokens[token_of]} if tokens[token_of] else {}
    answer = send(world, OLD_PAGE[0], **{"accept-language": "es", **headers})
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


WHO: Sequence[tuple[dict[str, str], str, str]] = [
    ({}, "10.0.0.7", "la petición viene de otra máquina"),
    ({"x-forwarded-for": "10.0.0.7"}, "127.0.0.1", "la petición la reenvió un proxy"),
    ({"host": "evil.example"}, "127.0.0.1", "la petición va dirigida a un nombre distinto de localhost"),
    ({"origin": "https://evil.example"}, "127.0.0.1", "la petición viene de una página de otro sitio"),
]


@pytest.mark.parametrize(("headers", "client", "reason"), WHO)
def test_who_is_not_here_is_told_why(world: World, headers: dict[str, str], client: str, reason: str) -> None:
    sent = {"accept-language": "es", **headers}
    answer = world.send("POST", "/alerts/2/ack", json={"reason": "mine"}, headers=sent, client=client)
    assert (answer.status_code, answer.headers["content-language"]) == (403, "es")
    assert answer.json()["detail"] == (
        f"sin clave de API esto solo se puede hacer desde esta misma máquina, y {reason}; "
        "haz una clave con: mlops keys create NAME --scope operate"
    )


def test_the_form_and_the_pages_tell_it_in_their_language(world: World) -> None:
    token = world.keys.create("reader", "read").token
    form = world.send("POST", "/consola/entrar", content="clave=wr0ng", headers={**FORM, **OURS})
    assert '<span lang="es">esta clave de API no existe; `mlops keys list` muestra las que hay</span>' in form.text
    foreign = world.send("POST", "/consola/entrar", content="clave=wr0ng", headers=FORM)
    assert "el formulario no lo envió una página de este servicio" in foreign.text
    english = world.send("POST", "/consola/entrar?idioma=en", content="clave=wr0ng", headers={**FORM, **OURS})
    assert '<span lang="en">this API key is not known' in english.text
    cookie = {"cookie": f"mlops_key={token}"}
    for path, detail in (
        ("/alertas/99", "no hay ninguna alerta 99"),
        ("/alertas/none", "alert_id: tiene que ser un número a partir de 1, y es &#39;none&#39;"),
        ("/modelos/ranker/9.0.0", "ranker no tiene ninguna versión 9.0.0"),
        ("/reentrenamiento/99", "no hay ningún trabajo de reentrenamiento 99"),
    ):
        page = world.send("GET", f"/consola{path}", headers=cookie)
        assert page.status_code == 404
        assert f'<p class="problem"><span lang="es">{detail}</span></p>' in page.text
