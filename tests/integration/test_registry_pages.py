"""Reading a long registry page by page."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops import ModelMetadata, ModelRegistry
from mlops.errors import ApprovalRequired, InvalidMetadata, UnknownModel, UnknownVersion
from mlops.model_registry import ApprovalPolicy
from mlops.store import Database

N_VERSIONS = 7


@pytest.fixture
def registry(emptied_database: Database) -> ModelRegistry:
    """Two models whose registrations take turns, so that the numbers of one have gaps."""
    registry = ModelRegistry(emptied_database, actor="ana")
    for number in range(N_VERSIONS):
        for model_id in ("ranker", "ranker_2"):
            registry.register(ModelMetadata(model_id, f"1.0.{number}"))
    registry.promote("ranker", "1.0.1", because="first")
    registry.promote("ranker", "1.0.3", because="better")
    return registry


@pytest.mark.parametrize("limit", [1, 2, N_VERSIONS, 100])
def test_pages_of_versions_make_the_whole_list(registry: ModelRegistry, limit: int) -> None:
    seen: list[str] = []
    page = registry.list_models("ranker", limit=limit)
    while page:
        assert len(page) <= limit
        seen += [one.version for one in page]
        page = registry.list_models("ranker", limit=limit, before=seen[-1])
    assert seen == [one.version for one in registry.list_models("ranker")]
    assert len(seen) == N_VERSIONS


def test_a_status_is_paged_too(registry: ModelRegistry) -> None:
    found = registry.list_models("ranker", "training", limit=2, before="1.0.4")
    assert [one.version for one in found] == ["1.0.2", "1.0.0"]


def test_a_limit_holds_over_all_models(registry: ModelRegistry) -> None:
    assert [one.name for one in registry.list_models(limit=3)] == ["ranker_2_1.0.6", "ranker_1.0.6", "ranker_2_1.0.5"]


def test_a_page_before_what_is_not_there_is_a_typed_error(registry: ModelRegistry) -> None:
    with pytest.raises(UnknownVersion, match=r"ranker has no version 9\.9\.9"):
        registry.list_models("ranker", before="9.9.9")
    with pytest.raises(UnknownModel, match="'other'"):
        registry.list_models("other", before="1.0.0")
    with pytest.raises(InvalidMetadata, match=r"before: .*needs model_id"):
        registry.list_models(before="1.0.0")


@given(limit=st.integers(1, 20))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pages_of_moves_make_the_whole_list(registry: ModelRegistry, limit: int) -> None:
    seen = page = registry.moves("ranker", limit=limit)
    while page:
        page = registry.moves("ranker", limit=limit, before=page[0].move_id)
        assert len(page) <= limit
        seen = [*page, *seen]
    assert seen == registry.moves("ranker")


def test_a_limit_keeps_the_newest_moves_oldest_first(registry: ModelRegistry) -> None:
    assert [(move.version, move.to_status) for move in registry.moves("ranker", limit=2)] == [
        ("1.0.3", "validation"),
        ("1.0.3", "production"),
    ]
    assert [move.to_status for move in registry.moves("ranker", "1.0.1", limit=1)] == ["archived"]


def test_one_model_in_one_line_is_the_line_of_the_list(registry: ModelRegistry) -> None:
    assert registry.models("ranker") == registry.models()[:1]
    assert [each.model_id for each in registry.models()] == ["ranker", "ranker_2"]
    assert registry.models("ranke") == []


def test_pages_of_requests_make_the_whole_list(emptied_database: Database) -> None:
    registry = ModelRegistry(emptied_database, actor="ana", approval=ApprovalPolicy(None))
    for number in range(5):
        registry.register(ModelMetadata("ranker", f"1.0.{number}"))
        with pytest.raises(ApprovalRequired):
            registry.promote("ranker", f"1.0.{number}", because="better")
    registry.reject("ranker", "1.0.2", because="worse")
    first = registry.approvals(limit=2)
    rest = registry.approvals(before=first[-1].approval_id)
    assert [*first, *rest] == registry.approvals()
    assert [each.version for each in registry.approvals("ranker", "pending", limit=3)] == ["1.0.4", "1.0.3", "1.0.1"]
