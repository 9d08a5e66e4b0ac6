"""The ``registry.json`` of the owner's first package: a flat mapping ``"{model_id}_{version}"`` to metadata.

It kept no moves, and let several versions of a model be in production. Its moves are made up from the times it kept:
a version came at its ``timestamp``, went to production at its ``deployment_date``, and left it when the next one did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mlops.errors import InvalidExport
from mlops.model_registry.incoming import Fields, Incoming, IncomingMove, IncomingVersion, content_and_times
from mlops.model_registry.states import Status
from mlops.model_registry.versions import SemanticVersion
from mlops.sentences import say

_KNOWN = (
    "model_id", "version", "model_type", "timestamp", "description", "metrics", "parameters", "status",
    "parent_version", "deployment_date", "tags",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the file says of a version."""

    model_id: str
    version: str
    status: Status
    content: str
    registered_at: datetime
    deployed_at: datetime | None

    @property
    def age(self) -> tuple[datetime, SemanticVersion]:
        return self.registered_at, SemanticVersion.parse(self.version)

    @property
    def served_from(self) -> datetime:
        """When it went to production, as far as the file tells: not before it was there."""
        return max(self.registered_at, self.deployed_at or self.registered_at)

    @property
    def served(self) -> bool:
        return self.status == "production" or (self.status == "archived" and self.deployed_at is not None)


@dataclass(frozen=True, slots=True)
class _Step:
    """A move before its number is known."""

    version: str
    from_status: Status | None
    to_status: Status
    at: datetime
    because: str


def from_forerunner(document: Fields, *, source: str, actor: str) -> Incoming:
    """What a forerunner's file holds.

    Args:
        source: what moves name as their source.
        actor: who made the moves here: whoever imports.

    Raises:
        InvalidExport: something in it cannot be; the message names it.
    """
    entries = [_entry(key, document) for key in document]
    versions: list[IncomingVersion] = []
    notes: list[str] = []
    for model_id in sorted({entry.model_id for entry in entries}):
        of_model = sorted((entry for entry in entries if entry.model_id == model_id), key=lambda entry: entry.age)
        champion = _champion(of_model)
        versions += _versions(of_model, champion, source=source, actor=actor)
        notes += [
            f"{model_id} {entry.version} comes in archived: {champion.version} was deployed later"
            for entry in of_model
            if champion is not None and entry.status == "production" and entry is not champion
        ]
    return Incoming(tuple(versions), notes=tuple(notes))


def _entry(key: str, document: Fields) -> _Entry:
    fields = document.inside(key).only(_KNOWN)
    model_id, version = fields.text("model_id"), fields.text("version")
    if key != f"{model_id}_{version}":
        raise InvalidExport(f"{key}: must be named {model_id}_{version}, after its model_id and version")
    status = fields.status("status")
    content, registered_at, deployed_at = content_and_times(model_id, version, fields, lineage=None)
    return _Entry(model_id, version, status, content, registered_at, deployed_at)


def _champion(entries: list[_Entry]) -> _Entry | None:
    """The one in production that was deployed last."""
    serving = [entry for entry in entries if entry.status == "production"]
    return max(serving, key=lambda entry: (entry.served_from, entry.age), default=None)


def _versions(entries: list[_Entry], champion: _Entry | None, *, source: str, actor: str) -> Iterator[IncomingVersion]:
    # Sorting is stable: at the same time a version comes before it moves, and one leaves before the next goes in.
    steps = sorted(_steps(entries, champion, source), key=lambda step: step.at)
    numbered = [(number, step) for number, step in enumerate(steps, start=1)]
    for entry in entries:
        made = tuple(_move(number, step, actor) for number, step in numbered if step.version == entry.version)
        yield IncomingVersion(
            entry.model_id, entry.version, made[-1].to_status, entry.content, None,
            entry.registered_at, entry.deployed_at, made,
        )  # fmt: skip


def _steps(entries: list[_Entry], champion: _Entry | None, source: str) -> Iterator[_Step]:
    imported = say("imported from {file!s}", file=source)
    for entry in entries:
        yield _Step(entry.version, None, "training", entry.registered_at, imported)
    for entry in entries:
        if not entry.served and entry.status != "training":
            yield _Step(entry.version, "training", entry.status, entry.registered_at, imported)
    stays, beside = _stays(entries, champion)
    for entry in beside:
        because = say("imported from {file!s}: deployed while another version was in production", file=source)
        yield _Step(entry.version, "training", "archived", entry.served_from, because)
    previous: _Entry | None = None
    for entry in stays:
        if previous is not None:
            because = say("imported from {file!s}: {version} was deployed", file=source, version=entry.version)
            yield _Step(previous.version, "production", "archived", entry.served_from, because)
        because = say("imported from {file!s}: deployed", file=source)
        yield _Step(entry.version, "training", "production", entry.served_from, because)
        previous = entry
    if previous is not None and previous is not champion:
        because = say("imported from {file!s}: archived; it does not say when", file=source)
        yield _Step(previous.version, "production", "archived", previous.served_from, because)


def _stays(entries: list[_Entry], champion: _Entry | None) -> tuple[list[_Entry], list[_Entry]]:
    """The versions that served one after another, and those that were deployed while the champion was there."""
    served = sorted((entry for entry in entries if entry.served), key=lambda entry: (entry.served_from, entry.age))
    if champion is None:
        return served, []
    last = served.index(champion) + 1
    return served[:last], served[last:]


def _move(number: int, step: _Step, actor: str) -> IncomingMove:
    return IncomingMove(
        number, "imported", step.from_status, step.to_status, "done", step.at, actor, False, step.because, None
    )
