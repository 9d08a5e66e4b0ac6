"""Resumen and Modelos: what the pages say is what the API says, what they offer does what it says, once, and fast."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from mlops import ModelMetadata, schema
from tests.console_world import MODEL, NOW, World, addresses

MakeWorld = Callable[..., World]
FORM = re.compile(
    r'<form data-action action="([^"]+)"[^>]*data-body="([^"]*)">.*?<p id="[^"]+">(.*?)</p>(.*?)</form>', re.DOTALL
)


class Offer(NamedTuple):
    """An action as a page offers it."""

    url: str
    body: dict[str, Any]
    sentence: str


def offers(world: World, address: str) -> list[Offer]:
    """What the page at *address* lets a person do, with a reason filled in where it asks for one."""
    path, _, query = address.partition("?")
    text = world.send("GET", f"/consola{path}", params=query).text
    return [
        Offer(
            url,
            json.loads(html.unescape(body)) | ({"reason": "so it is"} if 'name="reason"' in rest else {}),
            html.unescape(sentence),
        )
        for url, body, sentence, rest in FORM.findall(text)
    ]


def offer(world: World, address: str, url: str) -> Offer:
    """The one action of a page that is sent to *url*."""
    return next(each for each in offers(world, address) if each.url == url)


def said(world: World, address: str) -> dict[str, dict[str, Any]]:
    """What the page at *address* says, by panel."""
    path, _, query = address.partition("?")
    found = world.send("GET", f"/consola{path}", params=f"{query}&formato=json").json()
    return {panel["name"]: panel for panel in found["panels"]} | {"": found}


def rows(panel: dict[str, Any], number: int = 0) -> list[dict[str, Any]]:
    """The rows of a table of a panel."""
    found: list[dict[str, Any]] = panel["tables"][number]["rows"]
    return found


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The questions that the database is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    with world.database.reading() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_the_pages_say_of_versions_what_the_api_says(make_world: MakeWorld) -> None:
    world = make_world()
    page = said(world, "/modelos")
    told = world.get(f"/models/{MODEL}/versions")["versions"]
    assert [row["version"] for row in rows(page["versions"])] == [one["version"] for one in told]
    assert [row["ndcg@3"] for row in rows(page["versions"])] == [one["metrics"].get("ndcg@3") for one in told]
    model = world.get(f"/models/{MODEL}")
    assert page["champion"]["facts"]["version"] == model["production"] == "1.1.0"
    assert page["champion"]["facts"]["deployed_at"] == model["champion"]["deployment_date"]
    moves = world.get(f"/models/{MODEL}/moves", params={"limit": 25})["moves"]
    assert [(row["at"], row["version"], row["reason"]) for row in rows(page["moves"])] == [
        (move["at"], move["version"], move["because"]) for move in moves
    ]
    one = world.get(f"/models/{MODEL}/versions/1.4.0")
    shown = said(world, f"/modelos/{MODEL}/1.4.0")
    assert shown["lineage"]["facts"] == {"parent_version": one["parent_version"], **one["lineage"]}
    assert {row["metric"]: row["1.4.0"] for row in rows(shown["compare"])} == one["metrics"]
    assert shown["artefact"]["facts"] == {"artefact": one["artefact"], "n_files": 1, "n_bytes": len("0.444")}


def test_versions_stand_side_by_side_with_how_far_they_differ(make_world: MakeWorld) -> None:
    world = make_world()
    world.registry.register(ModelMetadata(MODEL, "2.0.0", metrics={"mrr": 0.7}, parameters={"num_leaves": 63}))
    metrics, parameters = (
        {row[head]: row for row in rows(said(world, f"/modelos/{MODEL}/2.0.0?con=1.4.0,1.1.0")["compare"], number)}
        for number, head in enumerate(("metric", "parameter"))
    )
    assert metrics["mrr"] == {"metric": "mrr", "2.0.0": 0.7, "1.4.0": 0.524, "1.1.0": 0.511, "difference": 0.7 - 0.524}
    assert (metrics["coverage"]["2.0.0"], metrics["coverage"]["difference"]) == (None, "distinto")
    assert (parameters["num_leaves"]["difference"], parameters["learning_rate"]["2.0.0"]) == ("distinto", None)
    assert world.send("GET", f"/consola/modelos/{MODEL}/2.0.0?con=9.9.9").status_code == 404


def test_what_the_gates_decide_on_stands_before_figures_of_the_training(make_world: MakeWorld) -> None:
    world = make_world()
    counts = {f"a_{number}": float(number) for number in range(8)}
    world.registry.register(
        ModelMetadata(MODEL, "2.0.0", metrics={**counts, "closeness": -0.7}), artefact={"model.json": b"1"}
    )
    world.registry.promote(MODEL, "2.0.0", because="closer")
    for address in ("", "/modelos"):
        facts = said(world, address)["champion"]["facts"]
        assert [name for name in facts if name in {*counts, "closeness"}] == ["closeness", *list(counts)[:5]]
    assert list(rows(said(world, "/modelos")["versions"])[0])[4:] == [
        "closeness", "coverage", "mrr", "ndcg@3", "mean", "a_0",
    ]  # fmt: skip
    side_by_side = rows(said(world, f"/modelos/{MODEL}/2.0.0")["compare"])
    assert [row["metric"] for row in side_by_side] == ["closeness", *counts]


def test_leafing_through_shows_every_version_once(make_world: MakeWorld) -> None:
    world = make_world()
    add_versions(world, 120)
    found: list[str] = []
    address = "/modelos"
    while address:
        text = world.send("GET", f"/consola{address}").text
        panel = text[text.index('id="versions"') : text.index('id="moves"')]
        found += re.findall(rf'<th role="rowheader" scope="row"><a href="/consola/modelos/{MODEL}/([^"]+)"', panel)
        older = re.search(r'href="/consola(/modelos\?[^"]*antes=[^"]+)" rel="next"', panel)
        address = html.unescape(older[1]) if older else ""
    assert found == [one.version for one in world.registry.list_models(MODEL)]


def test_a_page_asks_as_many_questions_for_many_versions_as_for_few(make_world: MakeWorld) -> None:
    world = make_world()
    paths = ["", "/modelos", f"/modelos/{MODEL}/1.4.0", "/reentrenamiento", "/despliegues"]
    few = {path: len(asked_for(world, path)) for path in paths}
    add_versions(world, 1_000)
    add_jobs(world, 300)
    many = {path: len(asked_for(world, path)) for path in paths}
    # One more: a page that is full asks nothing more, but the model's newest versions to compare with have changed.
    assert all(many[path] <= few[path] + 1 for path in paths), (few, many)
    assert max(many.values()) < 40


def test_a_page_that_is_old_promotes_nothing_else_than_it_shows(make_world: MakeWorld) -> None:
    world = make_world()
    old = offer(world, f"/modelos/{MODEL}/1.4.0", f"/models/{MODEL}/versions/1.4.0/promote")
    assert old.body["expected"] == "1.1.0"
    assert "1.4.0" in old.sentence
    assert "1.1.0" in old.sentence
    approve = offer(world, f"/modelos/{MODEL}/1.5.0", f"/models/{MODEL}/versions/1.5.0/approve")
    back = offer(world, "", f"/models/{MODEL}/rollback")
    assert (back.body["to"], back.body["expected"]) == ("1.0.0", "1.1.0")
    world.registry.rollback(MODEL, because="somebody else was first")
    for stale in (old, approve, back):
        refused = world.post(stale.url, stale.body, status=409)
        assert "1.0.0" in refused["detail"]
    assert world.champion == "1.0.0"


def test_going_back_goes_where_the_page_said(make_world: MakeWorld) -> None:
    world = make_world()
    back = offer(world, "", f"/models/{MODEL}/rollback")
    assert "1.1.0" in back.sentence
    assert "1.0.0" in back.sentence
    world.post(back.url, back.body)
    assert world.champion == "1.0.0"
    assert said(world, "")["champion"]["facts"]["version"] == "1.0.0"
    row = rows(said(world, "")["changes"])[0]
    assert (row["event"], row["subject"], row["actor"], row["reason"]) == (
        "vuelta atrás", f"{MODEL} 1.0.0", "loopback", "so it is",
    )  # fmt: skip


def test_a_request_that_took_the_place_of_another_is_not_approved_for_it(make_world: MakeWorld) -> None:
    world = make_world()
    old = offer(world, f"/modelos/{MODEL}/1.5.0", f"/models/{MODEL}/versions/1.5.0/approve")
    world.registry.reject(MODEL, "1.5.0", because="not this one")
    world.retraining.promote_to_production(MODEL, "1.5.0", actor="luis")
    for action in ("approve", "reject"):
        refused = world.post(f"/models/{MODEL}/versions/1.5.0/{action}", old.body, status=409)
        assert f"request {old.body['request']} does not wait any more" in refused["detail"]
    assert world.champion == "1.1.0"
    assert world.get("/approvals", params={"state": "pending"})["approvals"][0]["version"] == "1.5.0"


def test_everything_that_the_pages_offer_is_carried_out(make_world: MakeWorld) -> None:
    """By the API, as it is offered; each in a world of its own, since one may make another impossible."""
    first = make_world()
    first.registry.freeze(MODEL, because="until we know why")
    seen: dict[str, tuple[str, Offer]] = {}
    for address in addresses():
        for each in offers(first, address):
            seen.setdefault(re.sub(r"\d+(\.\d+)*", "N", each.url), (address, each))
    names = {pattern.rsplit("/", 1)[-1] for pattern in seen}
    assert names >= {
        "promote", "rollback", "validate", "archive", "approve", "reject", "unbar", "unfreeze", "check", "retrain",
        "cancel", "pause", "abort", "promote-now",
    }  # fmt: skip
    for _, each in seen.values():
        if "/alerts" in each.url or each.url.endswith(("freeze", "check")):
            continue
        answer = make_world().send("POST", each.url, json=each.body)
        assert answer.status_code in {200, 202}, (each, answer.text)


def test_a_version_on_its_way_says_so_and_a_second_rollout_is_not_offered(make_world: MakeWorld) -> None:
    world = make_world()
    page = said(world, f"/modelos/{MODEL}/1.4.0")
    assert page[""]["lead"].endswith("1.4.0 responde a una parte de los usuarios junto a 1.1.0.")
    facts = page["version"]["facts"]
    assert (facts["rollout"], facts["stage"], facts["share"]) == ("#3", "canario", "20\N{NO-BREAK SPACE}%")
    assert 'href="/consola/despliegues/3"' in world.send("GET", f"/consola/modelos/{MODEL}/1.4.0").text
    assert said(world, f"/modelos/{MODEL}/1.5.0")["version"]["facts"]["rollout_of_another"] == "#3: 1.4.0"
    start = f"/models/{MODEL}/rollout/start"
    for version in ("1.4.0", "1.5.0"):
        assert start not in {each.url for each in offers(world, f"/modelos/{MODEL}/{version}")}
    world.rollouts.abort(MODEL, because="enough was seen", actor="ana")
    assert "rollout" not in said(world, f"/modelos/{MODEL}/1.4.0")["version"]["facts"]
    again = offer(world, f"/modelos/{MODEL}/1.4.0", start)
    assert again.sentence.replace("\N{NO-BREAK SPACE}", " ") == (
        "ranker 1.4.0 empieza a entrar poco a poco junto a 1.1.0. El plan: responde al 20 % y 50 % de los usuarios, al "
        "menos 1 h cada parte; pasa a producción, vigilada 1 h. Los guardianes (peticiones fallidas, más lentas que el "
        "p95 del campeón, listas con clic, respuestas no válidas y fallos seguidos) la retiran solos si empeora. Si en "
        "24 h no se ha promovido, se queda 1.1.0."
    )
    world.post(again.url, again.body)


def test_what_ends_a_rollout_says_so_before_it_is_done(make_world: MakeWorld) -> None:
    world = make_world()
    of = f"/modelos/{MODEL}"
    ends = "Con ello termina el despliegue 3"
    for version, action in (("1.4.0", "archive"), ("1.5.0", "approve"), ("1.1.0", "archive")):
        found = offer(world, f"{of}/{version}", f"/models/{MODEL}/versions/{version}/{action}")
        assert f"{ends}: nadie recibe ya 1.4.0" in found.sentence
    for address in ("", "/modelos", f"{of}/1.0.0"):
        assert ends in offer(world, address, f"/models/{MODEL}/rollback").sentence
    assert ends not in offer(world, f"{of}/1.5.0", f"/models/{MODEL}/versions/1.5.0/reject").sentence
    promote = offer(world, f"{of}/1.4.0", f"/models/{MODEL}/versions/1.4.0/promote")
    assert "El despliegue 3 se salta las etapas que quedan" in promote.sentence
    world.post(promote.url, promote.body)
    world.rollouts.step()
    watched = said(world, f"{of}/1.4.0")
    assert watched["version"]["facts"]["stage"] == "vigilado en producción"
    assert f"{ends}, y 1.4.0 queda vetada." in offer(world, "", f"/models/{MODEL}/rollback").sentence
    back = offer(world, "", f"/models/{MODEL}/rollback")
    world.post(back.url, back.body)
    world.rollouts.step()
    assert [bar.version for bar in world.rollouts.bars(MODEL)][-1] == "1.4.0"


def test_the_overview_says_in_plain_words_what_is_wrong(make_world: MakeWorld) -> None:
    world = make_world()
    health = {
        "status": "degraded",
        "reasons": ["index: it is gone", "9.0% of 300 requests failed; the line is 5.0%", "5 % took longer than 9 s"],
        "problems": {"index": "it is gone"},
        "api": {
            "window_minutes": 60,
            "request_count": 300,
            "error_rate": 0.09,
            "latency_ms": {"p95": 9_000.0},
            "problems": ["9.0% of 300 requests failed; the line is 5.0%", "5 % took longer than 9 s"],
            "thresholds": {"latency_ms": 5_000, "error_rate": 0.05},
        },
    }
    view = overview_of(world, health=lambda: health, serving=lambda model_id: "1.0.0")
    assert view["verdict"] == "a medias"
    panels = {panel["name"]: panel for panel in view["panels"]}
    assert rows(panels["health"]) == [
        {"what_is_wrong": "El índice de búsqueda no está.", "in_detail": "it is gone"},
        {"what_is_wrong": "Falla el 9\N{NO-BREAK SPACE}% de las peticiones; el límite es 5\N{NO-BREAK SPACE}%.",
         "in_detail": health["reasons"][1]},
        {"what_is_wrong": "Las respuestas tardan demasiado: el p95 pasa de 5.000\N{NO-BREAK SPACE}ms.",
         "in_detail": health["reasons"][2]},
    ]  # fmt: skip
    assert panels["champion"]["facts"]["serving"] == "¡este proceso responde con 1.0.0!"


def test_all_is_not_well_while_alerts_are_open(make_world: MakeWorld) -> None:
    world = make_world()
    well = {"health": lambda: {"status": "ok"}}
    assert overview_of(world, **well)["verdict"] == "responde, con 1 alerta crítica abierta"
    for each in world.alerts.open_alerts():
        if each.severity == "critical":
            world.alerts.resolve(each.alert_id, because="over", actor="ana")
    assert overview_of(world, **well)["verdict"] == "responde, con 2 avisos abiertos"
    for each in world.alerts.open_alerts():
        world.alerts.resolve(each.alert_id, because="over", actor="ana")
    world.fire("note", "A job waits.", "info")
    assert overview_of(world, **well)["verdict"] == "todo bien"


def test_the_overview_tells_what_waits_and_what_changed_once(make_world: MakeWorld) -> None:
    world = make_world()
    world.registry.freeze(because="a holiday", actor="luis")
    page = said(world, "")
    assert [row["what"] for row in rows(page["waiting"])] == [
        "reentrenamiento por aprobar", "despliegue en marcha", "movimientos automáticos parados",
    ]  # fmt: skip
    assert rows(page["waiting"])[0]["subject"] == f"{MODEL} 1.5.0"
    changes = rows(page["changes"])
    assert len(changes) == 15
    assert [row["at"] for row in changes] == sorted((row["at"] for row in changes), reverse=True)
    assert changes[0] == {
        "at": NOW.isoformat(), "event": "movimientos automáticos parados", "subject": "todos los modelos",
        "actor": "luis", "reason": "a holiday",
    }  # fmt: skip
    # The rollout tells that 1.2.0 was taken back; that it was archived with it is no news.
    assert [row["event"] for row in changes if row["at"] == "2026-11-15T12:20:00+00:00"] == [
        "despliegue de 1.2.0: retirado"
    ]
    facts = page["quality"]["facts"]
    assert (facts["guards_calm"], facts["last_compared"], facts["outcome"]) == ("5 de 5", "1.5.0", "espera aprobación")


def test_the_headline_is_the_newest_estimate_with_its_band(make_world: MakeWorld) -> None:
    world = make_world()
    for bound, value in (("rate", 0.31), ("low", 0.29), ("high", 0.33)):
        world.metrics.record("expected_rate", value, {"outcome": "click", "bound": bound})
        world.metrics.record("expected_rate", value / 2, {"outcome": "cook", "bound": bound})
    facts = said(world, "")["quality"]["facts"]
    percent = "\N{NO-BREAK SPACE}%"
    assert (facts["estimate"], facts["band"]) == (f"31{percent}", f"29{percent} a 33{percent}")
    assert "is_old" not in {name for name, value in facts.items() if value is not None}
    world.clock.forward(days=2)
    assert said(world, "")["quality"]["facts"]["is_old"] == "más de un día"


def add_versions(world: World, n: int) -> None:
    """*n* versions more, each with a promotion behind it."""
    at = NOW
    shared = {"model_id": MODEL, "generation": 1, "registered_at": at, "deployed_at": at, "status": "archived"}
    content = json.dumps(
        {
            "model_type": "hybrid", "description": "", "metrics": {"mrr": 0.5}, "parameters": {},
            "parent_version": None, "tags": [], "lineage": None,
        }
    )  # fmt: skip
    move = {
        "model_id": MODEL, "kind": "moved", "from_status": "validation", "to_status": "production", "outcome": "done",
        "at": at, "actor": "ana", "automatic": False, "because": "better", "evidence": None,
    }  # fmt: skip
    with world.database.writing() as connection:
        versions = [{**shared, "version": f"5.{number}.0", "content": content} for number in range(n)]
        connection.execute(schema.model_versions.insert(), versions)
        # Before those that there are, so that the champion stays the one that came last.
        first = [{**move, "version": one["version"], "move_id": -n + number} for number, one in enumerate(versions)]
        connection.execute(schema.moves.insert(), first)


def add_jobs(world: World, n: int) -> None:
    """*n* jobs more, all over."""
    with world.database.writing() as connection:
        row = dict(connection.execute(sa.select(schema.retraining_jobs)).mappings().first() or {})
        row.pop("job_id")
        connection.execute(schema.retraining_jobs.insert(), [row] * n)


def asked_for(world: World, path: str) -> list[str]:
    """The questions to the database that a page takes."""
    with counted(world) as asked:
        assert world.send("GET", f"/consola{path}").status_code == 200
    return list(asked)


def overview_of(world: World, **changed: Any) -> dict[str, Any]:
    """What the overview says where the application says something else of itself."""
    from mlops.http.access import Visitor
    from mlops.http.console.ask import Ask
    from mlops.http.console.exports import as_json
    from mlops.http.console.rendering import load_words
    from mlops.http.console.views.overview import overview

    ask = Ask("/consola", {}, {}, load_words()["es"], Visitor("ana", "operate"), world.clock())
    return as_json(overview(world.parts(**changed), ask), ask)
