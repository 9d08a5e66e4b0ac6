"""What the console reads: the parts of the application that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops.clock import Clock, utc_now
from mlops.http.console.ask import Ask
from mlops.http.console.measures import QualityMeasures, TrafficMeasures
from mlops.http.console.view import Panel
from mlops.model_registry import ModelRegistry
from mlops.monitoring.alerts import AlertBook
from mlops.monitoring.collector import MetricsCollector
from mlops.retraining import RetrainingOrchestrator
from mlops.rollout import RolloutController, RolloutPlan

# Panels that an application adds to a page: the page's name, and what makes them.
Extra = Callable[[Ask], Sequence[Panel]]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge among the metrics."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Headline:
    """The one figure that says whether a model is any good, as the application measures it, a share of 0 to 1.

    Attributes:
        names: what it is, by language: "clicks to be expected".
        rate, low, high: the estimate and its band.
        observed: what was seen in the end; None for nothing.
    """

    model_id: str
    names: Mapping[str, str]
    rate: Gauge
    low: Gauge
    high: Gauge
    observed: Gauge | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application hands in.

    Attributes:
        registry: of the models.
        metrics: what was measured.
        alerts: the book of alerts.
        retraining: needs and jobs.
        rollouts: of new versions.
        health: the body of the application's ``/health``.
        serving: the version of a model that this process answers with, None for one that it does not serve.
        model_ids: the models of the application, the first one first. A page shows the first unless asked otherwise.
        extras: panels for pages, by the page's name, such as ``quality``.
        headline: the figure of quality that the overview shows; None for none.
        notice: a sentence over every page, such as that the traffic is simulated; empty for none.
        sentences: folders with the application's own sentences in Spanish, for :func:`mlops.sentences.spanish`.
        plan: that of a rollout which names none, for who is about to begin one.
        traffic: which metrics tell of it; None where none do.
        quality: what is known of it; None where nothing is.
        clock: the time.
    """

    registry: ModelRegistry
    metrics: MetricsCollector
    alerts: AlertBook
    retraining: RetrainingOrchestrator
    rollouts: RolloutController
    health: Callable[[], Mapping[str, Any]]
    serving: Callable[[str], str | None]
    model_ids: Callable[[], Sequence[str]]
    extras: Mapping[str, Extra] = field(default_factory=dict)
    headline: Headline | None = None
    notice: str = ""
    sentences: Sequence[Path] = ()
    plan: RolloutPlan = field(default_factory=RolloutPlan)
    traffic: TrafficMeasures | None = None
    quality: QualityMeasures | None = None
    clock: Clock = utc_now
