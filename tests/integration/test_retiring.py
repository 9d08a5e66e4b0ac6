"""Archiving the version in production retires the model: who does not mean that is stopped."""

from __future__ import annotations

import pytest

from mlops import ModelMetadata, ModelRegistry
from mlops.errors import IllegalMove
from mlops.store import Database


@pytest.fixture
def registry(emptied_database: Database) -> ModelRegistry:
    registry = ModelRegistry(emptied_database, actor="ana")
    for version in ("1.0.0", "1.0.1"):
        registry.register(ModelMetadata("ranker", version))
    registry.promote("ranker", "1.0.0", because="first")
    return registry


def test_who_does_not_mean_to_retire_a_model_does_not(registry: ModelRegistry) -> None:
    moved = registry.moves("ranker")
    with pytest.raises(
        IllegalMove, match=r"ranker 1\.0\.0 is in production: archiving it retires the model"
    ) as refused:
        registry.archive("ranker", "1.0.0", because="tidy up", retire=False)
    assert (refused.value.from_status, refused.value.to_status) == ("production", "archived")
    assert registry.get_production_model("ranker") is not None
    assert registry.moves("ranker") == moved


def test_another_version_is_archived_without_a_word(registry: ModelRegistry) -> None:
    assert registry.archive("ranker", "1.0.1", because="tidy up", retire=False).status == "archived"


def test_by_default_the_model_may_be_retired(registry: ModelRegistry) -> None:
    assert registry.archive("ranker", "1.0.0", because="the end").status == "archived"
    assert registry.get_production_model("ranker") is None
