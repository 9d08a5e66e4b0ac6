"""The operator's console of the recommender: which parts of the service it shows."""

from __future__ import annotations

from mlops.http.console import Gauge, Headline, Parts
from recipes.api.health import HealthReport
from recipes.ranker import MODEL_ID
from recipes.service import Service


def console_parts(service: Service, health: HealthReport) -> Parts:
    """What the console reads of *service*."""
    operations = service.operations

    def model_ids() -> list[str]:
        others = {model.model_id for model in service.registry.models()} - {MODEL_ID}
        return [MODEL_ID, *sorted(others)]

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
        notice=service.settings.console_notice,
        clock=service.clock,
    )


def _clicks() -> Headline:
    """Clicks to be expected of the last day's impressions, as :mod:`recipes.live_quality` records them."""
    rate, low, high = (
        Gauge("expected_rate", {"outcome": "click", "bound": bound}) for bound in ("rate", "low", "high")
    )
    names = {"es": "clics por receta mostrada, último día", "en": "clicks per recipe shown, last day"}
    return Headline(MODEL_ID, names, rate, low, high, observed=Gauge("observed_rate", {"outcome": "click"}))
