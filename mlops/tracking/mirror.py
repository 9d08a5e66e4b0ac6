"""Sends what waits to MLflow. State-based: it reads a version as it is now, and makes MLflow equal."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.clock import Clock, utc_now
from mlops.config import Settings
from mlops.errors import MirrorBusy, StoreError
from mlops.model_registry import ModelRegistry, ModelVersion, open_registry
from mlops.model_registry.reading import RegistryReader
from mlops.store import Database
from mlops.store.leases import HeldLease, Leases
from mlops.tracking.curves import curves_of
from mlops.tracking.outbox import MirrorStatus, Outbox, Waiting
from mlops.tracking.place import artifact_location, tracking_uri
from mlops.tracking.wanted import FILES_FOLDER, VERSION_FILE, version_file, version_tags, wanted_run

if TYPE_CHECKING:
    from mlops.tracking._remote import RemoteMlflow

LEASE = "mlflow-mirror"
# How long others wait after a mirroring process was killed.
_LEASE_SECONDS = 15.0
_PASSWORD = re.compile(r"(?<=://)[^/\s@]+@")

_log = logging.getLogger("mlops.tracking")


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """What one round did.

    Attributes:
        sent: (model_id, version) of what MLflow has now.
        failed: what it has not, with the reason.
        n_waiting: versions that still wait, those that failed among them.
    """

    sent: tuple[tuple[str, str], ...]
    failed: Mapping[tuple[str, str], str]
    n_waiting: int

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "sent": [{"model_id": model_id, "version": version} for model_id, version in self.sent],
            "failed": [
                {"model_id": model_id, "version": version, "error": error}
                for (model_id, version), error in self.failed.items()
            ],
            "n_waiting": self.n_waiting,
        }


class MlflowMirror:
    """Mirrors a registry to an MLflow. Any number of processes may have one: a lease lets one work at a time.

    MLflow is imported by :meth:`send` where something waits, and not before.
    """

    def __init__(
        self,
        registry: RegistryReader,
        uri: str,
        *,
        experiment: str,
        artifact_location: str | None = None,
        clock: Clock = utc_now,
        rng: np.random.Generator | None = None,
    ) -> None:
        """A mirror of *registry*. Nothing is opened or imported yet.

        Args:
            uri: of MLflow: a server, or a database such as ``sqlite:///mlflow.db``.
            artifact_location: URI of the folder for the files of a new experiment; None: what MLflow takes by itself.
            rng: draws the jitter of the times between attempts.
        """
        self._registry = registry
        self._uri = uri
        self._experiment = experiment
        self._artifact_location = artifact_location
        self._outbox = Outbox(registry.database, clock=clock, rng=rng)
        self._leases = Leases(registry.database, clock=clock)

    def send(self, *, only_due: bool = False, again: bool = False, for_seconds: float | None = None) -> MirrorReport:
        """Send what waits. What fails is noted, with the time of its next attempt, and does not stop the rest.

        Args:
            only_due: leave out what failed and is to be tried later.
            again: send all versions, those that have arrived too: for an MLflow that is another one now.
            for_seconds: begin with no further version after this time; the rest goes on waiting.

        Raises:
            MirrorBusy: another process is mirroring, or this one lost its lease, as after a pause.
            StoreError: the state database does not answer.
        """
        with self._leases.holding(LEASE, _this_process(), _LEASE_SECONDS) as lease:
            if lease is None:
                raise MirrorBusy("another process is mirroring to MLflow now, and sends all that waits")
            if again:
                self._outbox.forget()
            return _Round(self, lease, for_seconds).send(self._outbox.waiting(only_due=only_due))

    def status(self) -> MirrorStatus:
        """How the mirror stands. Imports no MLflow, and asks none."""
        return self._outbox.status()

    def _connect(self) -> RemoteMlflow:
        from mlops.tracking._remote import connect

        return connect(self._uri, experiment=self._experiment, artifact_location=self._artifact_location)


class _Round:
    """One round of sending, under one lease."""

    def __init__(self, mirror: MlflowMirror, lease: HeldLease, for_seconds: float | None) -> None:
        self._mirror = mirror
        self._registry = mirror._registry
        self._outbox = mirror._outbox
        self._lease = lease
        self._ends_at = None if for_seconds is None else time.monotonic() + for_seconds
        self._sent: list[tuple[str, str]] = []
        self._failed: dict[tuple[str, str], str] = {}

    def send(self, waiting: list[Waiting]) -> MirrorReport:
        if waiting:
            try:
                remote = self._mirror._connect()
            except StoreError:
                raise
            except Exception as error:  # MLflow lets through whatever its many libraries raise
                self._note(waiting, error)
            else:
                self._send_each(remote, waiting)
        return MirrorReport(tuple(self._sent), self._failed, self._outbox.status().n_waiting)

    def _send_each(self, remote: RemoteMlflow, waiting: list[Waiting]) -> None:
        for index, one in enumerate(waiting):
            if self._ends_at is not None and time.monotonic() >= self._ends_at:
                return
            try:
                self._send(remote, one)
            except (StoreError, MirrorBusy):
                raise
            except Exception as error:  # as above
                if not _answers(remote):
                    # The others would only wait for the same silence, one after the other.
                    self._note(waiting[index:], error)
                    return
                self._note([one], error)
            else:
                self._sent.append((one.model_id, one.version))

    def _send(self, remote: RemoteMlflow, waiting: Waiting) -> None:
        one = self._registry.get_model(waiting.model_id, waiting.version)
        assert one is not None  # noqa: S101
        number = self._make_version(remote, one)
        if one.deployed_at is not None:
            self._point_alias(remote, one.model_id)
        self._outbox.sent(one.model_id, one.version, generation=one.generation, mlflow_version=number)

    def _make_version(self, remote: RemoteMlflow, one: ModelVersion) -> str:
        self._check_lease()
        tags, description = version_tags(one), str(one["description"])
        found = remote.find_version(one.model_id, one.version)
        if found is not None:
            return remote.update_version(found, tags=tags, description=description)
        curves = curves_of(self._registry.database, one)
        run_id = remote.make_run(wanted_run(one, curves=curves), self._files(one))
        remote.make_model(one.model_id)
        self._check_lease()
        return remote.make_version(one.model_id, run_id, tags=tags, description=description)

    def _point_alias(self, remote: RemoteMlflow, model_id: str) -> None:
        champion = self._registry.get_production_model(model_id)
        found = None if champion is None else remote.find_version(model_id, champion.version)
        self._check_lease()
        remote.point_alias(model_id, None if found is None else str(found.version))

    def _files(self, one: ModelVersion) -> dict[str, bytes]:
        files = {} if one.artefact is None else self._registry.files(one)
        return {VERSION_FILE: version_file(one), **{f"{FILES_FOLDER}/{name}": files[name] for name in files}}

    def _check_lease(self) -> None:
        if self._lease.is_lost:
            raise MirrorBusy("the lease was lost on the way: another process may be mirroring to MLflow now")

    def _note(self, ones: list[Waiting], error: Exception) -> None:
        reason = shown(error)
        _log.warning("%d of the versions that wait could not be mirrored to MLflow: %s", len(ones), reason)
        self._outbox.failed(ones, reason)
        self._failed |= {(one.model_id, one.version): reason for one in ones}


def open_mirror(
    settings: Settings, *, registry: ModelRegistry | None = None, database: Database | None = None
) -> MlflowMirror | None:
    """The mirror that *settings* name; None where it is off.

    Raises:
        InvalidSettings: see :func:`~mlops.tracking.tracking_uri`.
    """
    uri = tracking_uri(settings)
    if uri is None:
        return None
    return MlflowMirror(
        registry or open_registry(settings, database=database),
        uri,
        experiment=settings.mlflow_experiment_name,
        artifact_location=artifact_location(settings, uri),
    )


def shown(error: BaseException) -> str:
    """An error in one line, without the name and password that a URI may hold."""
    text = " ".join(str(error).split()) or type(error).__name__
    return _PASSWORD.sub("", text)


def _answers(remote: RemoteMlflow) -> bool:
    try:
        remote.check()
    except Exception as error:  # as above
        _log.info("MLflow does not answer: %s", shown(error))
        return False
    return True


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
