"""The states of a version: every pair is a move, a way through others, or an error that names both."""

from __future__ import annotations

import itertools

import pytest

from mlops.errors import IllegalMove, InvalidMetadata
from mlops.model_registry.states import STATUSES, Status, checked_status, steps

WAYS: dict[tuple[Status, Status], tuple[Status, ...]] = {
    ("training", "validation"): ("validation",),
    ("training", "production"): ("validation", "production"),
    ("training", "archived"): ("archived",),
    ("validation", "production"): ("production",),
    ("validation", "archived"): ("archived",),
    ("production", "archived"): ("archived",),
}
ILLEGAL = [
    (start, end) for start, end in itertools.product(STATUSES, STATUSES) if start != end and (start, end) not in WAYS
]


def test_there_are_these_four_states() -> None:
    assert STATUSES == ("training", "validation", "production", "archived")


@pytest.mark.parametrize("pair", WAYS, ids="-".join)
def test_a_legal_move_takes_these_steps(pair: tuple[Status, Status]) -> None:
    assert steps("ranker_1.0.0", *pair) == WAYS[pair]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("is_rollback", [False, True])
def test_where_a_version_stands_already_it_need_not_go(status: Status, is_rollback: bool) -> None:
    assert steps("ranker_1.0.0", status, status, is_rollback=is_rollback) == ()


@pytest.mark.parametrize("pair", ILLEGAL, ids="-".join)
def test_an_illegal_move_names_the_version_and_both_states(pair: tuple[Status, Status]) -> None:
    with pytest.raises(IllegalMove, match=rf"ranker_1\.0\.0 cannot move from {pair[0]} to {pair[1]}: \w+") as caught:
        steps("ranker_1.0.0", *pair)
    assert (caught.value.from_status, caught.value.to_status) == pair


def test_from_archived_to_production_leads_only_a_rollback() -> None:
    assert steps("ranker_1.0.0", "archived", "production", is_rollback=True) == ("production",)
    with pytest.raises(IllegalMove, match="only by a rollback"):
        steps("ranker_1.0.0", "archived", "production")


@pytest.mark.parametrize("end", ["training", "validation"])
def test_a_rollback_leads_nowhere_else(end: Status) -> None:
    with pytest.raises(IllegalMove, match=f"from archived to {end}"):
        steps("ranker_1.0.0", "archived", end, is_rollback=True)


@pytest.mark.parametrize(("start", "end"), list(itertools.product(STATUSES, STATUSES)))
def test_each_step_of_a_way_is_a_legal_step_itself(start: Status, end: Status) -> None:
    try:
        way = steps("ranker_1.0.0", start, end)
    except IllegalMove:
        return
    for origin, to in itertools.pairwise((start, *way)):
        assert steps("ranker_1.0.0", origin, to) == (to,)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_itself(status: Status) -> None:
    assert checked_status(status) == status


@pytest.mark.parametrize("value", ["", "Production", "prod", "production ", "staging", None, 3])
def test_what_is_no_status_is_refused_with_all_that_are(value: str) -> None:
    with pytest.raises(InvalidMetadata, match="training, validation, production, archived") as caught:
        checked_status(value)
    assert caught.value.field == "status"
    assert repr(value) in str(caught.value)
