"""The recommender's sentences for operators in Spanish, as :mod:`mlops.sentences` reads them."""

from pathlib import Path

SPANISH = Path(__file__).parent / "spanish"
