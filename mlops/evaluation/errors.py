"""The errors of evaluation.

MlopsError
└── EvaluationError         something that was to be evaluated cannot be
    ├── BadInput            an argument has the wrong shape, type or values (also a ValueError)
    │   ├── EmptyInput      there is nothing in it
    │   ├── LengthMismatch  two arguments that belong together differ in length or shape
    │   ├── NotFinite       a number is NaN or infinite, or a result would be too large for a float
    │   └── UnknownMetric   no metric has this name
    ├── NothingRelevant     no query has a relevant item, so that there is no mean
    ├── BadGate             the configuration of a gate cannot be used (also a ValueError)
    └── BadReport           a file is no evaluation report that this release can read
"""

from mlops.errors import MlopsError


class EvaluationError(MlopsError):
    """Something that was to be evaluated cannot be."""


class BadInput(EvaluationError, ValueError):
    """An argument has the wrong shape, type or values; the message names it, and what would be right."""


class EmptyInput(BadInput):
    """There is nothing in an argument."""


class LengthMismatch(BadInput):
    """Two arguments that belong together differ in length or shape."""


class NotFinite(BadInput):
    """A number is NaN or infinite, or a result would be too large for a float."""


class UnknownMetric(BadInput):
    """No metric has this name."""


class NothingRelevant(EvaluationError):
    """No query has a relevant item, so that there is no mean."""


class BadGate(EvaluationError, ValueError):
    """The configuration of a gate cannot be used; the message says where and why."""


class BadReport(EvaluationError):
    """A file is no evaluation report that this release can read."""
