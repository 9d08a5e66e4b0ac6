"""What a page of the console was asked for, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from mlops.errors import MlopsError
from mlops.http.access import Visitor
from mlops.http.words import Language, Words
from mlops.sentences import say

ROOT = "/consola"
# What says how a page is shown, not what it shows.
_LANGUAGE, FORMAT, TABLE = "idioma", "formato", "tabla"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a page.

    Attributes:
        path: of the page, as the browser asked for it.
        path_params: what its route found in the path.
        params: of its address, the last of each name.
        words: of its language.
        visitor: who asks.
        now: aware.
    """

    path: str
    path_params: Mapping[str, str]
    params: Mapping[str, str]
    words: Words
    visitor: Visitor
    now: datetime

    @property
    def language(self) -> Language:
        """Of the page."""
        return self.words.language

    def choice(self, name: str, options: Mapping[str, object], default: str) -> str:
        """The value of the parameter *name* where it is one of *options*, else *default*."""
        value = self.params.get(name, default)
        return value if value in options else default

    def number(self, name: str) -> int | None:
        """The value of the parameter *name* as a whole number from 1 on, None where it is none."""
        return _whole(self.params.get(name, ""))

    def path_number(self, name: str, missing: type[MlopsError]) -> int:
        """The number that the path holds under *name*.

        Raises:
            MlopsError: a *missing* one, where it is no whole number from 1 on.
        """
        value = self.path_params[name]
        number = _whole(value)
        if number is None:
            raise missing(say("{name!s}: must be a number from 1 on, got {value!r}", name=name, value=value))
        return number

    def link(self, *parts: str, **params: str | int | None) -> str:
        """The address of a page of the console, in the language of this one: ``link("modelos", "ranker")``."""
        path = "/".join([ROOT, *(quote(part, safe="") for part in parts)])
        return self._address(path, {name: None if value is None else str(value) for name, value in params.items()})

    def here(self, changed: Mapping[str, str | None]) -> str:
        """The address of this page with other parameters; None takes one away."""
        kept = {name: value for name, value in self.params.items() if name not in {FORMAT, TABLE, _LANGUAGE}}
        return self._address(self.path, {**kept, **changed})

    def in_language(self, language: Language) -> str:
        """The address of this page in another language."""
        return self.here({_LANGUAGE: None if language == "es" else language})

    def _address(self, path: str, params: Mapping[str, str | None]) -> str:
        own: dict[str, str | None] = {} if self.language == "es" else {_LANGUAGE: self.language}
        query = urlencode({name: value for name, value in {**own, **params}.items() if value is not None})
        return f"{path}?{query}" if query else path


def language_of(params: Mapping[str, str]) -> Language:
    """Spanish, unless the address asks for English."""
    return "en" if params.get(_LANGUAGE) == "en" else "es"


def _whole(text: str) -> int | None:
    """*text* as a whole number from 1 on that a database can hold, None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0 else None
