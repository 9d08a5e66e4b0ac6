"""What cooks of the demonstration ask: as in the simulation, but for those who are in a hurry."""

from __future__ import annotations

import pytest

from recipes.catalog import starter_recipes
from recipes.demo.questions import HURRIED_MINUTES, SHARE_IN_A_HURRY, Questions
from recipes.lexicon import cooking_lexicon
from recipes.simulate.options import Options
from recipes.simulate.visits import Visit
from recipes.simulate.world import World

DRIFT_DAY = 3


@pytest.fixture(scope="module")
def questions() -> Questions:
    options = Options(n_days=4, n_cooks=60, seed=5, drift_day=DRIFT_DAY, asks_per_day=4.0)
    return Questions(World(list(starter_recipes()), cooking_lexicon(), options))


@pytest.fixture(scope="module")
def days(questions: Questions) -> dict[int, list[Visit]]:
    return dict(questions.world.days())


def test_a_hurry_changes_what_is_asked_from_its_day_on_and_nothing_before(
    questions: Questions, days: dict[int, list[Visit]]
) -> None:
    calm = {(day, visit): questions.asked(day, visit) for day in days for visit in days[day]}
    assert not any(one.is_hurried for one in calm.values())
    questions.in_a_hurry_from = DRIFT_DAY
    try:
        n_hurried = n_later = 0
        for (day, visit), before in calm.items():
            now = questions.asked(day, visit)
            n_later += day >= DRIFT_DAY
            n_hurried += now.is_hurried
            if now.is_hurried:
                assert day >= DRIFT_DAY
                assert str(HURRIED_MINUTES) in now.request.ask.query
                too_slow = questions.world.pantry.minutes > HURRIED_MINUTES
                assert not now.request.worths[too_slow].any()
            else:
                assert now.request.ask == before.request.ask
        assert n_hurried / n_later == pytest.approx(SHARE_IN_A_HURRY, abs=0.1)
    finally:
        questions.in_a_hurry_from = None
