"""What a metric is: its kind, unit and meaning."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["distribution", "counter", "gauge"]
KINDS: tuple[Kind, ...] = ("distribution", "counter", "gauge")
# 1 to 10,000, as suits milliseconds.
BOUNDARIES = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0)


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a metric.

    Attributes:
        kind: a distribution is judged by its quantiles, a counter by its sum, a gauge by its last value.
        unit: such as ``ms``; empty for a plain number.
        boundaries: upper ends of a distribution's buckets for Prometheus, ascending.
    """

    kind: Kind = "distribution"
    unit: str = ""
    help: str = ""
    boundaries: tuple[float, ...] = BOUNDARIES


def description(
    kind: Kind = "distribution",
    *,
    unit: str = "",
    help: str = "",  # noqa: A002
    boundaries: Sequence[float] = BOUNDARIES,
) -> Description:
    """A description whose parts fit together.

    Raises:
        ValueError: the kind is unknown, or boundaries do not ascend.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    ends = tuple(float(end) for end in boundaries)
    if not ends or any(second <= first for first, second in itertools.pairwise(ends)):
        raise ValueError(f"boundaries must be at least one and ascend, got {list(boundaries)}")
    return Description(kind, unit, help, ends)
