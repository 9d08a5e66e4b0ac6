"""What MLflow should hold of a version, in MLflow's terms. Plain functions; importing this imports no MLflow."""

from __future__ import annotations

import hashlib
import math
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mlops.model_registry.records import ModelVersion

ALIAS = "production"
VERSION_FILE = "version.json"
FILES_FOLDER = "artefact"
CURVES_FOLDER = "curves"
MODEL_TAG, VERSION_TAG, CONTENT_TAG = "mlops.model_id", "mlops.version", "mlops.content"

# MLflow takes 6,000 characters of a parameter and 8,000 of a tag of a run, and 250 of a name.
_LONGEST_VALUE = 5_000
_LONGEST_NAME = 200
_MOST_STEPS = 500
_CUT = f" … (cut; whole in {VERSION_FILE})"
_NOT_IN_A_NAME = re.compile(r"[^\w\-. /]")
# Tags that mean something to MLflow or to us; the last, so that no two names become one.
_RESERVED = ("mlflow.", "mlops.", "tag.")
_CONTENT = (
    "description", "lineage", "metrics", "model_type", "parameters", "parent_version", "tags", "artefact",
)  # fmt: skip


@dataclass(frozen=True)
class WantedRun:
    """A run of MLflow. *identity* is how it is found again: tags that it has from its first moment on."""

    name: str
    identity: Mapping[str, str]
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    at_ms: int
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Figures by step, counted from 0."""


def wanted_run(one: ModelVersion, *, curves: Mapping[str, Sequence[float]] | None = None) -> WantedRun:
    """The run of a version: where it came from, and how well it did.

    Args:
        curves: of the training that made it, by name; a long one is thinned out.
    """
    metrics = one["metrics"]
    drawn = {f"{CURVES_FOLDER}/{name}": _thinned(values) for name, values in (curves or {}).items()}
    names = safe_names([*metrics, *drawn])
    return WantedRun(
        name=f"{one.model_id} {one.version}",
        identity=identity(one),
        tags={**_origin(one), **own_tags(one)},
        params=_texts(one["parameters"]),
        metrics={names[name]: float(value) for name, value in metrics.items()},
        at_ms=int(one.registered_at.timestamp() * 1000),
        curves={names[name]: steps for name, steps in drawn.items()},
    )


def version_tags(one: ModelVersion) -> dict[str, str]:
    """The tags of MLflow's model version."""
    deployed = {} if one.deployed_at is None else {"mlops.deployed_at": one.deployed_at.isoformat()}
    return {**own_tags(one), **_origin(one), **identity(one), "mlops.status": one.status, **deployed}


def identity(one: ModelVersion) -> dict[str, str]:
    """The tags by which a version is found in MLflow."""
    return {MODEL_TAG: one.model_id, VERSION_TAG: one.version, CONTENT_TAG: content_digest(one)}


def content_digest(one: ModelVersion) -> str:
    """SHA-256, in hexadecimal, of what never changes of a version: two that share a name can be told apart."""
    return hashlib.sha256(_json({name: one[name] for name in _CONTENT})).hexdigest()


def version_file(one: ModelVersion) -> bytes:
    """What never changes of a version, as JSON for a person: nothing is cut, and names are as they were."""
    fields = {name: one[name] for name in ("model_id", "version", "timestamp", *_CONTENT)}
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def own_tags(one: ModelVersion) -> dict[str, str]:
    """The tags that the version was registered with. One that is only a name has the value ``true``."""
    tags = one["tags"]
    named = tags if isinstance(tags, Mapping) else dict.fromkeys(tags, True)
    return _texts({_not_reserved(name): value for name, value in named.items()})


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """A name that MLflow takes for each of *names*, no two alike: ``ndcg@3`` becomes ``ndcg_at_3``.

    MLflow takes letters, digits, ``_``, ``-``, ``.``, spaces and slashes (where they make a path). A name that was
    changed and would meet another one gets a number: ``a@b`` beside ``a_at_b`` becomes ``a_at_b_2``.
    """
    ordered = sorted(set(names))
    taken = {name for name in ordered if _safe(name) == name}
    found = {name: name for name in taken}
    for name in ordered:
        if name not in found:
            found[name] = _free(_safe(name), taken)
            taken.add(found[name])
    return found


def _thinned(values: Sequence[float]) -> dict[int, float]:
    """Values by step, every n-th and the last, so many at most as MLflow draws well; no NaN, which it cannot keep."""
    every = -(-len(values) // _MOST_STEPS)
    return {
        step: value
        for step, value in enumerate(values)
        if (step % every == 0 or step == len(values) - 1) and math.isfinite(value)
    }


def _safe(name: str) -> str:
    plain = _NOT_IN_A_NAME.sub("_", name.replace("@", "_at_"))[:_LONGEST_NAME]
    is_a_path = posixpath.normpath(plain) == plain and not plain.startswith(("..", "/")) and plain != "."
    return plain if is_a_path else plain.replace("/", "_").replace("..", "__").removeprefix(".") or "_"


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _origin(one: ModelVersion) -> dict[str, str]:
    lineage = one["lineage"] or {}
    facts = {
        "mlops.model_type": one["model_type"],
        "mlops.artefact": one.artefact,
        "mlops.parent_version": one["parent_version"],
        **{f"mlops.lineage.{name}": value for name, value in lineage.items()},
    }
    return {name: _cut(_text(value)) for name, value in facts.items() if value is not None}


def _not_reserved(name: str) -> str:
    return f"tag.{name}" if name.startswith(_RESERVED) else name


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    names = safe_names(values)
    return {names[name]: _cut(_text(value)) for name, value in values.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value).decode()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + _CUT


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
