"""What the registry gives back: records that stand still."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from mlops.clock import in_utc
from mlops.model_registry.states import Status

_COLUMNS = ("model_id", "version", "status", "artefact")
_CONTENT = ("model_type", "description", "metrics", "parameters", "parent_version", "tags", "lineage")
_TIMES = ("timestamp", "deployment_date")
VERSION_FIELDS = (*_COLUMNS, *_CONTENT, *_TIMES)


class ModelVersion(Mapping[str, Any]):
    """A version as it was registered, and where it stands. Also a mapping of plain values, times as ISO 8601 text.

    Attributes:
        model_id, version, status: as in :class:`~mlops.model_registry.ModelMetadata`.
        artefact: digest of its files, None where it has none.
        generation: the model's, when this version last changed.
    """

    # What is text is read when it is asked for: a list of ten thousand versions is mostly skimmed.
    __slots__ = (
        "_content", "_decoded", "_deployed_at", "_registered_at", "artefact", "generation", "model_id", "status",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        model_id: str,
        version: str,
        status: Status,
        content: str,
        artefact: str | None,
        registered_at: datetime | str,
        deployed_at: datetime | str | None,
        generation: int,
    ) -> None:
        """From a row; *content* is canonical JSON, times may still be text as SQLite keeps them."""
        self.model_id = model_id
        self.version = version
        self.status = status
        self.artefact = artefact
        self._registered_at = registered_at
        self._deployed_at = deployed_at
        self.generation = generation
        self._content = content
        self._decoded: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """``{model_id}_{version}``, as :meth:`~mlops.model_registry.ModelRegistry.register_model` returns it."""
        return f"{self.model_id}_{self.version}"

    @property
    def registered_at(self) -> datetime:
        """When it was made, in UTC."""
        return _instant(self._registered_at)

    @property
    def deployed_at(self) -> datetime | None:
        """When it last went to production, in UTC; None where it never did."""
        return None if self._deployed_at is None else _instant(self._deployed_at)

    def has_content(self, content: str, artefact: str | None) -> bool:
        """Whether it was registered with this content, as canonical JSON, and these files."""
        return self._content == content and self.artefact == artefact

    def __getitem__(self, key: str) -> Any:
        if key in _COLUMNS:
            return getattr(self, key)
        if key == "timestamp":
            return self.registered_at.isoformat()
        if key == "deployment_date":
            return None if self.deployed_at is None else self.deployed_at.isoformat()
        if self._decoded is None:
            self._decoded = orjson.loads(self._content)
        return self._decoded[key]

    def __iter__(self) -> Iterator[str]:
        return iter(VERSION_FIELDS)

    def __len__(self) -> int:
        return len(VERSION_FIELDS)

    def __repr__(self) -> str:
        return f"<{self.name} {self.status}>"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return dict(self)


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a version's status, or one that failed.

    Attributes:
        kind: ``registered``, ``moved``, ``rolled_back``, ``refused`` (it could not serve) or ``imported``.
        from_status: None where the version was registered.
        outcome: ``done`` or ``failed``.
        actor: who made it.
        automatic: made by a program, not by a person.
        evidence: what it rests on, such as the comparison with the champion.
    """

    move_id: int
    model_id: str
    version: str
    kind: str
    from_status: Status | None
    to_status: Status
    outcome: str
    at: datetime
    actor: str
    automatic: bool
    because: str
    evidence: Any

    def to_dict(self) -> dict[str, Any]:
        """As plain values, the time as ISO 8601 text."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Approval:
    """A promotion that waits for a person, or waited.

    Attributes:
        champion: the version in production when it was requested, None where there was none.
        state: ``pending``, ``approved`` or ``rejected``.
    """

    approval_id: int
    model_id: str
    version: str
    champion: str | None
    state: str
    requested_at: datetime
    requested_by: str
    because: str
    evidence: Any
    decided_at: datetime | None
    decided_by: str | None
    decided_because: str | None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, times as ISO 8601 text."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which no program may move versions: in force until lifted. *scope* is a model, or ``*`` for all."""

    scope: str
    frozen_at: datetime
    frozen_by: str
    because: str
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_because: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, times as ISO 8601 text."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model in one line.

    Attributes:
        production: the version that serves, None where there is none.
        newest: the version registered last.
        generation: counts the model's changes.
        is_frozen: whether automatic moves are switched off for it.
    """

    model_id: str
    production: str | None
    newest: str
    n_versions: int
    generation: int
    changed_at: datetime
    is_frozen: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain values, the time as ISO 8601 text."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


def _instant(raw: datetime | str) -> datetime:
    return in_utc(raw if isinstance(raw, datetime) else datetime.fromisoformat(raw))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
