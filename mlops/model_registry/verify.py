"""Looking for what is wrong: artefacts, the view, histories."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mlops.artefacts import Digest, DiskArtefacts
from mlops.errors import ArtefactError, ArtefactForeign, ArtefactMissing, ArtefactRefused
from mlops.model_registry.document import registry_document, to_bytes
from mlops.model_registry.records import ModelVersion, Move
from mlops.model_registry.registry import ModelRegistry

Kind = Literal[
    "artefact_missing", "artefact_damaged", "artefact_foreign", "artefact_refused", "artefact_unnamed", "view_differs",
    "several_in_production", "moves_lead_elsewhere",
]  # fmt: skip

# A running service rewrites the view within a second of each change.
_VIEW_PATIENCE_SECONDS = 2.0
_VIEW_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        is_fault: whether it has to be mended; otherwise it is worth knowing.
        model_id, version: whose it is, None where it is nobody's.
        message: one sentence with the values.
    """

    kind: Kind
    is_fault: bool
    model_id: str | None
    version: str | None
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def findings(registry: ModelRegistry, *, view_patience_seconds: float = _VIEW_PATIENCE_SECONDS) -> list[Finding]:
    """All that is wrong with the registry, and what is worth knowing; nothing where all is well.

    Args:
        view_patience_seconds: how long the view may lag behind before that is a finding.
    """
    known = registry.list_models()
    return [
        *_of_artefacts(registry, known),
        *_of_production(known),
        *_of_moves(registry, known),
        *_of_view(registry, view_patience_seconds),
    ]


def sign_artefacts(registry: ModelRegistry) -> list[Digest]:
    """Sign the artefacts of all versions that are whole and not signed with our key, and return their digests.

    What is signed is what was registered: a digest follows from the content, and the database names it.

    Raises:
        ArtefactRefused: there is no key, or no folder of artefacts.
    """
    store = registry.artefacts
    if not isinstance(store, DiskArtefacts) or not store.signs:
        raise ArtefactRefused("there is nothing to sign with: ARTIFACT_SIGNING_KEY is not set")
    named = sorted({one.artefact for one in registry.list_models() if one.artefact is not None})
    signed = []
    for digest in named:
        if isinstance(_error_of(store, digest), ArtefactForeign):
            try:
                store.sign(digest)
            except ArtefactError:
                continue  # It is damaged beside that, which findings() tells.
            signed.append(digest)
    return signed


def _of_artefacts(registry: ModelRegistry, known: list[ModelVersion]) -> Iterator[Finding]:
    named = [one for one in known if one.artefact is not None]
    store = registry.artefacts
    errors = {digest: _error_of(store, digest) for digest in {one.artefact for one in named if one.artefact}}
    for one in named:
        error = errors[one.artefact] if one.artefact else None
        if error is not None:
            message = f"{one.model_id} {one.version}: {error}"
            yield Finding(_kind_of(error), True, one.model_id, one.version, message)
    for digest in store.digests() if store is not None else ():
        if digest not in errors:
            message = f"no version names the artefact {digest}; it may go"
            yield Finding("artefact_unnamed", False, None, None, message)


def _error_of(store: Any, digest: Digest) -> ArtefactError | None:
    if store is None:
        return ArtefactMissing("this registry has no place for artefacts")
    try:
        store.get(digest)
    except ArtefactError as error:
        return error
    return None


def _kind_of(error: ArtefactError) -> Kind:
    if isinstance(error, ArtefactMissing):
        return "artefact_missing"
    if isinstance(error, ArtefactForeign):
        return "artefact_foreign"
    return "artefact_refused" if isinstance(error, ArtefactRefused) else "artefact_damaged"


def _of_production(known: Iterable[ModelVersion]) -> Iterator[Finding]:
    serving: dict[str, list[str]] = {}
    for one in known:
        if one.status == "production":
            serving.setdefault(one.model_id, []).append(one.version)
    for model_id, together in serving.items():
        if len(together) > 1:
            message = f"{model_id} has {len(together)} versions in production: {', '.join(sorted(together))}"
            yield Finding("several_in_production", True, model_id, None, message)


def _of_moves(registry: ModelRegistry, known: Iterable[ModelVersion]) -> Iterator[Finding]:
    made: dict[tuple[str, str], list[Move]] = {}
    known = list(known)
    for model_id in sorted({one.model_id for one in known}):
        for move in registry.moves(model_id):
            made.setdefault((move.model_id, move.version), []).append(move)
    for one in known:
        complaint = complaint_of_moves(made.get((one.model_id, one.version), []), one.status)
        if complaint is not None:
            message = f"{one.model_id} {one.version}: {complaint}"
            yield Finding("moves_lead_elsewhere", True, one.model_id, one.version, message)


def complaint_of_moves(made: Iterable[Move], status: str) -> str | None:
    """What is wrong with the moves of one version, oldest first, that should lead to *status*, or None."""
    stands: str | None = None
    for move in made:
        if move.outcome != "done":
            continue
        if move.from_status != stands:
            return f"move {move.move_id} begins at {move.from_status}, and the one before it led to {stands}"
        stands = move.to_status
    return None if stands == status else f"its status is {status}, and its moves lead to {stands}"


def _of_view(registry: ModelRegistry, patience_seconds: float) -> Iterator[Finding]:
    deadline = time.monotonic() + patience_seconds
    complaint = _complaint_of_view(registry)
    while complaint is not None and time.monotonic() < deadline:
        time.sleep(_VIEW_PAUSE_SECONDS)
        complaint = _complaint_of_view(registry)
    if complaint is not None:
        yield Finding("view_differs", True, None, None, complaint)


def _complaint_of_view(registry: ModelRegistry) -> str | None:
    path = registry.view_path
    if path is None:
        return None
    document = registry_document(registry.database)
    try:
        is_equal = path.read_bytes() == to_bytes(document)
    except FileNotFoundError:
        return f"{path} is not there; the next change writes it" if document["models"] else None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None if is_equal else f"{path} is not what the database has; the next change rewrites it"
