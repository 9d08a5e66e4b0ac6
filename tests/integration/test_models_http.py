"""The registry over HTTP, on both databases: what is read, what changes, and how errors are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops import ModelMetadata, errors
from mlops.artefacts import MemoryArtefacts
from mlops.errors import StoreUnavailable
from mlops.http import models, retraining, rollouts
from mlops.model_registry import ApprovalPolicy
from mlops.store import Database
from tests.models_app import ModelsApp

RANKER = "/models/ranker"


@pytest.fixture
def app(emptied_database: Database) -> ModelsApp:
    return ModelsApp(emptied_database)


@pytest.fixture
def asking(emptied_database: Database) -> ModelsApp:
    """Promotions wait for a person, who must be somebody else than who asked."""
    return ModelsApp(emptied_database, approval=ApprovalPolicy(None, by_another=True))


@pytest.fixture
def quick(sqlite_database: Database) -> ModelsApp:
    """Where the database does not matter."""
    return ModelsApp(sqlite_database)


def promote(version: str) -> str:
    return f"{RANKER}/versions/{version}/promote"


# --- Reading --------------------------------------------------------------------------------------------------------


def test_all_models_are_listed_with_the_fields_of_their_champion(app: ModelsApp) -> None:
    other, ranker = app.get("/models")["models"]
    assert (ranker["model_id"], ranker["production"], ranker["newest"]) == ("ranker", "1.0.0", "1.0.2")
    assert (ranker["version"], ranker["status"], ranker["metrics"]) == ("1.0.0", "production", {"ndcg@3": 0.4})
    assert (ranker["n_versions"], ranker["is_frozen"], ranker["tags"]) == (3, False, ["nightly"])
    assert (other["model_id"], other["production"], other["version"], other["n_versions"]) == ("other", None, None, 1)
    assert set(other) == set(ranker)


def test_no_models_are_an_empty_list(emptied_database: Database) -> None:
    app = ModelsApp(emptied_database, is_empty=True)
    assert app.get("/models") == {"models": []}
    assert app.get("/approvals") == {"approvals": [], "next": None}


def test_one_model_tells_who_is_champion_and_what_this_process_serves(app: ModelsApp) -> None:
    app.serves["ranker"] = "0.9.9"
    found = app.get(RANKER)
    assert (found["production"], found["serving"], found["newest"]) == ("1.0.0", "0.9.9", "1.0.2")
    assert found["champion"] == app.get(f"{RANKER}/production")
    assert (found["is_frozen"], found["freeze"], found["pending_approvals"]) == (False, None, [])
    assert app.get("/models/other")["champion"] is None
    assert app.get("/models/other")["serving"] is None


def test_the_version_in_production_is_the_registry_s(app: ModelsApp) -> None:
    champion = app.registry.get_production_model("ranker")
    assert champion is not None
    assert app.get(f"{RANKER}/production") == champion.to_dict()


def test_a_model_without_a_champion_is_told_from_an_unknown_one(app: ModelsApp) -> None:
    without = app.get("/models/other/production", status=404)
    assert (without["error"], without["detail"]) == ("UnknownVersion", "other has no version in production")
    unknown = app.get("/models/rank/production", status=404)
    assert (unknown["error"], unknown["detail"]) == (
        "UnknownModel", "nothing of a model 'rank' was ever registered",
    )  # fmt: skip


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_of_versions_make_the_whole_list(app: ModelsApp, limit: int) -> None:
    seen: list[str] = []
    page = app.get(f"{RANKER}/versions", params={"limit": limit})
    while True:
        seen += [one["version"] for one in page["versions"]]
        if page["next"] is None:
            break
        assert len(page["versions"]) == limit
        page = app.get(f"{RANKER}/versions", params={"limit": limit, "before": page["next"]})
    assert seen == ["1.0.2", "1.0.1", "1.0.0"]


def test_versions_are_listed_by_status(app: ModelsApp) -> None:
    found = app.get(f"{RANKER}/versions", params={"status": "training"})
    assert [one["version"] for one in found["versions"]] == ["1.0.2", "1.0.1"]
    assert app.get(f"{RANKER}/versions", params={"status": "archived"})["versions"] == []


def test_a_page_holds_a_hundred_unless_told_otherwise(app: ModelsApp) -> None:
    for number in range(101):
        app.registry.register(ModelMetadata("many", f"1.0.{number}"))
    page = app.get("/models/many/versions")
    assert (len(page["versions"]), page["next"]) == (100, "1.0.1")
    assert len(app.get("/models/many/moves")["moves"]) == 100


def test_one_version_is_the_registry_s(app: ModelsApp) -> None:
    one = app.registry.get_model("ranker", "1.0.1")
    assert one is not None
    assert app.get(f"{RANKER}/versions/1.0.1") == one.to_dict()
    assert "newest are 1.0.2" in app.get(f"{RANKER}/versions/7.0.0", status=404)["detail"]


def test_moves_come_newest_first_and_page_by_page(app: ModelsApp) -> None:
    made = [move.to_dict() for move in reversed(app.registry.moves("ranker"))]
    assert app.get(f"{RANKER}/moves") == {"model_id": "ranker", "moves": made, "next": None}
    first = app.get(f"{RANKER}/moves", params={"limit": 2})
    rest = app.get(f"{RANKER}/moves", params={"before": first["next"]})
    assert [*first["moves"], *rest["moves"]] == made


def test_moves_of_one_version(app: ModelsApp) -> None:
    found = app.get(f"{RANKER}/moves", params={"version": "1.0.0"})["moves"]
    assert [(move["from_status"], move["to_status"]) for move in found] == [
        ("validation", "production"), ("training", "validation"), (None, "training"),
    ]  # fmt: skip
    assert app.get(f"{RANKER}/moves", params={"version": "7.0.0"}, status=404)["error"] == "UnknownVersion"


def test_what_was_in_production_at_a_time(emptied_database: Database) -> None:
    now = datetime(2026, 11, 17, 9, tzinfo=UTC)
    app = ModelsApp(emptied_database, clock=lambda: now)
    now += timedelta(hours=1)
    app.post(promote("1.0.1"))
    ask = lambda time: app.get(f"{RANKER}/at", params={"time": time})  # noqa: E731
    assert ask("2026-11-17T10:00:00Z")["version"]["version"] == "1.0.1"
    assert ask("2026-11-17T09:59:59.999999+00:00")["version"]["version"] == "1.0.0"
    assert ask("2026-11-17T10:30:00+01:00") == {**ask("2026-11-17T09:30:00"), "time": "2026-11-17T09:30:00+00:00"}
    assert ask("2026-11-17") == {"model_id": "ranker", "time": "2026-11-17T00:00:00+00:00", "version": None}


@pytest.mark.parametrize(
    "query",
    ["", "?time=", "?time=yesterday", "?time=1700000000", "?time=2026-11-17T09:00:00+00:00",
     "?time=0001-01-01T00:00:00%2B14:00", "?time=2026-02-30", "?time=%00"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_an_example(quick: ModelsApp, query: str) -> None:
    problem = quick.get(f"{RANKER}/at{query}", status=422)
    assert problem["errors"][0]["field"] == "time"
    assert query == "" or "2026-11-17T09:00:00Z" in problem["detail"]


@pytest.mark.parametrize(
    "path",
    ["", "/production", "/versions", "/versions/1.0.0", "/moves", "/moves?version=1.0.0", "/at?time=2026-11-17",
     "/versions?before=1.0.0"],
)  # fmt: skip
def test_an_unknown_model_is_not_found_and_names_are_exact(quick: ModelsApp, path: str) -> None:
    for model_id in ("nothing", "rank", "ranker_", "Ranker"):
        assert quick.get(f"/models/{model_id}{path}", status=404)["error"] == "UnknownModel"


@pytest.mark.parametrize(
    "path",
    ["/models/%00", "/models/a%20b", f"/models/{'a' * 129}", "/models/-x/versions", "/models/r%C3%A1nker",
     f"{RANKER}/versions/1", f"{RANKER}/versions/1.0.0%00", f"{RANKER}/versions/01.0.0", f"{RANKER}/versions/1.0.0%0A",
     f"{RANKER}/versions/1.0.%D9%A3", f"{RANKER}/versions?limit=0", f"{RANKER}/versions?limit=1001",
     f"{RANKER}/versions?status=live", f"{RANKER}/versions?before=x", f"{RANKER}/moves?before=0",
     f"{RANKER}/moves?before={2**31}", f"{RANKER}/moves?before={10**30}", f"{RANKER}/moves?version=%00",
     "/approvals?state=done", "/approvals?limit=-1"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_field(app: ModelsApp, path: str) -> None:
    assert app.get(path, status=422)["errors"][0]["field"]


# --- Promotion and rollback -----------------------------------------------------------------------------------------


def test_a_promotion_answers_with_what_is_so_now(app: ModelsApp) -> None:
    answer = app.post(promote("1.0.1"), {"reason": "ndcg@3 +0.02", "evidence": {"ndcg@3": 0.42, "n": [1, 2]}})
    assert (answer["model_id"], answer["production"], answer["previous"]) == ("ranker", "1.0.1", "1.0.0")
    assert answer["version"] == app.get(f"{RANKER}/production")
    newest = app.get(f"{RANKER}/moves", params={"limit": 1})["moves"][0]
    assert (newest["actor"], newest["because"], newest["automatic"]) == ("loopback", "ndcg@3 +0.02", False)
    assert newest["evidence"] == {"ndcg@3": 0.42, "n": [1, 2]}


def test_the_first_promotion_replaces_nothing(app: ModelsApp) -> None:
    answer = app.post("/models/other/versions/1.0.0/promote")
    assert (answer["production"], answer["previous"]) == ("1.0.0", None)


def test_what_else_happens_at_the_same_instant_is_not_taken_for_a_replacement(emptied_database: Database) -> None:
    now = datetime(2026, 11, 17, 9, tzinfo=UTC)
    app = ModelsApp(emptied_database, clock=lambda: now)
    app.registry.register(ModelMetadata("other", "1.0.1"))
    assert app.post("/models/other/versions/1.0.0/promote")["previous"] is None
    assert app.post("/models/other/versions/1.0.1/promote")["previous"] == "1.0.0"


def test_a_promotion_that_is_repeated_answers_the_same_and_moves_nothing(app: ModelsApp) -> None:
    first = app.post(promote("1.0.1"))
    moved = app.registry.moves("ranker")
    assert app.post(promote("1.0.1")) == first
    assert app.registry.moves("ranker") == moved


@pytest.mark.parametrize("expected", ["1.0.2", None])
def test_a_stale_page_does_not_promote_over_another_version(app: ModelsApp, expected: str | None) -> None:
    problem = app.post(promote("1.0.1"), {"reason": "better", "expected": expected}, status=409)
    assert problem["error"] == "Conflict"
    assert "1.0.0 is in production" in problem["detail"]
    assert app.champion == "1.0.0"


def test_a_page_that_saw_the_champion_promotes(app: ModelsApp) -> None:
    app.post(promote("1.0.1"), {"reason": "better", "expected": "1.0.0"})
    app.post("/models/other/versions/1.0.0/promote", {"reason": "first", "expected": None})
    assert app.champion == "1.0.1"


def test_a_rollback_answers_with_what_is_so_now(app: ModelsApp) -> None:
    app.post(promote("1.0.1"))
    app.post(promote("1.0.2"))
    answer = app.post(f"{RANKER}/rollback")
    assert (answer["production"], answer["previous"], answer["version"]["status"]) == ("1.0.1", "1.0.2", "production")
    answer = app.post(f"{RANKER}/rollback", {"reason": "worse still"})
    assert (answer["production"], answer["previous"]) == ("1.0.0", "1.0.1")
    assert app.post(f"{RANKER}/rollback", status=409)["error"] == "NothingToRollBackTo"


def test_a_rollback_asked_for_twice_goes_back_once(app: ModelsApp) -> None:
    app.post(promote("1.0.1"))
    app.post(promote("1.0.2"))
    body = {"reason": "worse", "expected": "1.0.2"}
    app.post(f"{RANKER}/rollback", body)
    assert app.post(f"{RANKER}/rollback", body, status=409)["error"] == "Conflict"
    assert app.champion == "1.0.1"


def test_a_rollback_to_a_version(app: ModelsApp) -> None:
    app.post(promote("1.0.1"))
    app.post(promote("1.0.2"))
    answer = app.post(f"{RANKER}/rollback", {"reason": "worse", "to": "1.0.0"})
    assert (answer["production"], answer["previous"]) == ("1.0.0", "1.0.2")
    assert app.post(f"{RANKER}/rollback", {"reason": "worse", "to": "7.0.0"}, status=404)["error"] == "UnknownVersion"


def test_files_that_are_not_there_keep_a_version_from_production(app: ModelsApp) -> None:
    app.registry.artefacts = MemoryArtefacts()
    assert app.post(promote("1.0.1"), status=409)["error"] == "ArtefactMissing"
    assert app.champion == "1.0.0"


# --- Other moves ----------------------------------------------------------------------------------------------------


def test_a_version_is_validated_with_its_evidence(app: ModelsApp) -> None:
    answer = app.post(f"{RANKER}/versions/1.0.1/validate", {"reason": "checked", "evidence": {"ok": True}})
    assert (answer["version"]["status"], answer["production"], answer["previous"]) == ("validation", "1.0.0", None)
    assert app.registry.moves("ranker")[-1].evidence == {"ok": True}


def test_a_version_is_archived_and_comes_back_by_no_promotion(app: ModelsApp) -> None:
    answer = app.post(f"{RANKER}/versions/1.0.1/archive")
    assert (answer["version"]["status"], answer["production"], answer["previous"]) == ("archived", "1.0.0", None)
    problem = app.post(promote("1.0.1"), status=409)
    assert problem["error"] == "IllegalMove"
    assert "from archived to production" in problem["detail"]


def test_the_champion_is_archived_only_where_that_is_said(app: ModelsApp) -> None:
    problem = app.post(f"{RANKER}/versions/1.0.0/archive", status=409)
    assert "`retire`" in problem["detail"]
    assert app.champion == "1.0.0"
    answer = app.post(f"{RANKER}/versions/1.0.0/archive", {"reason": "the end", "retire": True})
    assert (answer["version"]["status"], answer["production"], answer["previous"]) == ("archived", None, "1.0.0")


@pytest.mark.parametrize("change", ["promote", "archive", "validate", "approve", "reject"])
def test_an_unknown_version_or_model_cannot_be_moved(quick: ModelsApp, change: str) -> None:
    status, errors = (409, {"NothingToDecide"}) if change == "reject" else (404, {"UnknownVersion"})
    assert quick.post(f"{RANKER}/versions/7.0.0/{change}", status=status)["error"] in errors
    assert quick.post(f"/models/nothing/versions/1.0.0/{change}", status=404)["error"] == "UnknownModel"


# --- Approval -------------------------------------------------------------------------------------------------------


def test_a_promotion_that_needs_a_person_is_accepted_and_waits(asking: ModelsApp) -> None:
    answer = asking.post(promote("1.0.1"), {"reason": "better", "evidence": {"p": 0.01}}, status=202)
    assert (answer["model_id"], answer["production"]) == ("ranker", "1.0.0")
    waiting = answer["approval"]
    assert (waiting["version"], waiting["state"], waiting["requested_by"]) == ("1.0.1", "pending", "loopback")
    assert (waiting["champion"], waiting["because"], waiting["evidence"]) == ("1.0.0", "better", {"p": 0.01})
    assert asking.get(RANKER)["pending_approvals"] == [waiting]
    assert asking.get("/approvals", params={"state": "pending"}) == {"approvals": [waiting], "next": None}
    assert asking.post(promote("1.0.1"), status=202)["approval"] == waiting


def test_another_person_approves_and_it_is_carried_out(asking: ModelsApp) -> None:
    asking.post(promote("1.0.1"), status=202)
    path = f"{RANKER}/versions/1.0.1/approve"
    refused = asking.post(path, status=409)
    assert (refused["error"], asking.champion) == ("ApprovalRefused", "1.0.0")
    token = asking.keys.create("eva", "operate").token
    answer = asking.post(path, headers={"x-api-key": token})
    assert (answer["production"], answer["previous"]) == ("1.0.1", "1.0.0")
    (decided,) = asking.get("/approvals", params={"state": "approved"})["approvals"]
    assert decided["decided_by"] == "eva"


def test_an_approval_after_another_promotion_is_a_conflict(emptied_database: Database) -> None:
    app = ModelsApp(emptied_database, approval=ApprovalPolicy(None))
    for version in ("1.0.1", "1.0.2"):
        app.post(promote(version), status=202)
    app.post(f"{RANKER}/versions/1.0.2/approve")
    assert app.post(f"{RANKER}/versions/1.0.1/approve", status=409)["error"] == "Conflict"
    assert app.champion == "1.0.2"


def test_a_rejected_promotion_moves_nothing_and_waits_no_more(asking: ModelsApp) -> None:
    asking.post(promote("1.0.1"), status=202)
    path = f"{RANKER}/versions/1.0.1/reject"
    answer = asking.post(path, {"reason": "too slow"})
    assert (answer["production"], answer["approval"]["state"]) == ("1.0.0", "rejected")
    assert answer["approval"]["decided_because"] == "too slow"
    assert asking.get(RANKER)["pending_approvals"] == []
    assert asking.post(path, status=409)["error"] == "NothingToDecide"


def test_requests_come_newest_first_and_page_by_page(asking: ModelsApp) -> None:
    for version in ("1.0.1", "1.0.2"):
        asking.post(promote(version), status=202)
    first = asking.get("/approvals", params={"limit": 1})
    assert [each["version"] for each in first["approvals"]] == ["1.0.2"]
    rest = asking.get("/approvals", params={"before": first["next"]})
    assert ([each["version"] for each in rest["approvals"]], rest["next"]) == (["1.0.1"], None)
    assert asking.get("/approvals", params={"state": "rejected"})["approvals"] == []


# --- Freeze ---------------------------------------------------------------------------------------------------------


def test_a_freeze_of_one_model_is_its_own(app: ModelsApp) -> None:
    answer = app.post("/freeze", {"reason": "incident", "model_id": "ranker"})
    assert (answer["model_id"], answer["is_frozen"]) == ("ranker", True)
    assert (answer["freeze"]["because"], answer["freeze"]["frozen_by"]) == ("incident", "loopback")
    assert app.get(RANKER)["freeze"] == answer["freeze"]
    assert [each["is_frozen"] for each in app.get("/models")["models"]] == [False, True]
    lifted = app.post("/unfreeze", {"reason": "over", "model_id": "ranker"})
    assert (lifted["is_frozen"], lifted["freeze"], lifted["lifted"]["lifted_because"]) == (False, None, "over")


def test_a_freeze_of_all_models_is_lifted_by_itself(app: ModelsApp) -> None:
    assert app.post("/freeze")["freeze"]["scope"] == "*"
    assert app.get(RANKER)["is_frozen"]
    one = app.post("/unfreeze", {"reason": "over", "model_id": "ranker"})
    assert (one["is_frozen"], one["lifted"]) == (True, None)
    everything = app.post("/unfreeze")
    assert (everything["model_id"], everything["is_frozen"], everything["lifted"]["scope"]) == (None, False, "*")
    assert app.post("/unfreeze")["lifted"] is None


def test_people_may_move_versions_of_a_frozen_model(app: ModelsApp) -> None:
    app.post("/freeze")
    assert app.post(promote("1.0.1"))["production"] == "1.0.1"


@pytest.mark.parametrize("path", ["/freeze", "/unfreeze"])
def test_an_unknown_model_can_neither_be_frozen_nor_thawed(quick: ModelsApp, path: str) -> None:
    assert quick.post(path, {"reason": "x", "model_id": "nothing"}, status=404)["error"] == "UnknownModel"


# --- Bodies and errors ----------------------------------------------------------------------------------------------

WRONG_BODIES: list[tuple[str, dict[str, Any], str]] = [
    (promote("1.0.1"), {}, "reason"),
    (promote("1.0.1"), {"reason": ""}, "reason"),
    (promote("1.0.1"), {"reason": " \n\t"}, "reason"),
    (promote("1.0.1"), {"reason": "a" * 501}, "reason"),
    (promote("1.0.1"), {"reason": "a\0b"}, "reason"),
    (promote("1.0.1"), {"reason": "a\x1b[31m"}, "reason"),
    (promote("1.0.1"), {"reason": 5}, "reason"),
    (promote("1.0.1"), {"reason": None}, "reason"),
    (promote("1.0.1"), {"reason": "x", "expected": "latest"}, "expected"),
    (promote("1.0.1"), {"reason": "x", "evidence": "yes"}, "evidence"),
    (promote("1.0.1"), {"reason": "x", "evidence": [1]}, "evidence"),
    (promote("1.0.1"), {"reason": "x", "retire": True}, "retire"),
    (promote("1.0.1"), {"reason": "x", "actor": "root"}, "actor"),
    (promote("1.0.1"), {"reason": "x", "automatic": True}, "automatic"),
    (f"{RANKER}/rollback", {"reason": "x", "to": "1"}, "to"),
    (f"{RANKER}/versions/1.0.1/archive", {"reason": "x", "retire": "yes"}, "retire"),
    (f"{RANKER}/versions/1.0.1/archive", {"reason": "x", "retire": 1}, "retire"),
    (f"{RANKER}/versions/1.0.1/validate", {"reason": "x", "expected": "1.0.0"}, "expected"),
    ("/freeze", {"reason": "x", "model_id": "a b"}, "model_id"),
    ("/freeze", {"reason": "x", "model_id": "*"}, "model_id"),
]


def test_a_wrong_field_is_named(quick: ModelsApp) -> None:
    for path, body, field in WRONG_BODIES:
        assert quick.post(path, body, status=422)["errors"][0]["field"] == field, body
    assert quick.champion == "1.0.0"


@pytest.mark.parametrize(
    "evidence", ['{"n": NaN}', '{"a": [1, {"b": -Infinity}]}', '{"n": 123456789012345678901234567890}',
                 '{"t": "\\ud83c"}', '{"a":' * 300 + "1" + "}" * 300]
)  # fmt: skip
def test_evidence_that_could_not_be_kept_as_it_is_is_refused(quick: ModelsApp, evidence: str) -> None:
    content = f'{{"reason": "better", "evidence": {evidence}}}'
    answer = quick.send("POST", promote("1.0.1"), content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("evidence")
    assert quick.champion == "1.0.0"


def test_bodies_that_are_nested_beyond_reason_are_survived(quick: ModelsApp) -> None:
    content = '{"reason": "x", "evidence": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}"
    answer = quick.send("POST", promote("1.0.1"), content=content, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert quick.champion == "1.0.0"


def test_a_reason_is_one_line_and_may_be_in_any_language(app: ModelsApp) -> None:
    app.post(promote("1.0.1"), {"reason": "  mejor que\nayer: +2 % ñ 漢字 🍕 "})
    assert app.registry.moves("ranker")[-1].because == "mejor que ayer: +2 % ñ 漢字 🍕"


def test_a_body_that_is_not_json_is_a_bad_request(quick: ModelsApp) -> None:
    answer = quick.send("POST", "/freeze", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_the_database_being_away_is_said_so(quick: ModelsApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StoreUnavailable("the state database does not answer: gone")

    monkeypatch.setattr(quick.registry.database, "reading", away)
    for path in ("/models", RANKER, f"{RANKER}/moves"):
        assert quick.get(path, status=503)["error"] == "StoreUnavailable"
    assert quick.post("/freeze", status=503)["error"] == "StoreUnavailable"


def test_every_error_that_a_request_can_meet_has_a_status() -> None:
    # Caught and answered; met at the start only; or raised by what has no endpoint.
    elsewhere = {"ApprovalRequired", "StoreTooNew", "InvalidExport", "InvalidKey", "UnknownKey", "InvalidSettings"}
    elsewhere |= {"MirrorBusy", "MirrorDiffers", "BadProfile", "ProfileMissing", "BadSchema", "UnreadableData"}
    # Of other routers, which have tables of their own.
    elsewhere |= {"UnknownAlert", "AlertClosed", "DeliveryFailed"}
    elsewhere |= {"TooLittleData", "TrainingInterrupted", "BadSchedule", "TooLittleOverlap"}
    answered = {**models.STATUSES, **retraining.STATUSES, **rollouts.STATUSES}
    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and not kind.__subclasses__()}
    without = {name for name, kind in kinds.items() if not any(each in answered for each in kind.__mro__)}
    assert without == elsewhere
