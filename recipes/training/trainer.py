"""``hybrid_ranker`` as retraining jobs see it: load, train, evaluate, and the gates of a challenger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops import schema as toolkit
from mlops.clock import Clock, utc_now
from mlops.drift import ReferenceProfile
from mlops.evaluation import Evaluation, Gate, beats, holds, keeps_golden, output_valid
from mlops.evaluation.lists import coverage, gini_of_exposure
from mlops.retraining.trainer import Progress, Trained
from mlops.sentences import say
from mlops.store import Database
from recipes import schema
from recipes.collaborative.serving import COLLABORATIVE_FOLDER, refit
from recipes.config import load_settings
from recipes.ranker import MODEL_ID, Ranker, ranker_from
from recipes.training.data import TrainingData, checked, divided
from recipes.training.examination import look_weights
from recipes.training.examples import Examples, examples_of
from recipes.training.fit import fit
from recipes.training.frames import log_of
from recipes.training.gates import keeps_share
from recipes.training.golden import GoldenJudge, GoldenPromises, GoldenQueries
from recipes.training.log import read_log
from recipes.training.measure import measured, ordered
from recipes.training.options import TrainingOptions

if TYPE_CHECKING:
    from recipes.config import Settings

# Of the different recipes that the champion shows first, the challenger shows so large a share at least. Relative to
# the champion: how much of a catalogue a holdout can cover at all depends on how large both are.
LEAST_OF_COVERAGE = 2 / 3
CLICK_SLACK = 0.02
# A smaller gain is not worth a change, and as often luck as not when one looks every third night.
LEAST_GAIN = 0.005
# Of ten versions a month that are no better, one in four months would look better by luck at the usual 0.05.
GAIN_BY_LUCK = 0.02
# Drift is told from a profile of so many impressions, the newest.
_PROFILED = 100_000


class HybridRankerTrainer:
    """Implements :class:`mlops.retraining.trainer.Trainer`."""

    def __init__(
        self,
        database: Database,
        *,
        golden: GoldenJudge = lambda ranker: {},
        collaborative: Path | None = None,
        options: TrainingOptions | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            collaborative: folder from which the service takes the collaborative model, which is fitted anew with each
                training from the database; without it there is none.
            golden: asks the golden queries; without it nothing is held to them, and there is no gate for them.
        """
        self._database = database
        self._golden = golden
        self._collaborative = collaborative
        self._options = options or TrainingOptions()
        self._clock = clock
        self._asked_golden = False

    def load(self) -> TrainingData:
        """The answers of ``hybrid_ranker`` and what cooks did with them, up to now.

        Raises:
            TooLittleData: too few answers that cooks reacted to.
            StoreUnavailable: the database does not answer.
        """
        now = self._clock()
        since = now - timedelta(days=self._options.lookback_days)
        log = read_log(self._database, since=since, until=now)
        return replace(divided(log, self._options, until=now.timestamp()), is_read=True)

    def take(self, training_data: Any, validation_data: Any = None) -> TrainingData:
        """Data frames in the layout of ``training_rows``, see :mod:`recipes.training.frames`; labels are final.

        Raises:
            TooLittleData: too few answers with a gain.
            UnreadableData: a column is missing or a value of no use.
        """
        options = replace(self._options, label_delay_hours=0.0)
        log = log_of(training_data)
        until = _after(log.answered_at)
        if validation_data is None:
            return divided(log, options, until=until)
        holdout_log = log_of(validation_data)
        holdout = examples_of(holdout_log, options, since=-np.inf, until=_after(holdout_log.answered_at))
        # What would have been set aside for it is for validation.
        parts = divided(log, replace(options, least_holdout=0), until=until)
        return checked(replace(parts, validation=parts.holdout, holdout=holdout), options)

    def fingerprint(self, data: TrainingData) -> str:
        """SHA-256 of *data* in hexadecimal."""
        return data.fingerprint()

    def train(self, data: TrainingData, parameters: Mapping[str, Any], seed: int, progress: Progress) -> Trained:
        """Learn from the training part of *data*, stop by its validation part.

        Args:
            parameters: any of :class:`TrainingOptions` that shapes the fit, such as ``kind`` or ``n_rounds``.
        Raises:
            ValueError: there is no such parameter, or its value is of no use.
        """
        options = self._options.with_parameters(parameters)
        fitted = fit(data, options, promises=GoldenPromises(self._golden), seed=seed, progress=progress)
        together = self._refit_collaborative(data, seed=seed, progress=progress)
        progress(0.95, say("writing the artefact"))
        return Trained(
            files=fitted.ranker.files(),
            metrics={**data.counts(), **fitted.metrics, **together},
            parameters={
                **{name: getattr(options, name) for name in _SHAPING},
                "kind_chosen": _kind_of(fitted.ranker),
                "because": fitted.reason,
                "looks_by_position": [round(look, 4) for look in data.looks.tolist()],
            },
            curves={"validation_ndcg@3": fitted.curve} if fitted.curve else {},
            profile=ReferenceProfile.of(_newest(data.train)),
        )

    def _refit_collaborative(self, data: TrainingData, *, seed: int, progress: Progress) -> dict[str, float]:
        """Fit the feature for requests to come. The examples of *data* keep what was written down with them."""
        if self._collaborative is None or not data.is_read:
            return {}
        progress(0.9, say("fitting what cooks with the same history like"))
        as_of = datetime.fromtimestamp(data.cuts.until, UTC)
        model = refit(self._database, self._collaborative, as_of=as_of, seed=seed)
        return {"collaborative_cooks": float(len(model.histories.users)) if model else 0.0}

    def evaluate(self, files: Mapping[str, bytes], data: TrainingData) -> Evaluation:
        """The artefact orders the logged answers of the holdout anew, and answers the golden queries.

        Raises:
            RankerFailed: the artefact is no ranker.
        """
        ranker = ranker_from(files, version="0.0.0")
        holdout = data.holdout
        scores = ranker.score(ranker.recalled(holdout.columns)).astype(np.float64)
        finite = np.where(np.isfinite(scores), scores, -np.inf)
        largest = self._options.largest_weight
        weights = look_weights(holdout, data.looks, largest=largest)
        metrics = [
            measured(name, holdout, finite, weights=weights, k=k, graded=graded, largest=largest)
            for name, k, graded in (("ndcg@3", 3, True), ("click@1", 1, False))
        ]
        golden = {query: answer.is_right for query, answer in self._golden(ranker).items()}
        self._asked_golden = self._asked_golden or bool(golden)
        return Evaluation(
            label=f"{MODEL_ID} ({_kind_of(ranker)})",
            metrics={one.name: one for one in metrics},
            figures=_figures(holdout, finite, data.n_items),
            golden=golden,
            problems=_problems(scores),
        )

    def gates(self) -> Sequence[Gate]:
        """Better at the top, not worse in clicks, as wide a choice, valid, and no golden query lost.

        The last one only where golden queries could be asked; call it after :meth:`evaluate`.
        """
        gates = [
            beats("ndcg@3", by=LEAST_GAIN, alpha=GAIN_BY_LUCK),
            holds("click@1", slack=CLICK_SLACK),
            keeps_share("coverage", at_least=LEAST_OF_COVERAGE),
            output_valid(),
        ]
        return [*gates, keeps_golden()] if self._asked_golden else gates


_SHAPING = (
    "kind", "half_life_days", "l2", "n_rounds", "learning_rate", "n_leaves", "least_in_leaf", "patience",
    "position_regularisation", "largest_weight", "attribution_days", "label_delay_hours",
)  # fmt: skip


def hybrid_ranker_trainer(settings: Settings | None = None, *, clock: Clock = utc_now) -> HybridRankerTrainer:
    """The trainer of the installation that *settings* name. Default: those of the environment.

    Raises:
        InvalidSettings: a variable has a value that cannot be used.
    """
    settings = settings or load_settings()
    database = Database(settings.state_url, tables=(toolkit.MIGRATIONS, schema.MIGRATIONS))
    return HybridRankerTrainer(
        database, golden=GoldenQueries(settings), collaborative=settings.var_dir / COLLABORATIVE_FOLDER, clock=clock
    )


def _after(times: NDArray[np.float64]) -> float:
    return float(times.max(initial=0.0)) + 1.0


def _kind_of(ranker: Ranker) -> str:
    return str(getattr(ranker, "KIND", type(ranker).__name__))


def _newest(examples: Examples) -> dict[str, NDArray[np.float32]]:
    return {name: column[-_PROFILED:] for name, column in examples.columns.items()}


def _figures(holdout: Examples, scores: NDArray[np.float64], n_items: int) -> dict[str, float]:
    """How wide the choice is of what stands first: its share of the catalogue, and how unevenly it is shared out."""
    first = holdout.recipes[ordered(holdout, scores) == 1].astype(np.int64)[:, None]
    shown, lists = np.unique(first, return_inverse=True)
    known = max(n_items, len(shown))
    lists = lists.reshape(-1, 1)
    return {
        "coverage": coverage(lists, n_items=known),
        "gini_of_exposure": gini_of_exposure(lists, n_items=known),
        "holdout_answers": float(len(holdout.sizes)),
    }


def _problems(scores: NDArray[np.float64]) -> list[str]:
    n_wrong = int((~np.isfinite(scores)).sum())
    if not n_wrong:
        return []
    return [say("{n:d} of {of:d} recipes of the holdout have no finite score", n=n_wrong, of=len(scores))]
