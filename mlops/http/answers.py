"""What the registry's endpoints answer with."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from mlops.model_registry import ModelRegistry

_ALL_MODELS = "*"


def json_response(body: dict[str, Any], *, status: int = 200) -> Response:
    """*body* as JSON."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def production(registry: ModelRegistry, model_id: str) -> str | None:
    """The version in production, None where there is none."""
    champion = registry.get_production_model(model_id)
    return None if champion is None else champion.version


def freeze_in_force(registry: ModelRegistry, model_id: str | None) -> dict[str, Any]:
    """Whether programs may move versions of *model_id* (None: of all models), and the freeze that forbids it."""
    freezes = registry.freezes()
    freeze = freezes.get(model_id or _ALL_MODELS) or freezes.get(_ALL_MODELS)
    return {"is_frozen": freeze is not None, "freeze": None if freeze is None else freeze.to_dict()}
