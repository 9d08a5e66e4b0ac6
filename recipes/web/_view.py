"""From an answer to what a page shows of it: chips, notices, cards. Plain values, no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from recipes.answer import Answer
from recipes.catalog import StoredRecipe
from recipes.constraints import DIET_EXCLUDES, Constraints, labels
from recipes.contents import contents_of
from recipes.lexicon import Lexicon
from recipes.notices import sentences
from recipes.text import Language, fold, stem, tokens
from recipes.web._search import Search
from recipes.web._words import Words

# What a diet makes plain without saying, so that a card need not say it.
_IMPLIED = {
    "vegan": ("vegetarian", "pescatarian", "dairy_free", "egg_free"),
    "vegetarian": ("pescatarian",),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that was understood."""

    kind: Literal["diet", "without", "with", "time", "meal"]
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """A recipe in a list.

    Attributes:
        language: of the name and description, where it is not the page's.
        picture: which drawing stands for it.
        why: what of the cook's wishes it keeps, each in a few words.
    """

    recipe_id: str
    name: str
    description: str
    language: Language | None
    picture: str
    meals: str
    minutes: int | None
    servings: int | None
    diets: Sequence[str]
    mean_rating: float | None
    n_ratings: int
    why: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of an empty result: words, and a search where it is one click."""

    text: str
    search: Search | None = None


def card(stored: StoredRecipe, words: Words, *, why: Sequence[str] = ()) -> Card:
    """*stored* as a card."""
    recipe = stored.recipe
    text, language = stored.text_in(words.language)
    return Card(
        recipe_id=recipe.recipe_id,
        name=text.name,
        description=text.description,
        language=None if language == words.language else language,
        picture=picture(stored),
        meals=meal_line(recipe.meals, words),
        minutes=recipe.minutes,
        servings=recipe.servings,
        diets=[words(f"diets.{diet}") for diet in telling_diets(recipe.diets or ())],
        mean_rating=stored.mean_rating,
        n_ratings=stored.n_ratings,
        why=why,
    )


def cards(answer: Answer, lexicon: Lexicon, words: Words) -> list[Card]:
    """The recipes of *answer*, in its order, each with why it fits."""
    kept = _rule_line(answer, lexicon, words)
    return [
        card(shown.stored, words, why=_why(shown.stored, answer.constraints, kept, lexicon, words))
        for shown in answer.shown
    ]


def telling_diets(diets: Iterable[str]) -> list[str]:
    """*diets* less those that another one of them implies."""
    declared = list(diets)
    implied = {weaker for diet in declared for weaker in _IMPLIED.get(diet, ())}
    return [diet for diet in declared if diet not in implied]


def picture(stored: StoredRecipe) -> str:
    """The name of the drawing for *stored*: its most particular meal, else a plate."""
    meals = set(stored.recipe.meals)
    particular = ("dessert", "drink", "breakfast", "starter", "side", "snack", "lunch", "dinner")
    return next((meal for meal in particular if meal in meals), "plate")


def meal_line(meals: Sequence[str], words: Words) -> str:
    """Meals as a line, such as "Almuerzo, cena"."""
    line = ", ".join(words(f"meals.{meal}") for meal in meals)
    return line[:1].upper() + line[1:]


def chips(answer: Answer, lexicon: Lexicon, words: Words) -> list[Chip]:
    """What was understood, most binding first."""
    rules = answer.constraints
    found = _rules(answer, lexicon, words)
    if rules.max_minutes is not None:
        found.append(Chip("time", words("chips.time", time=words.minutes(rules.max_minutes))))
    found += [Chip("meal", meal_line((meal,), words)) for meal in rules.meals]
    foods = labels(rules.include, lexicon, words.language)
    return found + [Chip("with", words("chips.with", food=food)) for food in foods]


def notices(answer: Answer) -> list[str]:
    """What the cook should know of *answer*, as sentences; that nothing is left has its own part of the page."""
    others = tuple(notice for notice in answer.notices if notice != "nothing_left")
    return sentences(replace(answer, notices=others))


def ways_out(search: Search, answer: Answer, lexicon: Lexicon, words: Words) -> list[Way]:
    """What a cook may loosen where nothing is left, the least dear first."""
    ways = [
        Way(words(f"empty.{key}"), search.without(field))
        for key, field in (
            ("drop_time", "tiempo"),
            ("drop_meals", "comida"),
            ("drop_include", "con"),
            ("drop_exclude", "sin"),
            ("drop_diets", "dieta"),
        )
        if getattr(search, field)
    ]
    limit = answer.understanding.constraints.max_minutes
    if limit is not None:
        ways.append(Way(words("empty.more_time", time=words.minutes(limit))))
    typed = answer.understanding.constraints
    if typed.exclude or typed.exclude_words:
        ways.append(Way(words("empty.fewer_rules", rules=_rule_line(answer, lexicon, words))))
    return ways or [Way(words("empty.other_words"))]


def _rules(answer: Answer, lexicon: Lexicon, words: Words) -> list[Chip]:
    """What is ruled out: a diet by its name where all that it rules out is, else food by food."""
    left = set(answer.constraints.exclude)
    found: list[Chip] = []
    for diet, excluded in DIET_EXCLUDES.items():
        if left.issuperset(excluded):
            left.difference_update(excluded)
            kind: Literal["diet", "without"] = "without" if diet.endswith("_free") else "diet"
            found.append(Chip(kind, words(f"diets.{diet}")))
    foods = [*labels(left, lexicon, words.language), *_unknown_words(answer)]
    found += [Chip("without", words("chips.without", food=food)) for food in foods]
    return list(dict.fromkeys(found))


def _rule_line(answer: Answer, lexicon: Lexicon, words: Words) -> str:
    """What is ruled out, in a sentence; empty where nothing is."""
    texts = [chip.text for chip in _rules(answer, lexicon, words)]
    return words.joined([text[:1].lower() + text[1:] for text in texts])


def _unknown_words(answer: Answer) -> list[str]:
    """Words to exclude that the lexicon does not know, as typed, in the query or in the filter."""
    stems = answer.constraints.exclude_words
    typed = list(answer.understanding.unknown_exclusions)
    seen = {stem(fold(word)) for word in typed}
    in_filter = (word for phrase in answer.ask.filters.exclude for word in tokens(phrase))
    return typed + [word for word in dict.fromkeys(in_filter) if stem(word) in stems - seen]


def _why(stored: StoredRecipe, rules: Constraints, kept: str, lexicon: Lexicon, words: Words) -> list[str]:
    recipe = stored.recipe
    reasons = []
    if rules.include:
        concepts = contents_of(recipe, lexicon).concepts
        if has := labels((food for food in rules.include if food in concepts), lexicon, words.language):
            reasons.append(words("why.contains", foods=words.joined(has)))
    if kept:
        reasons.append(words("why.keeps", rules=kept))
    if rules.max_minutes and recipe.minutes and recipe.minutes <= rules.max_minutes:
        reasons.append(words("why.time", time=words.minutes(recipe.minutes)))
    if meals := [meal for meal in rules.meals if meal in recipe.meals]:
        reasons.append(words("why.meal", meal=words(f"meals.{meals[0]}")))
    return reasons
