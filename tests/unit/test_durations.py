"""How long a recipe takes at least, read from its steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog import starter_recipes
from recipes.durations import minutes_at_least


@pytest.mark.parametrize(
    ("step", "minutes"),
    [
        ("Bake for 25 minutes.", 25),
        ("Hornea 25 minutos.", 25),
        ("Cook 20 mins, then rest 5 min.", 20),
        ("Simmer for 2 hours.", 120),
        ("Deja reposar 1 hora.", 60),
        ("Chill 3 hrs.", 180),
        ("A 45-minute rest.", 45),
        ("HORNEA 40 MINUTOS", 40),
        ("Reposar una hora y hornear 20 minutos.", 60),
        ("Rest for an hour.", 60),
        ("Cook for five minutes.", 5),
        ("Cuece media hora.", 30),
        ("Soak for half an hour.", 30),
    ],
)
def test_a_duration_is_read_in_both_languages(step: str, minutes: int) -> None:
    assert minutes_at_least([step]) == minutes


@pytest.mark.parametrize(
    ("step", "minutes"),
    [
        ("Bake 30 to 40 minutes.", 30),
        ("Bake 30-40 minutes.", 30),
        ("Hornea de 30 a 40 minutos.", 30),
        ("Entre 10 y 15 minutos.", 10),
        ("Bake 50 minutes to 1 hour.", 50),
        ("Hornea 45 minutos o 1 hora.", 45),
    ],
)
def test_the_smaller_end_of_a_range_counts(step: str, minutes: int) -> None:
    assert minutes_at_least([step]) == minutes


@pytest.mark.parametrize(
    ("step", "minutes"),
    [
        ("Chill 1/2 hour.", 30),
        ("Chill ½ hour.", 30),
        ("Simmer 1 1/2 hours.", 90),
        ("Simmer 1½ hours.", 90),
        ("Simmer 1 ½ hours.", 90),
        ("Simmer 1.5 hours.", 90),
        ("Cuece 1,5 horas.", 90),
        ("Bake 1 1/2 to 2 hours.", 90),
    ],
)
def test_fractions_are_not_read_as_their_denominator(step: str, minutes: int) -> None:
    assert minutes_at_least([step]) == minutes


@pytest.mark.parametrize("step", ["", "Bake at 350 F.", "Add 2 cups.", "1/0 hours", "Cook a while.", "12345 minutes"])
def test_what_names_no_duration_counts_nothing(step: str) -> None:
    assert minutes_at_least([step]) == 0


@pytest.mark.parametrize(
    "step",
    [
        "Keep up to 2 hours.",
        "Eat within 24 hours.",
        "Guárdalo 2 horas como máximo.",
        "Consume en un máximo de 24 horas.",
    ],
)
def test_a_limit_is_no_duration(step: str) -> None:
    assert minutes_at_least([step]) == 0


def test_steps_may_overlap_so_only_the_longest_counts() -> None:
    assert minutes_at_least(["Soak 30 minutes.", "Meanwhile roast 45 minutes.", "Rest 10 minutes."]) == 45
    assert minutes_at_least([]) == 0


@given(low=st.integers(1, 90), more=st.integers(1, 90), unit=st.sampled_from(["minutes", "minutos", "min"]))
def test_a_range_is_never_longer_than_its_lower_end(low: int, more: int, unit: str) -> None:
    assert minutes_at_least([f"Cook {low} to {low + more} {unit}."]) == low


def test_no_starter_recipe_takes_less_than_its_steps_say() -> None:
    too_short = [
        (recipe.recipe_id, language, recipe.minutes, minutes_at_least(text.steps))
        for recipe in starter_recipes()
        for language, text in recipe.texts.items()
        if recipe.minutes is not None and minutes_at_least(text.steps) > recipe.minutes
    ]
    assert too_short == []
