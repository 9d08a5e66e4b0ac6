"""What cooks with the same taste cooked: EASE on the recipes that many know, and popularity with recency.

The model is a feature of the ranker. docs/collaborative.md says what it is, and benchmarks/collaborative.py how good.
"""

from recipes.collaborative.choice import Options
from recipes.collaborative.interactions import Interactions
from recipes.collaborative.model import COLLABORATIVE_FILE, CollaborativeModel

__all__ = ["COLLABORATIVE_FILE", "CollaborativeModel", "Interactions", "Options"]
