"""Brings what is known of tastes up to date, off the request path, and hands it to the recommender."""

from __future__ import annotations

from datetime import timedelta

from mlops.clock import Clock
from recipes.catalog import Catalogue
from recipes.lexicon import Lexicon
from recipes.recommender import Recommender
from recipes.tastes.affinity import AffinityLearner
from recipes.tastes.attributes import RecipeAttributes
from recipes.tastes.encounters import read_encounters
from recipes.tastes.trend import Trend

# Older encounters would hardly count any more, and would have to be read each time.
WINDOW_DAYS = 90


class TasteKeeper:
    """Learns trend and affinity from the state database."""

    def __init__(self, catalogue: Catalogue, lexicon: Lexicon, recommender: Recommender, *, clock: Clock) -> None:
        self._catalogue = catalogue
        self._lexicon = lexicon
        self._recommender = recommender
        self._clock = clock
        self._fingerprint = ""
        self._learner: AffinityLearner | None = None

    def refresh(self) -> None:
        """Read what was shown and done up to now, and let the recommender know.

        Raises:
            StoreUnavailable: the database does not answer; what was known before stays.
        """
        now = self._clock()
        encounters = read_encounters(self._catalogue.database, since=now - timedelta(days=WINDOW_DAYS), until=now)
        learner = self._learner_now()
        if len(encounters):
            self._recommender.trend = Trend.of(encounters).scores
            self._recommender.affinity = learner.learn(encounters)

    def _learner_now(self) -> AffinityLearner:
        """One that knows the catalogue as it is now; with new recipes it begins anew."""
        fingerprint = self._catalogue.fingerprint()
        if self._learner is None or fingerprint != self._fingerprint:
            stored = (one for batch in self._catalogue.walk() for one in batch)
            self._learner = AffinityLearner(RecipeAttributes.of(stored, self._lexicon))
            self._fingerprint = fingerprint
        return self._learner
