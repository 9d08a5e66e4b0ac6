"""Recipes into other languages: once, kept, and never inside a request."""

from recipes.translation.background import BackgroundTranslation
from recipes.translation.translator import OpenAITranslator, Translator, translator_for

__all__ = ["BackgroundTranslation", "OpenAITranslator", "Translator", "translator_for"]
