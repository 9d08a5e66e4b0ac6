"""The model registry: versions that stand still, moves that are remembered.

``from mlops import model_registry`` is the registry of the environment's settings.
"""

from mlops.model_registry._approvals import ApprovalPolicy
from mlops.model_registry.metadata import Lineage, ModelMetadata
from mlops.model_registry.opening import default_registry, open_registry
from mlops.model_registry.records import Approval, Freeze, ModelSummary, ModelVersion, Move
from mlops.model_registry.registry import ModelRegistry
from mlops.model_registry.states import STATUSES, Status
from mlops.model_registry.versions import Bump, SemanticVersion

__all__ = [
    "STATUSES",
    "Approval",
    "ApprovalPolicy",
    "Bump",
    "Freeze",
    "Lineage",
    "ModelMetadata",
    "ModelRegistry",
    "ModelSummary",
    "ModelVersion",
    "Move",
    "SemanticVersion",
    "Status",
    "default_registry",
    "open_registry",
]


def __getattr__(name: str) -> object:
    # `from mlops.model_registry import model_registry`, as the owner's first package had it.
    if name == "model_registry":
        return default_registry()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
