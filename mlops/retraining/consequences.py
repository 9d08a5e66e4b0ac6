"""What follows from a training that is over: a version, and its way into production or the archive.

All of it is read from the job, and each step can be taken again without a second effect: whoever dies between any two
of them, and whoever goes on from there, comes to the same end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from mlops.errors import (
    ApprovalRequired,
    Barred,
    Conflict,
    Frozen,
    IllegalMove,
    RolloutOpen,
    RolloutRefused,
    VersionExists,
)
from mlops.model_registry import Lineage, ModelMetadata, ModelRegistry, ModelVersion
from mlops.retraining.book import JobBook
from mlops.retraining.config import RetrainingConfig
from mlops.retraining.jobs import RetrainingJob
from mlops.retraining.trainers import TrainerEntry
from mlops.sentences import say
from mlops.tracking.curves import JOB_TAG

ACTOR = "retraining"

# Begins to bring a version of a model in, for a reason, and says so. The errors are those of a rollout's start.
BringIn = Callable[[str, str, str], str]


class Consequences:
    """Registers what a job has made, and promotes it, rolls it out, asks a person, or archives it."""

    def __init__(
        self, book: JobBook, registry: ModelRegistry, config: RetrainingConfig, *, bring_in: BringIn | None = None
    ) -> None:
        """Consequences of the jobs in *book*.

        Args:
            bring_in: takes the place of a promotion that nobody has to approve; None: it is promoted at once.
        """
        self._book = book
        self._registry = registry
        self._config = config
        self._bring_in = bring_in

    def draw(self, job: RetrainingJob, entry: TrainerEntry) -> RetrainingJob:
        """Bring a job whose evidence is kept to its end, or to where it waits for a person.

        Raises:
            JobLost: another worker has the job.
            RegistryError, ArtefactError, StoreError: the registry cannot take it.
        """
        job, one = self._registered(job, entry)
        evidence = job.evidence or {}
        if one.status == "production" or self._has_served(one):
            return self._completed(job, "promoted", evidence["sentence"])
        if not evidence["passed"]:
            return self._not_promoted(job, "not promoted", evidence["sentence"])
        return self._promoted(job, evidence)

    def settle(self, job: RetrainingJob) -> RetrainingJob:
        """Bring a job that awaits approval to its end, where a person has decided in the registry meanwhile."""
        one = self._registry.get_model(job.model_id, job.challenger or "")
        if one is None or self._is_waiting(one):
            return job
        if one.status == "production" or self._has_served(one):
            return self._completed(job, "promoted", say("A person approved it."))
        return self._not_promoted(job, "rejected", say("A person rejected it."))

    def reject(self, job: RetrainingJob, *, because: str, actor: str) -> RetrainingJob:
        """Reject a job that awaits approval, and archive its version.

        Raises:
            ApprovalRefused: its promotion does not wait.
        """
        version = job.challenger or ""
        self._registry.reject(job.model_id, version, because=because, actor=actor)
        self._registry.archive(job.model_id, version, because=because, actor=actor, retire=False)
        reason = say("{actor!s} rejected it: {because}", actor=actor, because=because)
        return self._completed(job, "rejected", reason)

    def approve(self, job: RetrainingJob, *, because: str, actor: str) -> RetrainingJob:
        """Approve a job that awaits approval, and promote its version.

        Raises:
            ApprovalRefused: its promotion does not wait, or *actor* may not approve it.
            Conflict: another version is in production than the one that it was compared with.
        """
        self._registry.approve(job.model_id, job.challenger or "", because=because, actor=actor)
        reason = say("{actor!s} approved it: {because}", actor=actor, because=because)
        return self._completed(job, "promoted", reason)

    def _registered(self, job: RetrainingJob, entry: TrainerEntry) -> tuple[RetrainingJob, ModelVersion]:
        while True:
            version = job.challenger or ""
            known = self._registry.get_model(job.model_id, version)
            if known is not None and dict(known["tags"] or {}).get(JOB_TAG) == job.job_id:
                return job, known
            try:
                return job, self._register(job, entry, version)
            except VersionExists:
                # Somebody has registered another one under this number meanwhile.
                free = self._registry.next_version(job.model_id, entry.bump, base=job.champion)
                job = self._book.write(job, challenger=free)

    def _register(self, job: RetrainingJob, entry: TrainerEntry, version: str) -> ModelVersion:
        result: dict[str, Any] = dict(job.result or {})
        metadata = ModelMetadata(
            job.model_id,
            version,
            model_type=entry.model_type,
            timestamp=self._book.clock(),
            description=say("Trained anew by job {job:d}: {because}", job=job.job_id, because=job.because),
            metrics={**result["metrics"], **_means(job.evidence or {})},
            parameters=result["parameters"],
            parent_version=job.champion,
            tags={JOB_TAG: job.job_id},
        )
        assert self._registry.artefacts is not None  # noqa: S101
        return self._registry.register(
            metadata,
            artefact=self._registry.artefacts.get(job.artefact or ""),
            lineage=Lineage(job.data_fingerprint, result["code_version"], job.seed),
            because=say("trained by job {job:d}", job=job.job_id),
            actor=ACTOR,
            automatic=True,
        )

    def _promoted(self, job: RetrainingJob, evidence: Any) -> RetrainingJob:
        try:
            outcome, reason = self._brought_in(job, evidence)
        except ApprovalRequired as waits:
            return self._book.move(job, "awaiting_approval", doing=say("waits for a person"), reason=str(waits))
        except Conflict as conflict:
            reason = say("Its champion is not in production any more: {conflict}.", conflict=conflict)
            return self._not_promoted(job, "not promoted", reason)
        except (RolloutOpen, Barred, RolloutRefused) as refusal:
            reason = say("It could not be rolled out: {refusal}.", refusal=refusal)
            return self._not_promoted(job, "not promoted", reason)
        return self._completed(job, outcome, reason)

    def _brought_in(self, job: RetrainingJob, evidence: Any) -> tuple[str, str]:
        """(outcome, reason) of a version that is in production now, or on its way there."""
        try:
            if self._bring_in is not None and self._config.auto_approve:
                return "rolled out", self._rolled_out(job, self._bring_in, evidence["sentence"])
            self._promote(job, evidence, asks=not self._config.auto_approve, automatic=True)
        except Frozen:
            # A freeze stops programs, not people: one may still want what was made.
            self._promote(job, evidence, asks=True, automatic=False)
        return "promoted", evidence["sentence"]

    def _rolled_out(self, job: RetrainingJob, bring_in: BringIn, because: str) -> str:
        champion = self._registry.get_production_model(job.model_id)
        if champion is None:
            raise Conflict(say("{model!s} has none in production", model=job.model_id))
        if champion.version != job.champion:
            raise Conflict(say("{model!s} has {version} in production", model=job.model_id, version=champion.version))
        return bring_in(job.model_id, job.challenger or "", because)

    def _promote(self, job: RetrainingJob, evidence: Any, *, asks: bool, automatic: bool) -> None:
        self._registry.promote(
            job.model_id,
            job.challenger or "",
            because=evidence["sentence"],
            evidence=evidence,
            actor=ACTOR,
            automatic=automatic,
            expected=job.champion,
            approval_required=asks,
        )

    def _not_promoted(self, job: RetrainingJob, outcome: str, reason: str) -> RetrainingJob:
        # While automatic moves are frozen it stays where it is, which harms nobody.
        with contextlib.suppress(Frozen, IllegalMove):
            self._registry.archive(
                job.model_id, job.challenger or "", because=reason, actor=ACTOR, automatic=True, retire=False
            )
        return self._completed(job, outcome, reason)

    def _completed(self, job: RetrainingJob, outcome: str, reason: str) -> RetrainingJob:
        return self._book.move(job, "completed", outcome=outcome, reason=reason, progress=1.0)

    def _is_waiting(self, one: ModelVersion) -> bool:
        waiting = self._registry.approvals(one.model_id, "pending")
        return any(each.version == one.version for each in waiting)

    def _has_served(self, one: ModelVersion) -> bool:
        return one.deployed_at is not None


def _means(evidence: Mapping[str, Any]) -> dict[str, float]:
    """The challenger's metrics on the holdout, and its figures, by name."""
    found = evidence["comparison"]["challenger"]
    means = {each["metric"]: each["mean"] for each in found["metrics"] if each["mean"] is not None}
    return {**found["figures"], **means}


def sentence_of(verdicts: list[dict[str, Any]]) -> str:
    """What the gates say, in a sentence: the first that did not pass, else the first of all."""
    if not verdicts:
        return say("No gate was asked, so nothing speaks for the new version.")
    told = next((each for each in verdicts if each["outcome"] != "passed"), verdicts[0])
    n_passed = sum(each["outcome"] == "passed" for each in verdicts)
    n, of, gate, why = n_passed, len(verdicts), told["gate"], told["sentence"]
    if told["outcome"] == "passed":
        return say("{n:d} of {of:d} gates passed. {gate!s} passed: {why}", n=n, of=of, gate=gate, why=why)
    if told["outcome"] == "failed":
        return say("{n:d} of {of:d} gates passed. {gate!s} failed: {why}", n=n, of=of, gate=gate, why=why)
    return say("{n:d} of {of:d} gates passed. {gate!s} cannot tell: {why}", n=n, of=of, gate=gate, why=why)
