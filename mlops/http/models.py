"""The registry over HTTP: reading. :mod:`mlops.http.model_changes` holds what changes something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Response

from mlops.clock import utc_from_text
from mlops.errors import (
    ApprovalRefused,
    ArtefactError,
    Conflict,
    Frozen,
    IllegalMove,
    InvalidMetadata,
    NotAllowed,
    NotAuthenticated,
    NothingToRollBackTo,
    StoreUnavailable,
    UnknownModel,
    UnknownVersion,
    VersionExists,
)
from mlops.http import model_changes, problems
from mlops.http.access import Access
from mlops.http.answers import freeze_in_force, json_response
from mlops.http.fields import BeforeNumber, BeforeVersion, Instant, Limit, ModelId, Version, VersionText
from mlops.model_registry import ModelRegistry, ModelSummary, ModelVersion
from mlops.model_registry.reading import unknown
from mlops.model_registry.records import VERSION_FIELDS
from mlops.model_registry.states import Status
from mlops.sentences import say

# The HTTP status of each error that these endpoints let through: for `problems.install`.
STATUSES: dict[type[Exception], int] = {
    NotAuthenticated: 401,
    NotAllowed: 403,
    UnknownModel: 404,
    UnknownVersion: 404,
    IllegalMove: 409,
    VersionExists: 409,
    Conflict: 409,
    Frozen: 409,
    NothingToRollBackTo: 409,
    ApprovalRefused: 409,
    ArtefactError: 409,
    InvalidMetadata: 422,
    StoreUnavailable: 503,
}

Serving = Callable[[str], str | None]
Item = TypeVar("Item")

_PAGE = 100
_REFUSALS = problems.documented(401, 403, 404, 422, 503)


def router(registry: ModelRegistry, access: Access, *, serving: Serving | None = None) -> APIRouter:
    """The endpoints over *registry*. The application has to know :data:`STATUSES`.

    Args:
        serving: the version of a model that this process answers with, None where it does not; default: it serves none.
    """
    routes = APIRouter()
    reading = APIRouter(dependencies=[Depends(access.reads)], responses=_REFUSALS, tags=["models"])
    _add_models(reading, registry, serving or _serves_none)
    _add_versions(reading, registry)
    _add_history(reading, registry)
    routes.include_router(reading)
    routes.include_router(model_changes.router(registry, access))
    return routes


def _add_models(routes: APIRouter, registry: ModelRegistry, serving: Serving) -> None:
    @routes.get("/models", summary="All models")
    def models() -> Response:
        """Each model in one line, with the fields of its version in production: null where none is."""
        champions = {one.model_id: one for one in registry.list_models(status="production")}
        lines = [_line(summary, champions.get(summary.model_id)) for summary in registry.models()]
        return json_response({"models": lines})

    @routes.get("/models/{model_id}", summary="One model")
    def model(model_id: ModelId) -> Response:
        """Its champion, whether it is frozen, which promotions wait, and what this process serves."""
        summary = _known_model(registry, model_id)
        champion = registry.get_production_model(model_id)
        return json_response(
            {
                **summary.to_dict(),
                "production": None if champion is None else champion.version,
                "champion": None if champion is None else champion.to_dict(),
                **freeze_in_force(registry, model_id),
                "pending_approvals": [each.to_dict() for each in registry.approvals(model_id, "pending")],
                "serving": serving(model_id),
            }
        )

    @routes.get("/models/{model_id}/production", summary="The version in production")
    def production(model_id: ModelId) -> Response:
        """404 where there is none."""
        champion = registry.get_production_model(model_id)
        if champion is None:
            _known_model(registry, model_id)
            raise UnknownVersion(say("{model!s} has no version in production", model=model_id))
        return json_response(champion.to_dict())


def _add_versions(routes: APIRouter, registry: ModelRegistry) -> None:
    @routes.get("/models/{model_id}/versions", summary="Versions of a model, newest first")
    def versions(
        model_id: ModelId, status: Status | None = None, limit: Limit = _PAGE, before: BeforeVersion = None
    ) -> Response:
        """Up to `limit` versions; `next` is the `before` of the page after, null where this is the last one."""
        _known_model(registry, model_id)
        page, has_more = _page(registry.list_models(model_id, status, limit=limit + 1, before=before), limit)
        return json_response(
            {
                "model_id": model_id,
                "versions": [one.to_dict() for one in page],
                "next": page[-1].version if has_more else None,
            }
        )

    @routes.get("/models/{model_id}/versions/{version}", summary="One version")
    def version(model_id: ModelId, version: Version) -> Response:
        """As it was registered, and where it stands."""
        return json_response(_known_version(registry, model_id, version).to_dict())

    @routes.get("/models/{model_id}/at", summary="What was in production at a time")
    def at(model_id: ModelId, time: Instant) -> Response:
        """`version` is null where none was; its status is that of today."""
        _known_model(registry, model_id)
        instant = utc_from_text(time)
        served = registry.at(model_id, instant)
        version = None if served is None else served.to_dict()
        return json_response({"model_id": model_id, "time": instant.isoformat(), "version": version})


def _add_history(routes: APIRouter, registry: ModelRegistry) -> None:
    @routes.get("/models/{model_id}/moves", summary="Moves of a model, newest first")
    def moves(
        model_id: ModelId, version: VersionText | None = None, limit: Limit = _PAGE, before: BeforeNumber = None
    ) -> Response:
        """Up to `limit` moves, failed ones among them; `next` is the `before` of the page after, null on the last."""
        if version is None:
            _known_model(registry, model_id)
        else:
            _known_version(registry, model_id, version)
        newest_first = registry.moves(model_id, version, limit=limit + 1, before=before)[::-1]
        page, has_more = _page(newest_first, limit)
        return json_response(
            {
                "model_id": model_id,
                "moves": [move.to_dict() for move in page],
                "next": page[-1].move_id if has_more else None,
            }
        )

    @routes.get("/approvals", summary="Promotions that wait for a person, or waited")
    def approvals(
        state: Literal["pending", "approved", "rejected"] | None = None,
        limit: Limit = _PAGE,
        before: BeforeNumber = None,
    ) -> Response:
        """Up to `limit` requests of all models, newest first; `next` is the `before` of the page after."""
        page, has_more = _page(registry.approvals(state=state, limit=limit + 1, before=before), limit)
        return json_response(
            {"approvals": [each.to_dict() for each in page], "next": page[-1].approval_id if has_more else None}
        )


def _line(summary: ModelSummary, champion: ModelVersion | None) -> dict[str, Any]:
    fields = dict.fromkeys(VERSION_FIELDS) if champion is None else champion.to_dict()
    # The champion was read before the summary: what both say must not differ.
    return {**fields, **summary.to_dict(), "production": fields["version"]}


def _page(found: Sequence[Item], limit: int) -> tuple[Sequence[Item], bool]:
    """The page, and whether there is more: one more was asked for than the page holds."""
    return found[:limit], len(found) > limit


def _known_model(registry: ModelRegistry, model_id: str) -> ModelSummary:
    for summary in registry.models(model_id):
        return summary
    raise UnknownModel(say("nothing of a model {model!r} was ever registered", model=model_id))


def _known_version(registry: ModelRegistry, model_id: str, version: str) -> ModelVersion:
    one = registry.get_model(model_id, version)
    if one is None:
        with registry.database.reading() as connection:
            raise unknown(connection, model_id, version)
    return one


def _serves_none(_model_id: str) -> None:
    return None
