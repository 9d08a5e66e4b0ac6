"""Takes jobs, one at a time, and brings each to its end. There may be any number of workers, in any process."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlops.errors import JobConflict, JobLost, MlopsError, StoreError, UnknownTrainer
from mlops.evaluation.looks import HoldoutLooks
from mlops.files import write_folder
from mlops.model_registry import ModelRegistry, ModelVersion
from mlops.retraining.book import JobBook, with_line
from mlops.retraining.config import RetrainingConfig
from mlops.retraining.consequences import BringIn, Consequences, sentence_of
from mlops.retraining.jobs import RetrainingJob
from mlops.retraining.process import Training
from mlops.retraining.trainers import TrainerEntry, Trainers
from mlops.retraining.work import Findings, Stage, Stop, TrainingEnded, TrainingOrder
from mlops.sentences import say
from mlops.store.leases import HeldLease, Leases

_WRITE_SECONDS = 0.5
_log = logging.getLogger("mlops.retraining")


class RetrainingWorker:
    """Brings jobs to their end. Who dies on the way loses the job to another worker when the lease expires."""

    def __init__(
        self,
        book: JobBook,
        registry: ModelRegistry,
        trainers: Trainers,
        config: RetrainingConfig,
        *,
        folder: Path,
        training: Training,
        name: str | None = None,
        bring_in: BringIn | None = None,
        leases: Leases | None = None,
    ) -> None:
        """A worker of the jobs in *book*.

        Args:
            folder: for the files of a job while it is worked on.
            training: how a training is run; see :class:`~mlops.retraining.process.TrainingProcess`.
            name: tells it apart from other workers, for people; default: machine, process and some letters.
            bring_in: see :class:`~mlops.retraining.consequences.Consequences`.
            leases: by which jobs are held; default: on the clock of *book*.
        """
        self._book = book
        self._registry = registry
        self._trainers = trainers
        self._config = config
        self._folder = folder
        self._training = training
        self._name = name or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._leases = leases or Leases(book.database, clock=book.clock)
        self._consequences = Consequences(book, registry, config, bring_in=bring_in)
        self.stopping = threading.Event()
        """Set it, and the training that runs is ended; its job goes back to the others."""

    def run_next(self) -> RetrainingJob | None:
        """Take the oldest job that is due and free, and bring it to its end; None where there is none.

        Raises:
            StoreError: the state database does not answer.
        """
        for job in self._book.listed(states=["awaiting_approval"]):
            # Whoever was faster has settled it.
            with suppress(JobLost):
                self._consequences.settle(job)
        for job in self._book.workable():
            if self.stopping.is_set():
                return None
            worked_on = self._take(job)
            if worked_on is not None:
                return worked_on
        return None

    def run(self, job_id: int) -> RetrainingJob:
        """Bring one job to its end, further attempts included.

        Raises:
            UnknownJob: there is no such job.
            JobConflict: another worker has it, or it is over.
            StoreError: the state database does not answer.
        """
        job = self._book.get(job_id)
        while True:
            worked_on = self._take(job) if job.state in {"pending", "running", "evaluating"} else None
            if worked_on is None:
                raise JobConflict(f"job {job_id} is {self._book.get(job_id).state}, or another worker has it")
            if worked_on.state != "pending" or self.stopping.is_set():
                return worked_on
            job = worked_on
            if job.not_before is not None:
                self.stopping.wait(max(0.0, (job.not_before - self._book.clock()).total_seconds()))

    def _take(self, job: RetrainingJob) -> RetrainingJob | None:
        with self._leases.holding(f"retraining-job-{job.job_id}", self._name, self._config.lease_seconds) as held:
            if held is None:
                return None
            claimed = self._book.claim(job, token=held.lease.token, worker=self._name)
            return None if claimed is None else self._work(claimed, held)

    def _work(self, job: RetrainingJob, held: HeldLease) -> RetrainingJob:
        try:
            return self._foreseen(JobWatch(self._book, job, held, self.stopping))
        except JobLost as lost:
            _log.warning("%s; %s leaves it alone", lost, self._name)
            return self._book.get(job.job_id)

    def _foreseen(self, watch: JobWatch) -> RetrainingJob:
        try:
            return self._bring_to_an_end(watch)
        except (JobLost, StoreError):
            # A job whose database did not answer is taken up again when it does.
            raise
        except MlopsError as error:
            return self._end(watch, "failed", str(error))
        except Exception as error:
            _log.exception("job %d failed in an unforeseen way", watch.job.job_id)
            return self._end(watch, "failed", f"{type(error).__name__}: {error}")

    def _bring_to_an_end(self, watch: JobWatch) -> RetrainingJob:
        job = watch.job
        if job.cancelled_by is not None and not job.is_decided:
            return self._end(watch, "cancelled", _cancelled_by(job.cancelled_by))
        # What is decided costs little, and a version may be registered already: that is given up much later.
        if job.attempts > self._config.max_attempts * (10 if job.is_decided else 1):
            reason = say("it was begun {n:d} times, and the last worker died over it", n=job.attempts - 1)
            return self._end(watch, "failed", reason)
        try:
            entry = self._trainers.get(job.model_id)
        except UnknownTrainer as error:
            return self._end(watch, "failed", str(error))
        if not job.is_decided:
            champion = self._registry.get_production_model(job.model_id)
            if champion is None:
                return self._end(watch, "skipped", _nothing_to_compare_with(job.model_id))
            job = self._train(watch, entry, champion)
        if job.is_decided:
            job = self._consequences.draw(job, entry)
            self._forget_frames(job)
        return job

    def _train(self, watch: JobWatch, entry: TrainerEntry, champion: ModelVersion) -> RetrainingJob:
        try:
            with self._folder_for(watch.job, champion) as folder:
                findings = self._training(entry, self._order(watch.job, entry, champion), folder, watch)
                return self._decided(watch, entry, champion, findings)
        except TrainingEnded as ended:
            return self._came_to_nothing(watch, ended)
        except Cancelled as cancelled:
            return self._end(watch, "cancelled", str(cancelled))
        except Stopped:
            # Not its fault, so that it does not count.
            job = self._book.write(watch.job, attempts=watch.job.attempts - 1)
            return self._book.put_off(job, reason=say("its worker was stopped"), seconds=0)

    def _order(self, job: RetrainingJob, entry: TrainerEntry, champion: ModelVersion) -> TrainingOrder:
        known = {one.artefact: one.version for one in self._registry.list_models(job.model_id) if one.artefact}
        parameters = {**entry.parameters, **job.parameters}
        return TrainingOrder(job.job_id, job.model_id, parameters, job.seed, job.frames, champion.version, known)

    def _decided(
        self, watch: JobWatch, entry: TrainerEntry, champion: ModelVersion, findings: Findings
    ) -> RetrainingJob:
        """Keep what the training found, so that whoever goes on need not train again."""
        watch.check()
        job = watch.job
        kept = {"champion": champion.version, "data_fingerprint": findings.data_fingerprint, "result": findings.result}
        if findings.same_as is not None:
            reason = say(
                "the training gave the same files as version {version}: there is nothing new to learn",
                version=findings.same_as,
            )
            return self._end(watch, "skipped", reason, outcome="nothing new", artefact=findings.artefact, **kept)
        assert self._registry.artefacts is not None  # noqa: S101
        self._registry.artefacts.put(findings.files)
        looks = HoldoutLooks(self._book.database)
        n_looks = looks.record(
            findings.data_fingerprint, decision_id=f"retraining job {job.job_id}", at=self._book.clock()
        )
        sentence = sentence_of(findings.verdicts)
        evidence = {
            "job_id": job.job_id, "passed": findings.passed, "sentence": sentence,
            "verdicts": findings.verdicts, "comparison": findings.comparison, "n_looks": n_looks,
            "data_fingerprint": findings.data_fingerprint, "seed": job.seed,
        }  # fmt: skip
        version = self._registry.next_version(job.model_id, entry.bump, base=champion.version)
        log = with_line(watch.job.log, sentence, at=self._book.clock())
        return watch.write(
            challenger=version, artefact=findings.artefact, evidence=evidence, progress=1.0, log=log,
            doing=say("registers what it made"), **kept,
        )  # fmt: skip

    def _came_to_nothing(self, watch: JobWatch, ended: TrainingEnded) -> RetrainingJob:
        if ended.trace:
            _log.warning("job %d: %s\n%s", watch.job.job_id, ended.reason, ended.trace)
            for line in ended.trace.strip().splitlines()[-20:]:
                watch.note(line)
        if ended.how == "interrupted" and watch.job.attempts < self._config.max_attempts:
            seconds = self._config.backoff_seconds * 2 ** (watch.job.attempts - 1)
            return self._book.put_off(watch.job, reason=ended.reason, seconds=seconds)
        how = "failed" if ended.how == "interrupted" else ended.how
        return self._end(watch, how, ended.reason)

    def _end(self, watch: JobWatch, how: str, reason: str, **values: object) -> RetrainingJob:
        text = " ".join(reason.replace("\0", " ").split())
        log = with_line(watch.job.log, _ended(how, text), at=self._book.clock())
        job = self._book.move(watch.job, how, reason=text, log=log, **{"outcome": how, **values})  # type: ignore[arg-type]
        self._forget_frames(job)
        return job

    @contextmanager
    def _folder_for(self, job: RetrainingJob, champion: ModelVersion) -> Iterator[Path]:
        folder = self._folder / f"job-{job.job_id}-{job.token}"
        # Those of workers that died over it.
        for left_over in self._folder.glob(f"job-{job.job_id}-[0-9]*"):
            shutil.rmtree(left_over, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            if champion.artefact is not None:
                write_folder(folder / "champion", self._registry.files(champion))
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _forget_frames(self, job: RetrainingJob) -> None:
        if job.frames is not None and not job.is_open:
            shutil.rmtree(job.frames, ignore_errors=True)


class Cancelled(Stop):
    """Somebody wants the job to end."""


class Stopped(Stop):
    """The worker is to end, and the job to go on elsewhere."""


class JobWatch:
    """Follows a training: writes down how far it is, and says when it is to stop."""

    def __init__(self, book: JobBook, job: RetrainingJob, held: HeldLease, stopping: threading.Event) -> None:
        self.job = job
        self._book = book
        self._held = held
        self._stopping = stopping
        self._written_at = self._looked_at = 0.0

    def report(self, stage: Stage, share: float, doing: str) -> None:
        """Write it down; not more often than twice a second, but for what is new."""
        doing = " ".join(doing.replace("\0", " ").split())
        is_new = doing != self.job.doing
        log = with_line(self.job.log, doing, at=self._book.clock()) if is_new else self.job.log
        if stage != self.job.state:
            self.job = self._book.move(self.job, stage, progress=share, doing=doing, log=log)
        elif time.monotonic() - self._written_at >= _WRITE_SECONDS:
            self.job = self._book.write(self.job, progress=share, doing=doing, log=log)
        else:
            return
        self._written_at = time.monotonic()

    def note(self, line: str) -> None:
        """One more line of the log."""
        self.write(log=with_line(self.job.log, line, at=self._book.clock()))

    def write(self, **values: object) -> RetrainingJob:
        """Write to the job."""
        self.job = self._book.write(self.job, **values)
        return self.job

    def check(self) -> None:
        """See whether the training may go on.

        Raises:
            JobLost: the lease is lost.
            Cancelled, Stopped: it is to end.
        """
        if self._held.is_lost:
            raise JobLost(f"the lease of job {self.job.job_id} is lost")
        if self._stopping.is_set():
            raise Stopped(f"job {self.job.job_id} goes on elsewhere")
        if time.monotonic() - self._looked_at >= _WRITE_SECONDS:
            self._looked_at = time.monotonic()
            who = self._book.get(self.job.job_id).cancelled_by
            if who is not None:
                raise Cancelled(_cancelled_by(who))


def _ended(how: str, reason: str) -> str:
    if how == "failed":
        return say("failed: {reason}", reason=reason)
    if how == "skipped":
        return say("skipped: {reason}", reason=reason)
    return say("cancelled: {reason}", reason=reason)


def _cancelled_by(who: str) -> str:
    return say("cancelled by {who!s}", who=who)


def _nothing_to_compare_with(model_id: str) -> str:
    """The sentence of a need, as a clause."""
    sentence = say("No version of {model!s} is in production, so there is nothing to compare with.", model=model_id)
    return sentence[0].lower() + sentence[1:].removesuffix(".")
