"""What an answer must honour, whether the query says it or a filter does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recipes.lexicon import Lexicon, Mention
from recipes.text import Language

# Before a word that the lexicon does not know, where it stands beside concepts.
WORD_MARK = "~"

# What a diet rules out, in concepts of the lexicon.
DIET_EXCLUDES: Mapping[str, tuple[str, ...]] = {
    "vegan": ("animal_product",),
    "vegetarian": ("meat", "seafood", "animal_fat", "gelatin"),
    "pescatarian": ("meat", "animal_fat", "gelatin"),
    "gluten_free": ("gluten",),
    "dairy_free": ("dairy",),
    "egg_free": ("egg",),
    "nut_free": ("nut",),
}


@dataclass(frozen=True, slots=True)
class Constraints:
    """Rules for the recipes of an answer. The first three are never broken; the others may be relaxed, with a notice.

    Attributes:
        exclude: concepts that no recipe may contain.
        exclude_words: stems of words that the lexicon does not know and no recipe may mention.
        max_minutes: the longest a recipe may take.
        include: concepts that a recipe should contain, each of them; a word that the lexicon does not know stands
            behind :data:`WORD_MARK`.
        meals: kinds of meal, one of which the recipe should be.
        include_first: recipes with everything included come first, whatever their scores ("algo con garbanzos"). Not
            so where the ingredients are part of a dish's name ("ensalada de pollo con mango"): they add to the score.
        strict: include and meals are rules too, since they were stated as filters.
    """

    exclude: frozenset[str] = frozenset()
    exclude_words: frozenset[str] = frozenset()
    max_minutes: int | None = None
    include: tuple[str, ...] = ()
    include_first: bool = True
    meals: tuple[str, ...] = ()
    strict: bool = False

    def merged(self, other: Constraints) -> Constraints:
        """Both together: everything that either rules out, the shorter time."""
        times = [limit for limit in (self.max_minutes, other.max_minutes) if limit is not None]
        return Constraints(
            exclude=self.exclude | other.exclude,
            exclude_words=self.exclude_words | other.exclude_words,
            max_minutes=min(times, default=None),
            include=tuple(dict.fromkeys((*self.include, *other.include))),
            include_first=self.include_first,
            meals=other.meals or self.meals,
            strict=self.strict or other.strict,
        )

    def __bool__(self) -> bool:
        return bool(self.exclude or self.exclude_words or self.max_minutes or self.include or self.meals)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for records and answers."""
        return {
            "exclude": sorted(self.exclude),
            "exclude_words": sorted(self.exclude_words),
            "max_minutes": self.max_minutes,
            "include": list(self.include),
            "meals": list(self.meals),
        }


@dataclass(frozen=True, slots=True)
class Filters:
    """Constraints stated outright, in words: see :func:`constraints_from`."""

    max_minutes: int | None = None
    diets: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    meals: Sequence[str] = field(default=())


def constraints_from(filters: Filters, lexicon: Lexicon, language: Language) -> Constraints:
    """Rules from *filters*. A word that the lexicon does not know is taken literally."""
    exclude: set[str] = {concept for diet in filters.diets for concept in DIET_EXCLUDES[diet]}
    words: set[str] = set()
    for mention in _mentions(filters.exclude, lexicon, language):
        if mention.concepts:
            exclude.update(mention.concepts)
        else:
            words.update(mention.stems)
    include = [
        mention.concepts[0] if mention.concepts else WORD_MARK + mention.stems[0]
        for mention in _mentions(filters.include, lexicon, language)
    ]
    return Constraints(
        exclude=frozenset(exclude),
        exclude_words=frozenset(words),
        max_minutes=filters.max_minutes,
        include=tuple(dict.fromkeys(include)),
        meals=tuple(filters.meals),
        strict=bool(filters.include or filters.meals),
    )


def unknown_exclusions(filters: Filters, lexicon: Lexicon, language: Language) -> tuple[str, ...]:
    """Those of the filters' excluded phrases that hold a word which the lexicon does not know."""
    return tuple(
        phrase
        for phrase in filters.exclude
        if any(not mention.concepts for mention in _mentions([phrase], lexicon, language))
    )


def _mentions(phrases: Iterable[str], lexicon: Lexicon, language: Language) -> Iterator[Mention]:
    """What *phrases* name: their foods; where they name none, whatever they say."""
    for phrase in phrases:
        said = [mention for mention in lexicon.read_text(phrase, language) if _says_something(mention)]
        foods = [mention for mention in said if lexicon.foods(mention)]
        yield from foods or said


def _says_something(mention: Mention) -> bool:
    return bool(mention.concepts) or len(mention.stems[0]) > 2


def labels(concepts: Iterable[str], lexicon: Lexicon, language: Language) -> list[str]:
    """Concepts in words that a cook reads, in alphabetical order; a literal word as its stem."""
    return sorted(
        concept.removeprefix(WORD_MARK) if concept.startswith(WORD_MARK) else lexicon.concepts[concept].label(language)
        for concept in concepts
    )
