"""What counts as a label, and which impressions are left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.evaluation.gains import gain_of
from recipes.ranker import FEATURES
from recipes.training.cleaning import repeated
from recipes.training.examination import examination
from recipes.training.examples import Examples, examples_of
from recipes.training.labels import EVENT_CODES, gains_of
from recipes.training.log import ImpressionLog, LogWriter
from recipes.training.options import TrainingOptions
from tests.shown_worlds import BEGIN, LOOKS, World

OPTIONS = TrainingOptions()
Done = tuple[str, float | None, timedelta]
SOON = timedelta(minutes=5)


def log_of(*answers: dict[str, Any]) -> ImpressionLog:
    """Answers of three recipes each; ``done`` is what a cook did with the recipes, by position."""
    writer = LogWriter()
    for number, answer in enumerate(answers):
        at: datetime = answer.get("at", BEGIN + timedelta(hours=number))
        for position in (1, 2, 3):
            row = {
                "request_id": f"{number:05d}", "answered_at": at, "user_id": answer.get("user"),
                "query_hash": answer.get("query", f"query {number}"), "position": position,
                "recipe_id": f"recipe-{position}", "score": 1 / position, "propensity": 1.0, "features": {},
            }  # fmt: skip
            writer.add(row, [event(at, *one) for one in answer.get("done", {}).get(position, ())])
    return writer.log(n_items=3)


def event(at: datetime, kind: str, value: float | None, after: timedelta) -> tuple[int, float, float]:
    return EVENT_CODES[kind], float("nan") if value is None else value, (at + after).timestamp()


def all_of(log: ImpressionLog, *, until: datetime = BEGIN + timedelta(days=60)) -> Examples:
    return examples_of(log, OPTIONS, since=-np.inf, until=until.timestamp())


@pytest.mark.parametrize(
    ("events", "grade"),
    [
        ([], 1),
        ([("click", None, SOON)], 2),
        ([("save", None, SOON), ("click", None, SOON)], 3),
        ([("click", None, SOON), ("cook", None, SOON)], 4),
        ([("rating", 5.0, SOON)], 5),
        ([("rating", 4.0, SOON)], 4),
        ([("rating", 3.5, SOON)], 2),
        ([("cook", None, SOON), ("rating", 1.0, SOON)], 0),
        ([("rating", 1.0, SOON), ("rating", 5.0, 2 * SOON)], 5),
        ([("dismiss", None, SOON)], 0),
        ([("click", None, SOON), ("dismiss", None, SOON)], 0),
        ([("dismiss", None, SOON), ("cook", None, SOON)], 4),
        ([("cook", None, timedelta(days=7))], 4),
        ([("cook", None, timedelta(days=7, seconds=1))], 1),
    ],
)
def test_grades_are_those_of_the_table_within_the_attribution_window(events: Sequence[Done], grade: int) -> None:
    examples = all_of(log_of({"done": {2: events}}))
    assert examples.grades.tolist() == [1, grade, 1]


EVENT = st.sampled_from([("click", None), ("save", None), ("cook", None), ("rating", 2.0), ("rating", 4.5)])


@given(st.lists(EVENT, max_size=4))
def test_what_a_label_is_worth_is_what_an_evaluation_counts(events: list[tuple[str, float | None]]) -> None:
    done = [(kind, value, timedelta(minutes=minute)) for minute, (kind, value) in enumerate(events, start=1)]
    assert gains_of(all_of(log_of({"done": {1: done}})).grades)[0] == gain_of(events)


def test_answers_whose_label_is_not_known_yet_are_left_out_and_counted() -> None:
    log = log_of({"at": BEGIN}, {"at": BEGIN + timedelta(hours=1)})
    examples = all_of(log, until=BEGIN + timedelta(hours=24, minutes=30))
    assert list(examples.request_ids) == ["00000"]
    assert examples.left_out["too_young"] == 3


def test_the_same_again_within_minutes_is_one_impression_that_keeps_what_the_cook_did() -> None:
    again = {"user": "ana", "query": "sopa"}
    log = log_of(
        {**again, "at": BEGIN, "done": {1: [("click", None, SOON)]}},
        {**again, "at": BEGIN + timedelta(minutes=9), "done": {2: [("cook", None, SOON)]}},
        {**again, "at": BEGIN + timedelta(minutes=30)},
        {"query": "sopa", "at": BEGIN + timedelta(minutes=31)},
        {"query": "sopa", "at": BEGIN + timedelta(minutes=32)},
    )
    examples = all_of(log)
    # Of the first two, recipes 1 and 3 stay in the first, recipe 2 alone in the second, which is no slate any more.
    assert examples.left_out == {"too_young": 0, "programs": 0, "repeated": 3, "alone": 1}
    assert list(examples.request_ids) == ["00000", "00002", "00003", "00004"]
    assert examples.grades.tolist() == [2, 1, *[1] * 9]


def test_of_a_chain_of_repetitions_one_stays() -> None:
    same = np.zeros(4, np.int64)
    times, grades = np.array([0.0, 500.0, 1_000.0, 1_700.0]), np.array([1, 1, 1, 1], np.int8)
    assert repeated(same, same, same, times, grades, within_seconds=600).tolist() == [False, True, True, False]


def test_who_asks_faster_than_a_person_or_likes_everything_is_a_program() -> None:
    seconds = [BEGIN + timedelta(seconds=20 * number) for number in range(61)]
    fast = [{"user": "robot", "at": at} for at in seconds]
    busy = [{"user": "ana", "at": at} for at in seconds[:60]]
    liked = {position: [("click", None, SOON)] for position in (1, 2, 3)}
    eager = [{"user": "fan", "at": BEGIN + timedelta(hours=2 * number), "done": liked} for number in range(34)]
    examples = all_of(log_of(*sorted([*fast, *busy, *eager], key=lambda answer: answer["at"])))
    assert examples.left_out["programs"] == 3 * (61 + 34)
    assert len(examples.sizes) == 60


def test_how_far_cooks_look_is_found_by_exploration_whatever_the_ranker_put_first() -> None:
    # What 1.0.0 puts first is liked most, so that clicks fall faster than looks do.
    world = World(likes={"semantic": 0.7, "popularity": 0.3}, n_answers=8_000, share=0.49)
    examples = all_of(world.log())
    looks = examination(examples)
    clicked = [(examples.grades[examples.positions == position] > 1).mean() for position in (1, 2, 3)]
    assert looks == pytest.approx(LOOKS, rel=0.2)
    assert abs(clicked[2] / clicked[0] - LOOKS[2]) > abs(looks[2] - LOOKS[2])


def test_without_exploration_looks_are_one_over_the_position() -> None:
    assert examination(all_of(World(n_answers=50, share=0.0).log())) == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_log_without_answers_gives_no_examples() -> None:
    examples = all_of(log_of())
    assert (len(examples), examples.features.shape, len(examples.reacted)) == (0, (0, len(FEATURES)), 0)
