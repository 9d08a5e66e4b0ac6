"""Reentrenamiento and Despliegues: needs with their age, jobs, rollouts; what they offer touches what they show."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mlops.http.access import Visitor
from mlops.http.console.ask import Ask
from mlops.http.console.rendering import load_words
from mlops.http.console.views.rollouts import what_next
from mlops.retraining.needs import Need
from mlops.retraining.recent_needs import RecentNeeds
from tests.console_world import MODEL, NOW, World
from tests.integration.test_console_models import offer, offers, rows, said
from tests.retraining_app import SetClock

MakeWorld = Callable[..., World]


# --- Needs ----------------------------------------------------------------------------------------------------------


def need_of(model_id: str) -> Need:
    return Need(model_id, ("it is old",), (), (), {})


def test_a_need_is_told_with_its_time_and_checked_anew_once_it_is_old() -> None:
    clock = SetClock()
    checked: list[str] = []

    def check(model_id: str) -> Need:
        checked.append(model_id)
        return needs.remember(need_of(model_id))

    needs = RecentNeeds(check, clock=clock)
    first = needs.of("ranker", wait_seconds=10)
    assert first.need == need_of("ranker")
    clock.forward(minutes=9)
    assert needs.of("ranker", wait_seconds=10) == first
    assert checked == ["ranker"]
    clock.forward(minutes=2)
    assert needs.of("ranker", wait_seconds=10).checked_at == clock.now
    assert checked == ["ranker", "ranker"]


def test_who_asks_while_a_check_is_slow_gets_the_last_one_and_starts_no_second() -> None:
    clock = SetClock()
    may_end, n_begun = threading.Event(), 0

    def check(model_id: str) -> Need:
        nonlocal n_begun
        n_begun += 1
        may_end.wait(20)
        return needs.remember(need_of(model_id))

    needs = RecentNeeds(check, clock=clock)
    assert [needs.of("ranker", wait_seconds=0).need for _ in range(5)] == [None] * 5
    may_end.set()
    assert needs.of("ranker", wait_seconds=20).need is not None
    may_end.clear()
    clock.forward(hours=1)
    old = needs.of("ranker", wait_seconds=0)
    assert old.checked_at == clock.now - timedelta(hours=1)
    may_end.set()
    assert n_begun == 2


def test_a_check_that_fails_says_so_and_is_tried_again() -> None:
    clock = SetClock()
    answers: list[Any] = [ZeroDivisionError("no rows"), need_of("ranker")]

    def check(_model_id: str) -> Need:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return needs.remember(found)

    needs = RecentNeeds(check, clock=clock)
    failed = needs.of("ranker", wait_seconds=10)
    assert (failed.need, failed.problem) == (None, "ZeroDivisionError: no rows")
    clock.forward(minutes=11)
    assert needs.of("ranker", wait_seconds=10).need == need_of("ranker")


def test_the_page_says_of_needs_and_jobs_what_the_api_says(make_world: MakeWorld) -> None:
    world = make_world()
    told = world.post("/retrain/check", {"model_ids": [MODEL]})["models"][0]
    page = said(world, "/reentrenamiento")
    need = page[f"need-{MODEL}"]
    sentences = [*told["reasons"], *told["hindrances"], *told["remarks"]]
    assert [row["sentence"] for row in rows(need)] == sentences
    assert need["facts"]["checked_at"] == NOW.isoformat()
    assert need["facts"]["new_samples"] == told["figures"]["new_samples"] == 640
    jobs = world.get("/retrain/jobs")["jobs"]
    assert [row["job"] for row in rows(page["jobs"])] == [f"#{job['job_id']}" for job in jobs]
    assert [row["challenger"] for row in rows(page["jobs"])] == [job["challenger"] for job in jobs]
    failed = rows(said(world, "/reentrenamiento?estado=failed")["jobs"])
    assert [row["job"] for row in failed] == ["#2"]


def test_an_age_is_told_as_one_would_say_it(make_world: MakeWorld) -> None:
    world = make_world()
    world.clock.forward(hours=3)
    told = world.post("/retrain/check", {"model_ids": [MODEL]})["models"][0]
    assert told["figures"]["age_days"] == 8.125
    assert said(world, "/reentrenamiento")[f"need-{MODEL}"]["facts"]["age_days"] == 8.1


def test_a_job_is_approved_from_its_page_and_shows_what_it_rested_on(make_world: MakeWorld) -> None:
    world = make_world()
    page = said(world, "/reentrenamiento/3")
    job = world.get("/retrain/jobs/3")
    assert [row["sentence"] for row in rows(page["evidence"])] == [
        each["sentence"] for each in job["evidence"]["verdicts"]
    ]
    both = rows(page["evidence"], 1)[0]
    assert both["difference"] == pytest.approx(job["evidence"]["verdicts"][0]["figures"]["effect"])
    assert {row["state"] for row in rows(page["stages"])} == {
        "en espera",
        "entrenando",
        "evaluando",
        "espera aprobación",
    }
    assert [row["line"] for row in rows(page["log"])] == [line[20:] for line in job["log"]]
    approve = offer(world, "/reentrenamiento/3", "/retrain/jobs/3/approve")
    assert "1.5.0" in approve.sentence
    assert "1.1.0" in approve.sentence
    world.post(approve.url, approve.body)
    assert world.champion == "1.5.0"
    assert said(world, "/reentrenamiento/3")[""]["lead"] == "1.5.0 pasó a producción en lugar de 1.1.0."
    assert offers(world, "/reentrenamiento/3") == []


def test_progress_is_drawn_and_a_running_job_can_be_ended(make_world: MakeWorld) -> None:
    world = make_world()
    text = world.send("GET", "/consola/reentrenamiento/4").text
    assert "<title>Va por el 40\N{NO-BREAK SPACE}%</title>" in text
    assert 'width="64"' in text
    cancel = offer(world, "/reentrenamiento/4", "/retrain/jobs/4/cancel")
    assert cancel.body == {}
    assert world.post(cancel.url, cancel.body)["cancelled_by"] == "loopback"
    assert world.send("GET", "/consola/reentrenamiento/0x1").status_code == 404


# --- Rollouts -------------------------------------------------------------------------------------------------------


def test_the_page_says_of_a_rollout_what_the_api_says(make_world: MakeWorld) -> None:
    world = make_world()
    told = world.get(f"/models/{MODEL}/rollout")
    page = said(world, "/despliegues")
    panel = page["rollout-3"]
    assert panel["facts"]["challenger"] == told["rollout"]["challenger"] == "1.4.0"
    clicks = next(each for each in told["guards"] if each["guard"] == "click_rate")
    row = next(row for row in rows(panel) if row["guard"] == "listas con clic")
    assert f"({clicks['challenger']} de {clicks['n_challenger']})" in row["challenger_rate"]
    assert row["evidence_needed"] == 80
    history = world.get(f"/models/{MODEL}/rollouts")
    assert [each["rollout"] for each in rows(page["rollouts"])] == [
        f"#{each['rollout_id']}" for each in history["rollouts"]
    ]
    assert page["barred"]["facts"]["version"] == f"{MODEL} {history['barred'][0]['version']}"
    events = world.get("/rollouts/2")["events"]
    decisions = rows(said(world, "/despliegues/2")["decisions"])
    assert [row["sentence"] for row in decisions] == [event["sentence"] for event in reversed(events)]


def test_the_confidence_sequence_is_kept_and_drawn_over_time(make_world: MakeWorld) -> None:
    world = make_world()
    rollout = world.rollouts.get(3)
    look = world.rollouts.look(rollout)
    series = look.figures()["series"]
    clicks = next(each for each in look.readings if each.guard == "click_rate")
    assert series[-1]["interval"]["click_rate"] == [
        pytest.approx(clicks.low, abs=1e-3),
        pytest.approx(clicks.high, abs=1e-3),
    ]
    # Nothing failed in either arm: the ratio may be anything, and JSON has no infinity.
    assert series[-1]["interval"]["error_rate"] == [0.0, None]
    text = world.send("GET", "/consola/despliegues").text
    assert "<title>listas con clic: secuencia de confianza de la razón de odds</title>" in text
    assert "<title>peticiones fallidas: secuencia de confianza" not in text
    assert "<title>peticiones fallidas: evidencia contra el aspirante</title>" in text
    charts = {chart["caption"]: chart["rows"] for chart in said(world, "/despliegues")["rollout-3"]["charts"]}
    drawn = next(rows for caption, rows in charts.items() if caption.startswith("listas con clic: la banda"))
    assert [drawn[-1]["low"], drawn[-1]["high"]] == series[-1]["interval"]["click_rate"]


def test_what_is_done_with_a_rollout_is_not_done_with_another(make_world: MakeWorld) -> None:
    world = make_world()
    address = f"/models/{MODEL}/rollout"
    pause, promote, abort = (
        offer(world, "/despliegues", f"{address}/{name}") for name in ("pause", "promote-now", "abort")
    )
    assert {each.body["rollout_id"] for each in (pause, promote, abort)} == {3}
    world.rollouts.abort(MODEL, because="another one first", actor="luis", expected=3)
    world.rollouts.start(MODEL, "1.4.0", because="again", actor="luis")
    for stale in (pause, promote, abort, pause._replace(url=f"{address}/resume")):
        assert "rollout 3 is over" in world.post(stale.url, stale.body, status=409)["detail"]
    found = world.rollouts.status(MODEL)
    assert found is not None
    assert (found.rollout_id, found.paused_at, world.champion) == (4, None, "1.1.0")


def test_what_comes_next_is_said_with_its_time_and_what_is_missing(make_world: MakeWorld) -> None:
    world = make_world()
    world.rollouts.abort(MODEL, because="to begin anew", actor="ana")
    started = world.rollouts.start(MODEL, "1.4.0", because="again", actor="ana")
    ask = Ask("/consola", {}, {}, load_words()["es"], Visitor("ana", "operate"), world.clock())

    def told(**options: Any) -> str:
        found = world.rollouts.status(MODEL) or started
        return what_next(ask, found, world.rollouts.look(found), is_frozen=False, **options)

    # In shadow for an hour, then 5 % of the users, once a hundred requests were answered aside.
    assert told() == (
        "Desde el 2026-11-24 13:00 UTC, si ningún guardián salta, 1.4.0 pasa a responder al 5\N{NO-BREAK SPACE}% "
        "de los usuarios. Antes hacen falta 100 peticiones en esta etapa; van 0. "
        "Si el 2026-11-26 12:00 UTC no se ha promovido, se queda 1.1.0."
    )
    world.rollouts.pause(MODEL, because="a sale begins", actor="ana")
    assert told().startswith("En pausa: nada avanza")
    world.rollouts.resume(MODEL, because="it is over", actor="ana")
    world.rollouts.promote_now(MODEL, because="seen enough", actor="ana")
    assert told() == "1.4.0 ya está en producción. Si ningún guardián salta hasta el 2026-11-24 13:00 UTC, se queda."
