"""Going back: n rollbacks reach n versions back, never to and fro, never to one that was refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.model_registry.serving_order import ServingOrder, served_last, serving_order

Row = tuple[str, str, str]


@dataclass
class Model:
    """The moves that a registry would write, version after version."""

    champion: str | None = None
    rows: list[Row] = field(default_factory=list)

    def promote(self, version: str, *, kind: str = "moved") -> None:
        if self.champion is not None:
            self.rows.append((self.champion, "moved", "archived"))
        self.rows.append((version, kind, "production"))
        self.champion = version

    def roll_back(self, *, to: str | None = None) -> str | None:
        before = self.order().before(self.champion)
        target = to or (before[0] if before else None)
        if target is not None:
            self.promote(target, kind="rolled_back")
        return target

    def refuse(self) -> None:
        assert self.champion is not None
        target = self.order().before(self.champion)[0]
        self.rows += [(self.champion, "refused", "archived"), (target, "rolled_back", "production")]
        self.champion = target

    def fail(self) -> None:
        """What a refusal writes while moves are frozen: it failed, nothing moved."""
        assert self.champion is not None
        self.rows.append((self.champion, "refused", "production"))

    def retire(self) -> None:
        assert self.champion is not None
        self.rows.append((self.champion, "moved", "archived"))
        self.champion = None

    def order(self) -> ServingOrder:
        return serving_order(self.rows)


def _served(n: int) -> Model:
    model = Model()
    for number in range(1, n + 1):
        model.promote(f"1.{number}.0")
    return model


def test_a_model_that_never_served_has_nothing_to_go_back_to() -> None:
    assert serving_order([]) == ServingOrder((), frozenset())
    assert serving_order([]).before(None) == []


def test_the_nearest_comes_first() -> None:
    assert _served(4).order().before("1.4.0") == ["1.3.0", "1.2.0", "1.1.0"]


@given(n=st.integers(1, 8), n_back=st.integers(0, 10))
def test_going_back_n_times_reaches_n_versions_back_and_stops_at_the_first(n: int, n_back: int) -> None:
    model = _served(n)
    for _ in range(n_back):
        model.roll_back()
    assert model.champion == f"1.{max(1, n - n_back)}.0"


def test_after_a_rollback_what_it_went_back_over_is_not_gone_back_to() -> None:
    model = _served(3)
    model.roll_back()
    model.promote("2.0.0")
    assert model.order().before("2.0.0") == ["1.2.0", "1.1.0"]


def test_passing_over_one_takes_it_away_too() -> None:
    model = _served(3)
    model.roll_back(to="1.1.0")
    assert model.order().before("1.1.0") == []


def test_a_version_asked_for_by_name_counts_as_serving_again() -> None:
    model = _served(3)
    model.roll_back()
    model.roll_back(to="1.3.0")
    assert model.order().before("1.3.0") == ["1.2.0", "1.1.0"]


def test_a_refused_version_is_never_gone_back_to() -> None:
    model = _served(3)
    model.refuse()
    model.promote("2.0.0")
    assert model.order().before("2.0.0") == ["1.2.0", "1.1.0"]


@pytest.mark.parametrize("kind", ["moved", "rolled_back"])
def test_a_refused_version_that_a_person_puts_back_may_be_gone_back_to_again(kind: str) -> None:
    model = _served(2)
    model.refuse()
    model.promote("1.2.0", kind=kind)
    model.promote("2.0.0")
    assert model.order().before("2.0.0") == ["1.2.0", "1.1.0"]


def test_a_version_that_could_not_serve_and_stayed_is_not_gone_back_to_later() -> None:
    model = _served(2)
    model.fail()
    model.promote("2.0.0")
    assert model.order().before("2.0.0") == ["1.1.0"]


def test_a_version_that_failed_before_it_ever_served_has_not_served() -> None:
    model = _served(1)
    model.rows.append(("1.2.0", "refused", "production"))
    assert model.order() == ServingOrder(("1.1.0",), frozenset({"1.1.0"}))


def test_a_retired_model_goes_back_to_its_last_version_first() -> None:
    model = _served(2)
    model.retire()
    assert model.roll_back() == "1.2.0"
    assert model.roll_back() == "1.1.0"


STEPS = st.lists(st.sampled_from(["promote", "roll_back", "refuse", "fail", "retire"]), max_size=30)


def _played(steps: list[str]) -> tuple[Model, set[str]]:
    """A model that went through *steps* as far as they were possible, and what was refused on the way."""
    model, refused, n = Model(), set(), 0
    for step in steps:
        if step == "promote":
            n += 1
            model.promote(f"1.{n}.0")
        elif step == "roll_back":
            model.roll_back()
        elif step == "fail" and model.champion is not None:
            refused.add(model.champion)
            model.fail()
        elif step == "retire" and model.champion is not None:
            model.retire()
        elif step == "refuse" and model.champion is not None and model.order().before(model.champion):
            refused.add(model.champion)
            model.refuse()
    return model, refused


@given(steps=STEPS)
def test_whatever_happened_going_back_meets_no_version_twice_and_none_that_was_refused(steps: list[str]) -> None:
    model, refused = _played(steps)
    met = [] if model.champion is None else [model.champion]
    while (target := model.roll_back()) is not None:
        assert target not in met
        assert target not in refused
        met.append(target)


@given(steps=STEPS)
def test_whatever_happened_going_back_goes_to_older_and_older_versions_that_served(steps: list[str]) -> None:
    order = _played(steps)[0].order()
    numbers = [int(version.split(".")[1]) for version in order.stack]
    assert numbers == sorted(set(numbers))
    assert set(order.stack) <= order.ever


@given(steps=STEPS)
def test_the_champion_is_on_top_of_the_stack_unless_it_was_refused(steps: list[str]) -> None:
    model, refused = _played(steps)
    if model.champion is not None and model.champion not in refused:
        assert model.order().stack[-1] == model.champion


# --- Where an import has brought a second history ---------------------------------------------------------------------


IN, OUT = "production", "archived"


def test_a_rollback_does_not_go_to_what_was_imported_after_the_champion() -> None:
    moves = [
        ("1.0.0", "moved", IN), ("1.0.0", "moved", OUT), ("1.1.0", "moved", IN),
        ("9.0.0", "moved", IN), ("9.0.0", "imported", OUT),
    ]  # fmt: skip
    assert serving_order(moves).before("1.1.0") == ["1.0.0"]


def test_a_retired_model_goes_back_to_any_that_served() -> None:
    moves = [("1.0.0", "moved", IN), ("1.0.0", "moved", OUT), ("1.1.0", "moved", IN), ("1.1.0", "moved", OUT)]
    assert serving_order(moves).before(None) == ["1.1.0", "1.0.0"]


def test_what_served_last_is_what_came_in_and_did_not_leave() -> None:
    assert served_last([("1.0.0", IN), ("1.0.0", OUT), ("1.1.0", IN)]) == "1.1.0"
    assert served_last([("1.0.0", IN), ("1.0.0", OUT)]) is None
    assert served_last([]) is None


def test_an_imported_history_does_not_hide_the_champion_of_this_registry() -> None:
    assert served_last([("1.0.0", IN), ("9.0.0", IN), ("9.0.0", OUT)]) == "1.0.0"
    assert served_last([("1.0.0", IN), ("9.0.0", IN)]) == "1.0.0"
