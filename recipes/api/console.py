"""The operator's console of the recommender: which parts of the service it shows."""

from __future__ import annotations

from mlops.http.console import Gauge, Headline, Parts
from mlops.http.console.measures import (
    Breakdown,
    EstimateMeasures,
    QualityMeasure,
    QualityMeasures,
    TrafficMeasures,
)
from mlops.monitoring.thresholds import thresholds_of
from mlops.rollout import plan_from_settings
from recipes.api.console_panels import compared_panel, golden_panel, query_map_panel
from recipes.api.health import HealthReport
from recipes.live_quality import OUTCOMES
from recipes.measures import STAGE_MEASURES
from recipes.quality_days import CLICK_RATE, NDCG
from recipes.ranker import MODEL_ID
from recipes.sentences import SPANISH
from recipes.service import Service


def console_parts(service: Service, health: HealthReport) -> Parts:
    """What the console reads of *service*."""
    operations = service.operations

    def model_ids() -> list[str]:
        return [MODEL_ID, *(each for each in service.registry.model_ids() if each != MODEL_ID)]

    return Parts(
        registry=service.registry,
        metrics=operations.metrics,
        alerts=operations.alerts,
        retraining=operations.retraining,
        rollouts=operations.rollouts,
        health=health,
        serving=service.version_served,
        model_ids=model_ids,
        headline=_clicks(),
        extras={
            "quality": lambda ask: golden_panel(service.insight.golden, ask),
            "drift": lambda ask: [
                *compared_panel(service.insight.drift, ask),
                *query_map_panel(service.database, service.catalogue, service.recommender.query_map, ask),
            ],
        },
        notice=service.settings.console_notice,
        sentences=[SPANISH],
        plan=plan_from_settings(service.settings),
        traffic=_traffic(service),
        quality=QualityMeasures(
            tallies=service.insight.days.read,
            measures=[QualityMeasure(CLICK_RATE), QualityMeasure(NDCG, is_share=False)],
            slices=["language", "mode"],
            estimates=EstimateMeasures("expected_rate", "observed_rate", list(OUTCOMES)),
        ),
        clock=service.clock,
    )


def _clicks() -> Headline:
    """Clicks to be expected of the last day's impressions, as :mod:`recipes.live_quality` records them."""
    rate, low, high = (
        Gauge("expected_rate", {"outcome": "click", "bound": bound}) for bound in ("rate", "low", "high")
    )
    names = {"es": "clics por receta mostrada, último día", "en": "clicks per recipe shown, last day"}
    return Headline(MODEL_ID, names, rate, low, high, observed=Gauge("observed_rate", {"outcome": "click"}))


def _traffic(service: Service) -> TrafficMeasures:
    """Which of :data:`recipes.measures.MEASURES` tell of traffic."""
    limits = thresholds_of(service.settings)
    return TrafficMeasures(
        requests="request_count",
        errors="error_rate",
        latency="api_latency_ms",
        latency_limit_ms=limits.latency_ms,
        error_limit=limits.error_rate,
        slow_ms=limits.slo_latency_ms,
        breakdowns=(
            Breakdown("version", "version", latency="api_latency_ms"),
            Breakdown("language", "language", latency="api_latency_ms"),
            Breakdown("route", "route", requests="request_count", errors="error_rate"),
            Breakdown("status", "status", requests="request_count"),
            Breakdown("other_routes", "route", latency="http_latency_ms"),
        ),
        stages=STAGE_MEASURES,
        waiting=("queue_depth", "queue"),
        dropped=("dropped_count", "queue"),
        gauges={"memory": "process_memory_mb", "cpu": "process_cpu_percent", "lag": "event_loop_lag_ms"},
    )
