"""The toolkit under Recipe Recommender: it operates models of any project, and knows nothing of recipes.

Importing it reads nothing and opens nothing. What is named in ``__all__`` is loaded when it is first asked for;
``config``, ``model_registry`` and ``metrics_collector`` are made from the environment's settings at that moment.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops.config import Settings
    from mlops.evaluation import EvaluationReport, ModelEvaluator
    from mlops.logging_config import (
        app_logger,
        get_logger,
        mlops_logger,
        model_logger,
        monitoring_logger,
        retraining_logger,
        setup_logging,
    )
    from mlops.model_registry import Lineage, ModelMetadata, ModelRegistry, ModelVersion
    from mlops.monitoring.anomalies import AnomalyDetector, anomaly_detector
    from mlops.monitoring.collector import MetricsCollector
    from mlops.monitoring.health import HealthMonitor, health_monitor
    from mlops.retraining import (
        AutomaticRetrainingScheduler,
        RetrainingConfig,
        RetrainingJob,
        RetrainingOrchestrator,
        auto_scheduler,
        register_trainer,
        retrain_config,
        retraining_orchestrator,
    )
    from mlops.rollout import CanaryRouter, RolloutController, RolloutPlan
    from mlops.validation import ModelValidator

    config: Settings
    metrics_collector: MetricsCollector
    model_registry: ModelRegistry

# Where each name is defined.
_HOMES = {
    "AnomalyDetector": "mlops.monitoring.anomalies",
    "AutomaticRetrainingScheduler": "mlops.retraining",
    "CanaryRouter": "mlops.rollout",
    "EvaluationReport": "mlops.evaluation",
    "HealthMonitor": "mlops.monitoring.health",
    "Lineage": "mlops.model_registry",
    "MetricsCollector": "mlops.monitoring.collector",
    "ModelEvaluator": "mlops.evaluation",
    "ModelMetadata": "mlops.model_registry",
    "ModelRegistry": "mlops.model_registry",
    "ModelValidator": "mlops.validation",
    "ModelVersion": "mlops.model_registry",
    "RetrainingConfig": "mlops.retraining",
    "RetrainingJob": "mlops.retraining",
    "RetrainingOrchestrator": "mlops.retraining",
    "RolloutController": "mlops.rollout",
    "RolloutPlan": "mlops.rollout",
    "anomaly_detector": "mlops.monitoring.anomalies",
    "app_logger": "mlops.logging_config",
    "auto_scheduler": "mlops.retraining",
    "get_logger": "mlops.logging_config",
    "health_monitor": "mlops.monitoring.health",
    "mlops_logger": "mlops.logging_config",
    "model_logger": "mlops.logging_config",
    "monitoring_logger": "mlops.logging_config",
    "register_trainer": "mlops.retraining",
    "retrain_config": "mlops.retraining",
    "retraining_logger": "mlops.logging_config",
    "retraining_orchestrator": "mlops.retraining",
    "setup_logging": "mlops.logging_config",
}

__all__ = [
    "AnomalyDetector",
    "AutomaticRetrainingScheduler",
    "CanaryRouter",
    "EvaluationReport",
    "HealthMonitor",
    "Lineage",
    "MetricsCollector",
    "ModelEvaluator",
    "ModelMetadata",
    "ModelRegistry",
    "ModelValidator",
    "ModelVersion",
    "RetrainingConfig",
    "RetrainingJob",
    "RetrainingOrchestrator",
    "RolloutController",
    "RolloutPlan",
    "anomaly_detector",
    "app_logger",
    "auto_scheduler",
    "config",
    "get_logger",
    "health_monitor",
    "metrics_collector",
    "mlops_logger",
    "model_logger",
    "model_registry",
    "monitoring_logger",
    "register_trainer",
    "retrain_config",
    "retraining_logger",
    "retraining_orchestrator",
    "setup_logging",
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

    @property
    def metrics_collector(self) -> Any:
        """The metrics of the environment's settings."""
        return importlib.import_module("mlops.monitoring.collector").default_collector()

    def __getattr__(self, name: str) -> Any:
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
