"""Plain text work shared by the lexicon, the query parser and the word index: tokens and stems."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Language = Literal["es", "en"]
LANGUAGES: tuple[Language, ...] = ("es", "en")

_TOKEN = re.compile(r"[a-z0-9]+")
_COMBINING_MARKS = re.compile(r"[\u0300-\u036f\u00ad]")
_APOSTROPHE = re.compile(r"(?<=\w)['\u2019\u02bc](?=s\b)")


def fold(text: str) -> str:
    """Lower case without accents: ``"Piña Colada"`` becomes ``"pina colada"``. The n of ñ stays."""
    return _COMBINING_MARKS.sub("", unicodedata.normalize("NFKD", text).lower())


def tokens(text: str) -> list[str]:
    """Words and numbers of *text*, folded, in order. A possessive ``'s`` stays with its word."""
    return _TOKEN.findall(_APOSTROPHE.sub("", fold(text)))


@lru_cache(maxsize=65_536)
def stem(token: str) -> str:
    """One form for the singular and the plural of a Spanish or English noun.

    Deliberately light: it only has to map ``tomates`` to what ``tomate`` maps to and ``berries`` to what ``berry``
    maps to. Endings that change the meaning of a dish (``-ado``, ``-ing``) stay. The result is a key, not a word.
    """
    if token.isdigit():
        return token
    if len(token) > 3 and token.endswith("s") and not token.endswith("ss"):
        token = token[:-1]
    if len(token) > 3 and token.endswith("e"):
        token = token[:-1]
    if len(token) > 2:
        token = token[:-1] + _LAST_LETTER.get(token[-1], token[-1])
    return token


# nuez/nuec(es), berry/berri(es), leaf/leav(es)
_LAST_LETTER = {"z": "c", "y": "i", "f": "v"}


def stems(text: str) -> list[str]:
    """The stem of each token of *text*, in order."""
    return [stem(token) for token in tokens(text)]
