"""A registry with everything that settings name: database, artefacts, view, approval."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from mlops import schema
from mlops.artefacts import DiskArtefacts
from mlops.clock import Clock, utc_now
from mlops.config import Settings, load_settings
from mlops.model_registry._approvals import ApprovalPolicy
from mlops.model_registry.registry import ModelRegistry
from mlops.store import Database


@dataclass(frozen=True)
class RegistryParts:
    """What a registry is made of."""

    database: Database
    artefacts: DiskArtefacts
    view_path: Path
    approval: ApprovalPolicy


def parts_for(settings: Settings | None = None, *, database: Database | None = None) -> RegistryParts:
    """The parts that *settings* name (default: those of the environment). Nothing is opened yet.

    Args:
        database: one whose tables are there; default: the settings' own, whose tables are made when it is first used.

    Raises:
        InvalidSettings: a setting has a value that cannot be used.
    """
    settings = settings or load_settings(Settings)
    key = settings.artifact_signing_key
    # Absolute, as the database's is: a program may change its working directory.
    folder = settings.models_dir.absolute()
    return RegistryParts(
        database or Database(settings.state_url, tables=(schema.MIGRATIONS,)),
        DiskArtefacts(folder / "artifacts", signing_key=key.get_secret_value().encode() if key is not None else None),
        folder / "registry.json",
        ApprovalPolicy.from_text(settings.require_approval, by_another=settings.approval_by_another),
    )


def open_registry(
    settings: Settings | None = None,
    *,
    database: Database | None = None,
    actor: str | None = None,
    clock: Clock = utc_now,
) -> ModelRegistry:
    """The registry that *settings* name. See :func:`parts_for`."""
    parts = parts_for(settings, database=database)
    return ModelRegistry(
        parts.database,
        artefacts=parts.artefacts,
        view_path=parts.view_path,
        approval=parts.approval,
        actor=actor,
        clock=clock,
    )


_guard = threading.Lock()
_default: ModelRegistry | None = None


def default_registry() -> ModelRegistry:
    """The registry of the environment's settings, one for the process: ``from mlops import model_registry``."""
    global _default
    with _guard:
        if _default is None:
            _default = open_registry()
        return _default
