"""What a recipe was worth to a cook."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.evaluation.gains import EVENT_GAINS, gain_of, rating_gain
from recipes.feedback import EVENTS

others = st.lists(st.tuples(st.sampled_from(sorted(EVENT_GAINS)), st.none()), max_size=5)
stars = st.floats(1, 5)


def test_every_event_that_a_cook_can_send_has_a_gain() -> None:
    assert {*EVENT_GAINS, "rating"} == set(EVENTS)


@pytest.mark.parametrize(
    ("events", "gain"),
    [
        ([], 0.0),
        ([("dismiss", None)], 0.0),
        ([("click", None)], 1.0),
        ([("click", None), ("save", None)], 2.0),
        ([("cook", None), ("click", None)], 3.0),
        ([("rating", 5.0)], 4.0),
        ([("rating", 4.0)], 3.0),
        ([("rating", 3.0)], 1.0),
        ([("cook", None), ("rating", 1.0)], 0.0),
        ([("rating", 1.0), ("rating", 5.0)], 4.0),
        ([("rating", 5.0), ("cook", None), ("rating", 2.0)], 0.0),
    ],
)
def test_the_last_rating_counts_alone_else_the_strongest_event(events, gain) -> None:
    assert gain_of(events) == gain


@given(before=others, after=others, rating=stars)
def test_what_a_cook_did_beside_a_rating_changes_nothing(before, after, rating) -> None:
    assert gain_of([*before, ("rating", rating), *after]) == rating_gain(rating)


@given(one=stars, other=stars)
def test_a_better_rating_is_never_worth_less(one, other) -> None:
    assert rating_gain(max(one, other)) >= rating_gain(min(one, other))


def test_cooking_without_a_word_is_worth_as_much_as_the_event() -> None:
    assert rating_gain(None) == EVENT_GAINS["cook"]
