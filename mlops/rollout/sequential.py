"""Is the challenger's rate worse? A test that may be looked at after every event.

Requests are counted in blocks: all that came in between two looks, at both arms. Given how many requests each arm had
in a block, and how many events both had together, the number of the challenger's events is hypergeometric where the
rates are equal, and Fisher's noncentral hypergeometric with the odds ratio of the arms where they are not. Nothing
else enters: not the rate, which may change from block to block, nor the challenger's share, which may, too.

Against a null value of the odds ratio, the product over blocks of the likelihood ratio, averaged over alternatives
(a mixture, Robbins 1970), is a nonnegative supermartingale under every odds ratio on the null's side. By Ville's
inequality it ever reaches 1/alpha with probability at most alpha, however often one looks. This is the mixture
sequential probability ratio test (mSPRT) in its conditional form, exact at any sample size; compare Lindon & Malek,
"Anytime-valid inference for multinomial count data" (NeurIPS 2022), and Turner, Ly & Grünwald (2021) for two tables.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Floats = NDArray[np.float64]

STEP = 0.02
# Log odds ratios from 1/55 to 55; the rates of a model that raises always are farther apart, and found all the same.
LOG_ODDS: Floats = np.round(np.arange(-200, 201) * STEP, 10)
_SCALE = 0.5
_AT_ONCE = 2_048
_ZERO = len(LOG_ODDS) // 2


@dataclass(frozen=True, slots=True)
class Block:
    """What came in between two looks: requests and events of each arm.

    Raises:
        ValueError: a number is negative, or an arm had more events than requests.
    """

    n_challenger: int
    challenger: int
    n_champion: int
    champion: int

    def __post_init__(self) -> None:
        for arm, n, events in (
            ("challenger", self.n_challenger, self.challenger),
            ("champion", self.n_champion, self.champion),
        ):
            if not 0 <= events <= n:
                raise ValueError(f"{arm} must have between 0 and {n} events, got {events}")


def log_likelihood(block: Block) -> Floats:
    """Log likelihood of the challenger's events at each of :data:`LOG_ODDS`, shape (401,), up to a constant.

    Conditional on the requests of each arm and on the events of both together. Zero everywhere where a block tells
    nothing: an arm had no request, or all requests had the same outcome.
    """
    if not block.n_challenger or not block.n_champion:
        return np.zeros_like(LOG_ODDS)
    normaliser = _log_normaliser(block.n_challenger, block.n_champion, block.challenger + block.champion)
    likelihood: Floats = block.challenger * LOG_ODDS - normaliser
    likelihood -= likelihood[_ZERO]
    return likelihood


@functools.lru_cache(maxsize=1_024)
def _log_normaliser(n_challenger: int, n_champion: int, n_events: int) -> Floats:
    """Log of the sum over s of C(n_challenger, s) C(n_champion, n_events - s) exp(s log odds)."""
    s = np.arange(max(0, n_events - n_champion), min(n_challenger, n_events) + 1)
    log_ways = _log_choose(n_challenger, s) + _log_choose(n_champion, n_events - s)
    total = np.full_like(LOG_ODDS, -np.inf)
    # In parts: a service that was not looked at for a day would need hundreds of megabytes at once.
    for first in range(0, len(s), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        total = np.logaddexp(total, logsumexp(log_ways[part, None] + np.multiply.outer(s[part], LOG_ODDS), axis=0))
    return total


def _log_choose(n: int, k: NDArray[np.int64]) -> Floats:
    ways: Floats = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return ways


def log_evidence_worse(likelihood: Floats, *, margin: float = 0.0, higher_is_better: bool = False) -> float:
    """Log e-value that the challenger is worse than the champion by more than *margin*.

    The challenger is rolled back where it reaches ``log(1 / alpha)``; that happens, ever, with probability at most
    alpha to one that is not worse by more.

    Args:
        likelihood: the sum of :func:`log_likelihood` over all blocks so far, shape (401,).
        margin: by which part the odds of the event may be higher (lower where *higher_is_better*), at least 0 and less
            than 1 where *higher_is_better*. Rounded up to the next 2 %.
        higher_is_better: the event is a good one, such as a click.

    Raises:
        ValueError: *margin* lies outside of what is allowed.
    """
    at = _index_of_margin(margin, higher_is_better=higher_is_better)
    if higher_is_better:
        likelihood, at = likelihood[::-1], len(likelihood) - 1 - at
    beyond = likelihood[at + 1 :]
    evidence = logsumexp(beyond + _log_weights(len(beyond))) - likelihood[at]
    return float(evidence)


def _index_of_margin(margin: float, *, higher_is_better: bool) -> int:
    highest = 1.0 if higher_is_better else 50.0
    if not 0 <= margin < highest:
        raise ValueError(f"margin must be at least 0 and less than {highest:g}, got {margin}")
    log_odds = -math.log1p(-margin) if higher_is_better else math.log1p(margin)
    steps = min(math.ceil(log_odds / STEP - 1e-9), _ZERO - 1)
    return _ZERO - steps if higher_is_better else _ZERO + steps


@functools.cache
def _log_weights(n: int) -> Floats:
    # Half-Cauchy: most weight on odds that differ by up to a factor of 1.6, and enough on broken models.
    distance = np.arange(1, n + 1) * STEP
    weights = 1 / (1 + (distance / _SCALE) ** 2)
    log_weights: Floats = np.log(weights / weights.sum())
    return log_weights


def odds_ratio_interval(likelihood: Floats, *, alpha: float = 0.05) -> tuple[float, float]:
    """A confidence sequence for the odds ratio, challenger to champion: at all times at once it holds the true one.

    With probability at least ``1 - alpha``, for odds ratios between 1/55 and 55. An end at which nothing is excluded is
    0 or infinite. It holds all null values whose two-sided mixture e-value is below ``1 / alpha``.

    Args:
        likelihood: as for :func:`log_evidence_worse`.
        alpha: between 0 and 1.
    """
    weights = np.concatenate([_log_weights(_ZERO)[::-1], [-np.inf], _log_weights(_ZERO)]) - math.log(2)
    mixture = logsumexp(likelihood + weights)
    inside = np.flatnonzero(likelihood > mixture + math.log(alpha))
    # One step outwards: the end lies between two points.
    low, high = inside[0] - 1, inside[-1] + 1
    return (
        0.0 if low < 0 else math.exp(LOG_ODDS[low]),
        math.inf if high >= len(LOG_ODDS) else math.exp(LOG_ODDS[high]),
    )


def log_evidence_above(events: int, n: int, *, line: float) -> float:
    """Log e-value that the rate of an event lies above *line*, from one arm alone; for a watch without a champion.

    The mSPRT of a proportion: a half-Cauchy mixture over the log odds above those of *line*. Exact at any sample size.

    Args:
        events: how many of *n* requests had the event, 0 to *n*.
        line: between 0 and 1, both excluded.

    Raises:
        ValueError: *line* or *events* lies outside.
    """
    if not 0 < line < 1:
        raise ValueError(f"line must lie between 0 and 1, got {line}")
    if not 0 <= events <= n:
        raise ValueError(f"there must be between 0 and {n} events, got {events}")
    shifts = LOG_ODDS[_ZERO + 1 :]
    log_odds = math.log(line / (1 - line)) + shifts
    # log p = -log(1 + exp(-x)), log (1 - p) = -log(1 + exp(x)).
    ratio = events * (-np.logaddexp(0, -log_odds) - math.log(line)) + (n - events) * (
        -np.logaddexp(0, log_odds) - math.log1p(-line)
    )
    return float(logsumexp(ratio + _log_weights(len(shifts))))


def p_value(log_evidence: float) -> float:
    """The always-valid p-value of an e-value: ``min(1, 1/e)``."""
    return math.exp(-max(log_evidence, 0.0))
