"""The checks around a model: the data it was trained on, the data it sees, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np

from mlops.drift.check import check_drift
from mlops.drift.means import METHOD, mean_changes
from mlops.drift.options import DriftOptions
from mlops.drift.result import DriftReport
from mlops.validation.check import validate_data
from mlops.validation.outputs import output_issues
from mlops.validation.violations import ValidationReport


class ModelValidator:
    """Checks of data and of outputs, with plain mappings as answers."""

    def check_data_drift(
        self,
        baseline_data: Any,
        current_data: Any,
        threshold: float = 0.1,
        *,
        method: Literal["relative_mean_change", "distribution"] = "relative_mean_change",
    ) -> dict[str, Any]:
        """Whether *current_data* has drifted from *baseline_data*.

        Args:
            baseline_data, current_data: tables (Arrow, pandas), mappings of arrays, rows as mappings, or arrays of one
                or two dimensions, whose columns are then "0", "1", …
            threshold: the change that counts, 0.1 for ten per cent.
            method: ``relative_mean_change``, the mean moved by more than *threshold*; or ``distribution``, effect and
                significance of the whole distribution, which also knows when there is too little data.

        Returns:
            ``drift_detected``, ``columns_with_drift`` in the order of the baseline, and ``details`` by column.

        Raises:
            DriftError: a side is no table.
            ValueError: *threshold* is negative, or *method* is unknown.
        """
        before, now = _table(baseline_data), _table(current_data)
        if method == METHOD:
            details = mean_changes(before, now, threshold=threshold)
            drifted = [name for name, fields in details.items() if fields["drifted"]]
            return {"drift_detected": bool(drifted), "columns_with_drift": drifted, "details": details}
        if method != "distribution":
            raise ValueError(f"method must be {METHOD} or distribution, got {method!r}")
        report = check_drift(before, now, options=DriftOptions(threshold=threshold))
        columns: dict[str, Any] = {name: {"method": method, "results": [], "findings": []} for name in _names(report)}
        for result in report.results:
            columns[result.column]["results"].append(result.to_dict())
        for finding in report.findings:
            columns[finding.column]["findings"].append(finding.to_dict())
        drifted = report.columns_with_drift
        return {"drift_detected": report.drifted, "columns_with_drift": drifted, "details": columns}

    def validate_model_output(
        self,
        predictions: Any,
        expected_shape: Sequence[int | None] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> dict[str, Any]:
        """Whether *predictions* are finite numbers of the shape and in the range that are wanted.

        Args:
            predictions: an array, a nested list or a series.
            expected_shape: None or -1 stands for any length.
            value_range: least and largest value, both allowed.

        Returns:
            ``valid``, and ``issues``: a sentence each.
        """
        issues = output_issues(predictions, expected_shape=expected_shape, value_range=value_range)
        return {"valid": not issues, "issues": issues}

    def validate_data(
        self,
        data: Any,
        part: str | None = None,
        *,
        tables: Mapping[str, Any] | None = None,
        now: datetime | None = None,
    ) -> ValidationReport:
        """As :func:`mlops.validation.validate_data`, with the schema of this package."""
        return validate_data(data, part=part, tables=tables or {}, now=now)


def _names(report: DriftReport) -> list[str]:
    return list(dict.fromkeys([one.column for one in report.results] + [one.column for one in report.findings]))


def _table(data: Any) -> Any:
    """Arrays and rows as a mapping of columns; other data as it is."""
    if isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        return {name: [row.get(name) for row in data] for name in names}
    if not isinstance(data, list | tuple | np.ndarray):
        return data
    values = np.asarray(data)
    if values.ndim > 2:
        return data
    return {str(number): column for number, column in enumerate(np.atleast_2d(values.T))}
