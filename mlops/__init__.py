"""The toolkit under Recipe Recommender: it operates models of any project, and knows nothing of recipes.

Importing it reads nothing and opens nothing. What is named in ``__all__`` is loaded when it is first asked for;
``config`` and ``model_registry`` are made from the environment's settings at that moment.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops.config import Settings
    from mlops.evaluation import EvaluationReport, ModelEvaluator
    from mlops.model_registry import Lineage, ModelMetadata, ModelRegistry, ModelVersion
    from mlops.rollout import CanaryRouter, RolloutController, RolloutPlan
    from mlops.validation import ModelValidator

    config: Settings
    model_registry: ModelRegistry

# Where each name is defined.
_HOMES = {
    "CanaryRouter": "mlops.rollout",
    "EvaluationReport": "mlops.evaluation",
    "Lineage": "mlops.model_registry",
    "ModelEvaluator": "mlops.evaluation",
    "ModelMetadata": "mlops.model_registry",
    "ModelRegistry": "mlops.model_registry",
    "ModelValidator": "mlops.validation",
    "ModelVersion": "mlops.model_registry",
    "RolloutController": "mlops.rollout",
    "RolloutPlan": "mlops.rollout",
}

__all__ = [
    "CanaryRouter",
    "EvaluationReport",
    "Lineage",
    "ModelEvaluator",
    "ModelMetadata",
    "ModelRegistry",
    "ModelValidator",
    "ModelVersion",
    "RolloutController",
    "RolloutPlan",
    "config",
    "model_registry",
]


class _Package(ModuleType):
    """Two names are a module and an object at once. Python sets the module when it is imported; the object must win."""

    @property
    def config(self) -> Any:
        """The settings of the environment."""
        return importlib.import_module("mlops.config").default_settings()

    @config.setter
    def config(self, _module: ModuleType) -> None:
        pass

    @property
    def model_registry(self) -> Any:
        """The registry of the environment's settings."""
        return importlib.import_module("mlops.model_registry").default_registry()

    @model_registry.setter
    def model_registry(self, _module: ModuleType) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
