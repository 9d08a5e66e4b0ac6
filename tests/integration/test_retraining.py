"""The loop in one process: needs, training, gates, promotion, approval, freeze, and what keeps a job from all that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops.errors import (
    ApprovalRefused,
    Conflict,
    InvalidMetadata,
    JobConflict,
    UnknownTrainer,
    UnreadableData,
)
from mlops.evaluation import Gate, beats
from mlops.evaluation.looks import HoldoutLooks
from mlops.model_registry import ApprovalPolicy, ModelMetadata
from mlops.retraining import AutomaticRetrainingScheduler, ColumnDrift, Degradation, RetrainingRunner, Trained
from mlops.retraining.consequences import Consequences
from mlops.store import Database
from tests.retraining_app import MODEL, NOON, Loop, SetClock, write_values
from tests.tiny_trainer import TinyTrainer


@pytest.fixture
def loop(sqlite_database: Database) -> Loop:
    return Loop(sqlite_database).begin()


# ---- A training that is better


def test_a_better_version_goes_live_with_its_evidence_and_lineage(emptied_database: Database) -> None:
    loop = Loop(emptied_database).begin()
    job = loop.run(noise=0.01)
    assert (job.state, job.outcome, job.champion, job.challenger) == ("completed", "promoted", "1.0.0", "1.1.0")
    assert loop.statuses == {"1.0.0": "archived", "1.1.0": "production"}
    one = loop.registry.get_production_model(MODEL)
    assert one is not None
    assert one["parent_version"] == "1.0.0"
    assert one["parameters"] == {"noise": 0.01}
    assert one["metrics"].keys() == {"mean", "closeness"}
    assert one["lineage"] == {"data_fingerprint": job.data_fingerprint, "code_version": "tiny 1", "seed": 0}
    move = loop.registry.moves(MODEL, "1.1.0")[-1]
    assert (move.to_status, move.actor, move.automatic) == ("production", "retraining", True)
    assert move.evidence["verdicts"][0]["outcome"] == "passed"
    assert move.evidence["n_looks"] == 1
    assert move.because == job.reason
    assert list(job.entered) == ["pending", "running", "evaluating", "completed"]
    assert (job.progress, job.attempts, job.finished_at is not None) == (1.0, 1, True)
    assert list(loop.folder.iterdir()) == []


def test_the_same_inputs_give_the_same_files_which_are_nothing_new(loop: Loop) -> None:
    first, second = loop.run(noise=0.5), loop.run(noise=0.5)
    assert (second.state, second.outcome, second.artefact) == ("skipped", "nothing new", first.artefact)
    assert second.reason == "the training gave the same files as version 1.1.0: there is nothing new to learn"
    assert set(loop.statuses) == {"1.0.0", "1.1.0"}
    other = loop.orchestrator.create_retrain_job(MODEL, parameters={"noise": 0.5}, seed=8)
    loop.orchestrator.execute_retrain(other)
    assert loop.book.get(other.job_id).artefact != first.artefact


def test_each_decision_counts_as_a_look_at_its_holdout(loop: Loop) -> None:
    first, second = loop.run(noise=0.5), loop.run(noise=0.4)
    assert first.evidence is not None
    assert second.evidence is not None
    assert (first.evidence["n_looks"], second.evidence["n_looks"]) == (1, 2)
    assert HoldoutLooks(loop.database).count(str(first.data_fingerprint)) == 2


def test_data_frames_are_taken_instead_and_their_files_go_away(loop: Loop) -> None:
    import pandas as pd

    Path("values.json").unlink()
    frame = pd.DataFrame({"value": [float(n % 7) for n in range(100)]})
    held_out = pd.DataFrame({"value": [3.0 + n / 100 for n in range(40)]})
    job = loop.job()
    assert loop.orchestrator.execute_retrain(job, frame, held_out)
    assert loop.book.get(job.job_id).outcome == "promoted"
    assert loop.registry.get_production_model(MODEL)["metrics"]["mean"] == pytest.approx(2.95)  # type: ignore[index]
    assert list(loop.folder.iterdir()) == []


# ---- A training that is not


def test_a_version_that_is_not_better_is_archived_with_the_reason(loop: Loop) -> None:
    write_values(0.0)
    job = loop.run(noise=30.0)
    assert (job.state, job.outcome) == ("completed", "not promoted")
    assert job.reason is not None
    assert job.reason.startswith("0 of 1 gates passed. beats(closeness) failed: Worse")
    assert loop.statuses == {"1.0.0": "production", "1.1.0": "archived"}
    assert loop.registry.moves(MODEL, "1.1.0")[-1].because == job.reason


def test_where_nobody_can_tell_the_champion_stays(loop: Loop) -> None:
    write_values(0.0)
    job = loop.run(noise=0.01)
    assert job.outcome == "not promoted"
    assert job.evidence is not None
    assert job.evidence["verdicts"][0]["outcome"] == "cannot tell"
    assert loop.champion == "1.0.0"


class NoGates(TinyTrainer):
    def gates(self) -> Sequence[Gate]:
        return []


class TwoGates(TinyTrainer):
    def gates(self) -> Sequence[Gate]:
        return [beats("closeness"), beats("closeness", by=100.0)]


@pytest.mark.parametrize(
    ("trainer", "said"),
    [(NoGates, "No gate was asked"), (TwoGates, r"1 of 2 gates passed\. beats\(closeness\) failed: .*100 asked for")],
)
def test_without_a_gate_or_with_one_that_fails_nothing_goes_live(
    trainer: type[TinyTrainer], said: str, loop: Loop
) -> None:
    loop.trainers.register(MODEL, trainer)
    job = loop.run()
    assert job.outcome == "not promoted"
    assert re.search(said, str(job.reason))
    assert loop.champion == "1.0.0"


class Strange(TinyTrainer):
    """Each attribute that is set makes one thing go wrong."""

    metrics: dict[str, float] = {}
    name = "model.json"

    def train(self, *arguments: Any) -> Trained:
        made = super().train(*arguments)
        return Trained({self.name: next(iter(made.files.values()))}, self.metrics)


def test_what_a_trainer_hands_over_is_looked_at(loop: Loop) -> None:
    for attribute, value, said in (
        ("metrics", {"mean": float("nan")}, "metric mean must be a finite number, got nan"),
        ("name", "model.pkl", "model.pkl"),
    ):
        loop.trainers.register(MODEL, type("Stranger", (Strange,), {attribute: value}))
        job = loop.run()
        assert (job.state, said in str(job.reason)) == ("failed", True)
    assert set(loop.statuses) == {"1.0.0"}


@pytest.mark.parametrize(
    ("values", "said"),
    [({"n": 50}, "there are 50 values, and it takes 80"), (None, "all values are the same")],
)
def test_too_little_data_ends_skipped_and_registers_nothing(values: Any, said: str, loop: Loop) -> None:
    if values is None:
        Path("values.json").write_text(str([1.0] * 100))
    else:
        write_values(5.0, **values)
    job = loop.run()
    assert (job.state, said in str(job.reason)) == ("skipped", True)
    assert set(loop.statuses) == {"1.0.0"}


def test_data_of_another_layout_end_failed_with_the_column(loop: Loop) -> None:
    job = loop.job()
    assert not loop.orchestrator.execute_retrain(job, {"price": [1.0]})
    ended = loop.book.get(job.job_id)
    assert (ended.state, "the column 'value' is missing" in str(ended.reason)) == ("failed", True)
    with pytest.raises(UnreadableData, match="must be a table"):
        loop.orchestrator.execute_retrain(loop.job(), 7)


def test_without_a_version_in_production_a_job_is_skipped(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database)
    write_values(5.0)
    loop.registry.register(ModelMetadata(MODEL, "1.0.0"), artefact={"model.json": b"0.0"})
    assert loop.run().reason == "no version of tiny is in production, so there is nothing to compare with"
    assert loop.statuses == {"1.0.0": "training"}


def test_a_failure_is_kept_with_its_reason_and_trace(loop: Loop) -> None:
    job = loop.run(raises="the loss is\0 NaN")
    assert (job.state, job.reason) == ("failed", "the training failed: RuntimeError: the loss is NaN")
    assert job.log[-1].endswith("failed: the training failed: RuntimeError: the loss is NaN")
    assert set(loop.statuses) == {"1.0.0"}


def test_without_a_trainer_no_job_is_made(loop: Loop) -> None:
    with pytest.raises(UnknownTrainer, match="register_trainer"):
        loop.orchestrator.create_retrain_job("other")


# ---- Trying again


def test_what_may_pass_is_tried_again_and_what_lasts_is_given_up(loop: Loop) -> None:
    job = loop.run(interrupted_until="flag")
    assert (job.state, job.outcome, job.attempts) == ("completed", "promoted", 2)
    assert any("the source does not answer; tried again in 0 s" in line for line in job.log)


def test_a_job_is_given_up_after_its_last_attempt(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, max_attempts=1).begin()
    job = loop.run(interrupted_until="flag")
    assert (job.state, job.reason) == ("failed", "the training failed: the source does not answer")


# ---- People


def test_where_approval_is_wanted_a_person_decides(emptied_database: Database) -> None:
    loop = Loop(emptied_database, auto_approve=False).begin()
    job = loop.run()
    assert (job.state, loop.champion) == ("awaiting_approval", "1.0.0")
    assert [each.version for each in loop.registry.approvals(MODEL, "pending")] == ["1.1.0"]
    approved = loop.orchestrator.approve(job.job_id, because="looks right", actor="ben")
    assert (approved.state, approved.outcome, loop.champion) == ("completed", "promoted", "1.1.0")
    move = loop.registry.moves(MODEL, "1.1.0")[-1]
    assert (move.actor, move.automatic, move.evidence["job_id"]) == ("ben", False, job.job_id)
    with pytest.raises(JobConflict, match="there is nothing to decide"):
        loop.orchestrator.reject(job.job_id, because="late", actor="ben")


def test_a_rejected_version_is_archived_and_the_next_job_may_come(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, auto_approve=False).begin()
    job = loop.run()
    assert loop.job().job_id == job.job_id
    with pytest.raises(JobConflict, match="reject it instead"):
        loop.orchestrator.cancel(job.job_id)
    rejected = loop.orchestrator.reject(job.job_id, because="not today", actor="ben")
    assert (rejected.outcome, loop.statuses) == ("rejected", {"1.0.0": "production", "1.1.0": "archived"})
    assert loop.job().job_id != job.job_id


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_what_a_person_decides_in_the_registry_ends_the_job_too(decision: str, sqlite_database: Database) -> None:
    loop = Loop(sqlite_database).begin()
    loop.registry.approval = ApprovalPolicy(None)
    job = loop.run()
    assert job.state == "awaiting_approval"
    getattr(loop.registry, decision)(MODEL, "1.1.0", because="by hand", actor="ben")
    assert loop.orchestrator.worker().run_next() is None
    ended = loop.book.get(job.job_id)
    assert ended.outcome == {"approve": "promoted", "reject": "rejected"}[decision]
    assert loop.statuses["1.1.0"] == {"approve": "production", "reject": "archived"}[decision]


def test_a_version_that_was_compared_with_another_champion_is_not_approved_any_more(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, auto_approve=False).begin()
    job = loop.run()
    loop.registry.register(ModelMetadata(MODEL, "2.0.0"), artefact={"model.json": b"1.0"})
    loop.registry.promote(MODEL, "2.0.0", because="by hand")
    with pytest.raises(Conflict):
        loop.orchestrator.approve(job.job_id, because="late", actor="ben")
    assert loop.orchestrator.reject(job.job_id, because="stale", actor="ben").outcome == "rejected"
    with pytest.raises(ApprovalRefused):
        loop.registry.approve(MODEL, "1.1.0", because="again")


def test_a_freeze_stops_the_program_and_leaves_the_decision_to_a_person(loop: Loop) -> None:
    loop.registry.freeze(MODEL, because="audit")
    job = loop.run()
    assert (job.state, loop.champion) == ("awaiting_approval", "1.0.0")
    assert loop.orchestrator.approve(job.job_id, because="audited", actor="ben").outcome == "promoted"


def test_a_freeze_leaves_a_version_that_failed_where_it_is(loop: Loop) -> None:
    write_values(0.0)
    loop.registry.freeze(because="audit")
    assert loop.run(noise=30.0).outcome == "not promoted"
    assert loop.statuses == {"1.0.0": "production", "1.1.0": "training"}


def test_promotion_by_hand_asks_for_approval_unless_told_otherwise(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, auto_approve=False).begin()
    loop.registry.register(ModelMetadata(MODEL, "1.0.1"), artefact={"model.json": b"1.0"})
    assert not loop.orchestrator.promote_to_production(MODEL, "1.0.1")
    assert loop.champion == "1.0.0"
    assert loop.orchestrator.promote_to_production(MODEL, "1.0.1", approval_required=False)
    assert loop.champion == "1.0.1"


# ---- Jobs


def test_a_model_has_one_open_job_whoever_asks(loop: Loop) -> None:
    first = loop.orchestrator.create_retrain_job(MODEL, requested_by="ana")
    assert loop.orchestrator.create_retrain_job(MODEL, requested_by="ben") == first
    with pytest.raises(JobConflict, match="with other parameters"):
        loop.orchestrator.create_retrain_job(MODEL, seed=99)


def test_a_service_leaves_a_job_to_its_caller_for_a_minute(sqlite_database: Database) -> None:
    clock = SetClock()
    loop = Loop(sqlite_database, clock=clock).begin()
    job = loop.orchestrator.create_retrain_job(MODEL)
    assert loop.orchestrator.worker().run_next() is None
    assert loop.orchestrator.execute_retrain(job)
    left = loop.orchestrator.create_retrain_job(MODEL, parameters={"noise": 0.1})
    clock.forward(seconds=61)
    taken = loop.orchestrator.worker().run_next()
    assert taken is not None
    assert taken.job_id == left.job_id


def test_what_no_database_can_keep_is_refused(loop: Loop) -> None:
    with pytest.raises(InvalidMetadata, match="because"):
        loop.orchestrator.create_retrain_job(MODEL, because="a\0b")
    with pytest.raises(InvalidMetadata, match="JSON"):
        loop.orchestrator.create_retrain_job(MODEL, parameters={"a": object()})


def test_a_pending_job_is_cancelled_at_once_and_is_not_run(loop: Loop) -> None:
    job = loop.job()
    assert loop.orchestrator.cancel(job.job_id, actor="ben").state == "cancelled"
    assert loop.orchestrator.worker().run_next() is None
    with pytest.raises(JobConflict, match="nothing to cancel"):
        loop.orchestrator.cancel(job.job_id)
    with pytest.raises(JobConflict, match="is cancelled"):
        loop.orchestrator.execute_retrain(job)


def test_a_champion_that_changes_during_the_training_keeps_its_place(loop: Loop) -> None:
    class Slow(TinyTrainer):
        def evaluate(self, *arguments: Any) -> Any:
            if loop.champion == "1.0.0":
                loop.registry.register(ModelMetadata(MODEL, "1.0.1"), artefact={"model.json": b"4.0"})
                loop.registry.promote(MODEL, "1.0.1", because="by hand")
            return super().evaluate(*arguments)

    loop.trainers.register(MODEL, Slow)
    job = loop.run()
    assert (job.outcome, loop.champion) == ("not promoted", "1.0.1")
    assert loop.statuses["1.1.0"] == "archived"


def test_a_number_that_somebody_takes_meanwhile_is_passed_over(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Consequences.draw

    def late(self: Consequences, *arguments: Any) -> Any:
        loop.registry.register(ModelMetadata(MODEL, "1.1.0"), artefact={"model.json": b"9.0"})
        return draw(self, *arguments)

    monkeypatch.setattr(Consequences, "draw", late)
    assert (loop.run().challenger, loop.champion) == ("1.2.0", "1.2.0")


class Dies(BaseException):
    """As if the process were killed there."""


@pytest.mark.parametrize(
    ("is_better", "place"),
    [(True, "register"), (True, "promote"), (True, "move"), (False, "register"), (False, "archive"), (False, "move")],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_between_any_two_steps_leaves_no_second_version(
    place: str, when: str, is_better: bool, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_better:
        write_values(0.0)
    job = loop.job(noise=0.0 if is_better else 30.0)
    owner = loop.book if place == "move" else loop.registry
    whole = getattr(owner, place)

    def deadly(*arguments: Any, **options: Any) -> Any:
        if place == "move" and arguments[1] != "completed":
            return whole(*arguments, **options)
        monkeypatch.undo()
        if when == "after":
            whole(*arguments, **options)
        raise Dies

    monkeypatch.setattr(owner, place, deadly)
    with pytest.raises(Dies):
        loop.orchestrator.worker().run(job.job_id)
    loop.orchestrator.worker().run_next()
    ended = loop.book.get(job.job_id)
    assert ended.outcome == ("promoted" if is_better else "not promoted")
    assert loop.statuses == (
        {"1.0.0": "archived", "1.1.0": "production"} if is_better else {"1.0.0": "production", "1.1.0": "archived"}
    )
    n_moves = sum(move.to_status == "production" for move in loop.registry.moves(MODEL, "1.1.0"))
    assert n_moves == int(is_better)


# ---- Needs


class Told:
    """Signals as a test wants them."""

    n_new: int | None = None
    degraded: Degradation | None = None
    columns: Sequence[ColumnDrift] | None = None

    def __init__(self) -> None:
        self.asked_since: datetime | None = None

    def labelled_since(self, model_id: str, at: datetime) -> int | None:
        self.asked_since = at
        return self.n_new

    def degradation(self, model_id: str) -> Degradation | None:
        return self.degraded

    def drift(self, model_id: str) -> Sequence[ColumnDrift] | None:
        return self.columns


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def watched(sqlite_database: Database, told: Told, clock: SetClock) -> Loop:
    return Loop(sqlite_database, signals=told, clock=clock).begin(at=NOON)


def test_without_a_reason_no_training_is_needed_and_what_was_not_measured_is_said(watched: Loop) -> None:
    needed, sentences = watched.orchestrator.check_retrain_needed(MODEL)
    assert not needed
    assert sentences == [
        "The last training is 0.0 days old; the limit is 7.",
        "New labelled samples were not measured.",
        "Degradation was not measured.",
        "Drift was not measured.",
    ]


def test_each_reason_has_its_figures_in_a_sentence(watched: Loop, told: Told, clock: SetClock) -> None:
    clock.forward(days=7)
    told.n_new = 1_000
    told.degraded = Degradation("click_ratio", 0.3, 0.25, -0.07, -0.03, degraded=True)
    told.columns = [ColumnDrift("minutes", 0.31, 0.1, drifted=True), ColumnDrift("tags", 0.02, 0.1, drifted=False)]
    found = watched.orchestrator.need(MODEL)
    assert found.reasons == (
        "The last training is 7.0 days old; the limit is 7.",
        "1,000 labelled samples are new; 1,000 are a reason.",
        "click_ratio is worse than it was: 0.3 → 0.25, -0.05 (-0.07 to -0.03).",
        "1 of 2 columns have drifted: minutes 0.31 (limit 0.1).",
    )
    assert found.may_start
    assert told.asked_since == NOON
    assert found.figures["age_days"] == 7.0
    assert found.figures["drift"][0] == {"column": "minutes", "score": 0.31, "threshold": 0.1, "drifted": True}


def test_what_is_measured_and_harmless_is_no_reason(watched: Loop, told: Told, clock: SetClock) -> None:
    clock.forward(days=6.9)
    told.n_new = 999
    told.degraded = Degradation("click_ratio", 0.3, 0.29, -0.07, 0.05, degraded=False)
    told.columns = [ColumnDrift("tags", 0.02, 0.1, drifted=False)]
    found = watched.orchestrator.need(MODEL)
    assert (found.reasons, found.hindrances, len(found.remarks)) == ((), (), 4)


def test_what_keeps_a_program_from_starting_is_said(watched: Loop, told: Told, clock: SetClock) -> None:
    told.n_new = 5_000
    assert watched.orchestrator.check_retrain_needed(MODEL)[0]
    job = watched.job()
    assert watched.orchestrator.need(MODEL).hindrances == (f"Job {job.job_id} is pending.",)
    watched.orchestrator.execute_retrain(job)
    (cooldown,) = watched.orchestrator.need(MODEL).hindrances
    assert "the next begins by itself 6 hours later" in cooldown
    clock.forward(hours=6)
    watched.registry.freeze(because="audit")
    assert watched.orchestrator.need(MODEL).hindrances == ("Automatic moves are frozen: audit.",)
    watched.registry.unfreeze(because="over")
    assert watched.orchestrator.need(MODEL).may_start
    unknown = watched.orchestrator.need("other")
    assert not unknown.may_start
    assert unknown.hindrances[0].startswith("No version of other is in production")


def test_samples_are_counted_from_the_last_training_even_if_it_brought_nothing(
    watched: Loop, told: Told, clock: SetClock
) -> None:
    write_values(0.0)
    clock.forward(days=8)
    assert watched.run(noise=30.0).outcome == "not promoted"
    assert not watched.orchestrator.need(MODEL).is_needed
    assert told.asked_since == NOON + timedelta(days=8)


def test_the_scheduler_makes_a_job_where_one_is_needed_and_a_dry_run_none(watched: Loop, clock: SetClock) -> None:
    scheduler = AutomaticRetrainingScheduler(watched.orchestrator)
    assert scheduler.check_and_schedule_retraining([MODEL])["scheduled_jobs"] == []
    clock.forward(days=7)
    assert scheduler.check_and_schedule_retraining([MODEL], dry_run=True)["scheduled_jobs"] == []
    found = scheduler.check_and_schedule_retraining()
    assert {"timestamp", "models_checked", "retraining_needed", "scheduled_jobs"} <= set(found)
    assert found["models_checked"] == [MODEL]
    assert found["retraining_needed"][0]["reasons"] == ["The last training is 7.0 days old; the limit is 7."]
    job = watched.book.get(found["scheduled_jobs"][0]["job_id"])
    assert (job.automatic, job.requested_by, job.because) == (True, "schedule", found["needs"][MODEL]["reasons"][0])
    assert scheduler.check_and_schedule_retraining()["scheduled_jobs"] == []


def test_a_service_checks_by_its_schedule_and_works_on_what_is_needed(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, schedule="1s").begin(at=NOON - timedelta(days=4000))
    runner = RetrainingRunner(loop.orchestrator, every_seconds=0.05)
    runner.start()
    try:
        for _ in range(200):
            if loop.champion == "1.1.0":
                break
            runner._stopping.wait(0.05)
    finally:
        runner.stop()
    assert loop.champion == "1.1.0"
    assert [job.outcome for job in loop.book.listed()] == ["promoted"]


def test_a_service_that_may_not_start_trainings_works_on_those_that_people_ask_for(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, schedule="1s", enabled=False).begin(at=NOON - timedelta(days=4000))
    runner = RetrainingRunner(loop.orchestrator)
    assert not runner.look_at_schedule()
    assert AutomaticRetrainingScheduler(loop.orchestrator).check_and_schedule_retraining()["scheduled_jobs"] == []
    assert loop.book.listed() == []
