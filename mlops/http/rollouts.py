"""Rollouts over HTTP. Reading is open as the registry is; every change is for who may operate."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from mlops.errors import ApprovalRequired, BadPlan, Barred, RolloutOpen, RolloutRefused, UnknownRollout
from mlops.http import problems
from mlops.http.access import Access
from mlops.http.answers import json_response, production
from mlops.http.fields import BeforeNumber, Change, Limit, ModelId, RolloutChange, RolloutNumber, Version, VersionText
from mlops.rollout.controller import RolloutController
from mlops.rollout.plan import RolloutPlan
from mlops.rollout.state import Rollout

# The HTTP status of each error that these endpoints let through, beside those of the registry.
STATUSES: dict[type[Exception], int] = {
    UnknownRollout: 404,
    RolloutOpen: 409,
    RolloutRefused: 409,
    Barred: 409,
    BadPlan: 422,
}

_PAGE = 100
_READ = problems.documented(401, 403, 404, 422, 503)
_CHANGED = problems.documented(400, 401, 403, 404, 409, 413, 415, 422, 503)
_WAITS: dict[int | str, dict[str, Any]] = {202: {"description": "It was requested, and waits for a person"}}


class Start(Change):
    """The body of ``start``."""

    version: VersionText = Field(description="The challenger, in training or validation.")
    force: bool = Field(default=False, description="Also where it is expected to be clearly worse.")
    plan: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the plan that differ from the configured one, such as "
        '{"shadow_seconds": 3600, "shares": [0.05, 0.25], "guards": ["error_rate"]}.',
    )


def router(controller: RolloutController, access: Access, *, plan: RolloutPlan | None = None) -> APIRouter:
    """The endpoints over *controller*. The application has to know :data:`STATUSES` and those of the registry.

    Args:
        plan: what a request that names no plan gets; default: :class:`RolloutPlan`'s own.
    """
    routes = APIRouter(tags=["rollouts"])
    reading = APIRouter(dependencies=[Depends(access.reads)], responses=_READ)
    changing = APIRouter(responses=_CHANGED)
    _add_reading(reading, controller)
    _add_start(changing, controller, access, plan or RolloutPlan())
    _add_changes(changing, controller, access)
    routes.include_router(reading)
    routes.include_router(changing)
    return routes


def _add_reading(routes: APIRouter, controller: RolloutController) -> None:
    @routes.get("/models/{model_id}/rollout", summary="The rollout under way")
    def under_way(model_id: ModelId) -> Response:
        """With what the guards say now, and who won interleaved lists; `rollout` is null where none is under way."""
        found = controller.status(model_id)
        if found is None:
            return json_response({"model_id": model_id, "rollout": None})
        seen = controller.look(found)
        return json_response(
            {
                "model_id": model_id,
                "rollout": found.to_dict(),
                "guards": [reading.to_dict() for reading in seen.readings],
                "interleaving": seen.figures()["interleaving"],
            }
        )

    @routes.get("/models/{model_id}/rollouts", summary="Rollouts of a model, newest first")
    def rollouts(model_id: ModelId, limit: Limit = _PAGE, before: BeforeNumber = None) -> Response:
        """Up to `limit` rollouts and the versions that are barred; `next` is the `before` of the page after."""
        found = controller.history(model_id, limit=limit + 1, before=before)
        page = [each.to_dict() for each in found[:limit]]
        return json_response(
            {
                "model_id": model_id,
                "rollouts": page,
                "barred": [bar.to_dict() for bar in controller.bars(model_id)],
                "next": page[-1]["rollout_id"] if len(found) > limit else None,
            }
        )

    @routes.get("/rollouts/{rollout_id}", summary="One rollout, with all that was decided")
    def one(rollout_id: RolloutNumber) -> Response:
        """Each event with its sentence, its figures and the series of its chart."""
        found = controller.get(rollout_id)
        events = [event.to_dict() for event in controller.events(rollout_id)]
        return json_response({**found.to_dict(), "events": events})


def _add_start(routes: APIRouter, controller: RolloutController, access: Access, usual: RolloutPlan) -> None:
    @routes.post("/models/{model_id}/rollout/start", summary="Begin to bring a version in")
    def start(model_id: ModelId, body: Start, actor: str = Depends(access.operates)) -> Response:
        """409 where one is under way, or the version is barred, or expected to be clearly worse and not forced.

        `expected` is what logged propensities say of it, null where nothing was kept of its model.
        """
        plan = RolloutPlan.from_dict({**usual.to_dict(), **body.plan})
        begun = controller.start(model_id, body.version, plan=plan, because=body.reason, actor=actor, force=body.force)
        expected = controller.events(begun.rollout_id)[0].figures.get("expected")
        return json_response({**_now(controller, begun), "expected": expected})

    @routes.post("/models/{model_id}/versions/{version}/unbar", summary="Let a version be rolled out again")
    def unbar(model_id: ModelId, version: Version, body: Change, actor: str = Depends(access.operates)) -> Response:
        """After a rollback it is barred, and so is any other version with the same files."""
        controller.unbar(model_id, version, because=body.reason, actor=actor)
        return json_response({"model_id": model_id, "barred": [bar.to_dict() for bar in controller.bars(model_id)]})


def _add_changes(routes: APIRouter, controller: RolloutController, access: Access) -> None:
    @routes.post("/models/{model_id}/rollout/pause", summary="Keep the share as it is")
    def pause(model_id: ModelId, body: RolloutChange, actor: str = Depends(access.operates)) -> Response:
        """A guard that alarms still takes the challenger back."""
        found = controller.pause(model_id, because=body.reason, actor=actor, expected=body.rollout_id)
        return json_response(_now(controller, found))

    @routes.post("/models/{model_id}/rollout/resume", summary="Go on after a pause")
    def resume(model_id: ModelId, body: RolloutChange, actor: str = Depends(access.operates)) -> Response:
        """The pause counts neither for the stage nor for the longest time."""
        found = controller.resume(model_id, because=body.reason, actor=actor, expected=body.rollout_id)
        return json_response(_now(controller, found))

    @routes.post("/models/{model_id}/rollout/abort", summary="End the rollout")
    def abort(model_id: ModelId, body: RolloutChange, actor: str = Depends(access.operates)) -> Response:
        """Nobody gets the challenger any more. It is not barred."""
        found = controller.abort(model_id, because=body.reason, actor=actor, expected=body.rollout_id)
        return json_response(_now(controller, found))

    @routes.post("/models/{model_id}/rollout/promote-now", summary="Promote without waiting", responses=_WAITS)
    def promote_now(model_id: ModelId, body: RolloutChange, actor: str = Depends(access.operates)) -> Response:
        """It is watched as planned. 202 where a person has to approve it first."""
        try:
            found = controller.promote_now(model_id, because=body.reason, actor=actor, expected=body.rollout_id)
        except ApprovalRequired as waiting:
            return json_response({"model_id": model_id, "waits_for_approval": waiting.approval_id}, status=202)
        return json_response(_now(controller, found))


def _now(controller: RolloutController, rollout: Rollout) -> dict[str, Any]:
    """How it stands, read back, and what is in production."""
    found = controller.get(rollout.rollout_id)
    return {**found.to_dict(), "production": production(controller.registry, found.model_id)}
