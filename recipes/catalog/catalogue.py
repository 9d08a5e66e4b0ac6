"""The catalogue in the state database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlops.clock import Clock, utc_now
from mlops.store import Database, upsert
from recipes import schema
from recipes.catalog.recipe import Recipe, RecipeText
from recipes.errors import UnknownRecipe
from recipes.text import Language

# SQLite accepts 32,766 variables in a statement, PostgreSQL 65,535; a batch stays far below.
_BATCH = 500
# Built once: putting a statement together costs more than SQLite takes to answer it, and each request runs these two.
_NUMBERS: sa.BindParameter[Any] = sa.bindparam("numbers", expanding=True)
_BY_NUMBER = sa.select(schema.recipes).where(schema.recipes.c.recipe_no.in_(_NUMBERS))
_TEXTS_BY_NUMBER = sa.select(schema.recipe_texts).where(schema.recipe_texts.c.recipe_no.in_(_NUMBERS))


@dataclass(frozen=True, slots=True)
class StoredRecipe:
    """A recipe as it was written, its translations, and what cooks think of it.

    Attributes:
        recipe_no: its small number inside this database; ``recipe_id`` is the one for the outside.
        n_ratings, rating_sum: of ratings from 1 to 5.
        translations: kept by :meth:`Catalogue.add_translation`; not part of the content hash.
    """

    recipe_no: int
    recipe: Recipe
    content_hash: str
    n_ratings: int
    rating_sum: float
    translations: Mapping[Language, RecipeText]

    def text_in(self, language: Language) -> tuple[RecipeText, Language]:
        """The words to show to who reads *language*, and the language that they are in."""
        for texts in (self.recipe.texts, self.translations):
            if language in texts:
                return texts[language], language
        return self.recipe.original, self.recipe.language

    @property
    def mean_rating(self) -> float | None:
        """From 1 to 5, or None where nobody rated."""
        return self.rating_sum / self.n_ratings if self.n_ratings else None


@dataclass(frozen=True, slots=True)
class Rating:
    """What *rater* thinks of a recipe: 1 to 5, or None for having cooked it without a word."""

    rater: str
    recipe_id: str
    rating: float | None
    rated_at: datetime | None


@dataclass(frozen=True, slots=True)
class SaveCounts:
    """What became of the recipes handed to :meth:`Catalogue.save`."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: SaveCounts) -> SaveCounts:
        return SaveCounts(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged)


class Catalogue:
    """Reads and writes recipes, their texts and their ratings."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self.database = database
        self._clock = clock

    def save(self, recipes: Sequence[Recipe], *, connection: sa.Connection | None = None) -> SaveCounts:
        """Insert or update *recipes* by id. An unchanged one costs nothing; a changed one loses its translations.

        Args:
            connection: of a transaction that is already open; by default one of its own.
        """
        if connection is None:
            with self.database.writing() as own:
                return self.save(recipes, connection=own)
        latest = {recipe.recipe_id: recipe for recipe in recipes}
        known = _rows_by_id(connection, list(latest), schema.recipes.c.content_hash)
        fresh = [
            recipe
            for recipe_id, recipe in latest.items()
            if recipe_id not in known or known[recipe_id].content_hash != recipe.content_hash
        ]
        now = self._clock()
        upsert(connection, schema.recipes, [_recipe_row(recipe, now) for recipe in fresh], key=["recipe_id"])
        numbers = _rows_by_id(connection, [recipe.recipe_id for recipe in fresh])
        # Of the new ones too: on PostgreSQL another process may have inserted them since they were looked up.
        _delete_texts(connection, [row.recipe_no for row in numbers.values()])
        texts = [row for recipe in fresh for row in _text_rows(recipe, numbers[recipe.recipe_id].recipe_no)]
        if texts:
            connection.execute(schema.recipe_texts.insert(), texts)
        n_changed = sum(recipe.recipe_id in known for recipe in fresh)
        return SaveCounts(len(fresh) - n_changed, n_changed, len(recipes) - len(fresh))

    def get(self, recipe_id: str) -> StoredRecipe:
        """The recipe with this id.

        Raises:
            UnknownRecipe: there is none.
        """
        # Some databases take neither a NUL nor half a letter for text; no id holds any.
        may_exist = recipe_id.isascii() and recipe_id.isprintable()
        found = self._select(schema.recipes.c.recipe_id.in_([recipe_id])) if may_exist else []
        if not found:
            raise UnknownRecipe(f"no recipe has the id {recipe_id!r}")
        return found[0]

    def get_many(self, numbers: Sequence[int]) -> dict[int, StoredRecipe]:
        """Recipes by their number; numbers that are not there are left out."""
        found: dict[int, StoredRecipe] = {}
        for start in range(0, len(numbers), _BATCH):
            batch = list(numbers[start : start + _BATCH])
            found |= {stored.recipe_no: stored for stored in self._load(_BY_NUMBER, {"numbers": batch})}
        return found

    def walk(self, *, after: int = 0, batch_size: int = _BATCH) -> Iterator[list[StoredRecipe]]:
        """All recipes in the order of their numbers, a batch at a time, from behind number *after*."""
        while batch := self._select(schema.recipes.c.recipe_no > after, limit=batch_size):
            yield batch
            after = batch[-1].recipe_no

    def count(self) -> int:
        """How many recipes there are."""
        with self.database.reading() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(schema.recipes)).scalar_one())

    def content_hashes(self) -> dict[int, str]:
        """The content hash of every recipe, by number."""
        query = sa.select(schema.recipes.c.recipe_no, schema.recipes.c.content_hash)
        with self.database.reading() as connection:
            return {row.recipe_no: row.content_hash for row in connection.execute(query)}

    def fingerprint(self) -> str:
        """Changes with any change to any recipe's content; ratings and translations do not count."""
        digest = hashlib.blake2b(digest_size=8)
        for number, content_hash in sorted(self.content_hashes().items()):
            digest.update(f"{number}:{content_hash};".encode())
        return digest.hexdigest()

    def ratings(self) -> dict[int, tuple[int, float]]:
        """(number of ratings, their sum) of each recipe that has any, by recipe number."""
        table = schema.recipes
        query = sa.select(table.c.recipe_no, table.c.n_ratings, table.c.rating_sum).where(table.c.n_ratings > 0)
        with self.database.reading() as connection:
            return {number: (count, total) for number, count, total in connection.execute(query)}

    def sum_of_squared_ratings(self) -> float:
        """Sum of the squares of all ratings; with :meth:`ratings` it tells how much cooks differ over one recipe."""
        rating = schema.ratings.c.rating
        with self.database.reading() as connection:
            return float(connection.execute(sa.select(sa.func.sum(rating * rating))).scalar() or 0.0)

    def popular(self, limit: int) -> list[StoredRecipe]:
        """The recipes with the most rating points above the middle, then the oldest."""
        table = schema.recipes
        liking = table.c.rating_sum - 3 * table.c.n_ratings
        return self._select(sa.true(), order=(liking.desc(), table.c.recipe_no), limit=limit)

    def rate(self, ratings: Sequence[Rating], *, connection: sa.Connection | None = None) -> list[Rating]:
        """Keep *ratings*, the latest of each rater for each recipe, and bring the recipes' totals up to date.

        Returns:
            Those whose recipe does not exist, which are not kept.
        """
        if connection is None:
            with self.database.writing() as own:
                return self.rate(ratings, connection=own)
        numbers = _rows_by_id(connection, list({rating.recipe_id for rating in ratings}))
        _lock(connection, [row.recipe_no for row in numbers.values()])
        rows = {
            (rating.rater, rating.recipe_id): {
                "rater": rating.rater,
                "recipe_no": numbers[rating.recipe_id].recipe_no,
                "rating": rating.rating,
                "rated_at": rating.rated_at,
            }
            for rating in ratings
            if rating.recipe_id in numbers
        }
        upsert(connection, schema.ratings, list(rows.values()), key=["rater", "recipe_no"])
        _refresh_totals(connection, [row.recipe_no for row in numbers.values()])
        return [rating for rating in ratings if rating.recipe_id not in numbers]

    def add_translation(self, recipe_no: int, language: Language, text: RecipeText, *, of: str) -> bool:
        """Keep a translation of the content whose hash is *of*; False where the recipe has changed since."""
        with self.database.writing() as connection:
            current = sa.select(schema.recipes.c.content_hash).where(schema.recipes.c.recipe_no == recipe_no)
            if connection.execute(current.with_for_update()).scalar() != of:
                return False
            row = {"recipe_no": recipe_no, **_text_columns(language, text), "origin": "translation", "source_hash": of}
            upsert(connection, schema.recipe_texts, [row], key=["recipe_no", "language"], update=[])
        return True

    def untranslated(self, language: Language, *, after: int = 0, limit: int = _BATCH) -> list[StoredRecipe]:
        """Recipes without a text in *language*, in the order of their numbers, from behind *after*."""
        return self._select(sa.and_(schema.recipes.c.recipe_no > after, _lacks_text_in(language)), limit=limit)

    def count_untranslated(self, language: Language) -> int:
        """How many recipes have no text in *language*."""
        query = sa.select(sa.func.count()).select_from(schema.recipes).where(_lacks_text_in(language))
        with self.database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def _select(
        self, where: sa.ColumnElement[bool], *, order: Sequence[Any] | None = None, limit: int | None = None
    ) -> list[StoredRecipe]:
        table = schema.recipes
        return self._load(sa.select(table).where(where).order_by(*(order or (table.c.recipe_no,))).limit(limit), {})

    def _load(self, query: sa.Select[Any], parameters: Mapping[str, Any]) -> list[StoredRecipe]:
        with self.database.reading() as connection:
            rows = connection.execute(query, parameters).all()
            if not rows:
                return []
            words: dict[int, list[sa.Row[Any]]] = {}
            for row in connection.execute(_TEXTS_BY_NUMBER, {"numbers": [row.recipe_no for row in rows]}):
                words.setdefault(row.recipe_no, []).append(row)
        return [_stored(row, words.get(row.recipe_no, [])) for row in rows]


def _rows_by_id(
    connection: sa.Connection, recipe_ids: Sequence[str], *columns: sa.Column[Any]
) -> dict[str, sa.Row[Any]]:
    table = schema.recipes
    found: dict[str, sa.Row[Any]] = {}
    for start in range(0, len(recipe_ids), _BATCH):
        batch = recipe_ids[start : start + _BATCH]
        query = sa.select(table.c.recipe_id, table.c.recipe_no, *columns).where(table.c.recipe_id.in_(batch))
        found |= {row.recipe_id: row for row in connection.execute(query)}
    return found


def _lacks_text_in(language: Language) -> sa.ColumnElement[bool]:
    texts = schema.recipe_texts
    own = sa.select(texts.c.recipe_no).where(
        texts.c.recipe_no == schema.recipes.c.recipe_no, texts.c.language == language
    )
    return ~own.exists()


def _delete_texts(connection: sa.Connection, numbers: Sequence[int]) -> None:
    texts = schema.recipe_texts
    for start in range(0, len(numbers), _BATCH):
        connection.execute(texts.delete().where(texts.c.recipe_no.in_(numbers[start : start + _BATCH])))


def _lock(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Let nobody else rate these recipes before this transaction ends, always in the same order.

    Without it, PostgreSQL lets two transactions count a recipe's ratings neither of which sees the other's. SQLite has
    one writer at a time anyway.
    """
    table = schema.recipes
    ordered = sorted(numbers)
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        query = sa.select(table.c.recipe_no).where(table.c.recipe_no.in_(batch))
        connection.execute(query.order_by(table.c.recipe_no).with_for_update()).all()


def _refresh_totals(connection: sa.Connection, numbers: Sequence[int]) -> None:
    table, ratings = schema.recipes, schema.ratings
    own = ratings.c.recipe_no == table.c.recipe_no
    for start in range(0, len(numbers), _BATCH):
        connection.execute(
            table.update()
            .where(table.c.recipe_no.in_(numbers[start : start + _BATCH]))
            .values(
                n_ratings=sa.select(sa.func.count(ratings.c.rating)).where(own).scalar_subquery(),
                rating_sum=sa.select(sa.func.coalesce(sa.func.sum(ratings.c.rating), 0.0)).where(own).scalar_subquery(),
            )
        )


def _recipe_row(recipe: Recipe, now: datetime) -> dict[str, Any]:
    return {
        "recipe_id": recipe.recipe_id,
        "source": recipe.source,
        "language": recipe.language,
        "cuisine": recipe.cuisine,
        "minutes": recipe.minutes,
        "servings": recipe.servings,
        "meals": list(recipe.meals),
        "diets": None if recipe.diets is None else list(recipe.diets),
        "allergens": None if recipe.allergens is None else list(recipe.allergens),
        "tags": list(recipe.tags),
        "content_hash": recipe.content_hash,
        "updated_at": now,
    }


def _text_columns(language: Language, text: RecipeText) -> dict[str, Any]:
    return {
        "language": language,
        "name": text.name,
        "description": text.description,
        "ingredients": list(text.ingredients),
        "steps": list(text.steps),
    }


def _text_rows(recipe: Recipe, recipe_no: int) -> Iterator[dict[str, Any]]:
    for language, text in recipe.texts.items():
        yield {"recipe_no": recipe_no, **_text_columns(language, text), "origin": "original", "source_hash": None}


def _stored(row: sa.Row[Any], words: Sequence[sa.Row[Any]]) -> StoredRecipe:
    texts: dict[str, dict[Language, RecipeText]] = {"original": {}, "translation": {}}
    for text in words:
        texts[text.origin][text.language] = RecipeText(
            text.name, text.description, tuple(text.ingredients), tuple(text.steps)
        )
    return StoredRecipe(
        recipe_no=row.recipe_no,
        recipe=Recipe(
            recipe_id=row.recipe_id,
            source=row.source,
            language=row.language,
            texts=texts["original"],
            cuisine=row.cuisine,
            minutes=row.minutes,
            servings=row.servings,
            meals=tuple(row.meals),
            diets=None if row.diets is None else tuple(row.diets),
            allergens=None if row.allergens is None else tuple(row.allergens),
            tags=tuple(row.tags),
        ),
        content_hash=row.content_hash,
        n_ratings=row.n_ratings,
        rating_sum=row.rating_sum,
        translations=texts["translation"],
    )
