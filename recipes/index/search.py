"""Candidates for a query: the union of several searches, each candidate with its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.constraints import WORD_MARK, Constraints
from recipes.index.document import meal_bits
from recipes.index.items import Bools, Floats, ItemTable, Rows
from recipes.index.store import DenseSearch, Search, Vector, VectorStore, WordSearch
from recipes.terms import QueryTerms, Wish

# Depth of each search. Together they give at least 100 different candidates from a catalogue that has them.
N_BY_NAME = 100
N_BY_INGREDIENTS = 50
N_BY_NAME_WORDS = 80
N_BY_BODY_WORDS = 60
# A question of more things is looked at by the first ones.
_MOST_WISHES = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate items with what is known of each; every array has shape (n_candidates,).

    Attributes:
        numbers: recipe numbers.
        name_similarity, ingredients_similarity: cosine with the query's vector, -1 to 1; zeros without a vector.
        name_words: cosine of query and name over IDF-weighted terms, 0 to 1.
        body_words: share of the query's IDF weight that the ingredients, tags and description cover, 0 to 1.
        covered: share of the things that the query names which it has, 0 to 1; 1 where it names none.
        n_included: how many of the asked-for ingredients it contains.
        minutes: as declared, 0 for unknown.
        content_marks: of the content that was indexed, see :func:`~recipes.index.items.content_mark`.
        right_meal, known_meal: whether it is for an asked-for meal; whether its meal is known at all.
    """

    numbers: NDArray[np.int64]
    name_similarity: Floats
    ingredients_similarity: Floats
    name_words: Floats
    body_words: Floats
    covered: Floats
    n_included: NDArray[np.int32]
    minutes: NDArray[np.int32]
    content_marks: NDArray[np.int64]
    right_meal: Bools
    known_meal: Bools

    def __len__(self) -> int:
        return len(self.numbers)


def made_up_candidates(n: int) -> Candidates:
    """*n* candidates of no recipe, the same each time, for trying out what ranks them."""
    rng = np.random.default_rng(n)
    similarities, shares = rng.uniform(-1, 1, (2, n)).astype(np.float32), rng.uniform(0, 1, (2, n)).astype(np.float32)
    return Candidates(
        numbers=np.arange(n, dtype=np.int64),
        name_similarity=similarities[0],
        ingredients_similarity=similarities[1],
        name_words=shares[0],
        body_words=shares[1],
        covered=shares[1],
        n_included=np.zeros(n, dtype=np.int32),
        minutes=np.zeros(n, dtype=np.int32),
        content_marks=np.zeros(n, dtype=np.int64),
        right_meal=np.ones(n, dtype=np.bool_),
        known_meal=np.ones(n, dtype=np.bool_),
    )


class RecipeIndex:
    """An opened index. Safe to search from several threads."""

    def __init__(self, *, name: str, fingerprint: str, store: VectorStore, items: ItemTable) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._store = store
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def candidates(self, vector: Vector | None, terms: QueryTerms, rules: Constraints) -> Candidates:
        """Candidates that break none of *rules*.

        Args:
            vector: of the query's free text, shape (dimensions,); None searches by words only.
            terms: of the free text, see :mod:`recipes.terms`.

        Raises:
            IndexUnavailable: the engine does not answer.
        """
        found = self._store.search(self._searches(vector, terms.weights, rules), rules)
        numbers = np.unique(np.array([number for hits in found for number, _ in hits], dtype=np.int64))
        rows = self._items.rows(numbers.tolist())
        allowed = self._allowed(rows, rules)
        return self._described(numbers[allowed], rows[allowed], vector, terms, rules)

    def name_vectors(self, most: int) -> dict[int, Vector]:
        """The vectors of the names of *most* recipes at most, evenly spread over the catalogue, by recipe number.

        Raises:
            IndexUnavailable: the engine does not answer.
        """
        numbers = self._items.numbers
        chosen = numbers[np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(np.int64))]
        return {number: known.name for number, known in self._store.known(chosen.tolist()).items()}

    def similar(self, recipe_no: int, limit: int) -> list[int]:
        """Numbers of the recipes whose name and ingredients are nearest to those of *recipe_no*, without itself.

        Raises:
            IndexUnavailable: the engine does not answer.
        """
        known = self._store.known([recipe_no]).get(recipe_no)
        if known is None:
            return []
        searches: list[Search] = [
            DenseSearch("name", known.name, limit * 3),
            DenseSearch("ingredients", known.ingredients, limit * 3),
        ]
        # Reciprocal rank fusion with its customary constant, 60 (Cormack et al. 2009).
        score: dict[int, float] = {}
        for hits in self._store.search(searches, Constraints()):
            for rank, (number, _) in enumerate(hits, start=1):
                score[number] = score.get(number, 0.0) + 1 / (60 + rank)
        score.pop(recipe_no, None)
        return sorted(score, key=lambda number: (-score[number], number))[:limit]

    def likeness(self, liked: NDArray[np.int64], weights: Floats, numbers: NDArray[np.int64]) -> Floats:
        """How like each of *numbers* is to the recipes *liked*, by all their terms but the steps': -1 to 1, shape (n,).

        Args:
            liked: numbers of recipes; those that are not in the index do not count.
            weights: shape (n_liked,), below 0 for what should be unlike.
        """
        liked_rows, is_there = self._items.known_rows(liked)
        rows, is_known = self._items.known_rows(numbers)
        found = np.zeros(len(numbers), dtype=np.float32)
        found[is_known] = self._items.body_terms.likeness(liked_rows, weights[is_there], rows)
        return found

    def close(self) -> None:
        """Let go of the engine."""
        self._store.close()

    def _searches(self, vector: Vector | None, terms: Mapping[str, float], rules: Constraints) -> list[Search]:
        named = [term for term, weight in terms.items() if weight == 1.0] or list(terms)
        # A recipe with everything that was asked for must be among the candidates, however far down it stands.
        wishes: list[Sequence[str]] = [()] if not rules.include else [(), rules.include]
        searches: list[Search] = []
        for include in [rules.include] if rules.strict else wishes:
            if vector is not None:
                searches.append(DenseSearch("name", vector, N_BY_NAME, include=include))
                searches.append(DenseSearch("ingredients", vector, N_BY_INGREDIENTS, include=include))
            if named:
                searches.append(WordSearch("name_words", named, N_BY_NAME_WORDS, include=include))
                searches.append(WordSearch("body_words", named, N_BY_BODY_WORDS, include=include))
        return searches

    def _allowed(self, rows: Rows, rules: Constraints) -> Bools:
        """The engine has applied the rules already; an exclusion is worth checking twice."""
        broken = self._items.contains.has((*rules.exclude, *(WORD_MARK + word for word in rules.exclude_words)), rows)
        if rules.max_minutes is not None:
            broken |= self._items.minutes_floor[rows] > rules.max_minutes
        return ~broken

    def _described(
        self,
        numbers: NDArray[np.int64],
        rows: Rows,
        vector: Vector | None,
        terms: QueryTerms,
        rules: Constraints,
    ) -> Candidates:
        n_included = np.zeros(len(rows), dtype=np.int32)
        for concept in rules.include:
            n_included += self._items.contains.has([concept], rows)
        wanted = meal_bits(rules.meals)
        by_name, by_ingredients = self._similarities(numbers, vector)
        return Candidates(
            numbers=numbers,
            name_similarity=by_name,
            ingredients_similarity=by_ingredients,
            name_words=self._items.name_terms.cosine(terms.weights, rows),
            body_words=self._items.body_terms.coverage(terms.weights, rows),
            covered=self._covered(terms.wishes, rows),
            n_included=n_included,
            minutes=self._items.minutes[rows],
            content_marks=self._items.content_marks[rows],
            right_meal=(self._items.meals[rows] & wanted) != 0,
            known_meal=self._items.meals[rows] != 0,
        )

    def _covered(self, wishes: Sequence[Wish], rows: Rows) -> Floats:
        counted = wishes[:_MOST_WISHES]
        if not counted:
            return np.ones(len(rows), dtype=np.float32)
        contained = self._items.contains.which([wish.contents for wish in counted], rows)
        told = self._items.body_terms.which([wish.terms for wish in counted], rows)
        return np.asarray(np.bitwise_count(contained | told) / len(counted), dtype=np.float32)

    def _similarities(self, numbers: NDArray[np.int64], vector: Vector | None) -> tuple[Floats, Floats]:
        by_name = np.zeros(len(numbers), dtype=np.float32)
        by_ingredients = np.zeros(len(numbers), dtype=np.float32)
        if vector is not None and len(numbers):
            among = numbers.tolist()
            searches: list[Search] = [
                DenseSearch("name", vector, len(among), among=among),
                DenseSearch("ingredients", vector, len(among), among=among),
            ]
            for hits, target in zip(
                self._store.search(searches, Constraints()), (by_name, by_ingredients), strict=True
            ):
                if hits:
                    found, scores = zip(*hits, strict=True)
                    target[np.searchsorted(numbers, found)] = scores
        return by_name, by_ingredients
