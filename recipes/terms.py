"""Language-neutral terms: what the word index holds and is asked for.

A known word becomes its concept (``c:chicken``) and, weaker, all that the concept is (``c:poultry``); an unknown one
its stem (``w:dijon``). So a Spanish query meets an English recipe on the concepts they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recipes.lexicon import Lexicon, Mention
from recipes.text import Language, stem

# Weight of a broader concept beside the one that was named.
BROADER_WEIGHT = 0.4

_STOP_STEMS = frozenset(
    stem(word)
    for word in """de del la el los las con sin y e o u a al en un una unos unas para por que lo se su mi tu muy mas
    the of and with without in an to for or on from s t n my your our i it its is are be this that at as into by me
    algo receta recetas quiero recipe recipes something want like some g kg ml""".split()
)


def terms_of(words: Sequence[str], lexicon: Lexicon, language: Language) -> dict[str, float]:
    """Weights from 0 to 1 of the terms in *words* (stems)."""
    return _weights(lexicon.read(words, language), lexicon)


def terms_in(text: str, lexicon: Lexicon, language: Language) -> dict[str, float]:
    """Weights from 0 to 1 of the terms in *text*."""
    return _weights(lexicon.read_text(text, language), lexicon)


def _weights(mentions: Iterable[Mention], lexicon: Lexicon) -> dict[str, float]:
    weights: dict[str, float] = {}
    for mention in mentions:
        if not mention.concepts:
            word = mention.stems[0]
            if word not in _STOP_STEMS and len(word) > 1 and not word.isdigit():
                weights[f"w:{word}"] = 1.0
        for concept in mention.concepts:
            for broader in lexicon.broader(concept):
                weights.setdefault(f"c:{broader}", BROADER_WEIGHT)
            weights[f"c:{concept}"] = 1.0
    return weights


def merged(parts: Iterable[dict[str, float]]) -> dict[str, float]:
    """The terms of several texts as those of one: each with its largest weight."""
    weights: dict[str, float] = {}
    for part in parts:
        for term, weight in part.items():
            if weight > weights.get(term, 0.0):
                weights[term] = weight
    return weights
