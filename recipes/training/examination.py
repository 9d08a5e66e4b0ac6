"""How likely a cook looks at each position, told apart from how good the recipes there are.

Cooks are taken to look at a position with a probability of its own and then to react by the recipe alone (the
position-based model of Craswell et al. 2008). Where exploration has swapped two neighbours, the same recipes were seen
at both positions, so that the ratio of reactions is the ratio of looks (Joachims, Swaminathan & Schnabel 2017).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recipes.exploration import EXPLORED_BELOW
from recipes.training.examples import Examples
from recipes.training.labels import SHOWN

# What is known beforehand, 1 / position, counts as much as so many reactions to swapped recipes.
PRIOR_REACTIONS = 20.0


def examination(examples: Examples) -> NDArray[np.float64]:
    """Relative to the first position, shape (deepest position,): 1 first, never rising, above 0.

    For the positions k and k + 1 the ratio is (m + m') / (n + n'): the shares of reactions at k and at k + 1, where
    they were swapped (m, n) and where they were not (m', n'). It is shrunk, in logarithms, towards k + 1 over k.
    """
    deepest = int(examples.positions.max(initial=1))
    ratios = np.array([_ratio(examples, position) for position in range(1, deepest)])
    return np.concatenate([[1.0], np.cumprod(1 / np.maximum(ratios, 1))])


def _ratio(examples: Examples, position: int) -> float:
    """How much likelier a cook looks at *position* than at the next one."""
    above = np.flatnonzero(examples.positions[:-1] == position)
    above = above[(examples.slates[above] == examples.slates[above + 1])]
    above = above[examples.positions[above + 1] == position + 1]
    reacted = examples.grades > SHOWN
    explored = examples.propensities < EXPLORED_BELOW
    swapped = explored[above] & explored[above + 1]
    usual = ~explored[above] & ~explored[above + 1]
    prior = (position + 1) / position
    n_reactions = float(reacted[above[swapped]].sum() + reacted[above[swapped] + 1].sum())
    if n_reactions == 0 or not usual.any():
        return prior
    here, there = (_share(reacted, above + step, swapped) + _share(reacted, above + step, usual) for step in (0, 1))
    if here == 0 or there == 0:
        return prior
    weight = n_reactions / (n_reactions + PRIOR_REACTIONS)
    return float(np.exp(weight * np.log(here / there) + (1 - weight) * np.log(prior)))


def _share(reacted: NDArray[np.bool_], rows: NDArray[np.int64], which: NDArray[np.bool_]) -> float:
    return float(reacted[rows[which]].mean())


def look_weights(examples: Examples, looks: NDArray[np.float64], *, largest: float) -> NDArray[np.float64]:
    """1 / how likely a cook looked at each recipe, shape (n_rows,), cut at *largest*.

    Args:
        looks: by position, see :func:`examination`. Positions beyond it count as its last one.
    """
    at = np.minimum(examples.positions.astype(np.int64), len(looks)) - 1
    return np.asarray(np.minimum(1 / looks[at], largest))
