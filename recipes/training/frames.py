"""Training data that a caller brings as a data frame, one row for each recipe shown.

The layout is ``training_rows`` of ``mlops/data_schema.json``: ``request_id``, ``recipe_id``, ``position``,
``propensity``, ``shown_at``, the features as ``feature_NAME`` or as a mapping ``features``, and ``gain`` or ``label``;
``user_id`` and ``query_hash`` where they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops.clock import in_utc, utc_from_text
from mlops.errors import UnreadableData
from mlops.sentences import say
from recipes.training.labels import EVENT_CODES
from recipes.training.log import Event, ImpressionLog, LogWriter

if TYPE_CHECKING:
    import pyarrow as pa

_NEEDED = ("request_id", "recipe_id", "position", "propensity", "shown_at")
_PREFIX = "feature_"
_ROWS_AT_ONCE = 5_000
# The least gain for which each event stands, the highest first.
_EVENTS_OF_GAINS = ((4.0, "rating"), (3.0, "cook"), (2.0, "save"))


def log_of(frame: Any) -> ImpressionLog:
    """*frame* as a log; an event stands for the gain of each row, at the time when it was shown.

    Args:
        frame: a data frame, an Arrow table, or whatever speaks Arrow's stream protocol.
    Raises:
        UnreadableData: it is no table, a column is missing, or a value cannot be used; the message names it.
    """
    table = _table(frame)
    rows = sorted(_rows(table), key=lambda row: (row["answered_at"], row["request_id"], row["position"]))
    writer = LogWriter()
    for row in rows:
        writer.add(row, _events(row))
    n_items = len({row["recipe_id"] for row in rows})
    return writer.log(n_items=n_items)


def _table(frame: Any) -> pa.Table:
    import pyarrow as pa

    try:
        table = frame if isinstance(frame, pa.Table) else pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UnreadableData(say("the training data are no table: {error}", error=error)) from error
    missing = [name for name in _NEEDED if name not in table.column_names]
    if not {"gain", "label"} & set(table.column_names):
        missing.append("gain, or label")
    if missing:
        raise UnreadableData(
            say(
                "the training data have no column {missing!s}; they have {columns}",
                missing=missing[0],
                columns=table.column_names,
            )
        )
    return table


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    names = [name for name in table.column_names if name.startswith(_PREFIX)]
    number = 0
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            number += 1
            yield _row(row, names, number)


def _row(row: Mapping[str, Any], names: Sequence[str], number: int) -> dict[str, Any]:
    features = {**dict(row.get("features") or {}), **{name.removeprefix(_PREFIX): row[name] for name in names}}
    gain = row["label"] if row.get("gain") is None else row["gain"]
    try:
        return {
            "request_id": str(row["request_id"]),
            "recipe_id": str(row["recipe_id"]),
            "position": _ranged("position", int(row["position"]), 1, 1_000),
            "propensity": _ranged("propensity", float(row["propensity"]), 1e-9, 1),
            "answered_at": _time(row["shown_at"]),
            "user_id": row.get("user_id"),
            # Without it every answer counts as one to another query.
            "query_hash": row.get("query_hash") or str(row["request_id"]),
            "score": float(row.get("score") or 0.0),
            "features": {name: float(value) for name, value in features.items() if value is not None},
            "gain": _ranged("gain", float(gain), 0, 10),
        }
    except (TypeError, ValueError, KeyError) as error:
        problem = say("row {number:d} of the training data cannot be used: {error}", number=number, error=error)
        raise UnreadableData(problem) from error


def _ranged(name: str, value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:
        raise ValueError(
            say("{field} must be from {low:g} to {high:g}, got {value}", field=name, low=low, high=high, value=value)
        )
    return value


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return in_utc(value)
    return utc_from_text(str(value))


def _events(row: Mapping[str, Any]) -> Sequence[Event]:
    if row["gain"] == 0:
        return ()
    kind = next((name for least, name in _EVENTS_OF_GAINS if row["gain"] >= least), "click")
    return [(EVENT_CODES[kind], 5.0 if kind == "rating" else float("nan"), row["answered_at"].timestamp())]
