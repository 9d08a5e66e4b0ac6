"""From a recipe to what the index holds of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recipes.catalog import Recipe, StoredRecipe
from recipes.catalog.recipe import MEALS
from recipes.contents import contents_of
from recipes.durations import minutes_at_least
from recipes.lexicon import Lexicon, Mention
from recipes.meals import meals_of
from recipes.terms import merged, terms_in

# More foods than this blur a vector; the first ones of a recipe are those that make it.
_MAX_FOODS = 14
_MAX_BODY_TAGS = 20


@dataclass(frozen=True, slots=True)
class Document:
    """A recipe as the index sees it.

    Attributes:
        made_from: changes with the recipe and with the texts to encode, which the lexicon has a say in.
        name, foods: the texts to encode: the name as it stands, and the ingredients without amounts and preparations.
        name_terms, body_terms: with their weights, see :mod:`recipes.terms`.
        minutes: as declared, 0 where nobody said. *minutes_floor* falls back on the durations in the steps.
        meals: as declared, or told by the name.
    """

    recipe_no: int
    content_hash: str
    made_from: str
    name: str
    foods: str
    name_terms: dict[str, float]
    body_terms: dict[str, float]
    contains: tuple[str, ...]
    unknown: tuple[str, ...]
    minutes: int
    minutes_floor: int
    meals: tuple[str, ...]


def document_of(stored: StoredRecipe, lexicon: Lexicon) -> Document:
    """Derive the document of *stored*. A recipe in two languages is found by the words of both."""
    recipe = stored.recipe
    original = recipe.original
    contents = contents_of(recipe, lexicon)
    name_terms = merged(terms_in(text.name, lexicon, lang) for lang, text in recipe.texts.items())
    ingredients = [lexicon.read_text(line, recipe.language) for line in original.ingredients]
    foods = _foods_text(ingredients, recipe, lexicon)
    return Document(
        recipe_no=stored.recipe_no,
        content_hash=stored.content_hash,
        made_from=hashlib.blake2b(f"{stored.content_hash}:{foods}".encode(), digest_size=16).hexdigest(),
        name=original.name,
        foods=foods,
        name_terms=name_terms,
        body_terms=_body_terms(recipe, name_terms, lexicon),
        contains=tuple(sorted(contents.concepts)),
        unknown=tuple(sorted(contents.unknown)),
        minutes=recipe.minutes or 0,
        minutes_floor=recipe.minutes or minutes_at_least(original.steps),
        meals=recipe.meals or meals_of(name_terms),
    )


def meal_bits(meals: Iterable[str]) -> int:
    """One bit for each of :data:`~recipes.catalog.recipe.MEALS`."""
    return sum(1 << MEALS.index(meal) for meal in meals)


def _foods_text(ingredients: Sequence[Sequence[Mention]], recipe: Recipe, lexicon: Lexicon) -> str:
    labels: dict[str, None] = {}
    for mentions in ingredients:
        for mention in mentions:
            foods = lexicon.foods(mention)
            if foods:
                labels.setdefault(lexicon.concepts[foods[0]].label(recipe.language))
    return ", ".join(list(labels)[:_MAX_FOODS])


def _body_terms(recipe: Recipe, name_terms: dict[str, float], lexicon: Lexicon) -> dict[str, float]:
    """Terms of the whole recipe but its steps; of amounts and preparations only what the name says."""
    parts: list[dict[str, float]] = []
    for language, text in recipe.texts.items():
        parts.extend(terms_in(line, lexicon, language) for line in text.ingredients)
        parts.append(terms_in(text.description, lexicon, language))
    tags = " ".join((*recipe.tags[:_MAX_BODY_TAGS], *recipe.meals, recipe.cuisine or "")).replace("_", " ")
    parts.append(terms_in(tags, lexicon, "en"))
    terms = {term: weight for term, weight in merged(parts).items() if not _is_preparation(term, lexicon)}
    return merged((name_terms, terms))


def _is_preparation(term: str, lexicon: Lexicon) -> bool:
    """ "Chopped" and "cup" stand in nearly every ingredient list and tell nothing."""
    concept = lexicon.concepts.get(term[2:]) if term.startswith("c:") else None
    return concept is not None and concept.name in PREPARATIONS


PREPARATIONS = frozenset(
    """chopped sliced diced minced grated shredded cup tablespoon teaspoon ounce pound gram package can drained peeled
    fresh medium divided optional piece crushed melted softened beaten clove pinch slice cut room_temperature cooked
    ground cubed""".split()
)
