"""Cooks whose taste is known, before lists of one ranking or of both: for tests and benchmarks of interleaving."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.rollout.interleaving import keyed_draft, log_evidence_losing
from mlops.rollout.sequential import Block, log_evidence_worse, log_likelihood

N_SHOWN = 3
N_CANDIDATES = 20
# A cook takes one recipe of a list, or none, by a multinomial logit: this much an appeal of 1 is worth, a position
# costs, and leaving without a recipe is worth.
TASTE, POSITIONS, LEAVING = 6.0, np.log([1.0, 2.0, 3.0]), 5.5
_COINS = 8
_TEAMS = {"champion": -1, "both": 0, "challenger": 1}


@dataclass(frozen=True)
class Kitchen:
    """Queries, the appeal of their recipes, and what is shown for each.

    Attributes:
        champion, challenger: shape (n_queries, 3): appeal of what each ranking shows.
        drafted, teams: shape (n_queries, n_coins, 3): appeal of what lists of both show, and whose it is: -1, 0 or 1.
    """

    champion: NDArray[np.float64]
    challenger: NDArray[np.float64]
    drafted: NDArray[np.float64]
    teams: NDArray[np.int64]

    @property
    def click_rates(self) -> tuple[float, float]:
        """Share of lists that are clicked at all, of the champion and of the challenger."""
        one, other = (float(_worth(shown)[:, 1:].sum(axis=1).mean()) for shown in (self.champion, self.challenger))
        return one, other


def _worth(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of a cook to leave, and to take each of the recipes of an appeal, shape (n, 4)."""
    worth = np.exp(TASTE * shown - POSITIONS)
    worth = np.concatenate([np.full((len(worth), 1), math.exp(LEAVING)), worth], axis=1)
    return np.asarray(worth / worth.sum(axis=1, keepdims=True))


def taken(shown: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Which recipe of each list is taken, -1 for none, shape (n,)."""
    return np.asarray((rng.random((len(shown), 1)) > _worth(shown).cumsum(axis=1)).sum(axis=1) - 1)


def kitchen(*, noise: float, challenger_noise: float, n_queries: int = 200, seed: int = 7) -> Kitchen:
    """Rankings by the recipes' appeal, each with a noise of its own.

    Where both are alike, each query comes twice with the rankings exchanged, so that neither is better by chance.
    """
    rng = np.random.default_rng(seed)
    appeal = rng.beta(1, 2, (n_queries, N_CANDIDATES))
    one, other = (
        np.argsort(-(appeal + rng.normal(0, each, appeal.shape)), axis=1).tolist() for each in (noise, challenger_noise)
    )
    if noise == challenger_noise:
        one, other, appeal = [*one, *other], [*other, *one], np.concatenate([appeal, appeal])
    drafts = [
        [keyed_draft(a, b, k=N_SHOWN, request_id=f"{query}-{coin}", key=b"key") for coin in range(_COINS)]
        for query, (a, b) in enumerate(zip(one, other, strict=True))
    ]
    rows = np.arange(len(appeal))[:, None]
    shown = np.array([[draft.items for draft in each] for each in drafts])
    return Kitchen(
        appeal[rows, np.array(one)[:, :N_SHOWN]],
        appeal[rows, np.array(other)[:, :N_SHOWN]],
        appeal[rows[:, :, None], shown],
        np.array([[[_TEAMS[team] for team in draft.teams] for draft in each] for each in drafts]),
    )


def interleaved_until(kitchen: Kitchen, *, n: int, every: int, alpha: float, rng: np.random.Generator) -> int:
    """After how many of *n* lists of both, looked at *every* so many, the challenger is taken back; 0: it is not."""
    queries, coins = rng.integers(len(kitchen.drafted), size=n), rng.integers(_COINS, size=n)
    taken_at = taken(kitchen.drafted[queries, coins], rng)
    outcomes = np.where(taken_at < 0, 0, kitchen.teams[queries, coins, taken_at])
    won, lost = (outcomes > 0).cumsum(), (outcomes < 0).cumsum()
    looks = range(every, n + 1, every)
    found = (at for at in looks if log_evidence_losing(int(won[at - 1]), int(lost[at - 1])) >= -math.log(alpha))
    return next(found, 0)


def split_until(kitchen: Kitchen, *, n: int, every: int, alpha: float, rng: np.random.Generator) -> int:
    """As :func:`interleaved_until`, of lists half of which are either ranking's: was the list clicked at all?"""
    half = every // 2
    clicked = [
        taken(shown[rng.integers(len(shown), size=n // 2)], rng) >= 0
        for shown in (kitchen.challenger, kitchen.champion)
    ]
    likelihood = np.zeros_like(log_likelihood(Block(0, 0, 0, 0)))
    for at in range(half, n // 2 + 1, half):
        one, other = (int(each[at - half : at].sum()) for each in clicked)
        likelihood = likelihood + log_likelihood(Block(half, one, half, other))
        if log_evidence_worse(likelihood, higher_is_better=True) >= -math.log(alpha):
            return 2 * at
    return 0
