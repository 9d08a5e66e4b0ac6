"""Rollouts over HTTP: who may do what, what is answered, and with which status."""

from __future__ import annotations

import pytest

from mlops.http import models, problems, rollouts
from mlops.http.access import Access
from mlops.model_registry import ApprovalPolicy
from mlops.rollout import Expected, RolloutController
from mlops.store import Database
from tests.conftest import REPOSITORY
from tests.models_app import ModelsApp

START = {"version": "1.0.1", "reason": "it passed", "plan": {"shadow_seconds": 0, "shares": [0.1, 0.5]}}


@pytest.fixture
def app(sqlite_database: Database) -> ModelsApp:
    """The registry's endpoints and those of rollouts; `ranker` 1.0.0 is in production."""
    made = ModelsApp(sqlite_database)
    problems.install(made.app, {**models.STATUSES, **rollouts.STATUSES})
    made.app.include_router(rollouts.router(RolloutController(made.registry), Access(made.keys)))
    return made


def test_a_rollout_is_started_changed_and_read_over_http(app: ModelsApp) -> None:
    begun = app.post("/models/ranker/rollout/start", START)
    assert (begun["status"], begun["share"], begun["production"]) == ("canary", 0.1, "1.0.0")
    assert begun["plan"]["hold_seconds"] == 7_200
    assert app.get("/models/ranker/rollout")["interleaving"] is None
    assert app.post("/models/ranker/rollout/pause")["is_paused"] is True
    assert app.post("/models/ranker/rollout/resume")["is_paused"] is False
    now = app.get("/models/ranker/rollout")
    assert [guard["guard"] for guard in now["guards"]] == ["error_rate", "click_rate", "output_valid", "crash_loop"]
    promoted = app.post("/models/ranker/rollout/promote-now")
    assert (promoted["status"], promoted["production"]) == ("watch", "1.0.1")
    assert app.post("/models/ranker/rollout/abort")["status"] == "aborted"
    assert app.get("/models/ranker/rollout") == {"model_id": "ranker", "rollout": None}
    listed = app.get("/models/ranker/rollouts?limit=1")
    assert [each["rollout_id"] for each in listed["rollouts"]] == [1]
    assert (listed["next"], listed["barred"]) == (None, [])
    assert [event["kind"] for event in app.get("/rollouts/1")["events"]] == [
        "started", "paused", "resumed", "promoted", "aborted",
    ]  # fmt: skip


def test_shared_lists_are_fields_of_the_plan(app: ModelsApp) -> None:
    plan = {**START["plan"], "interleave_seconds": 60, "interleave_share": 0.3}  # type: ignore[dict-item]
    begun = app.post("/models/ranker/rollout/start", {**START, "plan": plan})
    assert (begun["status"], begun["share"]) == ("interleave", 0.3)
    assert "preference" in [guard["guard"] for guard in app.get("/models/ranker/rollout")["guards"]]


def test_what_is_expected_of_a_version_is_told_and_can_be_overruled(sqlite_database: Database) -> None:
    made = ModelsApp(sqlite_database)
    problems.install(made.app, {**models.STATUSES, **rollouts.STATUSES})
    worse = Expected("clearly worse", "Off-policy, clearly worse.")
    controller = RolloutController(made.registry, expect=lambda *_: worse)
    made.app.include_router(rollouts.router(controller, Access(made.keys)))
    refused = made.post("/models/ranker/rollout/start", START, status=409)
    assert refused["error"] == "RolloutRefused"
    assert "Off-policy, clearly worse." in refused["detail"]
    begun = made.post("/models/ranker/rollout/start", {**START, "force": True})
    assert begun["expected"] == worse.to_dict()


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/models/ranker/rollout/pause", {"reason": "x"}, 409, "RolloutChanged"),
        ("/models/ranker/rollout/start", {**START, "version": "9.0.0"}, 404, "UnknownVersion"),
        ("/models/ranker/rollout/start", {**START, "version": "1.0.0"}, 409, "RolloutChanged"),
        ("/models/ranker/rollout/start", {**START, "plan": {"speed": 1}}, 422, "BadPlan"),
        ("/models/ranker/rollout/start", {**START, "plan": {"guards": [5]}}, 422, "BadPlan"),
        ("/models/ranker/rollout/start", {**START, "plan": {"hold_seconds": "2h"}}, 422, "BadPlan"),
        ("/models/ranker/rollout/start", {**START, "plan": {"guards": ["joy"]}}, 422, "UnknownGuard"),
        ("/models/ranker/versions/1.0.1/unbar", {"reason": "x"}, 409, "RolloutChanged"),
    ],
)
def test_what_is_refused_is_a_problem_document_that_names_it(
    app: ModelsApp, path: str, body: object, status: int, error: str
) -> None:
    assert app.post(path, body, status=status)["error"] == error


def test_every_endpoint_is_documented(app: ModelsApp) -> None:
    text = (REPOSITORY / "docs" / "http.md").read_text("utf-8")
    paths = [path for path in app.get("/openapi.json")["paths"] if "rollout" in path or "unbar" in path]
    assert len(paths) == 9
    for path in paths:
        assert f"`{path}`" in text, path
    for kind in rollouts.STATUSES:
        assert f"`{kind.__name__}`" in text


def test_an_unknown_rollout_is_not_found(app: ModelsApp) -> None:
    assert app.get("/rollouts/7", status=404)["error"] == "UnknownRollout"
    assert app.get("/rollouts/0", status=422)["errors"][0]["field"] == "rollout_id"


def test_changes_are_for_who_may_operate_and_reading_is_open(app: ModelsApp) -> None:
    app.keys.create("reader", "read")
    token = app.keys.create("operator", "operate").token
    assert app.post("/models/ranker/rollout/start", START, status=401)["error"] == "NotAuthenticated"
    begun = app.post("/models/ranker/rollout/start", START, headers={"x-api-key": token})
    assert begun["started_by"] == "operator"
    assert app.get("/models/ranker/rollouts")["rollouts"][0]["started_by"] == "operator"


def test_a_promotion_that_needs_a_person_is_accepted_and_waits(app: ModelsApp) -> None:
    app.registry.approval = ApprovalPolicy.from_text("all")
    app.post("/models/ranker/rollout/start", START)
    waits = app.post("/models/ranker/rollout/promote-now", status=202)
    assert waits == {"model_id": "ranker", "waits_for_approval": 1}
