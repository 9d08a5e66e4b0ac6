"""Rules about data as a whole, which no schema of a single row can hold: the vocabulary of ``x-data-rules``.

============== =======================================================================================================
unique         ``[["request_id", "position"]]``: no two rows share these columns; rows where one is null are left out
max_null_share ``{"user_id": 0.5}``: at most this share of the rows has no value
soft_ranges    ``{"minutes": {"minimum": 1, "maximum": 1440, "max_share_outside": 0.01}}``: exceptions are rare
references     ``[{"column": "recipe_id", "to": "recipes", "key": "recipe_id"}]``: each value exists in the other table
freshness      ``{"column": "shown_at", "max_age_days": 90, "max_future_minutes": 5}``: the newest row is young, none is
               from the future
leakage        ``{"label": "label", "max_auc": 0.995, "columns": ["propensity"], "prefixes": ["features."]}``: none of
               these columns knows the label almost by itself
============== =======================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.drift.columns import column_names
from mlops.errors import BadSchema
from mlops.validation.schema import is_date_time
from mlops.validation.violations import Violation, shown

_LEAST_OF_A_LABEL = 10


@dataclass(slots=True)
class RuleContext:
    """What rules look at.

    Attributes:
        columns: Arrow arrays by name, nested numbers as "features.semantic".
        n_rows: of the data.
        tables: other tables, for references.
        now: for freshness; None where nobody said.
        unchecked: sentences about what could not be checked, filled by the rules.
    """

    columns: Mapping[str, Any]
    n_rows: int
    tables: Mapping[str, Any]
    now: datetime | None
    unchecked: list[str] = field(default_factory=list)


def rule_violations(rules: Mapping[str, Any], context: RuleContext) -> Iterator[Violation]:
    """What *rules*, the value of ``x-data-rules``, find.

    Raises:
        BadSchema: a rule is unknown, or its value does not have the form above.
    """
    for name, wanted in rules.items():
        if name not in _RULES:
            raise BadSchema(f"x-data-rules knows {', '.join(_RULES)}; got {name!r}")
        try:
            yield from _RULES[name](wanted, context)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadSchema(f"the rule {name} cannot be read: {shown(wanted)}") from error


def _unique(keys: Any, context: RuleContext) -> Iterator[Violation]:
    import pyarrow as pa

    for key in keys:
        if not set(key) <= context.columns.keys():
            # An absent column is the schema's business, where the schema needs it.
            continue
        table = pa.table({name: context.columns[name] for name in key})
        numbered = table.append_column("__row", pa.array(np.arange(context.n_rows))).drop_null()
        groups = numbered.group_by(key, use_threads=False).aggregate([("__row", "min")])
        first = np.zeros(context.n_rows, dtype=bool)
        first[groups["__row_min"].to_numpy()] = True
        for row in numbered["__row"].to_numpy()[~first[numbered["__row"].to_numpy()]].tolist():
            value = ", ".join(str(context.columns[name][row].as_py()) for name in key)
            yield Violation(row, " + ".join(key), "unique", shown(value), "must not occur twice")


def _max_null_share(limits: Any, context: RuleContext) -> Iterator[Violation]:
    for name, limit in limits.items():
        if context.n_rows and _has(context, [name], "max_null_share"):
            share = context.columns[name].null_count / context.n_rows
            if share > limit:
                yield Violation(None, name, "max_null_share", share, f"must be null in at most {limit:.2%} of the rows")


def _soft_ranges(ranges: Any, context: RuleContext) -> Iterator[Violation]:
    for name, wanted in ranges.items():
        if not _has(context, [name], "soft_ranges"):
            continue
        values = _numbers(context.columns[name])
        values = values[np.isfinite(values)]
        low, high = wanted.get("minimum", -np.inf), wanted.get("maximum", np.inf)
        share = float(((values < low) | (values > high)).mean()) if len(values) else 0.0
        allowed = wanted.get("max_share_outside", 0.0)
        if share > allowed:
            message = f"must lie between {low} and {high} but for {allowed:.2%} of the rows"
            yield Violation(None, name, "soft_ranges", share, message)


def _references(references: Any, context: RuleContext) -> Iterator[Violation]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for reference in references:
        name, to, key = reference["column"], reference["to"], reference["key"]
        if not _has(context, [name], "references"):
            continue
        if to not in context.tables or key not in column_names(context.tables[to]):
            missing = f"the table {to} was not given" if to not in context.tables else f"{to} has no column {key}"
            context.unchecked.append(f"references: {name} was not looked up, since {missing}.")
            continue
        known = pc.unique(pa.array(context.tables[to][key]).cast(pa.string()))
        values = context.columns[name].cast(pa.string())
        lost = ~pc.is_in(values, value_set=known).to_numpy(zero_copy_only=False) & values.is_valid().to_numpy(False)
        for row in np.flatnonzero(lost).tolist():
            yield Violation(row, name, "references", shown(values[row].as_py()), f"must exist as {key} of {to}")


def _freshness(wanted: Any, context: RuleContext) -> Iterator[Violation]:
    name, max_age = wanted["column"], timedelta(days=wanted["max_age_days"])
    tolerance = timedelta(minutes=wanted.get("max_future_minutes", 0))
    if not _has(context, [name], "freshness"):
        return
    if context.now is None:
        context.unchecked.append(f"freshness: {name} was not looked at, since the time of the check was not given.")
        return
    seconds = _seconds(context.columns[name])
    for row in np.flatnonzero(seconds > (context.now + tolerance).timestamp()).tolist():
        yield Violation(row, name, "freshness", _shown_time(seconds[row]), "must not lie in the future")
    known = seconds[np.isfinite(seconds)]
    if len(known) and known.max() < (context.now - max_age).timestamp():
        message = f"the newest row must be at most {wanted['max_age_days']} days old"
        yield Violation(None, name, "freshness", _shown_time(known.max()), message)


def _leakage(wanted: Any, context: RuleContext) -> Iterator[Violation]:
    label = wanted["label"]
    if not _has(context, [label], "leakage"):
        return
    values = _numbers(context.columns[label])
    positive = values > 0
    if min(positive.sum(), np.isfinite(values).sum() - positive.sum()) < _LEAST_OF_A_LABEL:
        context.unchecked.append(f"leakage: {label} has fewer than {_LEAST_OF_A_LABEL} rows of either kind.")
        return
    prefixes = tuple(wanted.get("prefixes", ()))
    for name, array in context.columns.items():
        if name != label and (name in wanted.get("columns", ()) or (prefixes and name.startswith(prefixes))):
            area = _auc(_numbers(array), positive, np.isfinite(values))
            if area is not None and max(area, 1 - area) >= wanted["max_auc"]:
                message = f"must not tell {label} by itself: AUC below {wanted['max_auc']}"
                yield Violation(None, name, "leakage", area, message)


def _auc(scores: NDArray[np.float64], positive: NDArray[np.bool_], known: NDArray[np.bool_]) -> float | None:
    from scipy.stats import rankdata

    used = known & np.isfinite(scores)
    n_positive, n_negative = int((positive & used).sum()), int((~positive & used).sum())
    if min(n_positive, n_negative) < _LEAST_OF_A_LABEL:
        return None
    ranks = rankdata(scores[used])[positive[used]].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _has(context: RuleContext, names: list[str], rule: str) -> bool:
    lacking = [name for name in names if name not in context.columns]
    for name in lacking:
        context.unchecked.append(f"{rule}: the data has no column {name} that can be looked at.")
    return not lacking


def _numbers(array: Any) -> NDArray[np.float64]:
    """The numbers of an Arrow array, NaN where there is none."""
    import pyarrow as pa

    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return np.full(len(array), np.nan)
    values: NDArray[np.float64] = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _seconds(array: Any) -> NDArray[np.float64]:
    """Times as seconds since 1970; NaN for what is none, which is a violation of the row and not of this rule."""
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) and array.type.tz:
        values: NDArray[np.float64] = array.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).to_numpy(False)
        return values / 1e6
    if not pa.types.is_string(array.type):
        return np.full(len(array), np.nan)
    encoded = array.dictionary_encode()
    times = np.array([*map(_second, encoded.dictionary.to_pylist()), np.nan])
    found: NDArray[np.float64] = times[encoded.indices.fill_null(len(times) - 1).to_numpy()]
    return found


def _second(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if is_date_time(text) else float("nan")


def _shown_time(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat()


_RULES: dict[str, Callable[[Any, RuleContext], Iterator[Violation]]] = {
    "unique": _unique,
    "max_null_share": _max_null_share,
    "soft_ranges": _soft_ranges,
    "references": _references,
    "freshness": _freshness,
    "leakage": _leakage,
}
