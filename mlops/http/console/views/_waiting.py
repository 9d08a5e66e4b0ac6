"""What waits for a person: approvals, jobs, rollouts under way, and freezes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.shown import freeze_scope, state, version_link, who, why
from mlops.http.console.view import ConsoleBlock
from mlops.model_registry.records import Freeze
from mlops.reports import Badge, Link, Prose, Table
from mlops.reports.page import Row
from mlops.retraining.jobs import RetrainingJob
from mlops.rollout.state import Rollout

_MOST = 20


def waiting_blocks(ask: Ask, rows: Sequence[Row]) -> Sequence[ConsoleBlock]:
    if not rows:
        return [Prose(ask.words("overview.nothing_waits"))]
    return [Table(["what", "subject", "since", "actor", "reason"], rows)]


def waiting_rows(parts: Parts, ask: Ask) -> Iterator[Row]:
    jobs = parts.retraining.list_jobs(states=("awaiting_approval",), limit=_MOST, brief=True)
    yield from (_job_waits(ask, each) for each in jobs)
    known = {(each.model_id, each.challenger) for each in jobs}
    t = ask.words
    for each in parts.registry.approvals(state="pending", limit=_MOST):
        if (each.model_id, each.version) not in known:
            link = version_link(ask, each.model_id, each.version, with_model=True)
            badge = Badge(t("overview.approval"), "note")
            yield [badge, link, each.requested_at, each.requested_by, why(each.because, automatic=False)]
    yield from (_rollout_waits(ask, each) for each in parts.rollouts.under_way())
    yield from (_freeze_waits(ask, each) for each in parts.registry.freezes().values())


def _job_waits(ask: Ask, job: RetrainingJob) -> Row:
    badge = Badge(ask.words("overview.job"), "note")
    actor = who(ask, job.requested_by, automatic=job.automatic)
    at = job.entered.get("awaiting_approval")
    since = job.requested_at if at is None else datetime.fromisoformat(at)
    link = Link(f"{job.model_id} {job.challenger}", ask.link("reentrenamiento", str(job.job_id)))
    return [badge, link, since, actor, why(job.because, automatic=job.automatic)]


def _rollout_waits(ask: Ask, rollout: Rollout) -> Row:
    t = ask.words
    badge = Badge(t("overview.rollout_paused" if rollout.paused_at is not None else "overview.rollout"), "note")
    name, stage = f"{rollout.model_id} {rollout.challenger}", state(ask, "rollout", rollout.status).text
    subject = t("overview.at_stage", name=name, stage=stage, share=t.share(rollout.share))
    link = Link(subject, ask.link("despliegues", str(rollout.rollout_id)))
    return [badge, link, rollout.started_at, rollout.started_by, why(rollout.because, automatic=False)]


def _freeze_waits(ask: Ask, freeze: Freeze) -> Row:
    return [
        Badge(ask.words("models.is_frozen"), "note"),
        freeze_scope(ask, freeze),
        freeze.frozen_at,
        freeze.frozen_by,
        why(freeze.because, automatic=False),
    ]
