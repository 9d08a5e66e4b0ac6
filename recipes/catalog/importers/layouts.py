"""Layouts of recipe files: each turns one row into one :class:`~recipes.catalog.recipe.Recipe`."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from recipes.catalog.recipe import MEALS, Recipe, RecipeText, checked_language, clean
from recipes.errors import BadRecipe
from recipes.language import detect
from recipes.text import LANGUAGES, Language

Layout = Callable[[Mapping[str, Any]], Recipe]


def foodcom(fields: Mapping[str, Any]) -> Recipe:
    """A row of the public Food.com file: lists as Python literals, ``minutes`` 0 for unknown.

    Raises:
        BadRecipe: with the field and the reason.
    """
    tags = _texts(fields, "tags", required=False)
    return Recipe(
        recipe_id=f"foodcom-{whole_number(fields, 'id')}",
        source="foodcom",
        language="en",
        texts={
            "en": RecipeText.checked(
                name=fields.get("name"),
                description=fields.get("description"),
                ingredients=_texts(fields, "ingredients"),
                steps=_texts(fields, "steps"),
            )
        },
        minutes=_minutes(fields.get("minutes")),
        meals=_meals(tags),
        tags=tuple(tags),
    )


def plain(fields: Mapping[str, Any]) -> Recipe:
    """A row of our own layout, as JSON Lines or parquet.

    ``name``, ``ingredients`` and ``steps`` are needed, alone (then ``language`` says which, or it is guessed) or inside
    ``es`` and ``en``. ``id``, ``description``, ``minutes``, ``servings``, ``meals``, ``cuisine``, ``diets``,
    ``allergens``, ``tags`` and ``source`` are optional; other fields are ignored.

    Raises:
        BadRecipe: with the field and the reason.
    """
    texts: dict[Language, RecipeText] = {
        language: _text(fields[language]) for language in LANGUAGES if isinstance(fields.get(language), Mapping)
    }
    if texts:
        language = checked_language(fields.get("language") or next(iter(texts)))
        if language not in texts:
            raise BadRecipe("language", f"the text in {language!r} is missing")
    else:
        text = _text(fields)
        language = checked_language(fields["language"]) if fields.get("language") else detect(_sample(text))
        texts = {language: text}
    source = _slug(str(fields.get("source") or "import"))
    tags = _texts(fields, "tags", required=False)
    return Recipe(
        recipe_id=_identity(source, fields.get("id"), texts[language]),
        source=source,
        language=language,
        texts=texts,
        cuisine=_optional_line(fields, "cuisine"),
        minutes=_minutes(fields.get("minutes")),
        servings=_count(fields.get("servings")),
        meals=tuple(_texts(fields, "meals", required=False)) or _meals(tags),
        diets=_declared(fields, "diets"),
        allergens=_declared(fields, "allergens"),
        tags=tuple(tags),
    )


def schema_org(fields: Mapping[str, Any]) -> Recipe:
    """A schema.org/Recipe object, https://schema.org/Recipe. Ratings that others report of it are not taken over.

    Raises:
        BadRecipe: with the field and the reason.
    """
    text = RecipeText.checked(
        name=fields.get("name"),
        description=fields.get("description"),
        ingredients=_as_list(fields.get("recipeIngredient", fields.get("ingredients"))),
        steps=_instructions(fields.get("recipeInstructions")),
    )
    language = checked_language(fields["inLanguage"]) if fields.get("inLanguage") else detect(_sample(text))
    keywords = [word for entry in _terms(fields.get("keywords")) for word in entry.split(",")]
    tags = tuple(dict.fromkeys(tag for tag in map(clean, [*_terms(fields.get("recipeCategory")), *keywords]) if tag))
    return Recipe(
        recipe_id=_identity("web", _address(fields), text),
        source="schema-org",
        language=language,
        texts={language: text},
        cuisine=next((clean(cuisine) or None for cuisine in _terms(fields.get("recipeCuisine"))), None),
        minutes=_duration(fields),
        servings=_servings(fields.get("recipeYield")),
        meals=_meals(tags),
        diets=None,
        tags=tags,
    )


LAYOUTS: dict[str, Layout] = {"foodcom": foodcom, "jsonl": plain, "parquet": plain, "schema-org": schema_org}

_MEAL_WORDS = {
    "breakfast": "breakfast", "brunch": "breakfast", "desayuno": "breakfast", "desayunos": "breakfast",
    "lunch": "lunch", "almuerzo": "lunch", "comida": "lunch", "dinner": "dinner", "supper": "dinner", "cena": "dinner",
    "main-dish": "dinner", "main dish": "dinner", "main course": "dinner", "plato principal": "dinner",
    "snack": "snack", "snacks": "snack", "merienda": "snack", "dessert": "dessert", "desserts": "dessert",
    "postre": "dessert", "postres": "dessert", "beverage": "drink", "beverages": "drink", "drink": "drink",
    "drinks": "drink", "bebida": "drink", "bebidas": "drink", "appetizer": "starter", "appetizers": "starter",
    "starter": "starter", "aperitivo": "starter", "entrante": "starter", "side": "side", "side dish": "side",
    "side-dishes": "side", "side dishes": "side", "guarnición": "side", "acompañamiento": "side",
}  # fmt: skip
# ISO 8601 as recipe pages write it: years and months are always zero, seconds now and then the only unit.
_ISO_DURATION = re.compile(
    r"P(?:0+Y)?(?:0+M)?(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})(?:\.\d+)?S)?)?", re.IGNORECASE
)
_PART_ENDS = re.compile(r"\r?\n+|</(?:p|li)>|<br\s*/?>", re.IGNORECASE)


def _text(fields: Mapping[str, Any]) -> RecipeText:
    return RecipeText.checked(
        name=fields.get("name"),
        description=fields.get("description"),
        ingredients=fields.get("ingredients"),
        steps=fields.get("steps"),
    )


def _sample(text: RecipeText) -> str:
    return " ".join((text.name, text.description, *text.ingredients[:8], *text.steps[:2]))


def _texts(fields: Mapping[str, Any], field: str, *, required: bool = True) -> list[str]:
    """A list of texts, which may have come as a Python or JSON literal."""
    value = fields.get(field)
    if value is None or value == "":
        if required:
            raise BadRecipe(field, "is missing")
        return []
    if isinstance(value, str):
        value = _literal(field, value)
    if not isinstance(value, list | tuple):
        raise BadRecipe(field, f"must be a list, got {type(value).__name__}")
    return [clean(str(entry)) for entry in value if entry is not None]


def _literal(field: str, value: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            with warnings.catch_warnings():
                # Python warns of a backslash that escapes nothing, and keeps it.
                warnings.simplefilter("ignore")
                return read(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise BadRecipe(field, "must be a list, such as ['salt', 'flour']")


def _declared(fields: Mapping[str, Any], field: str) -> tuple[str, ...] | None:
    return None if fields.get(field) is None else tuple(_texts(fields, field))


def _optional_line(fields: Mapping[str, Any], field: str) -> str | None:
    value = fields.get(field)
    if value is not None and not isinstance(value, str):
        raise BadRecipe(field, f"must be text, got {type(value).__name__}")
    return clean(value) or None if value else None


def whole_number(fields: Mapping[str, Any], field: str) -> int:
    """The whole number in *field*.

    Raises:
        BadRecipe: there is none.
    """
    try:
        return int(fields[field])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BadRecipe(field, f"must be a whole number, got {fields.get(field)!r:.80}") from None


def _count(value: Any) -> int | None:
    """A positive whole number, or None for "not said": missing, NaN, zero."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
        return int(number) if number >= 1 else None  # NaN compares false
    except (TypeError, ValueError, OverflowError):
        raise BadRecipe("servings", f"must be a number, got {value!r:.80}") from None


def _minutes(value: Any) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRecipe("minutes", f"must be a number, got {value!r:.80}") from None
    if number < 0 or number == float("inf"):
        raise BadRecipe("minutes", f"{value} is not a time")
    return int(number) if number >= 1 else None


def _meals(tags: Any) -> tuple[str, ...]:
    found = {_MEAL_WORDS[tag.lower()] for tag in tags if tag.lower() in _MEAL_WORDS}
    return tuple(meal for meal in MEALS if meal in found)


def _identity(prefix: str, given: Any, text: RecipeText) -> str:
    """``prefix-given``, or a hash of the content where no id was given."""
    if given is not None and str(given).strip():
        slug = _slug(str(given))
        if slug == str(given):
            return f"{prefix}-{slug}"
        return f"{prefix}-{hashlib.blake2b(str(given).encode(), digest_size=8).hexdigest()}"
    content = "\n".join((text.name, *text.ingredients, *text.steps))
    return f"{prefix}-{hashlib.blake2b(content.encode(), digest_size=8).hexdigest()}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]+", "-", text).strip("-._:")[:64] or "import"


def _as_list(value: Any) -> list[Any] | None:
    if value is None:
        return None
    return list(value) if isinstance(value, list | tuple) else [value]


def _terms(value: Any) -> Iterator[str]:
    """The texts in *value*: a text, a schema.org/DefinedTerm, or a list of either. Anything else says nothing."""
    for entry in _as_list(value) or ():
        term = entry.get("name") if isinstance(entry, Mapping) else entry
        if isinstance(term, str) and term:
            yield term


def _address(fields: Mapping[str, Any]) -> str | None:
    """Where the recipe is on the web. A relative ``@id`` such as ``#recipe`` is the same on every page."""
    for name in ("@id", "url"):
        value = fields.get(name)
        if isinstance(value, str) and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:.", value):
            return value
    return None


def _instructions(value: Any) -> list[str] | None:
    """Texts out of what schema.org allows here: a text, or lists of texts, HowToStep and HowToSection."""
    if value is None:
        return None
    if isinstance(value, str):
        return [line for line in _PART_ENDS.split(value) if line.strip()]
    if isinstance(value, Mapping):
        inner = value.get("itemListElement")
        return _instructions(inner) if inner is not None else _instructions(value.get("text") or value.get("name"))
    if not isinstance(value, list | tuple):
        raise BadRecipe("steps", f"must be text or a list, got {type(value).__name__}")
    return [line for entry in value for line in _instructions(entry) or ()]


def _duration(fields: Mapping[str, Any]) -> int | None:
    total = _iso_minutes(fields.get("totalTime"))
    if not total:
        parts = [_iso_minutes(fields.get(name)) for name in ("prepTime", "cookTime")]
        total = sum(part or 0 for part in parts)
    return total or None


def _iso_minutes(value: Any) -> int | None:
    match = _ISO_DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return days * 1_440 + hours * 60 + minutes + round(seconds / 60)


def _servings(value: Any) -> int | None:
    for entry in _as_list(value) or ():
        number = re.search(r"\d{1,9}", str(entry))
        if number and 1 <= int(number.group()) <= 1_000:
            return int(number.group())
    return None
