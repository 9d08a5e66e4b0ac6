"""Retraining over HTTP: whether models need it, jobs, and what a person decides."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from mlops.errors import JobConflict, JobLost, UnknownJob, UnknownModel, UnknownTrainer
from mlops.http import problems
from mlops.http.access import Access
from mlops.http.answers import json_response
from mlops.http.fields import BeforeNumber, Change, Evidence, Limit, ModelIdText, Reason
from mlops.retraining.jobs import JobState, RetrainingJob
from mlops.retraining.orchestrator import RetrainingOrchestrator
from mlops.sentences import say

# The HTTP status of each error that these endpoints let through, beside those of `models`: for `problems.install`.
STATUSES: dict[type[Exception], int] = {
    UnknownJob: 404,
    UnknownTrainer: 409,
    JobConflict: 409,
    JobLost: 409,
}

JobId = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a job.")]

_REFUSALS = problems.documented(401, 403, 404, 422, 503)
_CHANGES = problems.documented(400, 401, 403, 404, 409, 413, 415, 422, 503)
_PAGE = 100
_LONG = ("log", "result", "evidence")


class Check(BaseModel):
    """The body of ``/retrain/check``."""

    model_config = ConfigDict(extra="forbid")

    model_ids: list[ModelIdText] | None = Field(
        None, max_length=100, description="The models. Default: all that can be trained."
    )


class Retraining(BaseModel):
    """The body of ``/retrain``."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"model_id": "hybrid_ranker"}]})

    model_id: ModelIdText = Field(description="The model.")
    reason: Reason = Field(say("asked for"), description="Why, in a sentence; it is kept with the job.")
    parameters: Evidence | None = Field(None, description="Over those that the trainer is registered with.")
    seed: StrictInt | None = Field(None, ge=0, le=2**31 - 1, description="Of all that is drawn at random.")


class Nothing(BaseModel):
    """The body of ``cancel``: an empty object."""

    model_config = ConfigDict(extra="forbid")


def router(orchestrator: RetrainingOrchestrator, access: Access) -> APIRouter:
    """The endpoints over *orchestrator*. The application has to know :data:`STATUSES`.

    They make jobs and decide on them; a :class:`~mlops.retraining.RetrainingRunner`, here or elsewhere, works on them.
    """
    routes = APIRouter()
    reading = APIRouter(dependencies=[Depends(access.reads)], responses=_REFUSALS, tags=["retraining"])
    _add_reading(reading, orchestrator)
    changing = APIRouter(responses=_CHANGES, tags=["retraining"])
    _add_jobs(changing, orchestrator, access)
    _add_decisions(changing, orchestrator, access)
    routes.include_router(reading)
    routes.include_router(changing)
    return routes


def _add_reading(routes: APIRouter, orchestrator: RetrainingOrchestrator) -> None:
    @routes.post("/retrain/check", summary="Whether models need training, and why")
    def check(body: Check | None = None) -> Response:
        """Changes nothing. `reasons` speak for a training, `hindrances` keep a program from starting one now."""
        asked = None if body is None else body.model_ids
        wanted = orchestrator.model_ids() if asked is None else [_known(orchestrator, each) for each in asked]
        needs = [orchestrator.need(model_id) for model_id in wanted]
        return json_response(
            {
                "timestamp": orchestrator.book.clock().isoformat(),
                "models_checked": wanted,
                "retraining_needed": [each.model_id for each in needs if each.is_needed],
                "models": [each.to_dict() for each in needs],
            }
        )

    @routes.get("/retrain/jobs", summary="Retraining jobs, newest first")
    def jobs(
        model_id: Annotated[ModelIdText | None, Query(description="Only those of this model.")] = None,
        state: JobState | None = None,
        limit: Limit = _PAGE,
        before: BeforeNumber = None,
    ) -> Response:
        """Up to `limit` jobs, without their logs and evidence; `next` is the `before` of the page after."""
        states = [] if state is None else [state]
        found = orchestrator.list_jobs(model_id, states=states, limit=limit + 1, before=before, brief=True)
        page = found[:limit]
        return json_response(
            {"jobs": [_line(job) for job in page], "next": page[-1].job_id if len(found) > limit else None}
        )

    @routes.get("/retrain/jobs/{job_id}", summary="One retraining job")
    def job(job_id: JobId) -> Response:
        """With its log, times, verdicts and evidence."""
        return json_response(orchestrator.get_job_status(job_id))


def _add_jobs(routes: APIRouter, orchestrator: RetrainingOrchestrator, access: Access) -> None:
    @routes.post("/retrain", summary="Train a model anew", status_code=202)
    def retrain(body: Retraining, actor: str = Depends(access.operates)) -> Response:
        """Makes a job, and answers at once. Where the model has an open job, it is that."""
        _known(orchestrator, body.model_id)
        made = orchestrator.create_retrain_job(
            body.model_id,
            because=body.reason,
            parameters=body.parameters,
            seed=body.seed,
            requested_by=actor,
            held_for_seconds=0,
        )
        return json_response(made.to_dict(), status=202)

    @routes.post("/retrain/jobs/{job_id}/cancel", summary="End a job")
    def cancel(job_id: JobId, _body: Nothing | None = None, actor: str = Depends(access.operates)) -> Response:
        """A pending one at once, a running one within seconds."""
        return json_response(orchestrator.cancel(job_id, actor=actor).to_dict())


def _add_decisions(routes: APIRouter, orchestrator: RetrainingOrchestrator, access: Access) -> None:
    @routes.post("/retrain/jobs/{job_id}/approve", summary="Promote the version of a job that awaits approval")
    def approve(job_id: JobId, body: Change, actor: str = Depends(access.operates)) -> Response:
        """409 where another version is in production than the one that it was compared with."""
        return json_response(orchestrator.approve(job_id, because=body.reason, actor=actor).to_dict())

    @routes.post("/retrain/jobs/{job_id}/reject", summary="Archive the version of a job that awaits approval")
    def reject(job_id: JobId, body: Change, actor: str = Depends(access.operates)) -> Response:
        """The version in production stays."""
        return json_response(orchestrator.reject(job_id, because=body.reason, actor=actor).to_dict())


def _known(orchestrator: RetrainingOrchestrator, model_id: str) -> str:
    if not orchestrator.registry.models(model_id):
        raise UnknownModel(say("nothing of a model {model!r} was ever registered", model=model_id))
    return model_id


def _line(job: RetrainingJob) -> dict[str, Any]:
    return {name: value for name, value in job.to_dict().items() if name not in _LONG}
