"""What is said of a version when it is registered."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from numbers import Integral
from typing import Any

import orjson

from mlops.clock import in_utc, utc_from_text, utc_now
from mlops.errors import InvalidMetadata
from mlops.model_registry.states import checked_status
from mlops.model_registry.versions import SemanticVersion
from mlops.store.types import is_storable

MODEL_ID_FORM = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_IS_A_NAME = re.compile(MODEL_ID_FORM)
_LONGEST_CONTENT = 1_000_000


@dataclass(frozen=True)
class ModelMetadata:
    """A version of a model, as it is handed to the registry.

    Attributes:
        model_id: letters, digits, ``_``, ``-`` and ``.``, at most 128.
        version: major.minor.patch.
        timestamp: when it was made; aware, or ISO 8601 text; without a zone it is UTC. Default: now.
        metrics: finite numbers by name.
        parameters: whatever JSON can hold, by name.
        status: where it is to stand once it is registered.
        parent_version: the version that it was trained from, or takes the place of.
        deployment_date: kept by the registry; what is handed in counts only where a registry is imported.
        tags: names, or values by name.

    Raises:
        InvalidMetadata: a field cannot be kept as it is; the message names it, its value and what would be right.
    """

    model_id: str
    version: str
    model_type: str = "hybrid"
    timestamp: datetime | str | None = None
    description: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    status: str = "training"
    parent_version: str | None = None
    deployment_date: datetime | str | None = None
    tags: Mapping[str, Any] | Sequence[str] = ()

    def __post_init__(self) -> None:
        checked_model_id(self.model_id)
        SemanticVersion.parse(self.version)
        checked_status(self.status)
        for name in ("model_type", "description"):
            if not isinstance(getattr(self, name), str):
                raise InvalidMetadata(name, f"must be text, got {getattr(self, name)!r}")
        if self.parent_version is not None:
            _check_parent(self.parent_version)
        _set(self, "timestamp", _instant("timestamp", self.timestamp) or utc_now())
        _set(self, "deployment_date", _instant("deployment_date", self.deployment_date))
        _set(self, "metrics", _numbers(self.metrics))
        _set(self, "parameters", _named("parameters", self.parameters))
        _set(self, "tags", _tags(self.tags))

    @property
    def registered_at(self) -> datetime:
        """When it was made, aware, in UTC."""
        assert isinstance(self.timestamp, datetime)  # noqa: S101
        return self.timestamp

    def with_version(self, version: str) -> ModelMetadata:
        """The same, as another version."""
        return replace(self, version=version)


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a version came from, beside its parameters and its parent.

    Attributes:
        data_fingerprint: of the data that it was trained on.
        code_version: of the program that trained it.
        seed: of all that was drawn at random.

    Raises:
        InvalidMetadata: a field is neither None nor of its type.
    """

    data_fingerprint: str | None = None
    code_version: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("data_fingerprint", "code_version"):
            if not isinstance(getattr(self, name), str | None):
                raise InvalidMetadata(f"lineage.{name}", f"must be text or nothing, got {getattr(self, name)!r}")
        seed: Any = self.seed
        # NumPy's whole numbers count, too.
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, Integral)):
            raise InvalidMetadata("lineage.seed", f"must be a whole number or nothing, got {seed!r}")


def content_of(metadata: ModelMetadata, lineage: Lineage | None) -> str:
    """What of a version never changes, as canonical JSON: equal for equal content.

    Raises:
        InvalidMetadata: a value is not one that JSON can hold.
    """
    content = {
        "description": metadata.description,
        "lineage": None if lineage is None else {name: getattr(lineage, name) for name in Lineage.__slots__},
        "metrics": metadata.metrics,
        "model_type": metadata.model_type,
        "parameters": metadata.parameters,
        "parent_version": metadata.parent_version,
        "tags": metadata.tags,
    }
    text = _json_by_field(content)
    if len(text) > _LONGEST_CONTENT:
        raise InvalidMetadata(
            "content", f"is longer than {_LONGEST_CONTENT} bytes; large things belong into the artefact"
        )
    return text


def evidence_text(evidence: Any) -> str | None:
    """*evidence* as canonical JSON; whatever has ``to_dict`` is asked for it.

    Raises:
        InvalidMetadata: JSON cannot hold it.
    """
    if evidence is None:
        return None
    return _json("evidence", evidence.to_dict() if hasattr(evidence, "to_dict") else evidence)


def checked_model_id(model_id: str) -> str:
    """*model_id*, which is a name.

    Raises:
        InvalidMetadata: it is none.
    """
    if not isinstance(model_id, str) or _IS_A_NAME.fullmatch(model_id) is None:
        raise InvalidMetadata(
            "model_id",
            f"must be 1 to 128 letters, digits, '_', '-' or '.', and begin with a letter or digit, got {model_id!r}",
        )
    return model_id


def checked_text(field: str, value: str) -> str:
    """*value*, which is text that every database can keep.

    Raises:
        InvalidMetadata: it is none.
    """
    if not isinstance(value, str) or not is_storable(value):
        raise InvalidMetadata(field, f"must be text without NUL and lone surrogates, got {value!r}")
    return value


def _set(metadata: ModelMetadata, name: str, value: Any) -> None:
    # The one way to set a field of a frozen dataclass while it is made.
    object.__setattr__(metadata, name, value)


def _check_parent(parent: str) -> None:
    try:
        SemanticVersion.parse(parent)
    except InvalidMetadata as error:
        raise InvalidMetadata("parent_version", error.reason) from None


def _instant(name: str, value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return in_utc(value) if isinstance(value, datetime) else utc_from_text(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidMetadata(name, f"must be a time such as 2026-11-24T09:00:00+00:00, got {value!r}") from None


def _named(what: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise InvalidMetadata(what, f"must be values by name, got {values!r}")
    for name in values:
        if not isinstance(name, str) or not name:
            raise InvalidMetadata(what, f"has the name {name!r}, which is no text")
    return dict(values)


def _numbers(metrics: Any) -> dict[str, float]:
    named = _named("metrics", metrics)
    for name, value in named.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise InvalidMetadata(f"metrics.{name}", f"must be a number, got {_short(value)}") from None
        if not math.isfinite(number):
            raise InvalidMetadata(f"metrics.{name}", f"must be a finite number, got {number}")
        if not isinstance(value, int) or isinstance(value, bool):
            named[name] = number
        elif not -(2**63) <= value < 2**64:
            raise InvalidMetadata(f"metrics.{name}", f"must be a number of 64 bits, got {_short(value)}")
    return named


def _tags(tags: Any) -> dict[str, Any] | list[str]:
    if isinstance(tags, Mapping):
        return _named("tags", tags)
    if isinstance(tags, str) or not isinstance(tags, Sequence) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidMetadata("tags", f"must be names, or values by name, got {tags!r}")
    return list(tags)


def _short(value: Any) -> str:
    # repr() refuses to write very long numbers.
    return "a number of very many digits" if isinstance(value, int) and abs(value) >= 10**40 else repr(value)


def _json_by_field(content: Mapping[str, Any]) -> str:
    try:
        text = _json("content", content)
    except InvalidMetadata:
        for name, value in content.items():
            _json(name, value)
        raise
    for name in ("parameters", "tags"):
        if _holds_no_number(content[name]):
            raise InvalidMetadata(name, "holds NaN or infinity, which JSON cannot: write it as text, or leave it out")
    return text


def _holds_no_number(value: Any) -> bool:
    """Whether NaN or infinity is somewhere in *value*: JSON would have null in its place, without a word."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_holds_no_number, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_no_number, value))
    # NumPy's arrays and scalars, without importing it.
    return hasattr(value, "tolist") and _holds_no_number(value.tolist())


def _json(what: str, value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError as error:
        raise InvalidMetadata(what, f"holds what JSON cannot: {error}") from error
