"""Language-neutral terms: what the word index holds and is asked for.

A known word becomes its concept (``c:chicken``) and, weaker, all that the concept is (``c:poultry``); an unknown one
its stem (``w:dijon``). So a Spanish query meets an English recipe on the concepts they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that a query names.

    Attributes:
        contents: foods and kinds of dish: a recipe that contains one of them, or is one, has the thing. A description
            that only mentions it ("goes with salad") does not do.
        terms: of all else, such as moods and cuisines: it does where the recipe says one of them.
    """

    contents: tuple[str, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """What a query looks for.

    Attributes:
        weights: from 0 to 1, by term.
        wishes: the things that it names, each once.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    wishes: tuple[Wish, ...] = ()


def query_terms(words: Sequence[str], lexicon: Lexicon, language: Language) -> QueryTerms:
    """The terms in *words* (stems)."""
    mentions = lexicon.read(words, language)
    wishes = (_wish(mention, lexicon) for mention in mentions if any(_named(mention)))
    return QueryTerms(_weights(mentions, lexicon), tuple(dict.fromkeys(wishes)))


def _wish(mention: Mention, lexicon: Lexicon) -> Wish:
    contents = tuple(name for name in mention.concepts if lexicon.is_food(name) or lexicon.is_dish(name))
    return Wish(contents, tuple(term for term in _named(mention) if term.removeprefix("c:") not in contents))


def terms_in(text: str, lexicon: Lexicon, language: Language) -> dict[str, float]:
    """Weights from 0 to 1 of the terms in *text*."""
    return _weights(lexicon.read_text(text, language), lexicon)


def _weights(mentions: Iterable[Mention], lexicon: Lexicon) -> dict[str, float]:
    weights: dict[str, float] = {}
    for mention in mentions:
        for concept in mention.concepts:
            for broader in lexicon.broader(concept):
                weights.setdefault(f"c:{broader}", BROADER_WEIGHT)
        weights |= dict.fromkeys(_named(mention), 1.0)
    return weights


def _named(mention: Mention) -> Iterator[str]:
    """The terms of what stands there; none for a word that tells nothing."""
    if not mention.concepts:
        word = mention.stems[0]
        if word not in _STOP_STEMS and len(word) > 1 and not word.isdigit():
            yield f"w:{word}"
    yield from (f"c:{concept}" for concept in mention.concepts)


def merged(parts: Iterable[dict[str, float]]) -> dict[str, float]:
    """The terms of several texts as those of one: each with its largest weight."""
    weights: dict[str, float] = {}
    for part in parts:
        for term, weight in part.items():
            if weight > weights.get(term, 0.0):
                weights[term] = weight
    return weights
