"""From the files of an artefact to a ranker. The kinds that can be loaded are listed here, not in the artefact."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from mlops.model_registry import ModelVersion
from mlops.sentences import listed, say
from recipes.errors import RankerFailed
from recipes.ranker.base import RANKER_FILE, Ranker
from recipes.ranker.blend import HybridRanker
from recipes.ranker.learned import LearnedBlend
from recipes.ranker.trees import LambdaRanker

KINDS = (HybridRanker.KIND, LearnedBlend.KIND, LambdaRanker.KIND)


def load_ranker(version: ModelVersion, files: Mapping[str, bytes]) -> Ranker:
    """The ranker of *version* from its artefact.

    Raises:
        RankerFailed: as for :func:`ranker_from`.
    """
    return ranker_from(files, version=version.version)


def ranker_from(files: Mapping[str, bytes], *, version: str) -> Ranker:
    """The ranker whose artefact *files* are.

    Raises:
        RankerFailed: the artefact is no ranker of a kind that this release knows; the message names the field. Or what
            it needs is not installed; the message says what to do.
    """
    try:
        fields = orjson.loads(files[RANKER_FILE])
    except KeyError:
        raise RankerFailed(say("the artefact has no file {file!s}", file=RANKER_FILE)) from None
    except orjson.JSONDecodeError as error:
        raise RankerFailed(say("ranker.json is no JSON: {error}", error=error)) from error
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if kind == HybridRanker.KIND:
        return HybridRanker.read(version, fields)
    if kind == LearnedBlend.KIND:
        return LearnedBlend.read(version, fields)
    if kind == LambdaRanker.KIND:
        return LambdaRanker.read(version, fields, files)
    known = listed(f'"{one}"' for one in KINDS)
    raise RankerFailed(say('ranker.json has no "kind" that this release knows, one of {known:s}', known=known))
