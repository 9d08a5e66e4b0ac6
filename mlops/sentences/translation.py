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
# The file of words: values out of fixed sets, which are no sentences.
_WORDS = "words.toml"
# Between sentences that stand beside each other, from the widest gap to the narrowest.
_GAPS = ("\n", "(?<=[.!?]) ", "; ")
_NUMBER = re.compile(r"[-−+±]?(\d[\d,]*(\.\d+)?|\.\d+|inf|∞)(e[-+]?\d+)?( ?%)?")
_NUMERIC = r"[-−+]?(?:[\d,.]+(?:e[-+]?\d+)?|inf|∞|nan) ?%?"
_NUMERIC_SPEC = re.compile("[^%]*[bdeEfFgGnoxX%,]")
# What a placeholder takes in, by its conversion: a name; a text, list or mapping as Python writes it; else anything.
_KINDS = {"s": r"(?:(?![:;.] ).)+?", "r": r"""'.*?'|".*?"|\{.*?\}|\[.*?\]|\(.*?\)|\S+?"""}
_ANYTHING = ".+?"
_KIND_OF_ERROR = re.compile(r"[A-Z]\w*Error|([A-Z]+[a-z0-9]+){2,}")
_PER_CENT = re.compile(" ?%")
_SWAPPED = str.maketrans({",": ".", ".": ","})
# Nobody writes longer sentences, or deeper ones; what is so came from somewhere else.
_LONGEST = 2_000
_DEEPEST = 8
# So many letters of its own a template needs to be known in what a person may have written, with values and without.
_SURELY_OWN, _SURELY_ALL = 16, 8
_KEPT = 2_048


class Translation:
    """Sentences of :func:`~mlops.sentences.say` in another language.

    Args:
        templates: the other language's, by the English one. Both have the same placeholders, the other language's
            without a format: a value is put in as it was written.
        words: values out of fixed sets, such as states. A word alone is no sentence.

    Raises:
        ValueError: a template's placeholders differ, or it has no word of its own to be known by.
    """

    def __init__(self, templates: Mapping[str, str], *, words: Mapping[str, str] | None = None) -> None:
        self.templates, self.words = dict(templates), dict(words or {})
        forms = [_Form(english, other) for english, other in self.templates.items()]
        # The more of a sentence is the template's own, the surer it is that it was made of it.
        self._forms = sorted(forms, key=lambda form: form.n_own, reverse=True)
        self._found = lru_cache(_KEPT)(self._find)

    @classmethod
    def load(cls, files: Iterable[Path]) -> Self:
        """The translation that TOML *files* hold: ``"{n} jobs wait." = "{n} trabajos esperan."``.

        Words stand in files called ``words.toml``.

        Raises:
            ValueError: a template stands in two files, or the translation is not one (see the class).
        """
        templates: dict[str, str] = {}
        words: dict[str, str] = {}
        for file in files:
            found: dict[str, str] = tomllib.loads(file.read_text("utf-8"))
            into = words if file.name == _WORDS else templates
            twice = into.keys() & found.keys()
            if twice:
                raise ValueError(f"{file.name} has templates of another file: {', '.join(sorted(twice))}")
            into |= found
        return cls(templates, words=words)

    def __call__(self, text: str, *, is_said: bool = True) -> str | None:
        """*text* in the other language; None where it was not said with these templates, or only in part.

        Args:
            text: what was kept.
            is_said: whether a program said it. Of what a person may have written, only that is read which is a
                template's to the letter and for the most part.
        """
        return self._found(text, 0, is_said) if 0 < len(text) <= _LONGEST else None

    def template_of(self, text: str) -> str | None:
        """The English template that *text* as a whole was made of, None where there is none."""
        found = self._match(text)
        return None if found is None else found[0].english

    def _find(self, text: str, depth: int, is_said: bool) -> str | None:
        if depth > _DEEPEST:
            return None
        # A placeholder would take in the whole of the sentence beside it.
        for gap in _GAPS:
            read = self._parted(text, gap, depth, is_said)
            if read is not None:
                return read
        read = self._whole(text, depth, is_said) or self._parted(text, ", ", depth, is_said)
        return read or (self._led_by_kind(text, depth) if is_said else None)

    def _parted(self, text: str, gap: str, depth: int, is_said: bool) -> str | None:
        parts = re.split(f"({gap})", text)
        if len(parts) == 1:
            return None
        read = []
        for place, part in enumerate(parts):
            is_gap = place % 2 == 1 or not part
            found = part if is_gap else self._found(part, depth + 1, is_said)
            if found is None:
                return None
            read.append(found)
        return "".join(read)

    def _led_by_kind(self, text: str, depth: int) -> str | None:
        """What an error says behind the name of its kind, as a trace has it."""
        kind, colon, said = text.partition(": ")
        if not colon or not _KIND_OF_ERROR.fullmatch(kind):
            return None
        read = self._whole(said, depth + 1, is_said=True)
        return None if read is None else f"{kind}: {read}"

    def _whole(self, text: str, depth: int, is_said: bool) -> str | None:
        """The sentence, whether it begins with a capital and ends with a stop or is a part of another one."""
        has_stop = text.endswith(".")
        other_end = text[:-1] if has_stop else f"{text}."
        ends = (text, other_end) if is_said else (text,)
        for begun, end in itertools.product((text, _raised(text)), ends):
            found = self._match(begun[:1] + end[1:])
            if found is not None and (is_said or found[0].is_sure):
                read = self._put(*found, depth)
                if end == other_end:
                    read = f"{read}." if has_stop else read.removesuffix(".")
                return read if begun == text else _lowered(read)
        return None

    def _put(self, form: _Form, values: Mapping[str, str], depth: int) -> str:
        read = {name: value if name in form.kept else self._value(value, depth + 1) for name, value in values.items()}
        return form.other.format(**read)

    def _match(self, text: str) -> tuple[_Form, Mapping[str, str]] | None:
        for form in self._forms:
            values = form.values(text)
            if values is not None:
                return form, values
        return None

    def _value(self, text: str, depth: int) -> str:
        """A value: a number as the other language writes it, a word, a sentence, a list of such; else as it is."""
        if _NUMBER.fullmatch(text):
            return _number(text)
        if text in self.words:
            return self.words[text]
        read = self._found(text, depth, is_said=True)
        if read is not None:
            return read
        parts = text.split(", ")
        # What is quoted was written so.
        if len(parts) == 1 or text[0] in "'\"" or depth > _DEEPEST:
            return text
        return ", ".join(self._value(part, depth + 1) for part in parts)


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
        self.is_sure = self.n_own >= (_SURELY_OWN if names else _SURELY_ALL)
        if not re.search(r"\w", "".join(own)):
            raise ValueError(f"{english!r} has no word to be known by")
        self._begins, self._ends = own[0], own[-1] if parts[-1][1] is None else ""
        self._own, self._names = own, names
        # Values that are no words of a language.
        self.kept = {name for _, name, spec, conversion in _parts(english) if conversion or spec == "s"}
        self._pattern = re.compile(_pattern(parts), re.DOTALL)

    def values(self, text: str) -> Mapping[str, str] | None:
        """What was put into the template to make *text*, None where it was not made of it."""
        if not (text.startswith(self._begins) and text.endswith(self._ends)):
            return None
        # Without this look the pattern would try all ways to part a long text at colons.
        at = 0
        for literal in self._own:
            at = text.find(literal, at) + len(literal)
            if at < len(literal):
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
            kind = _NUMERIC if _NUMERIC_SPEC.fullmatch(spec or "") else _KINDS.get(conversion or "", _ANYTHING)
            since_word += f"({kind})"
    return written + since_word


def _number(text: str) -> str:
    """As Spanish writes it, with a true minus."""
    swapped = _PER_CENT.sub("\N{NO-BREAK SPACE}%", text.translate(_SWAPPED)).replace("inf", "∞")
    return f"−{swapped[1:]}" if swapped.startswith("-") else swapped


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
