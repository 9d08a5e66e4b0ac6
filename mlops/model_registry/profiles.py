"""The reference profile of a version: a file of its artefact, kept, signed and copied like the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops.errors import ArtefactRefused
from mlops.sentences import say

if TYPE_CHECKING:
    from mlops.drift import ReferenceProfile

PROFILE_NAME = "reference_profile.json"


def with_profile(files: Mapping[str, bytes] | None, profile: ReferenceProfile | None) -> Mapping[str, bytes] | None:
    """*files* with *profile* among them; a profile alone makes an artefact of one file.

    Raises:
        ArtefactRefused: there is a file of that name already.
    """
    if profile is None:
        return files
    files = files or {}
    if PROFILE_NAME in files:
        raise ArtefactRefused(
            say(
                "the artefact has a file {file!s} already, and a profile was given beside it: give one of both",
                file=PROFILE_NAME,
            )
        )
    return {**files, PROFILE_NAME: profile.to_json()}


def profile_in(files: Mapping[str, bytes]) -> ReferenceProfile | None:
    """The profile among *files*, None where there is none.

    Raises:
        BadProfile: the file of that name holds none.
    """
    content = files.get(PROFILE_NAME)
    if content is None:
        return None
    # Most who use the registry compare no data, and need not wait for the import of SciPy.
    from mlops.drift import ReferenceProfile

    return ReferenceProfile.from_json(content)
