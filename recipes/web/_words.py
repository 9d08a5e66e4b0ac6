"""The words the cook's pages show, in each language, from ``strings.toml``."""

from __future__ import annotations

from pathlib import Path

from mlops.http import words
from recipes.text import Language

_FILE = Path(__file__).parent / "strings.toml"


class Words(words.Words):
    """The words of one language, and how cooks read times and ratings in it."""

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
    return Words.load([_FILE])
