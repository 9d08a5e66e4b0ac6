"""Chance of a simulation: one stream for each purpose, so that no arm and no order of work moves another's draws."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Purpose = Literal["tastes", "drift", "cooks", "visits", "intent", "behaviour", "judge"]
_NUMBERS = {purpose: number for number, purpose in enumerate(get_args(Purpose))}


def chance(seed: int, purpose: Purpose, *numbers: int) -> np.random.Generator:
    """The generator of *purpose*, such as that of the behaviour at ask *numbers* (cook, ask of this cook).

    The same arguments give the same draws, in every arm: arms differ by what they show and by nothing else (common
    random numbers).
    """
    return np.random.default_rng([seed, _NUMBERS[purpose], *numbers])
