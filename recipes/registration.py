"""How ``hybrid_ranker`` comes into the registry."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version

from mlops.clock import Clock, utc_now
from mlops.errors import Conflict, VersionExists
from mlops.model_registry import Lineage, ModelMetadata, ModelRegistry, ModelVersion
from mlops.sentences import say
from recipes.ranker import INITIAL_VERSION, MODEL_ID, HybridRanker

_BY = "recipes"


def register_initial_model(registry: ModelRegistry, *, clock: Clock = utc_now) -> None:
    """See that 1.0.0 is registered, and in production unless some version ever was. A second time changes nothing.

    Raises:
        ApprovalRequired: its promotion waits for a person.
        StoreUnavailable: the state database does not answer.
    """
    known = registry.get_model(MODEL_ID, INITIAL_VERSION)
    if known is None:
        known = _register(registry, at=clock())
    if known.status == "archived" or registry.get_production_model(MODEL_ID) is not None:
        return
    try:
        registry.promote(
            MODEL_ID, INITIAL_VERSION, because=say("the first model of this installation"), actor=_BY, expected=None
        )
    except Conflict:
        return  # another process of ours was first


def _register(registry: ModelRegistry, *, at: datetime) -> ModelVersion:
    ranker = HybridRanker()
    metadata = ModelMetadata(
        MODEL_ID,
        INITIAL_VERSION,
        model_type="hybrid",
        timestamp=at,
        description=say("The blend of the specification: 0.7 semantic + 0.3 popularity. Nothing in it was learned."),
        parameters={"semantic_weight": ranker.semantic_weight, "popularity_weight": ranker.popularity_weight},
    )
    lineage = Lineage(code_version=f"recipe-recommender {version('recipe-recommender')}")
    try:
        return registry.register(
            metadata, artefact=ranker.files(), lineage=lineage, because=say("comes with the recommender"), actor=_BY
        )
    except VersionExists:
        # Another process of ours, of another release, was first.
        found = registry.get_model(MODEL_ID, INITIAL_VERSION)
        if found is None:
            raise
        return found
