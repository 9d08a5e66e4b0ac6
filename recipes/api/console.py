"""The operator's console of the recommender: which parts of the service it shows."""

from __future__ import annotations

from mlops.http.console import Parts
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
        notice=service.settings.console_notice,
        clock=service.clock,
    )
