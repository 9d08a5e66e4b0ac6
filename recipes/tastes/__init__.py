"""What the service learns of tastes between two trainings, from what was shown and what cooks did with it."""

from recipes.tastes.appeal import Appeal
from recipes.tastes.attributes import RecipeAttributes
from recipes.tastes.encounters import Encounters, read_encounters
from recipes.tastes.keeper import KnownTastes, TasteKeeper, learned
from recipes.tastes.personal import Personal, PersonalLearner

__all__ = [
    "Appeal",
    "Encounters",
    "KnownTastes",
    "Personal",
    "PersonalLearner",
    "RecipeAttributes",
    "TasteKeeper",
    "learned",
    "read_encounters",
]
