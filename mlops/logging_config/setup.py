"""Setting up logging for a program, and taking it back."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from pydantic import SecretStr

from mlops.config import Settings, default_settings
from mlops.errors import InvalidSettings
from mlops.logging_config.handlers import FILES, ConsoleHandler, FilesHandler, is_ours
from mlops.logging_config.redaction import HashQuery, Redactor

_MEGABYTE = 1_000_000

# Of other libraries, only warnings are of interest.
_OTHERS = logging.WARNING
# Loggers of uvicorn that come with handlers of their own.
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.asgi")
# Its lines hold the whole address, and so what people searched for.
_ACCESS = "uvicorn.access"

_log = logging.getLogger("mlops.logging_config")


@dataclass(frozen=True, slots=True)
class LogState:
    """How logging is.

    Attributes:
        n_lost: lines that this process could not write since logging was set up.
        problems: why the last line of a file could not be written, a sentence for each file; empty where all is well.
    """

    n_lost: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Before:
    """How a logger was before it was set up."""

    logger: logging.Logger
    level: int
    propagate: bool
    handlers: tuple[logging.Handler, ...]


class _Setup:
    """What is set up in this process."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.is_decided = False
        self.level = logging.NOTSET
        self.claimed: dict[str, logging.Logger] = {}
        self.before: dict[str, _Before] = {}


_setup = _Setup()


def setup_logging(
    settings: Settings | None = None,
    *,
    console: bool = True,
    files: bool = True,
    stream: TextIO | None = None,
    also: Iterable[str] = (),
    hash_query: HashQuery | None = None,
) -> None:
    """Send what this process logs to the files under ``DATA_DIR/logs`` and to the console. Once more: as if anew.

    Handlers of others at the root logger stay. uvicorn's lines go where all others go, and its access log is silent,
    since it holds what people search for.

    Args:
        settings: default: those of the environment.
        stream: the console; default: standard output.
        also: names of loggers that heed LOG_LEVEL, beside those of the toolkit and of :func:`get_logger`. Of all others
            only warnings and worse are kept.
        hash_query: what the text of a query becomes, see :class:`Redactor`.
    Raises:
        InvalidSettings: a variable of the environment cannot be used.
    """
    settings = settings or default_settings()
    redactor = Redactor(secrets=_secrets_of(settings), hash_query=hash_query, keeps_queries=settings.log_query_text)
    handlers: list[logging.Handler] = []
    if files:
        limits = {"max_bytes": settings.max_log_size_mb * _MEGABYTE, "n_backups": settings.backup_count}
        handlers.append(FilesHandler(settings.logs_dir, redactor, **limits))
    if console:
        handlers.append(ConsoleHandler(stream or sys.stdout, redactor))
    with _setup.guard:
        tear_down_logging()
        _setup.is_decided = True
        _setup.level = logging.getLevelNamesMapping()[settings.log_level]
        _take_over(handlers, [*FILES, *also])


def tear_down_logging() -> None:
    """Take back what :func:`setup_logging` did: handlers are closed, levels are what they were."""
    with _setup.guard:
        for handler in [each for each in logging.getLogger().handlers if is_ours(each)]:
            logging.getLogger().removeHandler(handler)
            handler.close()
        for before in _setup.before.values():
            before.logger.setLevel(before.level)
            before.logger.propagate = before.propagate
            before.logger.handlers[:] = before.handlers
        _setup.before.clear()
        _setup.is_decided = False


def log_state() -> LogState:
    """How logging is in this process; nothing is lost where it was not set up."""
    n_lost, problems = 0, []
    for handler in logging.getLogger().handlers:
        if isinstance(handler, FilesHandler):
            n_lost += handler.n_failed + sum(file.n_lost for file in handler.files.values())
            problems += [f"{name}: {file.problem}" for name, file in handler.files.items() if file.problem]
    return LogState(n_lost, tuple(problems))


def claim(logger: logging.Logger) -> None:
    """Let *logger* heed LOG_LEVEL, now or as soon as logging is set up."""
    with _setup.guard:
        if logger.name in _setup.claimed:
            return
        _setup.claimed[logger.name] = logger
        if _setup.before:
            _heed(logger)


def prepare(logger: logging.Logger) -> None:
    """Before the first line: where nobody set up logging for *logger*, set up the files, not the console."""
    if not _setup.is_decided:
        with _setup.guard:
            # Whoever has a handler has made up their mind.
            if not _setup.is_decided and not logger.hasHandlers():
                _set_up_by_itself()
            _setup.is_decided = True


def _set_up_by_itself() -> None:
    try:
        setup_logging(console=False)
    except InvalidSettings as error:
        # Who logs a line must not fail for it. Python shows warnings on standard error where nothing is set up.
        _log.warning("logging is not set up: %s", error)


def _take_over(handlers: Iterable[logging.Handler], names: Iterable[str]) -> None:
    root = logging.getLogger()
    _remember(root)
    root.setLevel(max(_OTHERS, _setup.level))
    for name in _UVICORN:
        _redirect(logging.getLogger(name), propagate=True)
    _redirect(logging.getLogger(_ACCESS), propagate=False)
    for logger in {**_setup.claimed, **{name: logging.getLogger(name) for name in names}}.values():
        _heed(logger)
    for handler in handlers:
        root.addHandler(handler)


def _redirect(logger: logging.Logger, *, propagate: bool) -> None:
    _remember(logger)
    logger.handlers.clear()
    logger.propagate = propagate
    logger.setLevel(_setup.level)


def _heed(logger: logging.Logger) -> None:
    """Give *logger* the level of the settings, unless somebody gave it another."""
    if logger.level == logging.NOTSET and logger is not logging.getLogger():
        _remember(logger)
        logger.setLevel(_setup.level)


def _remember(logger: logging.Logger) -> None:
    before = _Before(logger, logger.level, logger.propagate, tuple(logger.handlers))
    _setup.before.setdefault(logger.name, before)


def _secrets_of(settings: Settings) -> list[str]:
    values = [getattr(settings, name) for name in type(settings).model_fields]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
