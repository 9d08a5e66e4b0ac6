"""Interleaving: both rankers fill one list, and clicks say whose items people prefer. A sensitive first stage.

Team draft (Radlinski, Kurup & Joachims, "How does clickthrough data reflect retrieval quality?", CIKM 2008): in each
round a coin decides who picks first, and each picks its best item that is not in the list yet. One thing is different:
an item that both would pick next comes next, and belongs to both. Its clicks say nothing of either ranker, and only
blur what the others say; compare Chapelle, Joachims, Radlinski & Yue, "Large-scale validation and analysis of
interleaved search evaluation" (TOIS 2012), who ignore the results on top that both rankings share.

So each round takes the same items whatever its coin shows, which only orders them: an item of one team comes to its
position with a probability of one half, one of both with certainty. Somebody who clicks by position alone prefers no
team.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from scipy.special import betaln

from mlops.rollout.sequential import log_evidence_above

Team = Literal["champion", "challenger", "both"]
Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Draft(Generic[Item]):
    """A list to show, best rank first, and which team brought each item.

    Attributes:
        propensities: of each item: probability that it came to its position.
    """

    items: tuple[Item, ...]
    teams: tuple[Team, ...]
    propensities: tuple[float, ...]


def team_draft(
    champion: Sequence[Item], challenger: Sequence[Item], *, k: int, rng: np.random.Generator
) -> Draft[Item]:
    """Interleave two rankings.

    Args:
        champion, challenger: best first; neither holds an item twice.
        k: length of the list, at least 1; shorter where both rankings end before.
        rng: the same state gives the same list: seed it by the request.

    Raises:
        ValueError: *k* is below 1, or a ranking holds an item twice.
    """
    return _drafted(champion, challenger, k, iter(lambda: bool(rng.random() < 0.5), None))


def keyed_draft(
    champion: Sequence[Item], challenger: Sequence[Item], *, k: int, request_id: str, key: bytes
) -> Draft[Item]:
    """As :func:`team_draft`, by the coins of a request: the same each time, in every process.

    Args:
        request_id: any text.
        key: of the rollout, up to 64 bytes; who does not know it does not know the coins.

    Raises:
        ValueError: see :func:`team_draft`.
    """
    return _drafted(champion, challenger, k, _coins(request_id, key))


def _coins(request_id: str, key: bytes) -> Iterator[bool]:
    # A digest costs a hundredth of what a generator costs to seed.
    n = 0
    while True:
        digest = blake2b(f"draft {n} {request_id}".encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
        bits = int.from_bytes(digest, "big")
        yield from (bool(bits >> at & 1) for at in range(64))
        n += 1


def _drafted(champion: Sequence[Item], challenger: Sequence[Item], k: int, coins: Iterator[bool]) -> Draft[Item]:
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    for name, ranking in (("champion", champion), ("challenger", challenger)):
        if len(set(ranking)) != len(ranking):
            raise ValueError(f"the ranking of the {name} holds an item twice")
    taken: dict[Item, tuple[Team, float]] = {}
    rests = iter(champion), iter(challenger)
    while len(taken) < k:
        one, other = (next((item for item in rest if item not in taken), _NONE) for rest in rests)
        picks = _round(one, other, next(coins))
        if not picks:
            break
        for item, team, propensity in picks[: k - len(taken)]:
            taken[item] = team, propensity
    return Draft(tuple(taken), *_columns(taken.values()))


_NONE: Any = object()


def _round(champion: Any, challenger: Any, champion_is_first: bool) -> list[tuple[Any, Team, float]]:
    """What a round takes, each with its team and the probability that it came to its place."""
    if champion is challenger is _NONE:
        return []
    if champion == challenger:
        return [(champion, "both", 1.0)]
    if champion is _NONE:
        return [(challenger, "challenger", 1.0)]
    if challenger is _NONE:
        return [(champion, "champion", 1.0)]
    picks: list[tuple[Any, Team, float]] = [(champion, "champion", 0.5), (challenger, "challenger", 0.5)]
    return picks if champion_is_first else picks[::-1]


def _columns(values: Iterable[tuple[Team, float]]) -> tuple[tuple[Team, ...], tuple[float, ...]]:
    pairs = list(values)
    return tuple(team for team, _ in pairs), tuple(propensity for _, propensity in pairs)


def credit(draft: Draft[Item], clicked: Iterable[Item]) -> int:
    """Who won: 1 the challenger, -1 the champion, 0 nobody.

    Each item counts once; one that was not shown, or that belongs to both, does not.
    """
    wanted = set(clicked)
    clicks = [team for item, team in zip(draft.items, draft.teams, strict=True) if item in wanted]
    difference = clicks.count("challenger") - clicks.count("champion")
    return (difference > 0) - (difference < 0)


@dataclass(frozen=True, slots=True)
class Preference:
    """Who is preferred, over all lists so far.

    Attributes:
        share: of the lists that somebody won, those that the challenger did; None where nobody did.
        low, high: a confidence sequence of that share: it holds at all looks at once.
        p_value: always valid, against a share of one half.
    """

    n_challenger: int
    n_champion: int
    n_ties: int
    share: float | None
    low: float
    high: float
    p_value: float
    verdict: Literal["challenger", "champion", "cannot tell"]

    @property
    def sentence(self) -> str:
        """Who won how many lists, and how sure the share is."""
        n_won = self.n_challenger + self.n_champion
        told = f"of {n_won + self.n_ties} lists of both the challenger won {self.n_challenger}, the champion "
        told += f"{self.n_champion}, nobody {self.n_ties}"
        return f"{told}; the challenger's share of those won lies between {self.low:.1%} and {self.high:.1%}"


def preference(outcomes: Iterable[int], *, alpha: float = 0.05) -> Preference:
    """A paired sign test over lists that may be looked at after every list: a beta mixture, uniform over the share.

    Lists that nobody won tell nothing, and are counted.

    Args:
        outcomes: of :func:`credit`, one a list. Where people see many lists, one a person: their clicks are alike.
    """
    values = list(outcomes)
    return preference_of(values.count(1), values.count(-1), values.count(0), alpha=alpha)


def preference_of(wins: int, losses: int, ties: int, *, alpha: float = 0.05) -> Preference:
    """As :func:`preference`, of so many lists that the challenger won, the champion won, and nobody won."""
    low, high = _share_interval(wins, losses, alpha)
    verdict: Literal["challenger", "champion", "cannot tell"] = "cannot tell"
    if low > 0.5 or high < 0.5:
        verdict = "challenger" if low > 0.5 else "champion"
    evidence = float(betaln(1 + wins, 1 + losses)) + (wins + losses) * math.log(2)
    return Preference(
        n_challenger=wins,
        n_champion=losses,
        n_ties=ties,
        share=wins / (wins + losses) if wins + losses else None,
        low=low,
        high=high,
        p_value=math.exp(-max(evidence, 0.0)),
        verdict=verdict,
    )


def log_evidence_losing(wins: int, losses: int, *, margin: float = 0.0) -> float:
    """Log e-value that the challenger loses more of the lists that somebody won than its margin lets it.

    One-sided, and exact at any number of looks: it reaches ``log(1 / alpha)`` with probability at most alpha, ever,
    where in each list the challenger's odds to win are at least ``1 - margin``.

    Args:
        margin: at least 0 and less than 1.
    """
    return log_evidence_above(losses, wins + losses, line=1 / (2 - margin))


def _share_interval(wins: int, losses: int, alpha: float) -> tuple[float, float]:
    """All shares whose e-value is below 1/alpha: the mixture's likelihood against that of the share."""
    if not wins + losses:
        return 0.0, 1.0
    grid = np.linspace(0, 1, 2_001)[1:-1]
    likelihood = wins * np.log(grid) + losses * np.log1p(-grid)
    inside = np.flatnonzero(likelihood > float(betaln(1 + wins, 1 + losses)) + math.log(alpha))
    # One step outwards: the end lies between two points.
    return max(float(grid[inside[0]]) - 0.0005, 0.0), min(float(grid[inside[-1]]) + 0.0005, 1.0)
