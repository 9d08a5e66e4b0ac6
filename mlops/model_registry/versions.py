"""Semantic versions of models, and which number comes next.

major: the interface or the features changed: what calls the model, or feeds it, has to change too.
minor: retrained on new data with new parameters.
patch: the same recipe on new data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from mlops.errors import InvalidMetadata

Bump = Literal["major", "minor", "patch"]

VERSION_FORM = r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
_FORM = re.compile(VERSION_FORM)


class SemanticVersion(NamedTuple):
    """``major.minor.patch``; compares as numbers do: 1.10.0 comes after 1.9.0."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> SemanticVersion:
        """From text such as ``1.0.3``.

        Raises:
            InvalidMetadata: it is not three whole numbers, without leading zeros, between dots.
        """
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidMetadata("version", f"must be major.minor.patch such as 1.0.3, got {text!r}")
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def next_version(known: Iterable[str], *, base: str, bump: Bump) -> SemanticVersion:
    """The version after *base* that none of *known* has taken.

    Args:
        known: all versions of the model.
        base: the version that the new one comes from; the numbers left of the bumped one are its own.

    Raises:
        InvalidMetadata: *bump* is none of the three, or *base* no version.
    """
    start = SemanticVersion.parse(base)
    versions = [start, *map(SemanticVersion.parse, known)]
    if bump == "major":
        return SemanticVersion(max(v.major for v in versions) + 1, 0, 0)
    if bump == "minor":
        return SemanticVersion(start.major, max(v.minor for v in versions if v.major == start.major) + 1, 0)
    if bump == "patch":
        patches = (v.patch for v in versions if v[:2] == start[:2])
        return SemanticVersion(start.major, start.minor, max(patches) + 1)
    raise InvalidMetadata("bump", f"must be major, minor or patch, got {bump!r}")
