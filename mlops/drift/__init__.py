"""Drift: what changed between two windows of data, by how much, and whether chance explains it."""

from mlops.drift.check import Checker, check_drift
from mlops.drift.means import mean_changes, relative_mean_change
from mlops.drift.options import DriftOptions
from mlops.drift.outputs import OutputWindow, check_output_drift
from mlops.drift.profile import ReferenceProfile
from mlops.drift.queries import QueryWindow, check_query_drift, query_window
from mlops.drift.result import Distribution, DriftReport, DriftResult, Finding

__all__ = [
    "Checker", "Distribution", "DriftOptions", "DriftReport", "DriftResult", "Finding", "OutputWindow", "QueryWindow",
    "ReferenceProfile", "check_drift", "check_output_drift", "check_query_drift", "mean_changes", "query_window",
    "relative_mean_change",
]  # fmt: skip
