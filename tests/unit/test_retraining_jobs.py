"""Jobs: which moves there are, and that no worker writes to a job that it has not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops import schema
from mlops.errors import InvalidMetadata, InvalidSettings, JobConflict, JobLost, UnknownJob, UnknownTrainer
from mlops.retraining import JOB_STATES, RetrainingConfig, RetrainingJob, Trainers
from mlops.retraining.book import LONGEST_LOG, JobBook, with_line
from mlops.retraining.jobs import OPEN, check_move
from mlops.retraining.trainers import address_of, load_factory
from mlops.store import Database
from tests import tiny_trainer
from tests.retraining_app import NOON, SetClock

# As the issue draws them; going back is for who begins anew.
FORWARD = ["pending", "running", "evaluating", "awaiting_approval", "completed"]
ENDS = ["failed", "skipped", "cancelled"]
WAYS = {
    *itertools.pairwise(FORWARD),
    ("evaluating", "completed"),
    *itertools.product(FORWARD[:3], ENDS),
    ("awaiting_approval", "cancelled"),
    ("running", "pending"), ("evaluating", "pending"), ("evaluating", "running"),
}  # fmt: skip


def test_there_are_the_moves_that_are_drawn_and_no_others() -> None:
    allowed = set()
    for start, end in itertools.product(JOB_STATES, JOB_STATES):
        with suppress(JobConflict):
            check_move(start, end)
            allowed.add((start, end))
    assert allowed == WAYS
    with pytest.raises(JobConflict, match="from pending to completed: from pending, it goes to running, failed"):
        check_move("pending", "completed")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobBook]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('jobs')}/state.db")
    database.upgrade(schema.MIGRATIONS)
    yield JobBook(database, clock=SetClock())
    database.close()


numbers = itertools.count(1)
WORKED_ON = {"pending", "running", "evaluating"}


class Workers:
    """Three workers who each remember the job as they saw it last, and do whatever comes to their minds."""

    def __init__(self, book: JobBook) -> None:
        self.book = book
        self.model = f"model-{next(numbers)}"
        self.views: dict[int, RetrainingJob] = {}
        self.token = 0

    def do(self, what: str, worker: int) -> None:
        if what == "create":
            self.book.create(self.model, because="x", requested_by="ana")
        elif what == "cancel":
            self.cancel()
        elif what == "claim":
            self.claim(worker)
        elif worker in self.views:
            self.write(what, worker)

    def cancel(self) -> None:
        for job in self.book.listed(self.model):
            try:
                self.book.ask_to_cancel(job.job_id, actor="ana")
            except JobConflict:
                assert job.state not in WORKED_ON

    def claim(self, worker: int) -> None:
        self.token += 1
        for job in self.book.listed(self.model, states=list(WORKED_ON)):
            self.views[worker] = self.book.claim(job, token=self.token, worker=str(worker)) or self.views[worker]

    def write(self, what: str, worker: int) -> None:
        view = self.views[worker]
        stored = self.book.get(view.job_id)
        may = (stored.token, stored.state) == (view.token, view.state)
        try:
            self.views[worker] = (
                self.book.write(view, doing="x") if what == "write" else self.book.move(view, what)  # type: ignore[arg-type]
            )
        except JobConflict:
            assert (view.state, what) not in WAYS
        except JobLost:
            assert not may
        else:
            assert may


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["create", "claim", "write", "cancel", *JOB_STATES]), st.integers(0, 2)), max_size=25
    )
)
def test_whatever_workers_do_a_model_has_one_open_job_and_only_its_last_worker_writes(
    book: JobBook, steps: list[tuple[str, int]]
) -> None:
    workers = Workers(book)
    before: dict[int, RetrainingJob] = {}
    for what, worker in steps:
        workers.do(what, worker)
        after = {job.job_id: job for job in book.listed(workers.model)}
        assert sum(job.is_open for job in after.values()) <= 1
        assert all((job.finished_at is None) == (job.state in OPEN) for job in after.values())
        for job_id, old in before.items():
            new = after[job_id]
            assert old.is_open or new == old
            assert old.state == new.state or (old.state, new.state) in WAYS
        before = after


def test_a_worker_whose_job_was_taken_over_writes_nothing(book: JobBook) -> None:
    job, _ = book.create("slow", because="x", requested_by="ana")
    first = book.claim(job, token=1, worker="first")
    assert first is not None
    second = book.claim(first, token=2, worker="second")
    assert second is not None
    with pytest.raises(JobLost):
        book.write(first, progress=0.9)
    with pytest.raises(JobLost):
        book.move(first, "failed", reason="x")
    assert (book.get(job.job_id).worker, book.get(job.job_id).attempts) == ("second", 2)


def test_a_job_is_not_taken_twice_from_the_same_sight(book: JobBook) -> None:
    job, _ = book.create("twice", because="x", requested_by="ana")
    assert book.claim(job, token=1, worker="a") is not None
    assert book.claim(job, token=2, worker="b") is None


def test_an_interrupted_job_waits_for_its_time(book: JobBook) -> None:
    job, _ = book.create("later", because="x", requested_by="ana")
    claimed = book.claim(job, token=1, worker="a")
    assert claimed is not None
    put_off = book.put_off(claimed, reason="the source does not answer", seconds=60)
    assert put_off.not_before == NOON + timedelta(seconds=60)
    assert put_off.log == ["2026-11-24 12:00:00 the source does not answer; tried again in 60 s"]
    assert job.job_id not in [each.job_id for each in book.workable()]


def test_an_unknown_job_is_named(book: JobBook) -> None:
    with pytest.raises(UnknownJob, match="999999"):
        book.get(999_999)


def test_a_log_keeps_its_last_lines_and_takes_any_text() -> None:
    log: list[str] = []
    for number in range(LONGEST_LOG + 5):
        log = with_line(log, f"line {number}\n\0 {'x' * 1000}", at=NOON)
    assert len(log) == LONGEST_LOG
    assert log[0].startswith("2026-11-24 12:00:00 line 5 ")
    assert max(map(len, log)) < 600
    assert "\0" not in "".join(log)


def test_a_trainer_is_found_by_call_by_setting_and_by_address() -> None:
    trainers = Trainers("a=package.module:make, tiny=tests.tiny_trainer:make")
    assert trainers.get("a").address == "package.module:make"
    entry = trainers.register("tiny", tiny_trainer.make, parameters={"x": 1}, seed=7)
    assert trainers.get("tiny") is entry
    assert entry.address == "tests.tiny_trainer:make"
    assert isinstance(load_factory("tests.tiny_trainer:make")(), tiny_trainer.TinyTrainer)
    assert address_of(lambda: tiny_trainer.make()) is None
    assert {"a", "tiny"} <= set(trainers.model_ids())


def test_a_model_without_trainer_says_how_to_register_one() -> None:
    with pytest.raises(UnknownTrainer, match=r"call register_trainer\('other', .* or set RETRAIN_TRAINERS=other="):
        Trainers().get("other")


@pytest.mark.parametrize("address", ["nowhere:make", "tests.tiny_trainer:missing", "/no/such/file.py:make"])
def test_a_trainer_that_is_not_there_is_named(address: str) -> None:
    with pytest.raises(UnknownTrainer, match=address):
        load_factory(address)


def test_names_and_addresses_of_another_form_are_refused() -> None:
    for address in ("make", "module:", ":make"):
        with pytest.raises(UnknownTrainer, match="is named as"):
            Trainers().register("tiny", address)
    with pytest.raises(InvalidMetadata):
        Trainers().register("a model", "module:make")
    with pytest.raises(InvalidSettings, match=r"RETRAIN_TRAINERS must be .*, got 'tiny'"):
        Trainers("tiny")


@pytest.mark.parametrize(
    ("field", "value"),
    [("interval_days", 0), ("cooldown_hours", -1), ("max_attempts", 0), ("lease_seconds", float("nan"))],
)
def test_a_setting_out_of_range_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} must be .*, got {value!r}"):
        RetrainingConfig(**{field: value})  # type: ignore[arg-type]
