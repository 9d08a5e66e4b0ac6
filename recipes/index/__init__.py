"""The search index: vectors, words and filters over the catalogue, rebuilt whenever the catalogue changes."""

from recipes.index.build import BuildProgress, IndexBuilder
from recipes.index.library import IndexLibrary
from recipes.index.search import Candidates, RecipeIndex

__all__ = ["BuildProgress", "Candidates", "IndexBuilder", "IndexLibrary", "RecipeIndex"]
