"""The Spanish–English cooking lexicon: what words mean, what foods are and what they contain.

A *concept* is a meaning with a language-neutral name, such as ``butter``. Its *forms* are the words for it in Spanish
and English. ``is`` names broader concepts (butter is dairy); ``contains`` names what a composed food is made of
(mayonnaise contains egg). Both are followed to the end when an ingredient is excluded. ``without`` names what a diet or
a promise rules out (vegan is without animal products). The data lies in ``recipes/data/lexicon``, one concept a line.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recipes.text import LANGUAGES, Language, stems

_N_REMEMBERED = 8_192
# Files whose concepts can be eaten; the others hold kinds of dish and words about cooking.
FOOD_GROUPS = frozenset({"roots", "animal", "plants", "prepared"})


class LexiconError(ValueError):
    """The lexicon's data contradicts itself; the message names the concept."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One meaning. *broader*, *contains* and *without* hold concept names."""

    name: str
    group: str
    es: tuple[str, ...]
    en: tuple[str, ...]
    broader: tuple[str, ...]
    contains: tuple[str, ...]
    without: tuple[str, ...] = ()

    def label(self, language: Language) -> str:
        """The first form in *language*, or in the other one where it has none."""
        return (self.es or self.en)[0] if language == "es" else (self.en or self.es)[0]


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of text, tokens ``start`` to ``end`` (exclusive). *concepts* is empty for an unknown word."""

    concepts: tuple[str, ...]
    stems: tuple[str, ...]
    start: int
    end: int


class Lexicon:
    """Concepts with their forms, and the longest-match reader over them."""

    def __init__(self, concepts: Iterable[Concept]) -> None:
        self.concepts: dict[str, Concept] = {}
        for concept in concepts:
            if concept.name in self.concepts:
                raise LexiconError(f"concept {concept.name!r} is defined twice")
            self.concepts[concept.name] = concept
        self._check_references()
        self._forms = {language: self._collect_forms(language) for language in LANGUAGES}
        self._lengths = {language: _lengths_by_first_stem(forms) for language, forms in self._forms.items()}
        self.read_text = lru_cache(maxsize=_N_REMEMBERED)(self._read_text)
        self.fingerprint = _fingerprint(self.concepts.values())
        self._broader: dict[str, frozenset[str]] = {}
        self._made_of: dict[str, frozenset[str]] = {}

    def read(self, words: Sequence[str], language: Language, *, loanwords: bool = True) -> list[Mention]:
        """Cut *words* (from :func:`recipes.text.stems`) into mentions, the longest known form first.

        Words that are not in the lexicon come as mentions without a concept.

        Args:
            loanwords: where *language* knows no form, ask the other language: Spanish cooks bake *brownies*, and
                English ones fill *quesadillas*. In running text that would read the English *pan* as bread.
        """
        mentions = []
        position = 0
        n_words = len(words)
        other: Language = "en" if language == "es" else "es"
        while position < n_words:
            mention = self._longest_form(words, position, language)
            if mention is None and loanwords:
                mention = self._longest_form(words, position, other)
            if mention is None:
                mention = Mention((), (words[position],), position, position + 1)
            mentions.append(mention)
            position = mention.end
        return mentions

    def is_food(self, name: str) -> bool:
        """Whether the concept *name* can be eaten; the others are kinds of dish and words about cooking."""
        return self.concepts[name].group in FOOD_GROUPS

    def is_dish(self, name: str) -> bool:
        """Whether the concept *name* is a kind of dish."""
        return self.concepts[name].group == "dishes"

    def foods(self, mention: Mention) -> tuple[str, ...]:
        """Those of the mention's concepts that can be eaten."""
        return tuple(name for name in mention.concepts if self.is_food(name))

    def find(self, phrase: str, language: Language) -> tuple[str, ...]:
        """Concepts for which the whole *phrase* is a form of *language*; empty if none."""
        return self._forms[language].get(tuple(stems(phrase)), ())

    def _read_text(self, text: str, language: Language) -> tuple[Mention, ...]:
        """Read *text*. The last few thousand are remembered: ingredient lines repeat within and across recipes."""
        return tuple(self.read(stems(text), language))

    def broader(self, name: str) -> frozenset[str]:
        """*name* and all that it is: ``butter`` gives butter, dairy, …"""
        if name not in self._broader:
            self._broader[name] = self._follow(name, lambda concept: concept.broader)
        return self._broader[name]

    def made_of(self, name: str) -> frozenset[str]:
        """*name*, all that it is and all that it contains: ``mayonnaise`` gives mayonnaise, egg, mustard, …"""
        if name not in self._made_of:
            self._made_of[name] = self._follow(name, lambda concept: concept.broader + concept.contains)
        return self._made_of[name]

    def _longest_form(self, words: Sequence[str], start: int, language: Language) -> Mention | None:
        for length in self._lengths[language].get(words[start], ()):
            key = tuple(words[start : start + length])
            names = self._forms[language].get(key)
            if names is not None:
                return Mention(names, key, start, start + len(key))
        return None

    def _follow(self, name: str, step: Callable[[Concept], tuple[str, ...]]) -> frozenset[str]:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                waiting.extend(step(self.concepts[current]))
        return frozenset(seen)

    def _collect_forms(self, language: Language) -> dict[tuple[str, ...], tuple[str, ...]]:
        forms: dict[tuple[str, ...], tuple[str, ...]] = {}
        for concept in self.concepts.values():
            for form in concept.es if language == "es" else concept.en:
                key = tuple(stems(form))
                if not key:
                    raise LexiconError(f"concept {concept.name!r} has an empty form {form!r}")
                if concept.name not in forms.get(key, ()):
                    forms[key] = (*forms.get(key, ()), concept.name)
        return forms

    def _check_references(self) -> None:
        for concept in self.concepts.values():
            for other in concept.broader + concept.contains + concept.without:
                if other not in self.concepts:
                    raise LexiconError(f"concept {concept.name!r} names {other!r}, which is not defined")


def _fingerprint(concepts: Iterable[Concept]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for concept in concepts:
        digest.update(repr(concept).encode())
    return digest.hexdigest()


def _lengths_by_first_stem(forms: Iterable[tuple[str, ...]]) -> dict[str, tuple[int, ...]]:
    """The lengths of the forms that begin with each stem, the longest first."""
    lengths: dict[str, set[int]] = {}
    for key in forms:
        lengths.setdefault(key[0], set()).add(len(key))
    return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}


def read_concepts(source: str, *, group: str) -> Iterator[Concept]:
    """Concepts of one TOML text. *group* is the file's name.

    Raises:
        LexiconError: an entry has an unknown key or no form at all.
    """
    for name, entry in tomllib.loads(source).items():
        unknown = set(entry) - {"es", "en", "is", "contains", "without"}
        if unknown:
            raise LexiconError(f"concept {name!r} has unknown keys {sorted(unknown)}")
        yield Concept(
            name=name,
            group=group,
            es=tuple(entry.get("es", ())),
            en=tuple(entry.get("en", ())),
            broader=tuple(entry.get("is", ())),
            contains=tuple(entry.get("contains", ())),
            without=tuple(entry.get("without", ())),
        )


@lru_cache(maxsize=1)
def cooking_lexicon() -> Lexicon:
    """The lexicon that ships with the package."""
    folder = resources.files("recipes") / "data" / "lexicon"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda f: f.name)
    return Lexicon(
        concept
        for file in files
        for concept in read_concepts(file.read_text("utf-8"), group=file.name.removesuffix(".toml"))
    )
