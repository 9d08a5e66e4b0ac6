"""What a version would have earned in the first place of lists, from what was shown while others chose.

Exploration now and then shows the second recipe first, with a probability that was written down. So of the two recipes
on top of a list it is known what cooks do with either in the first place: a version that would have put the other one
first is judged by the lists in which chance did. Nothing is said of recipes that were not on top.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops.clock import Clock, utc_now
from mlops.errors import TooLittleOverlap
from mlops.rollout import OffPolicyEstimate, off_policy_estimate
from mlops.store import Database
from recipes.evaluation.feedback import scores_of
from recipes.exploration import EXPLORED_BELOW
from recipes.live_quality import LEARNED_FROM, OUTCOMES
from recipes.ranker import Ranker
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
    scores = scores_of(ranker, log.features[np.concatenate([first, first + 1])])
    stays = scores[: len(first)] >= scores[len(first) :]
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
