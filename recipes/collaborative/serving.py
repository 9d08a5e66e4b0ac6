"""From the training that fits the collaborative model to the workers that serve it: one file, replaced whole."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlops.files import write_whole
from mlops.store import Database
from recipes.collaborative.model import COLLABORATIVE_FILE, CollaborativeModel
from recipes.collaborative.reactions import cook_of, read_interactions
from recipes.errors import RankerFailed
from recipes.index.items import Floats

_log = logging.getLogger("recipes.collaborative")

# Below the folder of the state.
COLLABORATIVE_FOLDER = "collaborative"
# With fewer there is nothing that cooks have in common; the ranker does better without the feature.
FEWEST_INTERACTIONS = 500


def refit(database: Database, folder: Path, *, as_of: datetime, seed: int) -> CollaborativeModel | None:
    """Learn from what the database knows from before *as_of*, and put the model into *folder* for all workers.

    Returns:
        None where there are fewer than :data:`FEWEST_INTERACTIONS`; the folder stays as it is.
    Raises:
        StoreUnavailable: the database does not answer.
        OSError: the file cannot be written; an older one stays.
    """
    known = read_interactions(database, until=as_of)
    if len(known) < FEWEST_INTERACTIONS:
        return None
    model = CollaborativeModel.fit(known, seed=seed, as_of=as_of if known.at is not None else None)
    write_whole(folder / COLLABORATIVE_FILE, model.files()[COLLABORATIVE_FILE])
    return model


class CollaborativeTaste:
    """A model as the recommender asks for it. Never changed: a later one takes its place."""

    def __init__(self, model: CollaborativeModel) -> None:
        self.model = model

    def scores(self, user_id: str, numbers: NDArray[np.int64]) -> Floats | None:
        """See :meth:`CollaborativeModel.scores`; None for a user whom the model does not know."""
        cook = cook_of(user_id)
        return self.model.scores(numbers, user_id=cook) if self.model.knows(cook) else None


class CollaborativeWatch:
    """Looks whether *folder* has a newer model. One thread asks it, off the path of requests."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / COLLABORATIVE_FILE
        self._seen: tuple[int, int, int] | None = None
        self._taste: CollaborativeTaste | None = None

    def newest(self) -> CollaborativeTaste | None:
        """The newest model that can be used; None while there was none.

        A file that cannot be used is named in one warning, and the model before it stays.
        """
        seen = self._mark()
        if seen is not None and seen != self._seen:
            self._seen = seen
            try:
                self._taste = CollaborativeTaste(CollaborativeModel.load({COLLABORATIVE_FILE: self._path.read_bytes()}))
            except (OSError, RankerFailed) as error:
                _log.warning("%s is left aside: %s", self._path, error)
        return self._taste

    def _mark(self) -> tuple[int, int, int] | None:
        """Tells one file from the next at this path."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
