"""Rollups: the sketches of closed segments, so that a restart reads these and not every point.

A rollup is a file of JSON lines that appears whole. The first line says which segments it covers; each other one holds
the buckets of one series at one step (60000, 3600000, 86400000 ms, or 0 for all time)::

    {"covers":{"20261125T090000.000000-71-a1b2c3":{"bytes":81233,"torn":0}},"last_ms":1795597200000}
    {"step":60000,"name":"api_latency_ms","labels":{},"numbers":[…],"count":[…],"mean":[…],"squares":[…],"low":[…],
     "high":[…],"codes":[[…]],"counts":[[…]]}
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from mlops.files import write_whole
from mlops.monitoring.series import Series, series_of
from mlops.monitoring.sketch import Sketch
from mlops.monitoring.windows import DAY, EVER, HOUR, MINUTE, STEPS, SeriesWindows, Windows

SUFFIX = ".rollup"
DAY_PREFIX = "day-"
CARRIED = "carried"


@dataclass(frozen=True, slots=True)
class Covered:
    """How far a segment is covered: bytes of whole lines, and lines that were skipped."""

    n_bytes: int
    n_torn: int


Covers = dict[str, Covered]


def write_rollup(path: Path, windows: Windows, covers: Covers, *, steps: Collection[int]) -> None:
    """Put the buckets of *steps* at *path*.

    Raises:
        OSError: they cannot be written.
    """
    covered = {name: {"bytes": one.n_bytes, "torn": one.n_torn} for name, one in covers.items()}
    last_ms = max((int(one.times[-1]) for one in windows.all() if len(one.times)), default=0)
    header = {"covers": covered, "last_ms": last_ms}
    lines = [header, *(_buckets(one, step) for one in windows.all() for step in steps if one.at(step))]
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    write_whole(path, b"".join(orjson.dumps(line, option=options) for line in lines))


def read_covers(path: Path) -> Covers | None:
    """Which segments a rollup covers; None where it is no rollup.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _covers(file.readline())


def read_rollup(path: Path, windows: Windows) -> bool:
    """Merge a rollup into *windows*, all of it or nothing, and say which. Buckets that are too old are left out.

    Raises:
        OSError: it cannot be read.
    """
    header, *lines = path.read_bytes().splitlines()
    try:
        last_ms = int(orjson.loads(header)["last_ms"])
        steps = [step for step in STEPS if last_ms // (step or 1) >= windows.first_number(step)]
        parts = [_parsed(line) for line in lines if _step(line) in steps]
        read = [(series, step, _sketches(fields, windows.first_number(step)), fields) for series, step, fields in parts]
    except (ValueError, TypeError, KeyError, OverflowError):
        return False
    for series, step, sketches, fields in read:
        into = windows.at(series)
        into.add(step, sketches)
        if step == EVER:
            into.keep_latest(np.array(fields["ms"], dtype=np.int64), np.array(fields["values"], dtype=np.float64))
    return True


def steps_of(path: Path) -> tuple[int, ...]:
    """The steps that a rollup of this name holds: the older, the fewer."""
    if path.stem == CARRIED:
        return (EVER,)
    return (HOUR, DAY, EVER) if path.stem.startswith(DAY_PREFIX) else (MINUTE, HOUR, DAY, EVER)


def _covers(line: bytes) -> Covers | None:
    try:
        covers = orjson.loads(line)["covers"]
        return {name: Covered(int(one["bytes"]), int(one["torn"])) for name, one in covers.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _step(line: bytes) -> int:
    # The step stands first, so that what is not wanted need not be parsed.
    return int(line[len(b'{"step":') : line.index(b",")])


def _parsed(line: bytes) -> tuple[Series, int, dict[str, Any]]:
    fields = orjson.loads(line)
    series = series_of(fields["name"], fields["labels"])
    if series is None:
        raise ValueError(f"no series: {fields['name']!r}")
    return series, int(fields["step"]), fields


def _sketches(fields: dict[str, Any], first: int) -> dict[int, Sketch]:
    columns = ("numbers", "count", "mean", "squares", "low", "high", "codes", "counts")
    rows = zip(*(fields[column] for column in columns), strict=True)
    return {int(row[0]): _sketch(row[1:]) for row in rows if row[0] >= first}


def _sketch(row: Sequence[Any]) -> Sketch:
    count, mean, squares, low, high, codes, counts = row
    kind = np.uint32 if max(counts) < 2**32 else np.uint64
    return Sketch(count, mean, squares, low, high, np.array(codes, dtype=np.int16), np.array(counts, dtype=kind))


def _buckets(one: SeriesWindows, step: int) -> dict[str, Any]:
    buckets = dict(sorted(one.at(step).items()))
    sketches = list(buckets.values())
    fields: dict[str, Any] = {"step": step, "name": one.series.name, "labels": dict(one.series.labels)}
    fields["numbers"] = list(buckets)
    for column in ("count", "mean", "squares", "low", "high"):
        fields[column] = [getattr(sketch, column) for sketch in sketches]
    fields["codes"] = [sketch.codes.astype(np.int32) for sketch in sketches]
    fields["counts"] = [sketch.counts for sketch in sketches]
    return fields | ({"ms": one.times, "values": one.values} if step == EVER else {})


def rollup_paths(folder: Path) -> Iterator[Path]:
    """All rollups in *folder*: what was carried on, then days, then single segments."""
    found = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
    return iter(sorted(found, key=lambda path: (path.stem != CARRIED, not path.stem.startswith(DAY_PREFIX))))
