"""The words the pages show, in each language, from ``strings.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipes.text import LANGUAGES, Language

_FILE = Path(__file__).parent / "strings.toml"


class Words:
    """The words of one language, by dotted key: ``words("search.heading", query="sopa")``."""

    def __init__(self, language: Language, table: Mapping[str, Any]) -> None:
        self.language = language
        self._table = dict(_flat(table))

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

    def count(self, key: str, n: int, **values: object) -> str:
        """The words under *key* for the number *n*: "1 ración", "4 raciones"."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=n, **values)

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

    def minutes(self, minutes: int) -> str:
        """A duration: "50 min", "1 h 30 min", "24 h"."""
        hours, rest = divmod(minutes, 60)
        parts = [f"{hours} h"] if hours else []
        parts += [f"{rest} min"] if rest or not hours else []
        return "\N{NO-BREAK SPACE}".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)

    def decimal(self, number: float) -> str:
        """*number* with one digit, with the comma or point of the language."""
        text = f"{number:.1f}"
        return text.replace(".", ",") if self.language == "es" else text


def load_words() -> dict[Language, Words]:
    """The words of every language.

    Raises:
        ValueError: a key is missing in one of the languages.
    """
    tables = tomllib.loads(_FILE.read_text("utf-8"))
    words = {language: Words(language, tables[language]) for language in LANGUAGES}
    uneven = words["es"].keys ^ words["en"].keys
    if uneven:
        raise ValueError(f"{_FILE.name} has these keys in one language only: {', '.join(sorted(uneven))}")
    return words


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
