"""Which of an application's metrics tell of its traffic and of its quality: their names are its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mlops.monitoring.daily_quality import DayTally


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Traffic apart for each value of a label.

    Attributes:
        name: a key: of its panel, and ``traffic.by.NAME`` of its heading; a name without words is shown as it is.
        label: of the metrics below.
        requests: a counter, None where the others count.
        errors: 1 for a request that failed, 0 for others; None where nobody tells them apart so.
        latency: in milliseconds, None likewise.
    """

    name: str
    label: str
    requests: str | None = None
    errors: str | None = None
    latency: str | None = None


@dataclass(frozen=True, slots=True)
class TrafficMeasures:
    """The metrics of a service that answers requests.

    Attributes:
        requests: a counter of requests.
        errors: 1 for a request that the service failed, 0 for others.
        latency: of an answer, in milliseconds.
        latency_limit_ms: what its 95th percentile is held to.
        error_limit: what the share of errors is held to, 0 to 1.
        slow_ms: what an answer counts as slow beyond; a line in the chart, beside that of *latency_limit_ms*.
        breakdowns: in the order of the page.
        stages: metrics of the stages of an answer in milliseconds, by their names, in the order of the path.
        version_label: label of *latency* that names the version; the arms of a rollout are told apart by it.
        waiting: (metric, label) of what waits in each queue; None where there is none.
        dropped: (metric, label) of what full queues dropped.
        gauges: further measures of the process, by name.
    """

    requests: str
    errors: str
    latency: str
    latency_limit_ms: float
    error_limit: float
    slow_ms: float
    breakdowns: Sequence[Breakdown] = ()
    stages: Mapping[str, str] = field(default_factory=dict)
    version_label: str = "version"
    waiting: tuple[str, str] | None = None
    dropped: tuple[str, str] | None = None
    gauges: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QualityMeasure:
    """A measure of what people make of the answers, higher is better.

    Attributes:
        name: a key: that of its tallies, and ``quality.measures.NAME`` of its heading.
        is_share: whether each unit counts as 0 or 1, so that its interval is Wilson's; else Student's.
    """

    name: str
    is_share: bool = True


@dataclass(frozen=True, slots=True)
class EstimateMeasures:
    """The metrics of what is expected before outcomes are known, see :mod:`mlops.monitoring.estimated_quality`.

    Attributes:
        expected: a gauge with the labels *outcome* and *bound*; the latter is ``rate``, ``low`` or ``high``.
        observed: a gauge with the label *outcome*.
        outcomes: of which there are estimates, such as ``click``.
    """

    expected: str
    observed: str
    outcomes: Sequence[str]


@dataclass(frozen=True, slots=True)
class QualityMeasures:
    """What an application knows of the quality of its answers.

    Attributes:
        tallies: those of a model from a day on, by day, version and labels: some hundreds of rows, kept and not
            computed when a page asks for them.
        measures: the first one leads.
        slices: labels of the tallies.
    """

    tallies: Callable[[str, date], Sequence[DayTally]]
    measures: Sequence[QualityMeasure]
    slices: Sequence[str] = ()
    estimates: EstimateMeasures | None = None
