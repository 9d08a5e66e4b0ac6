"""How long a recipe takes at least, read from its steps where nobody said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from recipes.text import fold

_NUMBER_WORDS = {
    "a": 1, "an": 1, "one": 1, "un": 1, "una": 1, "two": 2, "dos": 2, "three": 3, "tres": 3, "four": 4, "cuatro": 4,
    "five": 5, "cinco": 5, "six": 6, "seis": 6, "eight": 8, "ocho": 8, "ten": 10, "diez": 10, "twelve": 12, "doce": 12,
}  # fmt: skip
# Folding makes eleven halves of "1½"; a space keeps the one apart.
_FRACTION_SIGN = re.compile("([¼½¾⅓⅔⅛⅜⅝⅞])")
_HALF_AN_HOUR = re.compile(r"\b(?:half an|a half|half)[ -]hour\b|\bmedia hora\b")
_NUMBER = rf"\d{{1,4}}[.,]\d{{1,2}}|(?:\d{{1,4}}\s+)?\d{{1,2}}/[1-9]\d?|\d{{1,4}}(?!\d)|(?:{'|'.join(_NUMBER_WORDS)})\b"
_UNIT = r"[\s-]*(minutes?|minutos?|mins?|hours?|hrs?|horas?)\b"
# Of a range the smaller number counts: "30 to 40 minutes", "45 minutos a 1 hora".
_DURATION = re.compile(
    rf"(?<![\w.,/])({_NUMBER})(?:{_UNIT})?(?:\s*(?:-|–|\b(?:to|or|a|o|y)\b)\s*(?:{_NUMBER}){_UNIT})?"
)

# "Keeps up to 2 hours" says nothing of how long it takes.
_AT_MOST_BEFORE = (
    "within ", "up to ", "less than ", "no more than ", "no longer than ", "maximum of ", "hasta ", "menos de ",
    "no mas de ", "maximo de ", "maximo ",
)  # fmt: skip
_AT_MOST_BEHIND = (" at most", " at the most", " max", " como maximo", " como mucho", " maximo")


def minutes_at_least(steps: Sequence[str]) -> int:
    """The longest duration that a single step names, in minutes; 0 where none does.

    A lower bound: steps may overlap, so their durations are not added up.
    """
    return max((minutes for step in steps for minutes in _durations(step)), default=0)


def _durations(step: str) -> Iterator[int]:
    text = _HALF_AN_HOUR.sub("30 minutes", fold(_FRACTION_SIGN.sub(r" \1", step)).replace("⁄", "/"))
    for match in _DURATION.finditer(text):
        number, own_unit, unit_of_range = match.groups()
        unit = own_unit or unit_of_range
        is_limit = text.endswith(_AT_MOST_BEFORE, 0, match.start()) or text.startswith(_AT_MOST_BEHIND, match.end())
        if unit and not is_limit:
            yield int(_value(number) * (60 if unit[0] == "h" else 1))


def _value(number: str) -> Fraction:
    parts = number.replace(",", ".").split()
    return sum((Fraction(_NUMBER_WORDS.get(part, part)) for part in parts), Fraction())
