"""Recipes: what one is, where they are kept, how they get in."""

from recipes.catalog.catalogue import Catalogue, Rating, SaveCounts, StoredRecipe
from recipes.catalog.recipe import Recipe, RecipeText
from recipes.catalog.starter import starter_recipes

__all__ = ["Catalogue", "Rating", "Recipe", "RecipeText", "SaveCounts", "StoredRecipe", "starter_recipes"]
