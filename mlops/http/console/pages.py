"""The pages of the console, in the order of its menu."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.view import View
from mlops.http.console.views import (
    alerts,
    drift,
    models,
    overview,
    quality,
    retraining,
    rollouts,
    traffic,
    version,
)

ViewOf = Callable[[Parts, Ask], View]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or the pages of one kind.

    Attributes:
        name: key of its words, and of what an application adds to it.
        route: its path under the console's, with parameters in braces.
        view: what it shows. Raises the errors of the core: an unknown version is a page that says so.
        topics: what makes it old, see :mod:`mlops.http.console.live`.
        is_in_menu: whether the menu leads to it; else it belongs to the page of the same name that the menu leads to.
    """

    name: str
    route: str
    view: ViewOf
    topics: tuple[str, ...]
    is_in_menu: bool = True


PAGES: tuple[Page, ...] = (
    Page("overview", "", overview.overview, ("health", "alerts", "models", "jobs", "rollouts", "metrics")),
    Page("models", "/modelos", models.models, ("models", "rollouts")),
    Page("models", "/modelos/{model_id}/{version}", version.version, ("models", "rollouts"), is_in_menu=False),
    Page("traffic", "/trafico", traffic.traffic, ("metrics", "rollouts")),
    Page("quality", "/calidad", quality.quality, ("metrics", "models", "jobs")),
    Page("drift", "/deriva", drift.drift, ("metrics", "models")),
    Page("retraining", "/reentrenamiento", retraining.retraining, ("jobs", "models")),
    Page("retraining", "/reentrenamiento/{job_id}", retraining.job, ("jobs",), is_in_menu=False),
    Page("rollouts", "/despliegues", rollouts.rollouts, ("rollouts", "models")),
    Page("rollouts", "/despliegues/{rollout_id}", rollouts.rollout, ("rollouts",), is_in_menu=False),
    Page("alerts", "/alertas", alerts.alerts, ("alerts",)),
    Page("alerts", "/alertas/{alert_id}", alerts.alert, ("alerts",), is_in_menu=False),
)
