"""Interleaving: both rankers fill one list, and clicks say whose items people prefer. A sensitive first stage.

Team draft (Radlinski, Kurup & Joachims, "How does clickthrough data reflect retrieval quality?", CIKM 2008): in each
round a coin decides who picks first, and each picks its best item that is not in the list yet.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from scipy.special import betaln

Team = Literal["champion", "challenger"]
Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Draft(Generic[Item]):
    """A list to show, best rank first, and which team brought each item."""

    items: tuple[Item, ...]
    teams: tuple[Team, ...]


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
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    rankings: dict[Team, Sequence[Item]] = {"champion": champion, "challenger": challenger}
    for team, ranking in rankings.items():
        if len(set(ranking)) != len(ranking):
            raise ValueError(f"the ranking of the {team} holds an item twice")
    return _drafted(rankings, k, rng)


def _drafted(rankings: dict[Team, Sequence[Item]], k: int, rng: np.random.Generator) -> Draft[Item]:
    rests = {team: iter(ranking) for team, ranking in rankings.items()}
    taken: dict[Item, Team] = {}
    while len(taken) < k:
        n_before = len(taken)
        order: tuple[Team, Team] = ("champion", "challenger") if rng.random() < 0.5 else ("challenger", "champion")
        for team in order:
            pick = next((item for item in rests[team] if item not in taken), None)
            if pick is not None and len(taken) < k:
                taken[pick] = team
        if len(taken) == n_before:
            break
    return Draft(tuple(taken), tuple(taken.values()))


def credit(draft: Draft[Item], clicked: Iterable[Item]) -> int:
    """Who won: 1 the challenger, -1 the champion, 0 nobody. Each item counts once, one that was not shown does not."""
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


def preference(outcomes: Iterable[int], *, alpha: float = 0.05) -> Preference:
    """A paired sign test over lists that may be looked at after every list: a beta mixture, uniform over the share.

    Lists that nobody won tell nothing, and are counted.

    Args:
        outcomes: of :func:`credit`, one a list. Where people see many lists, one a person: their clicks are alike.
    """
    values = list(outcomes)
    wins, losses = values.count(1), values.count(-1)
    low, high = _share_interval(wins, losses, alpha)
    verdict: Literal["challenger", "champion", "cannot tell"] = "cannot tell"
    if low > 0.5 or high < 0.5:
        verdict = "challenger" if low > 0.5 else "champion"
    evidence = float(betaln(1 + wins, 1 + losses)) + (wins + losses) * math.log(2)
    return Preference(
        n_challenger=wins,
        n_champion=losses,
        n_ties=len(values) - wins - losses,
        share=wins / (wins + losses) if wins + losses else None,
        low=low,
        high=high,
        p_value=math.exp(-max(evidence, 0.0)),
        verdict=verdict,
    )


def _share_interval(wins: int, losses: int, alpha: float) -> tuple[float, float]:
    """All shares whose e-value is below 1/alpha: the mixture's likelihood against that of the share."""
    if not wins + losses:
        return 0.0, 1.0
    grid = np.linspace(0, 1, 2_001)[1:-1]
    likelihood = wins * np.log(grid) + losses * np.log1p(-grid)
    inside = np.flatnonzero(likelihood > float(betaln(1 + wins, 1 + losses)) + math.log(alpha))
    # One step outwards: the end lies between two points.
    return max(float(grid[inside[0]]) - 0.0005, 0.0), min(float(grid[inside[-1]]) + 0.0005, 1.0)
