"""What the service learns of cooks between two trainings, from what was shown and what they did: trend and affinity."""

from recipes.tastes.affinity import Affinity, AffinityLearner
from recipes.tastes.attributes import RecipeAttributes
from recipes.tastes.encounters import Encounters, read_encounters
from recipes.tastes.keeper import TasteKeeper
from recipes.tastes.trend import Trend

__all__ = [
    "Affinity",
    "AffinityLearner",
    "Encounters",
    "RecipeAttributes",
    "TasteKeeper",
    "Trend",
    "read_encounters",
]
