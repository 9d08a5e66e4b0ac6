"""Promotions that wait for a person: requested, then approved or rejected; all of it is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from mlops.errors import ApprovalRefused, NothingToDecide
from mlops.model_registry._change import By
from mlops.model_registry._rows import APPROVAL_COLUMNS, approvals, to_approval
from mlops.model_registry.records import Approval, ModelVersion
from mlops.sentences import say


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Which promotions need a person.

    Attributes:
        model_ids: the models whose promotions do; None for all.
        by_another: the one who approves must not be the one who requested.
    """

    model_ids: frozenset[str] | None = frozenset()
    by_another: bool = False

    @classmethod
    def from_text(cls, text: str, *, by_another: bool = False) -> ApprovalPolicy:
        """From a setting: ``none``, ``all``, or names of models between commas; ``true`` and ``false`` work too."""
        word = text.strip().lower()
        if word in {"", "none", "false", "no", "0"}:
            return cls(by_another=by_another)
        if word in {"all", "true", "yes", "1"}:
            return cls(None, by_another)
        return cls(frozenset(name.strip() for name in text.split(",") if name.strip()), by_another)

    def needs(self, model_id: str) -> bool:
        """Whether promotions of *model_id* need a person."""
        return self.model_ids is None or model_id in self.model_ids


def request(
    connection: sa.Connection, one: ModelVersion, champion: ModelVersion | None, by: By, *, now: datetime
) -> Approval:
    """Ask for the promotion of *one*.

    A request that is pending already stays as it is, unless another version is in production by now: nobody could
    approve it, so that the new one takes its place.
    """
    serving = None if champion is None else champion.version
    known = pending(connection, one.model_id, one.version)
    if known is not None and known.champion == serving:
        return known
    if known is not None:
        because = say("requested anew against {champion}", champion=serving)
        _decide(connection, known, "rejected", replace(by, because=because), now=now)
    row = {
        "model_id": one.model_id,
        "version": one.version,
        "champion": serving,
        "state": "pending",
        "requested_at": now,
        "requested_by": by.actor,
        "because": by.because,
        "evidence": by.evidence,
    }
    return to_approval(connection.execute(sa.insert(approvals).values(row).returning(*APPROVAL_COLUMNS)).one())


def pending(connection: sa.Connection, model_id: str, version: str) -> Approval | None:
    """The request for *version* that waits, None where there is none."""
    row = connection.execute(
        sa.select(*APPROVAL_COLUMNS).where(
            approvals.c.model_id == model_id, approvals.c.version == version, approvals.c.state == "pending"
        )
    ).first()
    return None if row is None else to_approval(row)


def the_pending(connection: sa.Connection, model_id: str, version: str, request: int | None) -> Approval:
    """The request for *version* that waits, which is that of the number *request* unless this is None.

    Raises:
        NothingToDecide: none waits, or another one does.
    """
    waiting = pending(connection, model_id, version)
    if waiting is None:
        raise NothingToDecide(say("no promotion of {version} waits for approval", version=f"{model_id} {version}"))
    if request is not None and waiting.approval_id != request:
        raise NothingToDecide(
            say(
                "request {request:d} does not wait any more; request {waiting:d} for {version} does",
                request=request,
                waiting=waiting.approval_id,
                version=f"{model_id} {version}",
            )
        )
    return waiting


def listed(
    connection: sa.Connection,
    model_id: str | None,
    state: str | None,
    *,
    limit: int | None = None,
    before: int | None = None,
) -> Sequence[Approval]:
    """Requests, newest first: at most *limit*, of those before the request of the number *before*."""
    query = sa.select(*APPROVAL_COLUMNS).order_by(approvals.c.approval_id.desc()).limit(limit)
    if model_id is not None:
        query = query.where(approvals.c.model_id == model_id)
    if state is not None:
        query = query.where(approvals.c.state == state)
    if before is not None:
        query = query.where(approvals.c.approval_id < before)
    return [to_approval(row) for row in connection.execute(query)]


def decide(
    connection: sa.Connection, waiting: Approval, state: str, policy: ApprovalPolicy, by: By, *, now: datetime
) -> Approval:
    """Approve or reject *waiting*.

    Raises:
        ApprovalRefused: this actor may not approve it.
    """
    if state == "approved" and policy.by_another and by.actor == waiting.requested_by:
        raise ApprovalRefused(
            say(
                "{actor!s} requested the promotion of {version}: somebody else has to approve it",
                actor=by.actor,
                version=f"{waiting.model_id} {waiting.version}",
            )
        )
    return _decide(connection, waiting, state, by, now=now)


def _decide(connection: sa.Connection, waiting: Approval, state: str, by: By, *, now: datetime) -> Approval:
    row = connection.execute(
        sa.update(approvals)
        .where(approvals.c.approval_id == waiting.approval_id)
        .values(state=state, decided_at=now, decided_by=by.actor, decided_because=by.because)
        .returning(*APPROVAL_COLUMNS)
    ).one()
    return to_approval(row)
