"""What the service measures of itself, and what is made of it: windows, anomalies, alerts, health.

``from mlops.monitoring import metrics_collector`` works as the owner's first package had it: what is named here is
loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "AnomalyDetector": "mlops.monitoring.anomalies",
    "HealthMonitor": "mlops.monitoring.health",
    "MetricsCollector": "mlops.monitoring.collector",
    "anomaly_detector": "mlops.monitoring.anomalies",
    "health_monitor": "mlops.monitoring.health",
}

__all__ = [
    "AnomalyDetector",
    "HealthMonitor",
    "MetricsCollector",
    "anomaly_detector",
    "health_monitor",
    "metrics_collector",
]


def __getattr__(name: str) -> Any:
    if name == "metrics_collector":
        return importlib.import_module("mlops.monitoring.collector").default_collector()
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
