"""A recipe as a value: checked when it is made, never changed."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from recipes.errors import BadRecipe
from recipes.text import LANGUAGES, Language

MEALS = ("breakfast", "lunch", "dinner", "snack", "dessert", "drink", "starter", "side")
DIETS = ("vegan", "vegetarian", "pescatarian", "gluten_free", "dairy_free", "egg_free", "nut_free")
ALLERGENS = (
    "gluten", "crustaceans", "egg", "fish", "peanut", "soy", "milk", "nuts", "celery", "mustard", "sesame",
    "sulphites", "lupin", "molluscs",
)  # fmt: skip
MAX_NAME_LENGTH = 300
MAX_TEXT_LENGTH = 20_000
MAX_MINUTES = 60 * 24 * 60

# "Bake less if <5 lb, more if >7 lb" holds no tag.
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,200}>")
_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RecipeText:
    """A recipe's words in one language."""

    name: str
    description: str
    ingredients: tuple[str, ...]
    steps: tuple[str, ...]

    @classmethod
    def checked(cls, *, name: Any, description: Any = "", ingredients: Any, steps: Any) -> RecipeText:
        """Words as they came, cleaned of mark-up, control characters and empty lines.

        Raises:
            BadRecipe: a part is missing, empty, too long or not text.
        """
        return cls(
            name=_line("name", name, longest=MAX_NAME_LENGTH),
            description=_line("description", description or "", longest=MAX_TEXT_LENGTH, may_be_empty=True),
            ingredients=_lines("ingredients", ingredients),
            steps=_lines("steps", steps),
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe in the language it was written in, and in others where somebody wrote them.

    Attributes:
        recipe_id: unique over all sources, such as ``foodcom-137739``.
        language: of the original; ``texts`` holds at least this one.
        minutes: from start to table, or None where nobody said.
        diets, allergens: as declared by the source, or None where it declares none. An empty tuple is a declaration.
    """

    recipe_id: str
    source: str
    language: Language
    texts: Mapping[Language, RecipeText]
    cuisine: str | None = None
    minutes: int | None = None
    servings: int | None = None
    meals: tuple[str, ...] = ()
    diets: tuple[str, ...] | None = None
    allergens: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_id(self.recipe_id)
        if self.language not in self.texts:
            raise BadRecipe("language", f"the text in {self.language!r} is missing")
        for field, values, allowed in (
            ("meals", self.meals, MEALS),
            ("diets", self.diets or (), DIETS),
            ("allergens", self.allergens or (), ALLERGENS),
        ):
            for value in values:
                if value not in allowed:
                    raise BadRecipe(field, f"{value!r} is none of {', '.join(allowed)}")
        if self.minutes is not None and not 1 <= self.minutes <= MAX_MINUTES:
            raise BadRecipe("minutes", f"{self.minutes} is not between 1 and {MAX_MINUTES}")
        if self.servings is not None and not 1 <= self.servings <= 1_000:
            raise BadRecipe("servings", f"{self.servings} is not between 1 and 1000")

    @property
    def original(self) -> RecipeText:
        """The words as the recipe was written."""
        return self.texts[self.language]

    @property
    def content_hash(self) -> str:
        """Equal for equal content, whatever the order of dictionaries; changes with any change."""
        content = {
            "language": self.language,
            "texts": {
                language: [text.name, text.description, text.ingredients, text.steps]
                for language, text in sorted(self.texts.items())
            },
            "facts": [
                self.source, self.cuisine, self.minutes, self.servings, self.meals, self.diets, self.allergens,
                self.tags,
            ],
        }  # fmt: skip
        return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def clean(text: str) -> str:
    """One line of plain text: entities resolved, tags and invisible characters gone, white space folded."""
    return _SPACE.sub(" ", _INVISIBLE.sub("", _TAG.sub(" ", html.unescape(text)))).strip()


def checked_language(value: Any) -> Language:
    """*value* (``es``, ``es-MX``, ``EN``) as one of our languages.

    Raises:
        BadRecipe: it is none of them.
    """
    primary = re.split("[-_]", str(value).strip().lower())[0]
    for language in LANGUAGES:
        if primary == language:
            return language
    raise BadRecipe("language", f"{value!r} is none of {', '.join(LANGUAGES)}")


def _line(field: str, value: Any, *, longest: int, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        raise BadRecipe(field, "is missing" if value is None else f"must be text, got {type(value).__name__}")
    line = clean(value)
    if not line and not may_be_empty:
        raise BadRecipe(field, "is empty")
    if len(line) > longest:
        raise BadRecipe(field, f"has {len(line)} characters; {longest} is the most")
    return line


def _lines(field: str, values: Any) -> tuple[str, ...]:
    if values is None:
        raise BadRecipe(field, "is missing")
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise BadRecipe(field, f"must be a list of texts, got {type(values).__name__}")
    lines = tuple(line for value in values if (line := _line(field, value, longest=MAX_TEXT_LENGTH, may_be_empty=True)))
    if not lines:
        raise BadRecipe(field, "is empty")
    return lines


def _check_id(recipe_id: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", recipe_id):
        raise BadRecipe("id", f"{recipe_id!r} must be 1 to 128 letters, digits, '.', '_', ':' or '-'")
