"""Alertas: what is wrong, who looks after it, and what was told to nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops.errors import UnknownAlert
from mlops.http.console.ask import Ask
from mlops.http.console.evidence import plain_blocks
from mlops.http.console.parts import Parts
from mlops.http.console.shown import why
from mlops.http.console.view import Action, Actions, Choice, Choices, ConsoleBlock, Pager, Panel, View
from mlops.monitoring.alert_records import Alert, Mute, State
from mlops.monitoring.alerts import WATCH
from mlops.reports import Badge, Facts, Link, Prose, Said, Table
from mlops.reports.page import Cell, Tone

_PAGE = 50
_STATES: Mapping[str, State | None] = {
    "all": None,
    "firing": "firing",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
}
_SEVERITY_TONES: Mapping[str, Tone] = {"critical": "bad", "warning": "note", "info": "plain"}
_STATE_TONES: Mapping[str, Tone] = {"firing": "bad", "acknowledged": "note", "resolved": "good"}


def alerts(parts: Parts, ask: Ask) -> View:
    """Open alerts first, then all of a state, newest first, and the mutes in force."""
    t = ask.words
    found_open = parts.alerts.open_alerts()
    panels = [
        Panel("open", t("alerts.open"), _open(found_open, ask)),
        Panel("alerts", t("alerts.history"), _history(parts, ask)),
    ]
    mutes = parts.alerts.mutes()
    if mutes:
        panels.append(Panel("mutes", t("alerts.mutes"), _mutes(mutes)))
    return View(
        t("menu.alerts"),
        lead=t.count("alerts.lead", len(found_open)),
        verdict=Badge(t("alerts.quiet"), "good") if not found_open else None,
        panels=panels,
    )


def alert(parts: Parts, ask: Ask) -> View:
    """One alert: its evidence, who did what, and what can be done.

    Raises:
        UnknownAlert: there is none of this number.
    """
    t = ask.words
    found = parts.alerts.get(ask.path_number("alert_id", UnknownAlert))
    panels = [Panel("alert", t("alerts.what"), [Said(found.sentence), _facts(found, ask), *_actions(found, ask)])]
    if found.evidence:
        panels.append(Panel("evidence", t("alerts.evidence"), plain_blocks(found.evidence, ask)))
    return View(
        t("alerts.one", number=found.alert_id),
        lead=found.rule,
        verdict=_state(found, ask),
        panels=panels,
        trail=[Link(t("menu.alerts"), ask.link("alertas"))],
    )


def _open(found: Sequence[Alert], ask: Ask) -> Sequence[ConsoleBlock]:
    if not found:
        return [Prose(ask.words("alerts.none_open"))]
    return [_table(found, ask)]


def _history(parts: Parts, ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    state = ask.choice("estado", _STATES, "all")
    found = parts.alerts.list(state=_STATES[state], limit=_PAGE + 1, before=ask.number("antes"))
    page = found[:_PAGE]
    options = [Choice(t(f"alerts.states.{each}"), {"estado": each, "antes": None}, each == state) for each in _STATES]
    blocks: list[ConsoleBlock] = [Choices(t("alerts.state"), options)]
    blocks.append(_table(page, ask) if page else Prose(t("alerts.none")))
    if len(found) > _PAGE:
        blocks.append(Pager({"antes": str(page[-1].alert_id)}))
    return blocks


def _table(found: Sequence[Alert], ask: Ask) -> Table:
    columns = ["alert", "severity", "state", "rule", "sentence", "fired_at", "last_seen_at", "count"]
    return Table(
        columns,
        [
            [
                Link(f"#{each.alert_id}", ask.link("alertas", str(each.alert_id))),
                _severity(each, ask),
                _state(each, ask),
                each.rule,
                Said(each.sentence),
                each.fired_at,
                each.last_seen_at,
                each.count,
            ]
            for each in found
        ],
    )


def _facts(found: Alert, ask: Ask) -> Facts:
    return Facts(
        [
            ("severity", _severity(found, ask)),
            ("rule", found.rule),
            ("labels", ", ".join(f"{name}={value}" for name, value in found.labels.items()) or None),
            ("fired_at", found.fired_at),
            ("last_seen_at", found.last_seen_at),
            ("count", found.count),
            ("opening", found.opening),
            ("acknowledged_by", found.acknowledged_by),
            ("acknowledged_because", why(found.acknowledged_because, automatic=False)),
            ("resolved_by", found.resolved_by),
            ("resolved_because", why(found.resolved_because, automatic=found.resolved_by == WATCH)),
        ]
    )


def _actions(found: Alert, ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    address = f"/alerts/{found.alert_id}"
    items = []
    if found.state == "firing":
        items.append(Action("ack", f"{address}/ack", t("alerts.will_ack", number=found.alert_id), tone="good"))
    if found.is_open:
        items.append(Action("resolve", f"{address}/resolve", t("alerts.will_resolve", number=found.alert_id)))
        body = {"scope": found.rule, "minutes": 120}
        items.append(Action("mute", "/alerts/mute", t("alerts.will_mute", rule=found.rule), body))
    return [Actions(items)] if items else []


def _mutes(mutes: Sequence[Mute]) -> Sequence[ConsoleBlock]:
    rows: list[list[Cell]] = [
        [mute.scope, mute.until, mute.muted_by, why(mute.because, automatic=False)] for mute in mutes
    ]
    return [Table(["scope", "until", "actor", "reason"], rows)]


def _severity(found: Alert, ask: Ask) -> Badge:
    return Badge(ask.words(f"alerts.severities.{found.severity}"), _SEVERITY_TONES[found.severity])


def _state(found: Alert, ask: Ask) -> Badge:
    return Badge(ask.words(f"alerts.states.{found.state}"), _STATE_TONES[found.state])
