"""What a recipe contains, read from its words: the ground on which ingredients and diets are excluded.

The reading is cautious. An ingredient that only the name or a step mentions counts as contained; an optional one too.
What is missed here reaches someone's plate, what is found too much only hides a recipe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from recipes.catalog.recipe import Recipe, RecipeText
from recipes.constraints import WORD_MARK
from recipes.lexicon import Lexicon, Mention
from recipes.text import Language, stem, stems

# What a declared allergen (EU list) means in concepts of the lexicon.
ALLERGEN_CONCEPTS = {
    "gluten": "gluten", "crustaceans": "crustacean", "egg": "egg", "fish": "fish", "peanut": "peanut", "soy": "soy",
    "milk": "dairy", "nuts": "nut", "celery": "celery", "mustard": "mustard", "sesame": "sesame",
    "sulphites": "sulphite", "lupin": "lupin", "molluscs": "mollusc",
}  # fmt: skip

_WITHOUT_WORDS = frozenset(map(stem, ("sin", "without", "no", "non", "ni", "nor")))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a recipe contains.

    Attributes:
        concepts: foods, all that they are and all that they are made of; and the kind of dish its name says.
        unknown: stems of words of the name and the ingredients that the lexicon does not know.
    """

    concepts: frozenset[str]
    unknown: frozenset[str]

    def breaks(self, concepts: Iterable[str], words: Iterable[str] = ()) -> bool:
        """Whether one of the excluded *concepts* or *words* (stems) is contained."""
        return not (self.concepts.isdisjoint(concepts) and self.unknown.isdisjoint(words))

    def has_all(self, include: Iterable[str]) -> bool:
        """Whether every concept of *include* is contained, and every word behind :data:`WORD_MARK`."""
        return self.concepts.union(WORD_MARK + word for word in self.unknown).issuperset(include)


def contents_of(recipe: Recipe, lexicon: Lexicon) -> Contents:
    """Read *recipe*: ingredients and name in each original language, and the steps unless allergens are declared."""
    concepts: set[str] = set()
    unknown: set[str] = set()
    for language, text in recipe.texts.items():
        in_ingredients = [lexicon.read_text(line, language) for line in text.ingredients]
        name = lexicon.read_text(text.name, language)
        for mentions in in_ingredients:
            concepts |= foods_in(mentions, lexicon)
        concepts |= _named_in(name, lexicon)
        unknown.update(_unknown_stems([*in_ingredients, name]))
        if recipe.allergens is None:
            concepts |= _foods_in_steps(text, language, in_ingredients, lexicon)
    for allergen in recipe.allergens or ():
        concepts |= lexicon.broader(ALLERGEN_CONCEPTS[allergen])
    return Contents(frozenset(concepts), frozenset(unknown))


def foods_in(mentions: Sequence[Mention], lexicon: Lexicon) -> set[str]:
    """The foods that one ingredient line names, with all that they are and contain.

    A promise in the same line takes back what it rules out: "gluten-free flour" is no gluten, "leche sin lactosa" is
    dairy but has no lactose.
    """
    ruled_out = _ruled_out(mentions, lexicon)
    return {
        part
        for mention in mentions
        for concept in mention.concepts
        if lexicon.is_food(concept)
        for part in _reached(concept, ruled_out, lexicon, with_contents=True)
    }


def _named_in(mentions: Sequence[Mention], lexicon: Lexicon) -> set[str]:
    """What a name says: foods and kinds of dish, with what they are but not what they are usually made of."""
    ruled_out = _ruled_out(mentions, lexicon)
    return {
        kind
        for mention in mentions
        for concept in mention.concepts
        if not lexicon.concepts[concept].without
        for kind in _reached(concept, ruled_out, lexicon, with_contents=False)
    }


def _reached(concept: str, ruled_out: frozenset[str], lexicon: Lexicon, *, with_contents: bool) -> Collection[str]:
    """All that *concept* is, and contains, but neither what is ruled out nor what only that would bring along.

    An egg noodle without egg is not an animal product either, which it is through the egg alone.
    """
    if not ruled_out:
        return lexicon.made_of(concept) if with_contents else lexicon.broader(concept)
    found: set[str] = set()
    waiting = [concept]
    while waiting:
        current = waiting.pop()
        if current not in found and ruled_out.isdisjoint(lexicon.broader(current)):
            found.add(current)
            entry = lexicon.concepts[current]
            waiting += entry.broader + (entry.contains if with_contents else ())
    return found


def _foods_in_steps(
    text: RecipeText, language: Language, in_ingredients: Sequence[Sequence[Mention]], lexicon: Lexicon
) -> set[str]:
    """Foods that only a step mentions, such as the butter for the tin.

    "Stir in the milk" is no news where the ingredients say "coconut milk": a step's words that are part of an
    ingredient's are taken to mean that ingredient.
    """
    said = {word for mentions in in_ingredients for mention in mentions if mention.concepts for word in mention.stems}
    found: set[str] = set()
    for step in text.steps:
        for mention in lexicon.read(stems(step), language, loanwords=False):
            if mention.concepts and not said.issuperset(mention.stems):
                for concept in mention.concepts:
                    if lexicon.is_food(concept):
                        found |= lexicon.broader(concept)
    return found


def _ruled_out(mentions: Sequence[Mention], lexicon: Lexicon) -> frozenset[str]:
    ruled_out = {
        excluded
        for mention in mentions
        for concept in mention.concepts
        for excluded in lexicon.concepts[concept].without
    }
    for before, mention in pairwise(mentions):
        if not before.concepts and before.stems[0] in _WITHOUT_WORDS:
            ruled_out.update(mention.concepts)
    return frozenset(ruled_out)


def _unknown_stems(lines: Iterable[Sequence[Mention]]) -> Iterable[str]:
    return (
        mention.stems[0]
        for mentions in lines
        for mention in mentions
        if not mention.concepts and len(mention.stems[0]) > 2 and not mention.stems[0].isdigit()
    )
