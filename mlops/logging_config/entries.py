"""A record of the standard library as one line of JSON: fixed names first, then the context, then the fields."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
from structlog.contextvars import get_contextvars
from structlog.tracebacks import ExceptionDictTransformer

from mlops.logging_config.redaction import Redactor, plain

Entry = dict[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# What a field of the same name becomes is `name_`: nobody can write another level or time than the true one.
_FIXED = frozenset({"timestamp", "level", "logger", "event", "exception", "stack"})
# uvicorn says everything twice, the second time in colour.
_NO_FIELDS = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"})
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS

# Locals hold what nobody meant to log.
_frames = ExceptionDictTransformer(show_locals=False, use_rich=False)


class Event:
    """The message of a record that came through our loggers: an event and its fields."""

    __slots__ = ("fields", "text")

    def __init__(self, text: str, fields: Entry) -> None:
        self.text = text
        self.fields = fields

    def __str__(self) -> str:
        """As handlers that are not ours show it, cleaned: they know of no fields."""
        shown = _for_others().text(self.text)
        cleaned = _for_others().clean(self.fields)
        return " ".join([shown, *(f"{key}={value!r}" for key, value in cleaned.items())])


@functools.cache
def _for_others() -> Redactor:
    return Redactor()


def entry_of(record: logging.LogRecord) -> Entry:
    """Everything about *record*, uncleaned: `timestamp`, `level`, `logger`, `event`, context, fields, `exception`."""
    message: object = record.msg
    ours = message if isinstance(message, Event) else None
    entry: Entry = {
        "timestamp": datetime.fromtimestamp(record.created, UTC),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": _message(record) if ours is None else ours.text,
    }
    _add(entry, get_contextvars())
    _add(entry, _trace())
    _add(entry, _extra(record) if ours is None else ours.fields)
    if record.exc_info and record.exc_info[1] is not None:
        entry["exception"] = exception_of(record.exc_info)
    if record.stack_info:
        entry["stack"] = record.stack_info
    return entry


def line_of(entry: Entry, redactor: Redactor) -> bytes:
    """*entry*, cleaned, as a line of JSON that ends in a line feed."""
    line = _dumped(entry)
    if line is None or redactor.concerns(entry, line):
        return orjson.dumps(redactor.clean(entry), plain, _OPTIONS)
    return line


def _dumped(entry: Entry) -> bytes | None:
    """None for a circle, an integer beyond 64 bits, half a surrogate pair: cleaning makes them plain."""
    try:
        return orjson.dumps(entry, plain, _OPTIONS)
    except TypeError:
        return None


def exception_of(info: ExcInfo) -> list[Entry]:
    """The exception and what caused it, innermost cause last: type, message, and the frames without their locals."""
    return [
        {
            "type": each["exc_type"],
            "message": each["exc_value"],
            "is_cause": each["is_cause"],
            "frames": [
                {"file": frame["filename"], "line": frame["lineno"], "function": frame["name"]}
                for frame in each["frames"]
            ],
            **({"notes": each["exc_notes"]} if each["exc_notes"] else {}),
            **({"exceptions": each["exceptions"]} if each["exceptions"] else {}),
        }
        for each in _frames(info)
    ]


def _add(entry: Entry, fields: Mapping[str, Any]) -> None:
    if _FIXED.isdisjoint(fields):
        entry.update(fields)
    else:
        entry.update({f"{key}_" if key in _FIXED else key: value for key, value in fields.items()})


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the message
        return f"{record.msg} {record.args!r}"


def _extra(record: logging.LogRecord) -> Entry:
    return {key: value for key, value in vars(record).items() if key not in _NO_FIELDS}


def _trace() -> Mapping[str, str]:
    """Ids of the active span, where the program uses OpenTelemetry. It is never imported for this."""
    telemetry = sys.modules.get("opentelemetry.trace")
    if telemetry is None:
        return {}
    span = telemetry.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
