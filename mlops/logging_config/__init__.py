"""Structured JSON logs: who logs, where it goes, and what never gets there.

Importing this configures nothing. A program calls :func:`setup_logging` at its start. Where none did, and nobody else
set up the standard library's logging, the first line logged through :func:`get_logger` sets up the files by itself.
"""

from mlops.logging_config.loggers import (
    Logger,
    app_logger,
    get_logger,
    mlops_logger,
    model_logger,
    monitoring_logger,
    retraining_logger,
)
from mlops.logging_config.redaction import REDACTED, Redactor
from mlops.logging_config.setup import LogState, log_state, setup_logging, tear_down_logging

__all__ = [
    "REDACTED",
    "LogState",
    "Logger",
    "Redactor",
    "app_logger",
    "get_logger",
    "log_state",
    "mlops_logger",
    "model_logger",
    "monitoring_logger",
    "retraining_logger",
    "setup_logging",
    "tear_down_logging",
]
