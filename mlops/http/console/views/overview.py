"""Resumen: is it well, which model answers, is it any good, what changed, who decided, what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.shown import chosen_model, model_choices
from mlops.http.console.view import Panel, View
from mlops.http.console.views._changes import change_blocks
from mlops.http.console.views._headline import quality_blocks
from mlops.http.console.views._health import health_blocks
from mlops.http.console.views._metrics import decided_metrics
from mlops.http.console.views._waiting import waiting_blocks, waiting_rows
from mlops.http.console.views.models import champion_blocks, promotion_of
from mlops.model_registry import ModelVersion
from mlops.monitoring.alert_records import Alert, Severity
from mlops.reports import Badge
from mlops.reports.page import Tone

_STATUS_TONES: Mapping[str, Tone] = {"ok": "good", "degraded": "note", "unavailable": "bad"}
# The worst first. What is only for information does not make anything less well.
_ALARMING: Mapping[Severity, Tone] = {"critical": "bad", "warning": "note"}


def overview(parts: Parts, ask: Ask) -> View:
    """The page to read in the morning: the answer is on the first screen."""
    t = ask.words
    health = parts.health()
    found_open = parts.alerts.open_alerts()
    model_id = chosen_model(parts, ask)
    champion = None if model_id is None else parts.registry.get_production_model(model_id)
    promotion = promotion_of(parts, champion)
    waits = list(waiting_rows(parts, ask))
    panels = [Panel("health", t("overview.health"), health_blocks(ask, health, found_open), width="half")]
    if model_id is not None:
        decided = decided_metrics(parts, model_id)
        shown = champion_blocks(parts, ask, model_id, champion, promotion, decided, with_evidence=False)
        shown = [*model_choices(parts, ask, model_id), *shown]
        panels.append(Panel("champion", t("overview.champion"), shown, width="half"))
    panels.append(Panel("waiting", t("overview.waiting"), waiting_blocks(ask, waits)))
    if model_id is not None:
        panels.append(Panel("quality", t("overview.quality"), quality_blocks(parts, ask, model_id, promotion)))
    panels.append(Panel("changes", t("overview.changes"), change_blocks(parts, ask)))
    return View(
        t("menu.overview"),
        lead=_lead(ask, model_id, champion, n_alerts=len(found_open), n_waiting=len(waits)),
        verdict=_verdict(ask, str(health.get("status", "")), found_open),
        panels=panels,
    )


def _verdict(ask: Ask, status: str, found_open: Sequence[Alert]) -> Badge:
    """How the service says it is; where it says that all is well, the open alerts that speak against that."""
    t = ask.words
    if status == "ok":
        for severity, tone in _ALARMING.items():
            n = sum(each.severity == severity for each in found_open)
            if n:
                return Badge(t.count(f"overview.ok_but.{severity}", n), tone)
    return Badge(t.get(f"overview.status.{status}", status), _STATUS_TONES.get(status, "plain"))


def _lead(ask: Ask, model_id: str | None, champion: ModelVersion | None, *, n_alerts: int, n_waiting: int) -> str:
    t = ask.words
    if model_id is None:
        first = t("models.none")
    elif champion is None:
        first = t("models.lead_none", model=model_id, version="")
    else:
        first = t("models.lead", model=model_id, version=champion.version)
    alerts = t.count("alerts.lead", n_alerts) if n_alerts else t("alerts.none_open")
    waiting = t.count("overview.n_waiting", n_waiting) if n_waiting else t("overview.nothing_at_all")
    return f"{first} {alerts} {waiting}"
