"""Needs, jobs and decisions over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mlops.access import KeyRing
from mlops.http import models, problems, retraining
from mlops.http.access import Access
from mlops.store import Database
from tests.models_app import ModelsApp
from tests.retraining_app import MODEL, NOON, Loop, SetClock


class App(ModelsApp):
    """The endpoints over a loop, asked as :class:`ModelsApp` is."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop.database, is_empty=True)
        self.loop = loop
        self.keys = KeyRing(loop.database)
        problems.install(self.app, {**models.STATUSES, **retraining.STATUSES})
        self.app.include_router(retraining.router(loop.orchestrator, Access(self.keys)))

    def work(self) -> None:
        """What a runner does in the background."""
        self.loop.orchestrator.worker().run_next()


@pytest.fixture
def loop(sqlite_database: Database) -> Loop:
    return Loop(sqlite_database, clock=SetClock(NOON + timedelta(days=8)), auto_approve=False).begin(at=NOON)


@pytest.fixture
def app(loop: Loop) -> App:
    return App(loop)


def without_body(app: App) -> Any:
    answer = app.send("POST", "/retrain/check")
    assert answer.status_code == 200
    return answer.json()


def test_a_check_says_in_figures_whether_training_is_needed_and_changes_nothing(app: App) -> None:
    found = without_body(app)
    assert (found["models_checked"], found["retraining_needed"]) == ([MODEL], [MODEL])
    (need,) = found["models"]
    assert (need["needed"], need["may_start"], need["figures"]["age_days"]) == (True, True, 8.0)
    assert need["reasons"] == ["The last training is 8.0 days old; the limit is 7."]
    assert app.post("/retrain/check", {"model_ids": [MODEL]}) == found
    assert app.get("/retrain/jobs") == {"jobs": [], "next": None}
    assert app.post("/retrain/check", {"model_ids": ["other"]}, status=404)["error"] == "UnknownModel"


def test_a_job_goes_from_the_request_to_a_persons_approval(app: App) -> None:
    job = app.post("/retrain", {"model_id": MODEL, "reason": "try it", "parameters": {"noise": 0.1}}, status=202)
    assert (job["state"], job["because"], job["requested_by"]) == ("pending", "try it", "loopback")
    assert app.post("/retrain", {"model_id": MODEL}, status=202)["job_id"] == job["job_id"]
    app.work()
    address = f"/retrain/jobs/{job['job_id']}"
    waiting = app.get(address)
    assert (waiting["state"], waiting["challenger"]) == ("awaiting_approval", "1.1.0")
    assert waiting["evidence"]["verdicts"][0]["outcome"] == "passed"
    approved = app.post(f"{address}/approve", {"reason": "looks right"})
    assert (approved["outcome"], app.loop.champion) == ("promoted", "1.1.0")
    assert app.post(f"{address}/approve", {"reason": "again"}, status=409)["error"] == "JobConflict"


def test_a_job_is_rejected_or_cancelled_once(app: App) -> None:
    first = app.post("/retrain", {"model_id": MODEL}, status=202)["job_id"]
    app.work()
    assert app.post(f"/retrain/jobs/{first}/reject", {"reason": "no"})["outcome"] == "rejected"
    second = app.post("/retrain", {"model_id": MODEL}, status=202)["job_id"]
    assert app.post(f"/retrain/jobs/{second}/cancel", {})["state"] == "cancelled"
    assert app.post(f"/retrain/jobs/{second}/cancel", {}, status=409)["error"] == "JobConflict"


def test_jobs_come_in_pages_without_what_is_long(app: App) -> None:
    for _ in range(3):
        job = app.post("/retrain", {"model_id": MODEL}, status=202)
        app.post(f"/retrain/jobs/{job['job_id']}/cancel", {})
    page = app.get("/retrain/jobs?limit=2")
    assert [each["job_id"] for each in page["jobs"]] == [3, 2]
    assert [each["job_id"] for each in app.get(f"/retrain/jobs?before={page['next']}")["jobs"]] == [1]
    assert not {"log", "evidence", "result"} & set(page["jobs"][0])
    assert app.get(f"/retrain/jobs?state=pending&model_id={MODEL}")["jobs"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/retrain", {"model_id": "other"}, 404), ("/retrain", {}, 422), ("/retrain", {"model_id": "a b"}, 422),
        ("/retrain", {"model_id": MODEL, "seed": -1}, 422), ("/retrain", {"model_id": MODEL, "more": 1}, 422),
        ("/retrain/jobs/99/approve", {"reason": "x"}, 404), ("/retrain/jobs/99/cancel", {}, 404),
        ("/retrain/jobs/0/cancel", {}, 422), ("/retrain/jobs/99/reject", {}, 422),
        ("/retrain/check", {"model_ids": "tiny"}, 422),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_problem_document(path: str, body: Any, status: int, app: App) -> None:
    app.post(path, body, status=status)


def test_changes_need_a_key_that_operates_and_a_check_does_not(app: App) -> None:
    reader = {"x-api-key": app.keys.create("reader", "read").token}
    for path in ("/retrain", "/retrain/jobs/1/approve", "/retrain/jobs/1/reject", "/retrain/jobs/1/cancel"):
        assert app.post(path, {}, status=403, headers=reader)["error"] == "NotAllowed"
        assert app.post(path, {}, status=401)["error"] == "NotAuthenticated"
    assert without_body(app)["models_checked"] == [MODEL]
    assert app.loop.book.listed() == []
