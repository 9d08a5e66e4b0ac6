"""What served, and what one goes back to, where an import has brought a second history."""

from __future__ import annotations

from mlops.model_registry.serving_order import served_last, serving_order

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
