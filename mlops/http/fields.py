"""What the registry's endpoints take: parts of addresses, parts of queries, bodies."""

from __future__ import annotations

import json
import unicodedata
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from mlops.clock import utc_from_text
from mlops.model_registry.metadata import MODEL_ID_FORM
from mlops.model_registry.versions import VERSION_FORM
from mlops.sentences import say

# Numbers of moves and requests are 32-bit integers.
_HIGHEST = 2**31 - 1
_LONGEST_REASON = 500


def _one_line(value: str) -> str:
    line = value.replace("\n", " ").replace("\t", " ").strip()
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Co"} for letter in line):
        raise ValueError(say("must not hold control characters"))
    if not line:
        raise ValueError(say("must not be empty"))
    return line


def _kept_as_it_is(value: dict[str, Any]) -> dict[str, Any]:
    # Python reads NaN where JSON has no such number; kept, it would come back as null.
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError(say("must not hold NaN or Infinity")) from None
    except RecursionError:
        raise ValueError(say("is nested too deeply")) from None
    return value


def _an_instant(value: str) -> str:
    try:
        utc_from_text(value)
    except ValueError:
        raise ValueError(
            say("must be a time such as 2026-11-17T09:00:00Z (in an address, a + is written %2B)")
        ) from None
    return value


ModelIdText = Annotated[StrictStr, Field(pattern=f"^{MODEL_ID_FORM}$")]
VersionText = Annotated[StrictStr, Field(pattern=f"^{VERSION_FORM}$")]
Reason = Annotated[StrictStr, Field(min_length=1, max_length=_LONGEST_REASON), AfterValidator(_one_line)]
Expected = Annotated[
    VersionText | None,
    Field(
        description="The version that was in production when this was decided, null for none: where it is another one "
        "now, the answer is 409. Left out: whichever is in production."
    ),
]
Evidence = Annotated[dict[str, Any], AfterValidator(_kept_as_it_is)]

ModelId = Annotated[str, Path(pattern=f"^{MODEL_ID_FORM}$", description="Id of a model, such as hybrid_ranker.")]
Version = Annotated[str, Path(pattern=f"^{VERSION_FORM}$", description="A version, such as 1.0.1.")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="At most so many.")]
BeforeVersion = Annotated[
    VersionText | None, Query(description="Only those registered before this version: `next` of the page before.")
]
BeforeNumber = Annotated[
    int | None, Query(ge=1, le=_HIGHEST, description="Only those before this number: `next` of the page before.")
]
RolloutNumber = Annotated[int, Path(ge=1, le=_HIGHEST, description="Number of a rollout.")]
Instant = Annotated[
    str,
    Query(description="ISO 8601, such as 2026-11-17T09:00:00Z; without a zone: UTC."),
    AfterValidator(_an_instant),
]


class Change(BaseModel):
    """The body of every change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "ndcg@3 +0.021 on holdout"}]})

    reason: Reason = Field(description="Why, in a sentence of 1 to 500 characters; it is kept with the move.")


class Validation(Change):
    """The body of ``validate``."""

    evidence: Evidence | None = Field(None, description="What the decision rests on; kept with the move.")


class Promotion(Validation):
    """The body of ``promote``."""

    expected: Expected = None


class Archival(Change):
    """The body of ``archive``."""

    retire: StrictBool = Field(False, description="Archive it even if it is in production: then nothing serves.")


class Decision(Change):
    """The body of ``approve`` and ``reject``."""

    request: Annotated[StrictInt, Field(ge=1, le=_HIGHEST)] | None = Field(
        None,
        description="Number of the request that was looked at: where another one waits now, the answer is 409. "
        "Default: the one that waits.",
    )


class RolloutChange(Change):
    """The body of what is done with the rollout under way."""

    rollout_id: Annotated[StrictInt, Field(ge=1, le=_HIGHEST)] | None = Field(
        None,
        description="Number of the rollout that was looked at: where another one is under way now, the answer is 409. "
        "Default: the one under way.",
    )


class Rollback(Change):
    """The body of ``rollback``."""

    to: VersionText | None = Field(None, description="An archived version that has served. Default: the last one.")
    expected: Expected = None


class Freezing(Change):
    """The body of ``freeze`` and ``unfreeze``."""

    model_id: ModelIdText | None = Field(None, description="The model. Default: all of them.")


def champion_expected(body: Promotion | Rollback) -> dict[str, Any]:
    """The argument *expected* where the body says it: null is another thing than nothing."""
    return {"expected": body.expected} if "expected" in body.model_fields_set else {}
