"""The registry over HTTP: what changes something. Each answer reads back what is so now."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from mlops.errors import ApprovalRequired, UnknownModel
from mlops.http import problems
from mlops.http.access import Access
from mlops.http.answers import freeze_in_force, json_response, production
from mlops.http.fields import (
    Archival,
    Decision,
    Freezing,
    ModelId,
    Promotion,
    Rollback,
    Validation,
    Version,
    champion_expected,
)
from mlops.model_registry import ModelRegistry, ModelVersion
from mlops.sentences import say

_REFUSALS = problems.documented(400, 401, 403, 404, 409, 413, 415, 422, 503)
_WAITS: dict[int | str, dict[str, Any]] = {202: {"description": "It was requested, and waits for a person"}}
# A promotion is three moves; others may have come since.
_RECENT_MOVES = 50


def router(registry: ModelRegistry, access: Access) -> APIRouter:
    """The endpoints that change *registry*, each for who may operate."""
    routes = APIRouter(responses=_REFUSALS, tags=["models"])
    _add_promotions(routes, registry, access)
    _add_approvals(routes, registry, access)
    _add_other_moves(routes, registry, access)
    _add_freezes(routes, registry, access)
    return routes


def _add_promotions(routes: APIRouter, registry: ModelRegistry, access: Access) -> None:
    @routes.post(
        "/models/{model_id}/versions/{version}/promote", summary="Put a version into production", responses=_WAITS
    )
    def promote(
        model_id: ModelId, version: Version, body: Promotion, actor: str = Depends(access.operates)
    ) -> Response:
        """The one in production is archived. 202 where a person has to approve it first."""
        try:
            promoted = registry.promote(
                model_id,
                version,
                because=body.reason,
                evidence=body.evidence,
                actor=actor,
                **champion_expected(body),
            )
        except ApprovalRequired as waiting:
            return json_response(_request(registry, model_id, waiting.approval_id), status=202)
        return json_response(_moved(registry, promoted, previous=_replaced(registry, promoted)))

    @routes.post("/models/{model_id}/rollback", summary="Go back to the version that served before")
    def rollback(model_id: ModelId, body: Rollback, actor: str = Depends(access.operates)) -> Response:
        """The one in production is archived. Going back twice goes back two versions."""
        restored = registry.rollback(model_id, to=body.to, because=body.reason, actor=actor, **champion_expected(body))
        return json_response(_moved(registry, restored, previous=_replaced(registry, restored)))


def _add_approvals(routes: APIRouter, registry: ModelRegistry, access: Access) -> None:
    @routes.post("/models/{model_id}/versions/{version}/approve", summary="Approve the promotion that waits")
    def approve(model_id: ModelId, version: Version, body: Decision, actor: str = Depends(access.operates)) -> Response:
        """It is carried out at once. 409 where the champion is not the one that it was requested against."""
        promoted = registry.approve(model_id, version, because=body.reason, actor=actor, request=body.request)
        return json_response(_moved(registry, promoted, previous=_replaced(registry, promoted)))

    @routes.post("/models/{model_id}/versions/{version}/reject", summary="Reject the promotion that waits")
    def reject(model_id: ModelId, version: Version, body: Decision, actor: str = Depends(access.operates)) -> Response:
        """Nothing moves."""
        rejected = registry.reject(model_id, version, because=body.reason, actor=actor, request=body.request)
        return json_response(_request(registry, model_id, rejected.approval_id))


def _add_other_moves(routes: APIRouter, registry: ModelRegistry, access: Access) -> None:
    @routes.post("/models/{model_id}/versions/{version}/validate", summary="Move a version to validation")
    def validate(
        model_id: ModelId, version: Version, body: Validation, actor: str = Depends(access.operates)
    ) -> Response:
        """From training."""
        moved = registry.validate(model_id, version, because=body.reason, evidence=body.evidence, actor=actor)
        return json_response(_moved(registry, moved, previous=None))

    @routes.post("/models/{model_id}/versions/{version}/archive", summary="Archive a version")
    def archive(model_id: ModelId, version: Version, body: Archival, actor: str = Depends(access.operates)) -> Response:
        """The one in production only with `retire`: then nothing serves."""
        champion = registry.get_production_model(model_id)
        moved = registry.archive(model_id, version, because=body.reason, actor=actor, retire=body.retire)
        was_champion = champion is not None and champion.version == version
        return json_response(_moved(registry, moved, previous=version if was_champion else None))


def _add_freezes(routes: APIRouter, registry: ModelRegistry, access: Access) -> None:
    @routes.post("/freeze", summary="Switch automatic moves off")
    def freeze(body: Freezing, actor: str = Depends(access.operates)) -> Response:
        """For one model or all. Where they are off, the freeze in force stays."""
        registry.freeze(body.model_id, because=body.reason, actor=actor)
        return json_response({"model_id": body.model_id, **freeze_in_force(registry, body.model_id)})

    @routes.post("/unfreeze", summary="Switch automatic moves on again")
    def unfreeze(body: Freezing, actor: str = Depends(access.operates)) -> Response:
        """`lifted` is null where they were not off; a freeze of all models is lifted by itself."""
        if body.model_id is not None and not registry.models(body.model_id):
            raise UnknownModel(say("nothing of a model {model!r} was ever registered", model=body.model_id))
        lifted = registry.unfreeze(body.model_id, because=body.reason, actor=actor)
        now = {"model_id": body.model_id, **freeze_in_force(registry, body.model_id)}
        return json_response({**now, "lifted": None if lifted is None else lifted.to_dict()})


def _moved(registry: ModelRegistry, one: ModelVersion, *, previous: str | None) -> dict[str, Any]:
    """What is so now: the version in production, the one that moved, and the one that it took the place of."""
    return {
        "model_id": one.model_id,
        "production": production(registry, one.model_id),
        "version": one.to_dict(),
        "previous": previous,
    }


def _replaced(registry: ModelRegistry, one: ModelVersion) -> str | None:
    """The version that left production in the change that brought *one* there: both moves have one time."""
    for move in reversed(registry.moves(one.model_id, limit=_RECENT_MOVES)):
        if move.from_status == "production" and move.at == one.deployed_at and move.version != one.version:
            return move.version
    return None


def _request(registry: ModelRegistry, model_id: str, approval_id: int) -> dict[str, Any]:
    (approval,) = registry.approvals(model_id, limit=1, before=approval_id + 1)
    return {"model_id": model_id, "production": production(registry, model_id), "approval": approval.to_dict()}
