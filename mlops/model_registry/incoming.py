"""What a file to import holds, checked value by value before anything is written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from mlops.artefacts.manifest import is_a_digest
from mlops.clock import utc_from_text
from mlops.errors import IllegalMove, InvalidExport, InvalidMetadata
from mlops.model_registry.document import FORMAT, MOVE_FIELDS, VERSION_FIELDS
from mlops.model_registry.metadata import Lineage, ModelMetadata, content_of, evidence_text
from mlops.model_registry.states import STATUSES, Status, checked_status, steps

KINDS = ("registered", "moved", "rolled_back", "refused", "imported")
OUTCOMES = ("done", "failed")
_DOCUMENT_FIELDS = ("format", "frozen", "models")
_MODEL_FIELDS = ("production", "generation", "frozen", "versions")
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class IncomingMove:
    """A move as :class:`~mlops.model_registry.Move` has it; *number* is its place among those of its model."""

    number: int
    kind: str
    from_status: Status | None
    to_status: Status
    outcome: str
    at: datetime
    actor: str
    automatic: bool
    because: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class IncomingVersion:
    """A version with its moves, oldest first, at least one; the last that was done leads to its status."""

    model_id: str
    version: str
    status: Status
    content: str
    artefact: str | None
    registered_at: datetime
    deployed_at: datetime | None
    moves: tuple[IncomingMove, ...]

    @property
    def name(self) -> str:
        """As a person says it."""
        return f"{self.model_id} {self.version}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """All of a file.

    Attributes:
        versions: in the order in which they were registered, model by model; one in production per model at most.
        frozen: the reasons of freezes by model, and ``*`` for all.
        notes: what a person should know of how the file was read.
    """

    versions: tuple[IncomingVersion, ...]
    frozen: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def by_model(self) -> dict[str, list[IncomingVersion]]:
        """The versions of each model, models by name."""
        found: dict[str, list[IncomingVersion]] = {}
        for one in self.versions:
            found.setdefault(one.model_id, []).append(one)
        return dict(sorted(found.items()))


class Fields:
    """An object of the file. Its values are asked for by name and type; an error says where, what, and what would do.

    Attributes:
        where: the way to it, such as ``models.hybrid_ranker.versions.1.0.0``.
    """

    def __init__(self, where: str, value: Any) -> None:
        """Wrap *value*.

        Raises:
            InvalidExport: it is no object.
        """
        self.where = where
        if not isinstance(value, dict):
            raise self.refusal("", "an object", value)
        self._values = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def only(self, names: Sequence[str]) -> Fields:
        """The same, which must have none but *names*."""
        for name in self._values:
            if name not in names:
                raise InvalidExport(f"{self._way(name)}: is not known here; the fields are {', '.join(names)}")
        return self

    def get(self, name: str) -> Any:
        """The value, None where there is none."""
        return self._values.get(name)

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text; *default* where there is none."""
        value = self._values.get(name, default)
        # PostgreSQL cannot keep a text with a NUL in it.
        if not isinstance(value, str) or "\0" in value:
            raise self.refusal(name, "text", value)
        return value

    def optional_text(self, name: str) -> str | None:
        """A text, or nothing."""
        return None if self.get(name) is None else self.text(name)

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """One of *words*."""
        value = self.get(name)
        if value not in words:
            raise self.refusal(name, f"one of {', '.join(words)}", value)
        return str(value)

    def status(self, name: str) -> Status:
        """A status."""
        return checked_status(self.word(name, STATUSES))

    def instant(self, name: str) -> datetime:
        """A time in ISO 8601; without a zone it is in UTC."""
        value = self.get(name)
        try:
            return utc_from_text(value)
        except (TypeError, ValueError, OverflowError):
            raise self.refusal(name, "a time such as 2026-11-24T09:00:00+00:00", value) from None

    def optional_instant(self, name: str) -> datetime | None:
        """A time, or nothing."""
        return None if self.get(name) is None else self.instant(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.refusal(name, "true or false", value)
        return value

    def count(self, name: str) -> int:
        """A whole number from 1."""
        value = self.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.refusal(name, "a whole number from 1", value)
        return value

    def inside(self, name: str) -> Fields:
        """The object that is the value."""
        return Fields(self._way(name), self.get(name))

    def listed(self, name: str) -> list[Fields]:
        """The objects in the list that is the value."""
        value = self.get(name)
        if not isinstance(value, list):
            raise self.refusal(name, "a list", value)
        return [Fields(f"{self._way(name)}[{n}]", each) for n, each in enumerate(value)]

    def refusal(self, name: str, right: str, value: Any) -> InvalidExport:
        """The error that says that *name* must be *right*."""
        return InvalidExport(f"{self._way(name)}: must be {right}, got {_shown(value)}")

    def _way(self, name: str) -> str:
        return ".".join(part for part in (self.where, name) if part) or "the file"


def decoded(text: bytes) -> Fields:
    """The object that is the whole file.

    Raises:
        InvalidExport: it is not JSON, or no object.
    """
    try:
        return Fields("", orjson.loads(text))
    except ValueError as error:
        raise InvalidExport(f"the file: must be JSON, and is not: {error}") from error


def from_document(document: Fields) -> Incoming:
    """What the document of a registry holds. See :func:`~mlops.model_registry.document.registry_document`.

    Raises:
        InvalidExport: something in it cannot be; the message names it.
    """
    if document.get("format") != FORMAT:
        raise document.refusal("format", f"{FORMAT}, which is what this release reads", document.get("format"))
    versions: list[IncomingVersion] = []
    frozen = {"*": reason} if (reason := document.only(_DOCUMENT_FIELDS).optional_text("frozen")) is not None else {}
    models = document.inside("models")
    for model_id in models:
        model = models.inside(model_id).only(_MODEL_FIELDS)
        versions += _versions(model_id, model)
        if (reason := model.optional_text("frozen")) is not None:
            frozen[model_id] = reason
    return Incoming(tuple(versions), frozen)


def content_and_times(
    model_id: str, version: str, fields: Fields, *, lineage: Lineage | None
) -> tuple[str, datetime, datetime | None]:
    """The content of a version as it is kept, when it was made, and when it last went to production.

    Raises:
        InvalidExport: a field cannot be kept.
    """
    try:
        metadata = ModelMetadata(
            model_id,
            version,
            model_type=fields.text("model_type", default="hybrid"),
            timestamp=fields.instant("timestamp"),
            description=fields.text("description", default=""),
            metrics={} if fields.get("metrics") is None else fields.get("metrics"),
            parameters={} if fields.get("parameters") is None else fields.get("parameters"),
            parent_version=fields.optional_text("parent_version"),
            tags=() if fields.get("tags") is None else fields.get("tags"),
        )
        return content_of(metadata, lineage), metadata.registered_at, fields.optional_instant("deployment_date")
    except InvalidMetadata as error:
        raise InvalidExport(f"{fields.where}.{error}") from error


def _versions(model_id: str, model: Fields) -> list[IncomingVersion]:
    described = model.inside("versions")
    found = [
        _version(model_id, version, described.inside(version).only((*VERSION_FIELDS, "moves"))) for version in described
    ]
    _check_numbers(model, found)
    _check_production(model, found)
    return sorted(found, key=lambda one: one.moves[0].number)


def _version(model_id: str, version: str, fields: Fields) -> IncomingVersion:
    content, registered_at, deployed_at = content_and_times(model_id, version, fields, lineage=_lineage(fields))
    made = tuple(_move(move.only(MOVE_FIELDS)) for move in fields.listed("moves"))
    status = fields.status("status")
    _check_way(fields, made, status)
    return IncomingVersion(model_id, version, status, content, _digest(fields), registered_at, deployed_at, made)


def _lineage(fields: Fields) -> Lineage | None:
    if fields.get("lineage") is None:
        return None
    inside = fields.inside("lineage").only(tuple(Lineage.__slots__))
    try:
        return Lineage(**{name: inside.get(name) for name in inside})
    except InvalidMetadata as error:
        raise InvalidExport(f"{fields.where}.{error}") from error


def _digest(fields: Fields) -> str | None:
    digest = fields.optional_text("artefact")
    if digest is not None and not is_a_digest(digest):
        raise fields.refusal("artefact", "a digest of 64 hexadecimal digits, or null", digest)
    return digest


def _move(fields: Fields) -> IncomingMove:
    return IncomingMove(
        fields.count("number"),
        fields.word("kind", KINDS),
        None if fields.get("from_status") is None else fields.status("from_status"),
        fields.status("to_status"),
        fields.word("outcome", OUTCOMES),
        fields.instant("at"),
        fields.text("actor"),
        fields.flag("automatic"),
        fields.text("because"),
        evidence_text(fields.get("evidence")),
    )


def _check_way(fields: Fields, made: tuple[IncomingMove, ...], status: Status) -> None:
    """See that the moves that were done follow on each other, and lead from nowhere to *status*."""
    stands: Status | None = None
    for n, move in enumerate(made):
        where = f"{fields.where}.moves[{n}]"
        if n and (move.at < made[n - 1].at or move.number <= made[n - 1].number):
            raise InvalidExport(f"{where}: must come after the move before it, in number and time")
        if move.outcome == "failed":
            continue
        if move.from_status != stands:
            raise InvalidExport(
                f"{where}.from_status: must be {_shown(stands)}, where the move before it led, "
                f"got {_shown(move.from_status)}"
            )
        _check_step(where, fields.where, move)
        stands = move.to_status
    if stands != status:
        raise InvalidExport(f"{fields.where}.moves: must lead to its status {status!r}, and lead to {_shown(stands)}")


def _check_step(where: str, name: str, move: IncomingMove) -> None:
    if move.from_status is None:
        if move.to_status != "training":
            raise InvalidExport(f"{where}.to_status: must be 'training' in a first move, got {move.to_status!r}")
        return
    if move.kind == "imported":
        return
    try:
        steps(name, move.from_status, move.to_status, is_rollback=move.kind == "rolled_back")
    except IllegalMove as error:
        raise InvalidExport(f"{where}.to_status: {error}") from error


def _check_numbers(model: Fields, found: list[IncomingVersion]) -> None:
    taken = Counter(move.number for one in found for move in one.moves)
    if twice := sorted(number for number, n in taken.items() if n > 1):
        raise InvalidExport(f"{model.where}: two of its moves have the number {twice[0]}; each must have its own")


def _check_production(model: Fields, found: list[IncomingVersion]) -> None:
    serving = [one.version for one in found if one.status == "production"]
    if len(serving) > 1:
        raise InvalidExport(
            f"{model.where}.versions: {' and '.join(serving)} are in production; of one model only one may be"
        )
    named, champion = model.optional_text("production"), next(iter(serving), None)
    if named != champion:
        right = "null, since no version has that status" if champion is None else f"{champion}, which has that status"
        raise model.refusal("production", right, named)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
