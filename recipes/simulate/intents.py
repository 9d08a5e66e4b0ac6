"""What cooks ask, and what they mean by it.

An intent is a set of wishes (a meal, a food, a cuisine, a kind of dish, a mood) and at most one rule (without, diet,
time). Its words are all that the service gets; whether a recipe fits is told by the recipe's own attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recipes.constraints import DIET_EXCLUDES
from recipes.lexicon import Lexicon
from recipes.simulate.pantry import Bools, Floats, Pantry
from recipes.text import Language

Kind = Literal["meal", "food", "cuisine", "dish", "mood"]
_KINDS: tuple[Kind, ...] = ("meal", "food", "cuisine", "dish", "mood")
_KIND_CHANCES = (0.35, 0.25, 0.15, 0.15, 0.1)
_CHANCE_OF_A_SECOND = {"meal": 0.5, "food": 0.4, "cuisine": 0.35, "dish": 0.2, "mood": 0.5}
_CHANCE_OF_A_RULE = 0.25
_RULES: tuple[Literal["diet", "without", "time"], ...] = ("diet", "without", "time")
_TIMES = (20, 30, 45, 60)
_DIETS = ("vegan", "vegetarian", "gluten_free", "dairy_free", "egg_free")
# How much more a cook asks for what the cook likes: the odds of a food whose recipes are liked by one deviation more.
_ASKED_FOR_BY_TASTE = 1.5

_MEALS = {
    "es": {"breakfast": "desayuno", "lunch": "almuerzo", "dinner": "cena", "snack": "merienda", "dessert": "postre"},
    "en": {"breakfast": "breakfast", "lunch": "lunch", "dinner": "dinner", "snack": "snack", "dessert": "dessert"},
}
_MOODS = {
    "es": {
        "quick": "rápido", "healthy": "saludable", "light": "ligero", "spicy": "picante", "high_protein":
        "alto en proteína", "one_pot": "todo en uno", "economical": "barato", "kids": "para niños",
    },
    "en": {
        "quick": "quick", "healthy": "healthy", "light": "light", "spicy": "spicy", "high_protein": "high protein",
        "one_pot": "one pot", "economical": "cheap", "kids": "for kids",
    },
}  # fmt: skip
_SOMETHING = {"es": "algo", "en": "something"}


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that the cook has in mind: its words, and which recipes have it, shape (n_recipes,)."""

    words: str
    met: Bools


@dataclass(frozen=True, slots=True)
class Intent:
    """A question and its meaning.

    Attributes:
        query: what is typed.
        fit: of each recipe, 0 to 1: the share of the wishes that it meets, 0 where it breaks the rule.
    """

    query: str
    language: Language
    fit: Floats


class Intents:
    """Draws intents over the recipes of *pantry*, in words of *lexicon*."""

    def __init__(self, pantry: Pantry, lexicon: Lexicon) -> None:
        self._pantry = pantry
        self._lexicon = lexicon
        self._asked = {
            "food": [f"food:{name}" for name in pantry.foods],
            "dish": [f"dish:{name}" for name in pantry.dishes],
            "cuisine": [f"cuisine:{name}" for name in pantry.all_of("cuisine") if name in lexicon.concepts],
            "mood": [f"tag:{name}" for name in _MOODS["es"] if f"tag:{name}" in pantry.columns],
            "meal": [f"meal:{name}" for name in _MEALS["es"] if f"meal:{name}" in pantry.columns],
        }
        self._members = {kind: _memberships(pantry, names) for kind, names in self._asked.items()}

    def draw(self, rng: np.random.Generator, *, liking: Floats, hour: float, language: Language) -> Intent:
        """What a cook asks at *hour* of the day.

        Args:
            rng: used for this intent only.
            liking: of the cook for each recipe, shape (n_recipes,): cooks ask for what they like.
        """
        kind = _KINDS[int(rng.choice(len(_KINDS), p=_KIND_CHANCES))]
        wishes = [self._wish(kind, rng, liking, hour, language)]
        if rng.random() < _CHANCE_OF_A_SECOND[kind]:
            second: Kind = "mood" if kind == "meal" else "meal"
            wishes.append(self._wish(second, rng, liking, hour, language))
        rule = self._rule(rng, language) if rng.random() < _CHANCE_OF_A_RULE else None
        wishes = [wish for wish in wishes if wish is not None]
        return _intent([wish for wish in wishes if wish], rule, language, len(self._pantry))

    def _wish(
        self, kind: Kind, rng: np.random.Generator, liking: Floats, hour: float, language: Language
    ) -> Wish | None:
        names = self._asked[kind]
        if not names:
            return None
        if kind == "meal":
            name = f"meal:{meal_at(hour, rng.random())}"
        else:
            preferred = self._members[kind] @ liking * _ASKED_FOR_BY_TASTE
            odds = np.exp(preferred - preferred.max())
            name = names[int(rng.choice(len(names), p=odds / odds.sum()))]
        return Wish(self._words(name, language), self._pantry.has(name))

    def _words(self, name: str, language: Language) -> str:
        kind, concept = name.split(":", 1)
        if kind == "meal":
            return _MEALS[language][concept]
        if kind == "tag":
            return _MOODS[language][concept]
        return self._lexicon.concepts[concept].label(language)

    def _rule(self, rng: np.random.Generator, language: Language) -> Wish:
        kind = _RULES[int(rng.integers(len(_RULES)))]
        if kind == "time":
            limit = _TIMES[int(rng.integers(len(_TIMES)))]
            words = f"en menos de {limit} minutos" if language == "es" else f"in under {limit} minutes"
            return Wish(words, self._pantry.minutes <= limit)
        if kind == "diet":
            diet = _DIETS[int(rng.integers(len(_DIETS)))]
            return Wish(self._lexicon.concepts[diet].label(language), self._without(DIET_EXCLUDES[diet]))
        food = self._pantry.foods[int(rng.integers(len(self._pantry.foods)))]
        words = f"{'sin' if language == 'es' else 'without'} {self._lexicon.concepts[food].label(language)}"
        return Wish(words, self._without([food]))

    def _without(self, concepts: Sequence[str]) -> Bools:
        return np.array([not each.breaks(concepts) for each in self._pantry.contents])


def meal_at(hour: float, draw: float) -> str:
    """The meal that a cook has in mind at *hour*; *draw*, 0 to 1, decides who wants something sweet or small."""
    if draw < 0.12:
        return "dessert"
    if draw < 0.2:
        return "snack"
    if hour < 11:
        return "breakfast"
    return "lunch" if hour < 16 else "dinner"


def _memberships(pantry: Pantry, names: Sequence[str]) -> Floats:
    """Rows that average a value of recipes over those with each attribute: shape (n_names, n_recipes)."""
    if not names:
        return np.zeros((0, len(pantry)), dtype=np.float32)
    rows = np.stack([pantry.has(name) for name in names]).astype(np.float32)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), dtype=np.float32)


def _intent(wishes: Sequence[Wish], rule: Wish | None, language: Language, n_recipes: int) -> Intent:
    words = [wish.words for wish in wishes] or [_SOMETHING[language]]
    share = np.mean([wish.met for wish in wishes], axis=0) if wishes else np.ones(n_recipes)
    if rule is not None:
        words.append(rule.words)
        share = share * rule.met
    return Intent(" ".join(words), language, np.asarray(share, dtype=np.float32))
