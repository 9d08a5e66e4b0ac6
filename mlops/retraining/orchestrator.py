"""The loop's middle: from the need of a training to a version in production, by evidence."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops.errors import ApprovalRequired, JobConflict, JobOpen
from mlops.model_registry import ModelRegistry
from mlops.people import system_user
from mlops.retraining.book import JobBook
from mlops.retraining.config import RetrainingConfig
from mlops.retraining.consequences import BringIn, Consequences
from mlops.retraining.frames import write_frames
from mlops.retraining.jobs import RetrainingJob
from mlops.retraining.needs import Need, NeedCheck, NoSignals, Signals
from mlops.retraining.process import Training, TrainingProcess
from mlops.retraining.recent_needs import RecentNeeds
from mlops.retraining.trainers import Trainers
from mlops.retraining.worker import RetrainingWorker
from mlops.sentences import say
from mlops.store.leases import Leases


class RetrainingOrchestrator:
    """Jobs of all models: asks whether one is needed, makes and runs them, lets a person decide.

    Everything is kept in the registry's database, so that any process sees the same jobs.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        *,
        folder: Path,
        trainers: Trainers | None = None,
        config: RetrainingConfig | None = None,
        signals: Signals | None = None,
        training: Training | None = None,
        environment: Mapping[str, str] | None = None,
        book: JobBook | None = None,
        bring_in: BringIn | None = None,
        leases: Leases | None = None,
    ) -> None:
        """An orchestrator of the models in *registry*, whose tables are there.

        Args:
            folder: for the files of open jobs.
            trainers: how models are trained; default: those of :func:`mlops.retraining.register_trainer`.
            signals: what is known of the models; default: nothing was measured.
            training: how a training is run; default: in a process of its own, within the limits of *config*.
            environment: of that process, beside that of this one.
            book: the jobs; default: those in the registry's database, on the time of this machine.
            bring_in: what takes the place of a promotion that nobody has to approve, such as
                :class:`mlops.retraining.gradual.GradualStart`; default: nothing.
            leases: by which workers hold jobs; default: on the clock of *book*.
        """
        from mlops.retraining.opening import trainers_of

        self.registry = registry
        self.config = config or RetrainingConfig()
        self.trainers = trainers or trainers_of()
        self.signals: Signals = signals or NoSignals()
        self.book = book or JobBook(registry.database)
        self.recent_needs = RecentNeeds(self.need, clock=self.book.clock)
        self._folder = folder
        self._bring_in = bring_in
        self._leases = leases
        self._training = training or TrainingProcess(
            environment=environment, memory_mb=self.config.memory_mb, timeout_seconds=self.config.timeout_seconds
        )
        self._consequences = Consequences(self.book, registry, self.config)

    # --- Needs ------------------------------------------------------------------------------------------------------

    def need(self, model_id: str) -> Need:
        """Whether *model_id* needs training, and why, in figures. See :class:`~mlops.retraining.needs.NeedCheck`."""
        check = NeedCheck(self.registry, self.book, self.trainers, self.config, signals=self.signals)
        return self.recent_needs.remember(check.need(model_id))

    def check_retrain_needed(self, model_id: str) -> tuple[bool, list[str]]:
        """Whether a training of *model_id* is needed and may start now, and all that speaks for and against it."""
        found = self.need(model_id)
        return found.may_start, found.sentences

    def model_ids(self) -> list[str]:
        """Models that can be trained and are registered, sorted."""
        known = set(self.registry.model_ids())
        return [model_id for model_id in self.trainers.model_ids() if model_id in known]

    # --- Jobs -------------------------------------------------------------------------------------------------------

    def create_retrain_job(
        self,
        model_id: str,
        *,
        because: str = say("asked for"),
        parameters: Mapping[str, Any] | None = None,
        seed: int | None = None,
        requested_by: str | None = None,
        automatic: bool = False,
        held_for_seconds: float = 60.0,
    ) -> RetrainingJob:
        """A job that trains *model_id*, pending. A model has one open job at most: where there is one, it is that.

        Args:
            parameters: over those that the trainer was registered with.
            seed: default: that of the trainer.
            requested_by: default: the user of this process.
            automatic: asked for by a program, not by a person.
            held_for_seconds: for so long only :meth:`execute_retrain` takes it: workers of a service leave it to the
                caller, who may bring data. 0: any worker may take it at once.

        Raises:
            UnknownTrainer: nobody has said how *model_id* is trained.
            InvalidMetadata: *because* or *parameters* cannot be kept.
            JobOpen: there is an open job, and it trains with other parameters or another seed than asked for.
        """
        entry = self.trainers.get(model_id)
        wanted = {"parameters": dict(parameters or {}), "seed": entry.seed if seed is None else seed}
        job, is_new = self.book.create(
            model_id,
            because=because,
            requested_by=requested_by or system_user(),
            automatic=automatic,
            held_for_seconds=held_for_seconds,
            **wanted,  # type: ignore[arg-type]
        )
        if (
            not is_new
            and (parameters is not None or seed is not None)
            and (dict(job.parameters) != wanted["parameters"] or job.seed != wanted["seed"])
        ):
            raise JobOpen(
                say(
                    "job {job:d} of {model!s} is {state}, with other parameters; cancel it first",
                    job=job.job_id,
                    model=model_id,
                    state=job.state,
                )
            )
        return job

    def execute_retrain(self, job: RetrainingJob | int, training_data: Any = None, validation_data: Any = None) -> bool:
        """Run a job to its end, or to where it waits for a person. Blocks; the training has a process of its own.

        Args:
            training_data: a data frame or table as the trainer takes it; None: the trainer gathers the data.
            validation_data: what challenger and champion are compared on; None: the newest part of the others.

        Returns:
            Whether a new version was trained and compared with the champion; :meth:`get_job_status` tells the rest.

        Raises:
            UnknownJob: there is no such job.
            JobConflict: it is over, or another worker has it.
            UnreadableData: the data are no table.
        """
        found = self.book.get(job if isinstance(job, int) else job.job_id)
        if training_data is not None:
            self._bring(found, training_data, validation_data)
        return self.worker().run(found.job_id).state in {"completed", "awaiting_approval"}

    def worker(self, *, name: str | None = None) -> RetrainingWorker:
        """A worker of these jobs, for a thread or process of its own."""
        return RetrainingWorker(
            self.book, self.registry, self.trainers, self.config,
            folder=self._folder, training=self._training, name=name, bring_in=self._bring_in,
            leases=self._leases,
        )  # fmt: skip

    def get_job_status(self, job: RetrainingJob | int) -> dict[str, Any]:
        """A job as it is now, as plain values.

        Raises:
            UnknownJob: there is no such job.
        """
        return self.book.get(job if isinstance(job, int) else job.job_id).to_dict()

    def list_jobs(
        self,
        model_id: str | None = None,
        *,
        states: Sequence[str] = (),
        limit: int | None = None,
        before: int | None = None,
        brief: bool = False,
    ) -> list[RetrainingJob]:
        """Jobs, newest first; see :meth:`JobBook.listed <mlops.retraining.book.JobBook.listed>`."""
        return self.book.listed(model_id, states=states, limit=limit, before=before, brief=brief)

    # --- What a person decides --------------------------------------------------------------------------------------

    def approve(self, job_id: int, *, because: str, actor: str | None = None) -> RetrainingJob:
        """Promote the version of a job that awaits approval.

        Raises:
            UnknownJob: there is no such job.
            JobConflict: it does not await approval.
            ApprovalRefused: *actor* may not approve it.
            Conflict: another version is in production than the one that it was compared with.
        """
        return self._consequences.approve(self._waiting(job_id), because=because, actor=actor or system_user())

    def reject(self, job_id: int, *, because: str, actor: str | None = None) -> RetrainingJob:
        """Archive the version of a job that awaits approval.

        Raises:
            UnknownJob: there is no such job.
            JobConflict: it does not await approval.
        """
        return self._consequences.reject(self._waiting(job_id), because=because, actor=actor or system_user())

    def cancel(self, job_id: int, *, actor: str | None = None) -> RetrainingJob:
        """End a pending job at once; a running one is ended by its worker within seconds.

        Raises:
            UnknownJob: there is no such job.
            JobConflict: it is over, or awaits approval.
        """
        job = self.book.ask_to_cancel(job_id, actor=actor or system_user())
        if job.frames is not None and not job.is_open:
            shutil.rmtree(job.frames, ignore_errors=True)
        return job

    def promote_to_production(
        self,
        model_id: str,
        version: str,
        approval_required: bool = True,
        *,
        because: str = "promote_to_production",
        actor: str | None = None,
    ) -> bool:
        """Promote a version, or ask for it where a person has to approve. True where it is in production now.

        The evidence of the job that made the version goes with it.

        Raises:
            UnknownModel, UnknownVersion, IllegalMove, Conflict, ArtefactError: see
                :meth:`ModelRegistry.promote <mlops.model_registry.ModelRegistry.promote>`.
        """
        evidence = next((job.evidence for job in self.book.listed(model_id) if job.challenger == version), None)
        try:
            self.registry.promote(
                model_id, version, because=because, evidence=evidence, actor=actor, approval_required=approval_required
            )
        except ApprovalRequired:
            return False
        return True

    def _waiting(self, job_id: int) -> RetrainingJob:
        job = self.book.get(job_id)
        if job.state == "awaiting_approval":
            job = self._consequences.settle(job)
        if job.state != "awaiting_approval":
            raise JobConflict(say("job {job:d} is {state}: there is nothing to decide", job=job_id, state=job.state))
        return job

    def _bring(self, job: RetrainingJob, training_data: Any, validation_data: Any) -> None:
        folder = self._folder / f"job-{job.job_id}-data"
        shutil.rmtree(folder, ignore_errors=True)
        write_frames(folder, training_data, validation_data)
        try:
            self.book.bring_frames(job, str(folder))
        except JobConflict:
            shutil.rmtree(folder, ignore_errors=True)
            raise
