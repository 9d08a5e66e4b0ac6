"""The making of a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def say(template: str, /, **values: object) -> str:
    """*template* with *values* filled in, as :meth:`str.format` does.

    The template is written out where it is said, as one literal, and has a translation in ``spanish/``; the tests see
    to both. A value is a number, a name, a list of :func:`listed`, or something said itself; it is not empty. A name
    is marked so, lest it be taken for a word or a sentence: ``{column!s}``; what may be anything, such as a list of
    names or what a person wrote, so: ``{columns:s}``.
    """
    return template.format(**values)


def listed(items: Iterable[object]) -> str:
    """*items* in a sentence, each of which is translated by itself: "hour, category"."""
    return ", ".join(map(str, items))
