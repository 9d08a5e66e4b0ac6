"""Validation: what is wrong with data, a model's output or an answer. Every violation by name, nothing coerced."""

from mlops.validation.answers import AnswerLayout, validate_answer
from mlops.validation.check import validate_data
from mlops.validation.files import read_typed
from mlops.validation.model import ModelValidator
from mlops.validation.schema import Schema, checked_schema, load_schema
from mlops.validation.violations import ValidationReport, Violation

__all__ = [
    "AnswerLayout", "ModelValidator", "Schema", "ValidationReport", "Violation", "checked_schema", "load_schema",
    "read_typed", "validate_answer", "validate_data",
]  # fmt: skip
