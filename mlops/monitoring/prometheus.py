"""Metrics as Prometheus reads them: text exposition format 0.0.4, or OpenMetrics 1.0.

A counter is ``<name>_total``, the sum of all points ever; a gauge the last value; a distribution a histogram. What is
cumulative never shrinks: not by a restart, not when old files go, and not between workers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from mlops.monitoring.descriptions import Description
from mlops.monitoring.protocol import Labels
from mlops.monitoring.sketch import Sketch
from mlops.monitoring.views import WindowViews

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_TYPES = {"distribution": "histogram", "counter": "counter", "gauge": "gauge"}
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})
_Total = tuple[str, Labels, Sketch, float]


def exposition(metrics: WindowViews, *, openmetrics: bool = False) -> str:
    """All metrics as text. Counts up to a bucket's edge are right to the 2 % that a bin is wide.

    Names and labels that Prometheus would refuse have underscores in place of what it does not take; a metric whose
    name then is another's is left out.
    """
    lines: list[str] = []
    taken: set[str] = set()
    for name, found in groupby(metrics.totals(), key=lambda total: total[0]):
        about, shown = metrics.description(name), metric_name(name)
        base = shown.removesuffix("_total") if about.kind == "counter" else shown
        if base not in taken:
            taken.add(base)
            lines += _family(base, list(found), about, openmetrics=openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def metric_name(name: str) -> str:
    """*name* as Prometheus takes it: letters, digits, underscores and colons, no digit first."""
    return _valid(name, "a-zA-Z0-9_:")


def label_name(name: str) -> str:
    """*name* as Prometheus takes it: letters, digits and underscores, no digit first; what is its own gets a prefix."""
    valid = _valid(name, "a-zA-Z0-9_")
    return f"label_{valid}" if valid.startswith("__") or valid == "le" else valid


def _valid(name: str, characters: str) -> str:
    shown = re.sub(f"[^{characters}]", "_", name)
    return f"_{shown}" if shown[:1].isdigit() else shown


def _family(base: str, totals: Sequence[_Total], about: Description, *, openmetrics: bool) -> Iterator[str]:
    family = f"{base}_total" if about.kind == "counter" and not openmetrics else base
    if about.help:
        # OpenMetrics escapes quotes here, too.
        yield f"# HELP {family} {about.help.translate(_ESCAPES if openmetrics else _HELP_ESCAPES)}"
    yield f"# TYPE {family} {_TYPES[about.kind]}"
    if openmetrics and about.unit and base.endswith(f"_{about.unit}"):
        yield f"# UNIT {family} {about.unit}"
    # Two sets of labels can look the same once their names are valid; Prometheus would refuse the whole page.
    distinct = {_pairs(labels): (sketch, last) for _, labels, sketch, last in totals}
    for pairs, (sketch, last) in distinct.items():
        yield from _samples(base, pairs, sketch, last, about)


def _samples(base: str, pairs: str, sketch: Sketch, last: float, about: Description) -> Iterator[str]:
    if about.kind == "counter":
        yield f"{base}_total{_braced(pairs)} {_sum(sketch)}"
    elif about.kind == "gauge":
        yield f"{base}{_braced(pairs)} {last!r}"
    else:
        yield from _histogram(base, pairs, sketch, about.boundaries)


def _histogram(name: str, pairs: str, sketch: Sketch, boundaries: Sequence[float]) -> Iterator[str]:
    before = f"{pairs}," if pairs else ""
    for edge, count in zip(boundaries, sketch.n_up_to(np.array(boundaries)).tolist(), strict=True):
        yield f'{name}_bucket{{{before}le="{edge}"}} {count}'
    yield f'{name}_bucket{{{before}le="+Inf"}} {sketch.count}'
    yield f"{name}_sum{_braced(pairs)} {_sum(sketch)}"
    yield f"{name}_count{_braced(pairs)} {sketch.count}"


def _sum(sketch: Sketch) -> str:
    # Workers add the same points in other orders. A difference in the last digit would look like a counter that was
    # reset, and be taken for traffic.
    return f"{sketch.total:.10g}"


def _pairs(labels: Labels) -> str:
    return ",".join(f'{label_name(name)}="{value.translate(_ESCAPES)}"' for name, value in labels.items())


def _braced(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""
