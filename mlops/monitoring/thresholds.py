"""The lines that the service and its models are held to."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.config import Settings


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is too slow, fails too often, or has changed too much. A value on the line is still well.

    Attributes:
        latency_ms: of the 95th percentile.
        error_rate: share of requests, 0 to 1.
        accuracy_drop: fall relative to the baseline, 0 to 1.
        drift: change of a distribution, 0 to 1.
        slo_availability: share of requests that must not fail, between 0 and 1.
        slo_latency_ms: what takes longer is slow.
        slo_latency_share: share of requests that must not be slow, between 0 and 1.
    """

    latency_ms: float = 5_000.0
    error_rate: float = 0.05
    accuracy_drop: float = 0.05
    drift: float = 0.10
    slo_availability: float = 0.99
    slo_latency_ms: float = 1_000.0
    slo_latency_share: float = 0.99


def thresholds_of(settings: Settings) -> Thresholds:
    """The thresholds that *settings* name."""
    return Thresholds(
        latency_ms=settings.alert_threshold_latency,
        error_rate=settings.alert_threshold_error_rate,
        accuracy_drop=settings.alert_threshold_accuracy_drop,
        slo_availability=settings.slo_availability,
        slo_latency_ms=settings.slo_latency_ms,
        slo_latency_share=settings.slo_latency_share,
    )
