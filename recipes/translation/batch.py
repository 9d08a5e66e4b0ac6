"""Translating a whole catalogue, for who starts it by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable

from recipes.catalog import Catalogue
from recipes.errors import TranslatorUnavailable
from recipes.text import Language
from recipes.translation.background import translate_one
from recipes.translation.translator import Translator

_log = logging.getLogger("recipes.translation")

# After this many failures in a row the endpoint is taken to be down.
MAX_FAILURES_IN_A_ROW = 5


def translate_all(
    catalogue: Catalogue,
    translator: Translator,
    target: Language,
    *,
    limit: int | None = None,
    on_progress: Callable[[int], None] = lambda n_done: None,
) -> tuple[int, int]:
    """Translate every recipe without a text in *target*, at most *limit*.

    Returns:
        How many were translated, and how many failed.

    Raises:
        TranslatorUnavailable: several in a row failed. What was translated is kept.
    """
    n_done = n_failed = n_tried = in_a_row = after = 0
    while batch := catalogue.untranslated(target, after=after, limit=50):
        for stored in batch:
            if limit is not None and n_done >= limit:
                return n_done, n_failed
            after = stored.recipe_no
            try:
                n_done += translate_one(catalogue, translator, stored, target)
            except TranslatorUnavailable as error:
                n_failed += 1
                in_a_row += 1
                _log.warning("recipe %s was not translated: %s", stored.recipe.recipe_id, error)
                if in_a_row >= MAX_FAILURES_IN_A_ROW:
                    raise
            else:
                in_a_row = 0
            n_tried += 1
            on_progress(n_tried)
    return n_done, n_failed
