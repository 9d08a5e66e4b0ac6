"""MLflow through its client: finds what is there, and makes it what it should be. The one module that imports MLflow.

Each thing is made with the tags by which it is found again, in one call: who dies between any two calls, and begins
anew, finds what it has made and goes on from there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops.errors import MirrorDiffers
from mlops.tracking.wanted import ALIAS, CONTENT_TAG, FILES_FOLDER, MODEL_TAG, VERSION_TAG, WantedRun

# An MLflow that is slow must not hold up the mirror, which tries again by itself. Left alone, MLflow also reports its
# use to its makers, and talks.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
_MODEL_DESCRIPTION = "Mirrored from the model registry of mlops. What is changed here does not come back."
_BATCH = 100


class RemoteMlflow:
    """One experiment of an MLflow, and its registered models."""

    def __init__(self, client: Any, experiment_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id

    def find_version(self, model_id: str, version: str) -> Any:
        """MLflow's version of ours, None where there is none; the first where there are several."""
        found = self._client.search_model_versions(f"name = '{model_id}' and tags.`{VERSION_TAG}` = '{version}'")
        return min(found, key=lambda each: int(each.version), default=None)

    def make_run(self, wanted: WantedRun, files: Mapping[str, bytes]) -> str:
        """See that the run is there, whole, with *files* by path; returns its id."""
        run = self._find_run(wanted) or self._client.create_run(
            self._experiment_id, start_time=wanted.at_ms, run_name=wanted.name, tags=dict(wanted.identity)
        )
        run_id = str(run.info.run_id)
        if run.info.status != "FINISHED":
            self._fill_run(run_id, wanted)
            self._upload(run_id, files)
            # Last: a run that is finished is whole.
            self._client.set_terminated(run_id, "FINISHED", end_time=wanted.at_ms)
        return run_id

    def make_model(self, model_id: str) -> None:
        """See that the registered model is there."""
        with _unless("RESOURCE_ALREADY_EXISTS"):
            self._client.create_registered_model(model_id, description=_MODEL_DESCRIPTION)

    def make_version(self, model_id: str, run_id: str, *, tags: Mapping[str, str], description: str) -> str:
        """Make the version of a run; returns MLflow's number for it."""
        made = self._client.create_model_version(
            model_id,
            source=f"runs:/{run_id}/{FILES_FOLDER}",
            run_id=run_id,
            tags=dict(tags),
            description=description,
            await_creation_for=10,
        )
        return str(made.version)

    def update_version(self, found: Any, *, tags: Mapping[str, str], description: str) -> str:
        """Make a version that is there what it should be; returns its number.

        Raises:
            MirrorDiffers: it was not made from this version.
        """
        if found.tags.get(CONTENT_TAG) != tags[CONTENT_TAG]:
            raise MirrorDiffers(
                f"MLflow has a {tags[MODEL_TAG]} {tags[VERSION_TAG]} with other content, as its version "
                f"{found.version}: does another registry mirror to the same MLflow?"
            )
        for name, value in tags.items():
            if found.tags.get(name) != value:
                self._client.set_model_version_tag(found.name, found.version, name, value)
        if (found.description or "") != description:
            self._client.update_model_version(found.name, found.version, description=description)
        return str(found.version)

    def point_alias(self, model_id: str, number: str | None) -> None:
        """Let the alias ``production`` lead to MLflow's version *number*, or nowhere."""
        aliases = self._client.get_registered_model(model_id).aliases
        # MLflow gives numbers here as text or as numbers, by release.
        current = None if ALIAS not in aliases else str(aliases[ALIAS])
        if number is None and current is not None:
            self._client.delete_registered_model_alias(model_id, ALIAS)
        elif number is not None and number != current:
            self._client.set_registered_model_alias(model_id, ALIAS, number)

    def check(self) -> None:
        """Ask for a sign of life; raises whatever the client raises where there is none."""
        self._client.get_experiment(self._experiment_id)

    def _find_run(self, wanted: WantedRun) -> Any:
        terms = " and ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.identity.items())
        found = self._client.search_runs(
            [self._experiment_id], terms, max_results=1, order_by=["attributes.start_time ASC"]
        )
        return found[0] if found else None

    def _fill_run(self, run_id: str, wanted: WantedRun) -> None:
        from mlflow.entities import Metric, Param, RunTag

        # The same again changes nothing: equal parameters are accepted, and a metric's time is always the version's.
        values: list[tuple[str, Any]] = [
            *(("metrics", Metric(name, value, wanted.at_ms, 0)) for name, value in wanted.metrics.items()),
            *(
                ("metrics", Metric(name, value, wanted.at_ms, step))
                for name, steps in wanted.curves.items()
                for step, value in steps.items()
            ),
            *(("params", Param(name, value)) for name, value in wanted.params.items()),
            *(("tags", RunTag(name, value)) for name, value in wanted.tags.items()),
        ]
        for start in range(0, len(values), _BATCH):
            batch = values[start : start + _BATCH]
            kinds = {kind: [each for name, each in batch if name == kind] for kind in ("metrics", "params", "tags")}
            self._client.log_batch(run_id, **kinds)

    def _upload(self, run_id: str, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="mlops-mirror-") as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self._client.log_artifacts(run_id, folder)


def connect(uri: str, *, experiment: str, artifact_location: str | None) -> RemoteMlflow:
    """MLflow at *uri*, the experiment made where it is new; raises whatever the client raises.

    Args:
        artifact_location: URI of the folder for files of a new experiment; None: what MLflow takes by itself.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    client: Any = MlflowClient(tracking_uri=uri, registry_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        with _unless("RESOURCE_ALREADY_EXISTS"):
            client.create_experiment(experiment, artifact_location=artifact_location)
        found = client.get_experiment_by_name(experiment)
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return RemoteMlflow(client, found.experiment_id)


@contextmanager
def _unless(code: str) -> Iterator[None]:
    """Lets MLflow's error *code* pass: somebody else has done the same just before."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
