"""Loggers with fields: structlog's, over the standard library's, so that levels and handlers are the usual ones."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from mlops.logging_config.entries import Event, ExcInfo
from mlops.logging_config.setup import claim, prepare

_LEVELS = logging.getLevelNamesMapping()


class Logger(structlog.stdlib.BoundLogger):
    """A logger of the standard library that takes fields by keyword: ``log.info("model_swapped", version="1.2.0")``.

    ``bind(**fields)`` returns a logger that adds them to each line. Everything else, ``%s`` arguments, ``exc_info``,
    ``setLevel`` and so on, is as in :mod:`logging`.
    """

    def log(self, level: int | str, event: str | None = None, *args: Any, **kw: Any) -> None:
        """Log *event* at *level*, a number or a name.

        Raises:
            ValueError: there is no level of this name.
        """
        number = _level_number(level)
        if self._hears(number):
            self._emit(number, event, args, kw)

    def log_with_context(
        self, level: int | str = "INFO", msg: str = "", extra_data: Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        """Log *msg* with the fields of *extra_data*.

        Raises:
            ValueError: there is no level of this name.
        """
        number = _level_number(level)
        if self._hears(number):
            self._emit(number, msg, (), {**(extra_data or {}), **fields})

    def _proxy_to_logger(self, method_name: str, event: str | None = None, *event_args: Any, **event_kw: Any) -> None:
        number = logging.ERROR if method_name == "exception" else _LEVELS[method_name.upper()]
        if self._hears(number):
            self._emit(number, event, event_args, event_kw)

    def _hears(self, level: int) -> bool:
        prepare(self._logger)
        return self._logger.isEnabledFor(level)

    def _emit(self, level: int, event: object, args: tuple[Any, ...], kw: dict[str, Any]) -> None:
        # Not through Logger.info: looking up who called takes longer than all the rest.
        exc_info = _exc_info(kw.pop("exc_info", None))
        for name in ("stack_info", "stacklevel"):
            kw.pop(name, None)
        fields = {**self._context, **(kw.pop("extra", None) or {}), **kw}
        message = Event(_text(event, args), fields)
        logger = self._logger
        logger.handle(logger.makeRecord(logger.name, level, "", 0, message, (), exc_info))


def get_logger(name: str, **fields: Any) -> Logger:
    """The logger *name*, whose lines carry *fields*. It heeds LOG_LEVEL once logging is set up."""
    logger = logging.getLogger(name)
    claim(logger)
    return Logger(logger, [], fields)


def _level_number(level: int | str) -> int:
    if isinstance(level, int):
        return level
    number = _LEVELS.get(level.upper())
    if number is None:
        raise ValueError(f"there is no log level {level!r}; there are {', '.join(_LEVELS)}")
    return number


def _text(event: object, args: tuple[Any, ...]) -> str:
    text = str(event)
    if not args:
        return text
    try:
        # As in logging: one mapping is for `%(name)s`.
        return text % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args)
    except Exception:  # arguments that do not fit must not end the caller
        return f"{text} {args!r}"


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    found = given if isinstance(given, tuple) else sys.exc_info() if given else None
    return None if found is None or found[1] is None else found


app_logger = get_logger("app")
mlops_logger = get_logger("mlops")
monitoring_logger = get_logger("monitoring")
model_logger = get_logger("model_training")
retraining_logger = get_logger("retraining")
