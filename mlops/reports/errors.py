"""The errors of reports.

MlopsError
└── ReportError     something about a report
    └── BadChart    data that cannot be drawn
"""

from mlops.errors import MlopsError


class ReportError(MlopsError):
    """Something about a report."""


class BadChart(ReportError, ValueError):
    """Data that cannot be drawn; the message names the chart, the value and what would be right."""
