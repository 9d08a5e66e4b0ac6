"""Brings what is known of tastes up to date, off the request path."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recipes.catalog import Catalogue
from recipes.index.items import Floats
from recipes.lexicon import Lexicon
from recipes.tastes.appeal import Appeal
from recipes.tastes.attributes import RecipeAttributes
from recipes.tastes.encounters import Encounters, read_encounters
from recipes.tastes.personal import Personal, PersonalLearner

# Older encounters would hardly count any more, and would have to be read each time.
WINDOW_DAYS = 90


@dataclass(frozen=True, slots=True)
class KnownTastes:
    """What is known at one moment, ready for requests. Never changed: a later one takes its place."""

    appeal_of: Appeal
    personal: Personal

    def appeal(self, numbers: NDArray[np.int64]) -> Floats:
        """See :meth:`recipes.tastes.appeal.Appeal.scores`."""
        return self.appeal_of.scores(numbers)

    def taste(self, user_id: str, numbers: NDArray[np.int64]) -> Floats | None:
        """See :meth:`recipes.tastes.personal.Personal.scores`."""
        return self.personal.scores(user_id, numbers)


def learned(encounters: Encounters, learner: PersonalLearner) -> KnownTastes:
    """Appeal and personal tastes, each from what the other leaves (backfitting, Hastie & Tibshirani 1990, section 4.4).

    A recipe that is shown to those who like such recipes appeals to them, which does not yet make it appeal to all.
    """
    surprise = encounters.surprise()
    appeal = Appeal.of(encounters, surprise)
    personal = learner.learn(encounters, surprise - appeal.points_of(encounters.number))
    return KnownTastes(Appeal.of(encounters, surprise - personal.explained(encounters)), personal)


class TasteKeeper:
    """Learns appeal and personal tastes from the state database."""

    def __init__(self, catalogue: Catalogue, lexicon: Lexicon) -> None:
        self._catalogue = catalogue
        self._lexicon = lexicon
        self._fingerprint = ""
        self._learner: PersonalLearner | None = None

    def learn(self, now: datetime) -> KnownTastes:
        """What was shown and done before *now* says. Takes seconds for 100,000 recipes shown.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        encounters = read_encounters(self._catalogue.database, since=now - timedelta(days=WINDOW_DAYS), until=now)
        return learned(encounters, self._learner_now())

    def _learner_now(self) -> PersonalLearner:
        """One that knows the catalogue as it is now; with new recipes it begins anew."""
        fingerprint = self._catalogue.fingerprint()
        if self._learner is None or fingerprint != self._fingerprint:
            stored = (one for batch in self._catalogue.walk() for one in batch)
            self._learner = PersonalLearner(RecipeAttributes.of(stored, self._lexicon))
            self._fingerprint = fingerprint
        return self._learner
