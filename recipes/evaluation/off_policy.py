"""What a version would have earned in the first place of lists, from what was shown while others chose.

Exploration now and then shows the second recipe first, with a probability that was written down. So of the two recipes
on top of a list it is known what cooks do with either in the first place: a version that would have put the other one
first is judged by the lists in which chance did. Nothing is said of recipes that were not on top.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops import schema as toolkit
from mlops.clock import Clock, utc_now
from mlops.errors import TooLittleOverlap, UnknownVersion
from mlops.model_registry import ModelRegistry, open_registry
from mlops.rollout import Expected, OffPolicyEstimate, expected_of, off_policy_estimate
from mlops.sentences import say
from mlops.store import Database
from recipes import schema
from recipes.config import load_settings
from recipes.evaluation.feedback import scores_of
from recipes.exploration import EXPLORED_BELOW
from recipes.live_quality import LEARNED_FROM, OUTCOMES
from recipes.ranker import MODEL_ID, Ranker, load_ranker
from recipes.training.labels import EVENT_CODES
from recipes.training.log import ImpressionLog, read_log

# More than the usual share of exploration asks for: one list in forty shows its second recipe first.
LARGEST_WEIGHT = 100.0


def first_place(ranker: Ranker, log: ImpressionLog) -> OffPolicyEstimate | None:
    """How likely a cook clicks what *ranker* would have shown first, by SNIPS with weights up to 100.

    Lists whose first recipe chance could not have exchanged, or whose second one it did, are left out.

    Returns:
        None where there is no such list.

    Raises:
        TooLittleOverlap: the lists in which the first recipe is the one that *ranker* prefers are too few.
    """
    first = _first_rows(log)
    if not len(first):
        return None
    stays = _stays(ranker, log, first)
    return off_policy_estimate(
        _is_clicked(log)[first], log.propensities[first], stays.astype(np.float64), clip=LARGEST_WEIGHT
    )


def told(ranker: Ranker, database: Database, *, clock: Clock = utc_now) -> str:
    """What *ranker* would have earned in the first place of the last four weeks' lists; or why no number is given.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    now = clock()
    log = read_log(database, since=now - LEARNED_FROM, until=now, with_interleaved=True)
    try:
        found = first_place(ranker, log)
    except TooLittleOverlap as refusal:
        return f"off-policy: no number, since {refusal}"
    if found is None:
        return "off-policy: no number, since chance exchanged nothing in the lists of the last four weeks"
    return sentence(ranker.version, found)


def sentence(version: str, found: OffPolicyEstimate) -> str:
    """The estimate, and what is needed to believe it."""
    low, high = found.interval
    return (
        f"off-policy: {version} would have its first recipe clicked in {found.value:.2%} of lists "
        f"({low:.2%} to {high:.2%}), as shown {found.logged:.2%}; SNIPS over {found.n} lists, effective sample size "
        f"{found.effective_sample_size:.0f}, largest weight {found.largest_weight:.3g}, {found.n_clipped} clipped"
    )


class FirstPlaceExpectations:
    """What is expected of a version's first place, by the last four weeks' lists: before it is rolled out."""

    def __init__(self, registry: ModelRegistry, *, clock: Clock = utc_now) -> None:
        self._registry = registry
        self._clock = clock

    def __call__(self, model_id: str, champion: str, challenger: str) -> Expected | None:
        """See :data:`mlops.rollout.Expect`.

        Raises:
            StoreUnavailable: the database does not answer.
            ArtefactError, RankerFailed: a version cannot be loaded.
        """
        if model_id != MODEL_ID:
            return None
        now = self._clock()
        log = read_log(self._registry.database, since=now - LEARNED_FROM, until=now, with_interleaved=True)
        return expected_in_first_place(self._ranker(champion), self._ranker(challenger), log)

    def _ranker(self, version: str) -> Ranker:
        one = self._registry.get_model(MODEL_ID, version)
        if one is None:
            raise UnknownVersion(f"{MODEL_ID} has no version {version}")
        return load_ranker(one, self._registry.files(one))


def recipe_expectations() -> FirstPlaceExpectations:
    """Those of the environment's settings, for commands: the entry point of the group ``mlops.expectations``."""
    settings = load_settings()
    database = Database(settings.state_url, tables=(toolkit.MIGRATIONS, schema.MIGRATIONS))
    return FirstPlaceExpectations(open_registry(settings, database=database))


def expected_in_first_place(champion: Ranker, challenger: Ranker, log: ImpressionLog) -> Expected:
    """How likely cooks click what either version would have shown first, where chance might have shown the other one.

    Lists of two rankings in which a coin ordered the first two are the best witnesses.
    """
    first = _first_rows(log)
    if not len(first):
        nothing = say("Off-policy: no number, since chance exchanged nothing in the last four weeks.")
        return Expected("cannot tell", nothing)
    stays = [_stays(ranker, log, first) for ranker in (champion, challenger)]
    clicked = _is_clicked(log)[first]
    here, there = _predicted(log.features, first, clicked)
    return expected_of(
        clicked,
        log.propensities[first],
        champion=stays[0].astype(np.float64),
        challenger=stays[1].astype(np.float64),
        predicted_logged=here,
        predicted_challenger=np.where(stays[1], here, there),
        what=say("clicks on the first recipe"),
    )


def _stays(ranker: Ranker, log: ImpressionLog, first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether *ranker* would have shown first what was shown first, and not what was shown second."""
    scores = scores_of(ranker, log.features[np.concatenate([first, first + 1])])
    return np.asarray(scores[: len(first)] >= scores[len(first) :])


def _predicted(
    features: NDArray[np.float32], first: NDArray[np.int64], clicked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clicks to be expected of the first and of the second recipe if shown first, each shape (n_lists,).

    Ridge regression on the features of what stood first, each half predicted by the other: a row is no witness of
    itself.
    """
    here, there = (_with_one(features[first + step]) for step in (0, 1))
    predicted = np.zeros((2, len(first)))
    halves = np.arange(len(first)) % 2 == 0
    for half in (halves, ~halves):
        columns, wanted = here[~half], clicked[~half]
        weights = np.linalg.solve(columns.T @ columns + np.eye(columns.shape[1]), columns.T @ wanted)
        predicted[:, half] = here[half] @ weights, there[half] @ weights
    return predicted[0], predicted[1]


def _with_one(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    known = np.nan_to_num(rows.astype(np.float64))
    return np.column_stack([known, np.ones(len(rows))])


def _first_rows(log: ImpressionLog) -> NDArray[np.int64]:
    """The first rows of lists in which first and second recipe may change places, and nothing else happened to them."""
    rows = np.flatnonzero((log.positions[:-1] == 1) & (log.positions[1:] == 2))
    first, second = log.propensities[rows], log.propensities[rows + 1]
    is_whole = (first < EXPLORED_BELOW) == (second < EXPLORED_BELOW)
    kept: NDArray[np.int64] = rows[(first < 1) & is_whole]
    return kept


def _is_clicked(log: ImpressionLog) -> NDArray[np.float64]:
    wanted = [EVENT_CODES[name] for name in OUTCOMES["click"]]
    clicked = np.zeros(len(log))
    clicked[log.events.rows[np.isin(log.events.kinds, wanted)]] = 1.0
    return clicked
