"""Queries: do people ask in another language, with words we do not know, at another length, for what we lack?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mlops.drift import categorical, numeric
from mlops.drift.categorical import CategorySummary
from mlops.drift.correction import corrected
from mlops.drift.options import DriftOptions
from mlops.drift.result import DriftReport, Finding
from mlops.drift.shares import compare_shares
from mlops.drift.summary import MAX_CATEGORIES

_DEFAULTS = DriftOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryWindow:
    """What is known of the queries of a window, one entry for each. Their texts are not needed, and best not kept.

    Attributes:
        languages: such as "es".
        n_words: in the query.
        n_unknown_words: of them, those outside the vocabulary.
        n_results: recipes, or whatever was found.

    Raises:
        ValueError: the fields differ in length.
    """

    languages: Sequence[str]
    n_words: Sequence[int]
    n_unknown_words: Sequence[int]
    n_results: Sequence[int]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in self.__slots__}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"every query needs one entry in each field, got {shown}")

    def __len__(self) -> int:
        return len(self.languages)

    @property
    def unknown_word_share(self) -> float:
        """Share of all words that are outside the vocabulary; 0.0 without words."""
        return sum(self.n_unknown_words) / max(1, sum(self.n_words))


def query_window(
    texts: Sequence[str],
    n_results: Sequence[int],
    *,
    vocabulary: Collection[str],
    language_of: Callable[[str], str],
    words_of: Callable[[str], Sequence[str]] = lambda text: text.casefold().split(),
) -> QueryWindow:
    """The window of these queries, with what was found for each."""
    words = [words_of(text) for text in texts]
    return QueryWindow(
        languages=[language_of(text) for text in texts],
        n_words=[len(found) for found in words],
        n_unknown_words=[sum(word not in vocabulary for word in found) for found in words],
        n_results=n_results,
    )


def check_query_drift(
    reference: QueryWindow, current: QueryWindow, *, options: DriftOptions = _DEFAULTS
) -> DriftReport:
    """Compare the queries of two windows.

    The words of one query are not independent of each other: queries that hold an unknown word are counted, not words.
    """
    languages = [_languages(window) for window in (reference, current)]
    lengths = [numeric.summarise(np.asarray(window.n_words, dtype=np.float64)) for window in (reference, current)]
    unknown = [(sum(n > 0 for n in window.n_unknown_words), len(window)) for window in (reference, current)]
    empty = [(sum(n == 0 for n in window.n_results), len(window)) for window in (reference, current)]
    results = [
        categorical.compare_categories("language", languages[0], languages[1], options=options),
        numeric.compare_numeric("words per query", lengths[0], lengths[1], options=options),
        compare_shares("queries with an unknown word", unknown[0], unknown[1], options=options),
        compare_shares("empty results", empty[0], empty[1], options=options),
    ]
    new = categorical.new_values(*languages)
    findings = [Finding("language", "new values", f"Queries came in a new language: {', '.join(new)}.")] if new else []
    adjusted = corrected(results, correction=options.correction)
    return DriftReport(adjusted, findings, options, len(reference), len(current))


def _languages(window: QueryWindow) -> CategorySummary:
    import pyarrow as pa

    return categorical.summarise(pa.array(window.languages, pa.string()), max_categories=MAX_CATEGORIES)
