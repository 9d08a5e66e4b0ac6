"""Simulated cooks with hidden tastes, on a simulated clock, against the real service: what the loop is worth.

Nothing here is evidence about a real installation, and nothing of it enters one: a simulation lives in a folder of its
own, and is called simulated wherever it shows.
"""

from recipes.simulate.options import ARMS, ArmName, Options
from recipes.simulate.run import simulate
from recipes.simulate.story import Simulation

__all__ = ["ARMS", "ArmName", "Options", "Simulation", "simulate"]
