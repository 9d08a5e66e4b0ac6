"""What the service knows of its model that may call for a training: new reactions, fewer clicks, other requests.

See :class:`mlops.retraining.Signals`. Everything is read from the state database, so that a command and the service say
the same.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops import schema as toolkit
from mlops.clock import Clock, utc_now
from mlops.drift import DriftReport, ReferenceProfile, check_drift
from mlops.evaluation.shares import difference_of_shares
from mlops.model_registry import ModelRegistry, ModelVersion
from mlops.retraining import ColumnDrift, Degradation
from mlops.store import Database
from recipes import schema
from recipes.config import load_settings
from recipes.live_quality import OUTCOMES, SETTLED
from recipes.ranker import FEATURES, MODEL_ID
from recipes.request_drift import NEW, request_drift
from recipes.schema import answers, feedback_events, impressions
from recipes.training import labelled_since

WINDOW = timedelta(days=7)
FEWEST_ANSWERS = 200
# The owner's threshold for a fall of accuracy: relative to what it was.
LEAST_DROP = 0.05
MOST_IMPRESSIONS = 20_000
# Features that say what cooks did so far.
LEARNED_BETWEEN = frozenset({"popularity", "recency", "affinity", "collaborative", "appeal", "taste"})
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Checked:
    """A drift check: *report* of what was asked and shown from *since* on against what *version* learned from."""

    version: str
    since: datetime
    report: DriftReport


class RecipeSignals:
    """The signals of ``hybrid_ranker``; of other models nothing is measured."""

    def __init__(self, registry: ModelRegistry, database: Database, *, clock: Clock = utc_now) -> None:
        """Nothing is read yet."""
        self._registry = registry
        self._database = database
        self._clock = clock

    def labelled_since(self, model_id: str, at: datetime) -> int | None:
        """How many shown recipes got a first reaction since *at*.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        return labelled_since(self._database, at) if model_id == MODEL_ID else None

    def degradation(self, model_id: str) -> Degradation | None:
        """Share of answers with a click or more: the version's first week in production against its last one.

        None where the two overlap, or one has fewer than 200 answers.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        champion = self._champion(model_id)
        if champion is None or champion.deployed_at is None:
            return None
        now = self._clock() - SETTLED
        first_end, last_begin = champion.deployed_at + WINDOW, now - WINDOW
        if first_end > last_begin:
            return None
        before = self._clicked(champion.version, champion.deployed_at, first_end)
        after = self._clicked(champion.version, last_begin, now)
        if min(before[1], after[1]) < FEWEST_ANSWERS:
            return None
        return _compared(before, after)

    def drift(self, model_id: str) -> Sequence[ColumnDrift] | None:
        """What :meth:`checked` found of each column; None where it found nothing.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        found = self.checked(model_id)
        return None if found is None else _columns_of(found.report)

    def checked(self, model_id: str) -> Checked | None:
        """Questions of the last day, and features of what was shown in the last week, against what was learned from.

        Questions as in :meth:`requests_drift`; features against the profile that the champion brought, if it did. What
        the service learns between two trainings, such as popularity or tastes, moves by design, and is left out. None
        where nothing can be compared.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        champion = self._champion(model_id)
        if champion is None:
            return None
        now = self._clock()
        questions, features = self._questions(champion, now), self._features(champion, now)
        if features is None:
            return None if questions is None else Checked(champion.version, now - NEW, questions)
        return Checked(champion.version, now - WINDOW, features if questions is None else _both(questions, features))

    def requests_drift(self, model_id: str) -> Sequence[ColumnDrift] | None:
        """Questions of the last day against those that the champion learned from; see :mod:`recipes.request_drift`.

        None where there are too few of either.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        champion = self._champion(model_id)
        found = None if champion is None else self._questions(champion, self._clock())
        return None if found is None else _columns_of(found)

    def _questions(self, champion: ModelVersion, now: datetime) -> DriftReport | None:
        return request_drift(self._database, learned_until=champion.registered_at, now=now)

    def _features(self, champion: ModelVersion, now: datetime) -> DriftReport | None:
        profile = self._registry.reference_profile(champion)
        columns = None if profile is None else self._features_shown(now - WINDOW)
        return check_drift(_standing(profile), columns) if profile is not None and columns else None

    def _champion(self, model_id: str) -> ModelVersion | None:
        return self._registry.get_production_model(model_id) if model_id == MODEL_ID else None

    def _clicked(self, version: str, since: datetime, until: datetime) -> tuple[int, int]:
        """(answers with a good reaction, answers that showed something) of *version*, from *since* until *until*."""
        shown = sa.exists().where(impressions.c.request_id == answers.c.request_id)
        liked = sa.exists().where(
            feedback_events.c.request_id == answers.c.request_id, feedback_events.c.event.in_(OUTCOMES["click"])
        )
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((liked, 1), else_=0)), 0)).where(
            answers.c.model_id == MODEL_ID,
            answers.c.model_version == version,
            answers.c.answered_at >= since,
            answers.c.answered_at < until,
            shown,
        )
        with self._database.reading() as connection:
            n_answers, n_liked = connection.execute(query).one()
        return int(n_liked), int(n_answers)

    def _features_shown(self, since: datetime) -> dict[str, NDArray[np.float64]]:
        query = (
            sa.select(impressions.c.features)
            .join(answers, answers.c.request_id == impressions.c.request_id)
            .where(answers.c.answered_at >= since, answers.c.mode == "full", answers.c.model_id == MODEL_ID)
            .order_by(answers.c.answered_at.desc())
            .limit(MOST_IMPRESSIONS)
        )
        # As numbers at once: what the database hands over takes many times as much memory.
        columns = {name: array("d") for name in FEATURES if name not in LEARNED_BETWEEN}
        with self._database.streaming() as connection:
            for row in connection.execute(query):
                for name, values in columns.items():
                    values.append(row.features.get(name, math.nan))
        found = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
        return {name: values for name, values in found.items() if not np.isnan(values).all()}


def _standing(profile: ReferenceProfile) -> ReferenceProfile:
    """*profile* without what moves by design: a version brings the whole of what it learned from."""
    kept = {name: column for name, column in profile.columns.items() if name not in LEARNED_BETWEEN}
    return replace(profile, columns=kept)


def _columns_of(found: DriftReport) -> list[ColumnDrift] | None:
    """Each column that can be judged, once, by what changed most of it; None where none can."""
    worst: dict[str, ColumnDrift] = {}
    for one in found.results:
        if one.score is None:
            continue
        told = ColumnDrift(one.column, one.score, one.threshold, one.drifted)
        known = worst.setdefault(one.column, told)
        if (told.drifted, told.score) > (known.drifted, known.score):
            worst[one.column] = told
    return list(worst.values()) or None


def _both(questions: DriftReport, features: DriftReport) -> DriftReport:
    """One report. Each result keeps the lines that it was held to; the options and rows are those of *features*."""
    return replace(
        features,
        results=[*questions.results, *features.results],
        findings=[*questions.findings, *features.findings],
    )


def _compared(before: tuple[int, int], after: tuple[int, int]) -> Degradation:
    share_before, share_after = before[0] / before[1], after[0] / after[1]
    low, high = difference_of_shares(before, after, alpha=_ALPHA)
    is_worse = high < 0 and share_after < (1 - LEAST_DROP) * share_before
    return Degradation("click_ratio", share_before, share_after, low, high, is_worse)


def recipe_signals() -> RecipeSignals:
    """Those of the environment's settings, for commands: the entry point of the group ``mlops.signals``."""
    from mlops.model_registry import open_registry

    settings = load_settings()
    database = Database(settings.state_url, tables=(toolkit.MIGRATIONS, schema.MIGRATIONS))
    return RecipeSignals(open_registry(settings, database=database), database)
