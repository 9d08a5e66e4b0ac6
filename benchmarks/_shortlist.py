"""Which of a few short texts answers a query best, without an index: a menu, a list of ideas, a handful of names.

The parts are those of the search: the query is understood, what it rules out is looked for in what each text contains,
and the rest is compared by meaning and by terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recipes.catalog.recipe import Recipe, RecipeText
from recipes.contents import Contents, contents_of
from recipes.encoder import Encoder
from recipes.lexicon import FOOD_GROUPS, Lexicon
from recipes.query import understand
from recipes.terms import merged, query_terms
from recipes.text import Language, stems

# How much the share of the asked-for foods and dishes that a text has counts beside the cosine, which is from -1 to 1.
TERMS_WEIGHT = 0.3
# For each food that the query includes outright ("with shrimp").
INCLUDED_WEIGHT = 0.1
# More than all the rest together: a text that has what was ruled out comes after all that have not.
BROKEN_PENALTY = 3.0

# Words of the other groups ("easy", "fresh") stand in right and wrong texts alike.
_GROUPS = FOOD_GROUPS | {"dishes"}


def rank_texts(query: str, options: Sequence[str], encoder: Encoder, lexicon: Lexicon) -> list[float]:
    """A score for each of *options*, each one line in the language of *query*; the higher the better.

    Rarity of a term is measured among the options: what all of them share tells nothing.

    Raises:
        EncoderUnavailable: the encoder does not answer.
    """
    understood = understand(query, lexicon)
    rules = understood.constraints
    language = understood.language
    contents = [_contents(option, language, lexicon) for option in options]
    asked = {
        term: weight
        for term, weight in query_terms(understood.words, lexicon, language).weights.items()
        if term.startswith("c:") and lexicon.concepts[term[2:]].group in _GROUPS
    }
    offered = [
        merged(
            [
                dict(query_terms(stems(option), lexicon, language).weights),
                {f"c:{concept}": 1.0 for concept in inside.concepts},
            ]
        )
        for option, inside in zip(options, contents, strict=True)
    ]
    vectors = encoder.encode([understood.free_text or query, *options])
    scores = vectors[1:] @ vectors[0] + TERMS_WEIGHT * _coverage(asked, offered)
    for position, inside in enumerate(contents):
        scores[position] += INCLUDED_WEIGHT * len(inside.concepts.intersection(rules.include))
        if inside.breaks(rules.exclude, rules.exclude_words):
            scores[position] -= BROKEN_PENALTY
    return [float(score) for score in scores]


def _coverage(asked: Mapping[str, float], offered: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """Share of the IDF-weighted terms *asked* for that each of *offered* has, 0 to 1, shape (n_offered,)."""
    has = np.array([[terms.get(term, 0.0) for term in asked] for terms in offered], dtype=np.float64)
    frequency = np.count_nonzero(has, axis=0)
    idf = np.log1p((len(offered) - frequency + 0.5) / (frequency + 0.5))
    # A term that no option has cannot tell them apart.
    worth = np.where(frequency > 0, np.array(list(asked.values())) * idf, 0.0)
    return has @ worth / worth.sum() if worth.any() else np.zeros(len(offered))


def _contents(option: str, language: Language, lexicon: Lexicon) -> Contents:
    """What a recipe of this name, made of what the name says, contains."""
    text = RecipeText(name=option, description="", ingredients=(option,), steps=())
    return contents_of(Recipe("option", "option", language, {language: text}), lexicon)
