"""A service in a folder of its own: nothing that a simulation does touches what the installation knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops import schema as mlops_schema
from mlops.clock import Clock
from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Rating, Recipe, StoredRecipe
from recipes.config import Settings
from recipes.constraints import Constraints
from recipes.encoder.base import Encoder, Vectors
from recipes.errors import IndexUnavailable
from recipes.index.items import Floats
from recipes.index.search import Candidates, RecipeIndex
from recipes.index.store import Vector
from recipes.service import Service
from recipes.terms import QueryTerms, Wish


class RememberingEncoder:
    """Encodes each text once: cooks of a simulation ask the same questions over and over."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vector] = {}
        self.name = encoder.name

    @property
    def dimensions(self) -> int:
        """See :class:`~recipes.encoder.Encoder`."""
        return self._encoder.dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~recipes.encoder.Encoder`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._encoder.encode(new), strict=True))
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return np.stack([self._known[text] for text in texts])


Found = dict[tuple[bytes, tuple[Wish, ...], tuple[tuple[str, float], ...], Constraints], Candidates]


class RememberingIndex(RecipeIndex):
    """Searches for each question once: the index of a simulation does not change. It owns nothing but *index*."""

    def __init__(self, index: RecipeIndex, found: Found) -> None:
        """*found* is what indexes over the same recipes found before, in other arms."""
        self._index = index
        self._known = found
        self.name = index.name
        self.fingerprint = index.fingerprint

    def __len__(self) -> int:
        return len(self._index)

    def candidates(self, vector: Vector | None, terms: QueryTerms, rules: Constraints) -> Candidates:
        """See :meth:`~recipes.index.search.RecipeIndex.candidates`."""
        key = (b"" if vector is None else vector.tobytes(), terms.wishes, tuple(terms.weights.items()), rules)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._index.candidates(vector, terms, rules)
        return found

    def similar(self, recipe_no: int, limit: int) -> list[int]:
        """See :meth:`~recipes.index.search.RecipeIndex.similar`."""
        return self._index.similar(recipe_no, limit)

    def likeness(self, liked: NDArray[np.int64], weights: Floats, numbers: NDArray[np.int64]) -> Floats:
        """See :meth:`~recipes.index.search.RecipeIndex.likeness`."""
        return self._index.likeness(liked, weights, numbers)

    def close(self) -> None:
        """Let go of the engine."""
        self._index.close()


class RememberingCatalogue(Catalogue):
    """Reads each recipe once, and again after somebody rated it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._known: dict[int, StoredRecipe] = {}
        self._number_of: dict[str, int] = {}

    def get_many(self, numbers: Sequence[int]) -> dict[int, StoredRecipe]:
        """See :meth:`~recipes.catalog.Catalogue.get_many`."""
        new = [number for number in numbers if number not in self._known]
        if new:
            found = super().get_many(new)
            self._known |= found
            self._number_of |= {stored.recipe.recipe_id: number for number, stored in found.items()}
        return {number: self._known[number] for number in numbers if number in self._known}

    def rate(self, ratings: Sequence[Rating], *, connection: sa.Connection | None = None) -> list[Rating]:
        """See :meth:`~recipes.catalog.Catalogue.rate`."""
        for rating in ratings:
            self._known.pop(self._number_of.get(rating.recipe_id, -1), None)
        return super().rate(ratings, connection=connection)


@contextmanager
def sandbox(
    folder: Path,
    recipes: Sequence[Recipe],
    *,
    encoder: Encoder,
    clock: Clock,
    new_id: Callable[[], str],
    settings: Mapping[str, object],
    found: Found | None = None,
) -> Iterator[Service]:
    """A prepared service over *recipes* below *folder*, which is empty; closed at the end, nothing unwritten.

    No thread of it runs: the simulation itself flushes, refreshes and follows the registry, in simulated time.

    Args:
        encoder: shared by the arms, see :class:`RememberingEncoder`.
        new_id: makes the id of each answer; what is explored depends on it.
        settings: what differs from the defaults; the environment and ``.env`` are not read.
        found: shared by the arms, see :class:`RememberingIndex`.
    """
    service = Service(
        isolated_settings(folder, **settings),
        encoder=encoder,
        clock=clock,
        new_id=new_id,
        catalogue=RememberingCatalogue,
    )
    try:
        service.database.upgrade(mlops_schema.MIGRATIONS, schema.MIGRATIONS)
        service.catalogue.save(recipes)
        service.prepare()
        if service.problems or service.recommender.index is None:
            raise IndexUnavailable(f"the simulated service cannot be prepared: {service.problems}")
        service.recommender.index = RememberingIndex(service.recommender.index, {} if found is None else found)
        yield service
        service.answers.flush()
    finally:
        service.close()


def isolated_settings(folder: Path, **different: Any) -> Settings:
    """The default settings with everything below *folder*, whatever the environment and ``.env`` say.

    A DATABASE_URL of the installation, above all, must not become that of a simulation.
    """
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    # What is handed in wins over the environment.
    return Settings(**{**defaults, "mlflow_tracking_uri": "off", "data_dir": folder, **different})
