"""The reading of a sentence in another language."""

from __future__ import annotations

import itertools
import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Self

_SPANISH = Path(__file__).parent / "spanish"
# Between sentences that stand beside each other, from the widest gap to the narrowest.
_GAPS = ("\n", "(?<=[.!?]) ", "; ")
_NUMBER = re.compile(r"[-−+±]?(\d[\d,]*(\.\d+)?|\.\d+)(e[-+]?\d+)?( ?%)?")
_NUMERIC = r"[-−+]?(?:[\d,.]+(?:e[-+]?\d+)?|inf|nan) ?%?"
# What a placeholder takes in, by its conversion: a name, something quoted, anything.
_KINDS = {"s": r"(?:(?![:;.] ).)+?", "r": r"'.*?'|\".*?\"|\S+?", None: ".+?"}
_NUMERIC_SPEC = re.compile("[^%]*[bdeEfFgGnoxX%,]")
_KIND_OF_ERROR = re.compile(r"[A-Z]\w*Error|([A-Z]+[a-z0-9]+){2,}")
_PER_CENT = re.compile(" ?%")
_SWAPPED = str.maketrans({",": ".", ".": ","})
# Nobody writes longer sentences; what is longer came from somewhere else.
_LONGEST = 4_000
_KEPT = 4_096


class Translation:
    """Sentences of :func:`~mlops.sentences.say` in another language.

    Args:
        templates: the other language's, by the English one. Both have the same placeholders, the other language's
            without a format: a value is put in as it was written.

    Raises:
        ValueError: a template's placeholders differ, or it has no word of its own to be known by.
    """

    def __init__(self, templates: Mapping[str, str]) -> None:
        self.templates = dict(templates)
        forms = [_Form(english, other) for english, other in self.templates.items()]
        # The more of a sentence is the template's own, the surer it is that it was made of it.
        self._forms = sorted(forms, key=lambda form: form.n_own, reverse=True)
        self._found = lru_cache(_KEPT)(self._find)

    @classmethod
    def load(cls, files: Iterable[Path]) -> Self:
        """The translation that TOML *files* hold: ``"{n} jobs wait." = "{n} trabajos esperan."``.

        Raises:
            ValueError: a template stands in two files, or the translation is not one (see the class).
        """
        templates: dict[str, str] = {}
        for file in files:
            found: dict[str, str] = tomllib.loads(file.read_text("utf-8"))
            twice = templates.keys() & found.keys()
            if twice:
                raise ValueError(f"{file.name} has templates of another file: {', '.join(sorted(twice))}")
            templates |= found
        return cls(templates)

    def __call__(self, text: str) -> str | None:
        """*text* in the other language; None where it was not said with these templates, or only in part."""
        return self._found(text) if 0 < len(text) <= _LONGEST else None

    def template_of(self, text: str) -> str | None:
        """The English template that *text* as a whole was made of, None where there is none."""
        found = self._match(text)
        return None if found is None else found[0].english

    def _find(self, text: str) -> str | None:
        # A placeholder would take in the whole of the sentence beside it.
        for gap in _GAPS:
            read = self._parted(text, gap)
            if read is not None:
                return read
        return self._whole(text) or self._parted(text, ", ") or self._led_by_kind(text)

    def _parted(self, text: str, gap: str) -> str | None:
        parts = re.split(f"({gap})", text)
        if len(parts) == 1:
            return None
        read = [self._found(part) if place % 2 == 0 else part for place, part in enumerate(parts)]
        return None if None in read else "".join(map(str, read))

    def _led_by_kind(self, text: str) -> str | None:
        """What an error says behind the name of its kind, as a trace has it."""
        kind, colon, said = text.partition(": ")
        read = self._found(said) if colon and _KIND_OF_ERROR.fullmatch(kind) else None
        return None if read is None else f"{kind}: {read}"

    def _whole(self, text: str) -> str | None:
        """The sentence, whether it begins with a capital and ends with a stop or is a part of another one."""
        has_stop = text.endswith(".")
        other_end = text[:-1] if has_stop else f"{text}."
        for begun, end in itertools.product((text, _raised(text)), (text, other_end)):
            found = self._match(begun[:1] + end[1:])
            if found is not None:
                read = self._put(*found)
                if end == other_end:
                    read = f"{read}." if has_stop else read.removesuffix(".")
                return read if begun == text else _lowered(read)
        return None

    def _put(self, form: _Form, values: Mapping[str, str]) -> str:
        read = {name: value if name in form.kept else self._value(value) for name, value in values.items()}
        return form.other.format(**read)

    def _match(self, text: str) -> tuple[_Form, Mapping[str, str]] | None:
        for form in self._forms:
            values = form.values(text)
            if values is not None:
                return form, values
        return None

    def _value(self, text: str) -> str:
        """A value: a number as the other language writes it, a sentence, a list of such; else as it is."""
        if _NUMBER.fullmatch(text):
            return _PER_CENT.sub("\N{NO-BREAK SPACE}%", text.translate(_SWAPPED))
        read = self._found(text)
        if read is not None:
            return read
        parts = text.split(", ")
        return text if len(parts) == 1 else ", ".join(map(self._value, parts))


class _Form:
    """A template in both languages, and how to know what was made of it."""

    def __init__(self, english: str, other: str) -> None:
        self.english, self.other = english, other
        parts = list(_parts(english))
        own = [literal for literal, *_ in parts]
        names = [name for _, name, _, _ in parts if name is not None]
        theirs = [name for _, name, _, _ in _parts(other) if name is not None]
        written = any(spec or conversion for _, _, spec, conversion in _parts(other))
        if set(names) != set(theirs) or len(set(names)) != len(names) or written:
            raise ValueError(
                f"{other!r} must have the placeholders of {english!r}, {names}, once each, without formats"
            )
        self.n_own = sum(map(len, own))
        if not re.search(r"\w", "".join(own)):
            raise ValueError(f"{english!r} has no word to be known by")
        self._begins, self._ends = own[0], own[-1] if parts[-1][1] is None else ""
        self._names = names
        # Values that are no words of a language.
        self.kept = {name for _, name, _, conversion in _parts(english) if conversion}
        self._pattern = re.compile(_pattern(parts), re.DOTALL)

    def values(self, text: str) -> Mapping[str, str] | None:
        """What was put into the template to make *text*, None where it was not made of it."""
        if not (text.startswith(self._begins) and text.endswith(self._ends)):
            return None
        found = self._pattern.fullmatch(text)
        return None if found is None else dict(zip(self._names, found.groups(), strict=True))


# (text, name of the placeholder behind it, its format, its conversion) of each part of a template.
_parts = string.Formatter().parse


def _pattern(parts: Iterable[tuple[str, str | None, str | None, str | None]]) -> str:
    """An expression that does not try anew what matched up to a word of the template, lest time explode."""
    written, since_word = "", ""
    for literal, name, spec, conversion in parts:
        since_word += re.escape(literal)
        if name is not None and re.search(r"\w", literal):
            written, since_word = f"{written}(?>{since_word})", ""
        if name is not None:
            kind = _NUMERIC if _NUMERIC_SPEC.fullmatch(spec or "") else _KINDS[conversion]
            since_word += f"({kind})"
    return written + since_word


def _raised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def spanish(*more: Path) -> Translation:
    """The toolkit's sentences in Spanish, and those of the TOML files in the folders *more*.

    Raises:
        ValueError: a folder is not there, or as :meth:`Translation.load`.
    """
    missing = [folder for folder in more if not folder.is_dir()]
    if missing:
        raise ValueError(f"there is no folder {missing[0]} with sentences")
    return Translation.load(file for folder in (_SPANISH, *more) for file in sorted(folder.glob("*.toml")))
