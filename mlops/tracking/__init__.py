"""The mirror of the model registry in MLflow: versions, parameters, metrics, tags, files and the alias ``production``.

The registry is the truth and MLflow a view of it. Importing this imports no MLflow: only
:meth:`MlflowMirror.send` does, which services leave to a process of its own (:class:`MirrorRunner`).
"""

from mlops.tracking.mirror import MirrorReport, MlflowMirror, open_mirror
from mlops.tracking.outbox import MirrorStatus
from mlops.tracking.place import artifact_location, tracking_uri
from mlops.tracking.runner import MirrorRunner

__all__ = [
    "MirrorReport",
    "MirrorRunner",
    "MirrorStatus",
    "MlflowMirror",
    "artifact_location",
    "open_mirror",
    "tracking_uri",
]
