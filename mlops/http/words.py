"""The words that pages show, in each language, from TOML files with one table a language."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self, get_args

from mlops.reports.figures import shown_number, shown_p_value
from mlops.sentences import Translation

Language = Literal["es", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Words:
    """The words of one language, by dotted key: ``words("search.heading", query="sopa")``."""

    def __init__(self, language: Language, table: Mapping[str, Any], sentences: Translation | None = None) -> None:
        self.language = language
        self._table = dict(_flat(table))
        self._sentences = sentences

    @classmethod
    def load(cls, files: Iterable[Path], *, spanish: Translation | None = None) -> dict[Language, Self]:
        """The words of every language. With several files, the name of each is the first part of its keys.

        Args:
            files: TOML.
            spanish: how :meth:`sentence` reads a sentence in Spanish.

        Raises:
            ValueError: a key is missing in one of the languages.
        """
        paths = list(files)
        tables: dict[Language, dict[str, Any]] = {language: {} for language in LANGUAGES}
        for path in paths:
            read = tomllib.loads(path.read_text("utf-8"))
            for language in LANGUAGES:
                tables[language] |= {path.stem: read[language]} if len(paths) > 1 else read[language]
        sentences = {"es": spanish, "en": None}
        words = {language: cls(language, table, sentences[language]) for language, table in tables.items()}
        uneven = words["es"].keys ^ words["en"].keys
        if uneven:
            raise ValueError(f"these keys are there in one language only: {', '.join(sorted(uneven))}")
        return words

    @property
    def keys(self) -> frozenset[str]:
        """Every key there is."""
        return frozenset(self._table)

    def __call__(self, key: str, **values: object) -> str:
        """The words under *key*, with *values* filled in.

        Raises:
            KeyError: there are none.
        """
        return str(self._table[key]).format(**values)

    def get(self, key: str, default: str) -> str:
        """The words under *key* as they are, *default* where there are none."""
        return str(self._table.get(key, default))

    def count(self, key: str, n: int, **values: object) -> str:
        """The words under *key* for the number *n*: "1 ración", "4 raciones"."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=self.number(n), **values)

    def several(self, key: str) -> Sequence[str]:
        """The list under *key*."""
        return [str(value) for value in self._table[key]]

    def joined(self, parts: Sequence[str]) -> str:
        """*parts* as a list in a sentence: "ajo, cebolla y tomate"."""
        if len(parts) < 2:
            return "".join(parts)
        *before, last = parts
        if self.language == "en":
            return f"{', '.join(before)} and {last}"
        # "y" becomes "e" before the sound i: "aguacate e hinojo", but "agua y hielo".
        sound = last.lower().removeprefix("h")
        joint = "e" if sound[:1] in {"i", "í"} and not last.lower().startswith(("hie", "hia")) else "y"
        return f"{', '.join(before)} {joint} {last}"

    def sentence(self, text: str, *, is_said: bool = True) -> str | None:
        """An English sentence of the toolkit in this language; None where it is not known.

        Args:
            text: what was kept.
            is_said: whether a program said it, not perhaps a person.
        """
        return None if self._sentences is None else self._sentences(text, is_said=is_said)

    def told(self, text: str, *, is_said: bool = True) -> str:
        """The same, and *text* as it is where it is not known."""
        return self.sentence(text, is_said=is_said) or text

    def number(self, value: float) -> str:
        """*value* with at most four significant digits: 1234.5 is "1.234" in Spanish, "1,234" in English."""
        text = shown_number(value)
        return text.translate(_SWAPPED) if self.language == "es" else text

    def share(self, value: float) -> str:
        """*value*, 0 to 1, as a percentage: "12,3 %" in Spanish, "12.3%" in English."""
        space = "\N{NO-BREAK SPACE}" if self.language == "es" else ""
        return f"{self.number(float(f'{100 * value:.3g}'))}{space}%"

    def p_value(self, value: float) -> str:
        """A probability that chance explains what was seen: "0,021", and "< 0,001" where it is smaller than that."""
        text = shown_p_value(value)
        return text.translate(_SWAPPED) if self.language == "es" else text

    def time(self, at: datetime) -> str:
        """*at* in UTC, to the minute."""
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_SWAPPED = str.maketrans({",": ".", ".": ","})


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
