"""Calidad: what people make of the answers, by day, version and slice; what is expected before they tell; offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.measures import QualityMeasure
from mlops.http.console.parts import Parts
from mlops.http.console.view import ConsoleBlock, Details, Panel, View
from mlops.http.console.views._estimates import estimates_of
from mlops.http.console.views._figures import rounded, share
from mlops.http.console.views._offline import offline_of
from mlops.http.console.views._windows import (
    WINDOWS,
    Window,
    chosen_model,
    chosen_window,
    model_choices,
    window_choices,
)
from mlops.monitoring.daily_quality import DayTally, Difference, Pooled, grouped, on_the_same_days, pooled
from mlops.reports import (
    Badge,
    Chart,
    Happening,
    Interval,
    Link,
    Plot,
    Prose,
    Table,
    Trace,
    interval_plot,
    time_chart,
)
from mlops.reports.page import Cell

_WINDOWS, _DEFAULT = ("7d", "30d", "90d"), "30d"
_MOST_VERSIONS, _MOST_MARKS, _MOST_GROUPS = 8, 200, 20
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that may explain a change."""

    at: datetime
    kind: str
    sign: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class _Read:
    model_id: str
    champion: str | None
    window: Window
    since: datetime
    now: datetime
    tallies: Sequence[DayTally]
    events: Sequence[_Event]

    def of(self, measure: QualityMeasure) -> list[DayTally]:
        return [one for one in self.tallies if one.measure == measure.name]


def quality(parts: Parts, ask: Ask) -> View:
    """The quality of a model over a window of 7 to 90 days, online and offline."""
    t = ask.words
    model_id = chosen_model(parts, ask)
    if model_id is None:
        return View(t("menu.quality"), panels=[Panel("online", t("quality.online"), [Prose(t("quality.no_model"))])])
    read = _read(parts, ask, model_id)
    measures = [] if parts.quality is None else list(parts.quality.measures)
    panels = [
        *_online(read, measures, _choices(parts, read, ask), ask),
        *(_versions(read, measures[0], ask) if measures else []),
        *(_slice(read, measures[0], label, ask) for label in (parts.quality.slices if parts.quality else ())),
        *estimates_of(parts, read.window, read.since, ask),
        Panel("offline", t("quality.offline"), offline_of(parts, read.model_id, ask)),
    ]
    if read.events:
        panels.append(Panel("events", t("quality.events"), [_events(read, ask)]))
    return View(t("menu.quality"), lead=_lead(parts, read, measures, ask), panels=panels)


def _read(parts: Parts, ask: Ask, model_id: str) -> _Read:
    window = chosen_window(ask, _DEFAULT, _WINDOWS)
    first = _first_day(window, ask.now)
    since = datetime.combine(first, time(), UTC)
    champion = parts.registry.get_production_model(model_id)
    tallies = [] if parts.quality is None else parts.quality.tallies(model_id, first)
    events = [*_moves(parts, ask, model_id), *_alerts(parts, ask, model_id)]
    return _Read(
        model_id, None if champion is None else champion.version, window, since, ask.now,
        [one for one in tallies if first <= one.day <= ask.now.date()],
        sorted((one for one in events if since <= one.at <= ask.now), key=lambda one: one.at),
    )  # fmt: skip


def _first_day(window: Window, now: datetime) -> date:
    return (now - window.span).astimezone(UTC).date()


def _choices(parts: Parts, read: _Read, ask: Ask) -> Sequence[ConsoleBlock]:
    return [*model_choices(parts, ask, read.model_id), window_choices(ask, read.window, _WINDOWS)]


def _moves(parts: Parts, ask: Ask, model_id: str) -> list[_Event]:
    t = ask.words
    return [
        _Event(
            move.at,
            "rolled_back" if move.kind == "rolled_back" else "promoted",
            "▼" if move.kind == "rolled_back" else "▲",
            t("quality.served", version=move.version),
            ask.link("modelos", model_id, move.version),
        )
        for move in parts.registry.moves(model_id, limit=_MOST_MARKS)
        if move.to_status == "production" and move.outcome == "done"
    ]


def _alerts(parts: Parts, ask: Ask, model_id: str) -> list[_Event]:
    """The newest alerts of this model, or of no model in particular."""
    return [
        _Event(
            alert.fired_at, "alert", "!", f"#{alert.alert_id} {alert.rule}", ask.link("alertas", str(alert.alert_id))
        )
        for alert in parts.alerts.list(limit=_MOST_MARKS)
        if alert.labels.get("model_id") in {None, model_id}
    ]


def _lead(parts: Parts, read: _Read, measures: Sequence[QualityMeasure], ask: Ask) -> str:
    t = ask.words
    found = pooled(read.of(measures[0]), is_share=measures[0].is_share) if measures else None
    if found is None:
        return (_elsewhere(parts, read, measures[0], ask) if measures else None) or t("quality.lead_none")
    return t(
        "quality.lead",
        measure=_name(measures[0], ask),
        value=_shown(found.mean, measures[0], ask),
        band=_shown_band(found, measures[0], ask),
        n=t.number(found.n),
        window=t(f"traffic.in_window.{read.window.name}"),
    )


def _elsewhere(parts: Parts, read: _Read, measure: QualityMeasure, ask: Ask) -> str | None:
    """That there is nothing in this window, and which longer one has something; None where none does."""
    t = ask.words
    wider = [WINDOWS[name] for name in _WINDOWS if WINDOWS[name].span > read.window.span]
    if parts.quality is None or not wider:
        return None
    earlier = parts.quality.tallies(read.model_id, _first_day(wider[-1], read.now))
    answered = [one for one in earlier if one.measure == measure.name and one.n and one.day <= read.now.date()]
    for window in wider:
        inside = [one for one in answered if one.day >= _first_day(window, read.now)]
        if inside:
            return t.count(
                "quality.none_here",
                sum(one.n for one in inside),
                window=t(f"traffic.in_window.{read.window.name}"),
                wider=t(f"traffic.in_window.{window.name}"),
                day=max(one.day for one in inside).isoformat(),
            )
    return None


def _online(read: _Read, measures: Sequence[QualityMeasure], choices: Sequence[ConsoleBlock], ask: Ask) -> list[Panel]:
    """A panel for each measure; the first one has the *choices*."""
    t = ask.words
    if not measures:
        return [Panel("online", t("quality.online"), [*choices, Prose(t("quality.unknown"))])]
    panels = []
    for number, measure in enumerate(measures, start=1):
        days = {
            day: found
            for day, found in grouped(read.of(measure), lambda one: one.day, is_share=measure.is_share).items()
            if isinstance(day, date)
        }
        blocks: list[ConsoleBlock] = [Prose(t("quality.none_of", measure=_name(measure, ask)))]
        if days:
            blocks = [_by_day(days, measure, read, ask), Details(t("quality.figures"), [_days(days, measure)])]
        name = "online" if number == 1 else f"online-{number}"
        panels.append(Panel(name, _name(measure, ask), [*choices, *blocks] if number == 1 else blocks, width="half"))
    return panels


def _by_day(days: Mapping[date, Pooled], measure: QualityMeasure, read: _Read, ask: Ask) -> Chart:
    t = ask.words
    name = _name(measure, ask)
    points = [(_noon(day, read), found.mean) for day, found in days.items()]
    band = [
        (_noon(day, read), found.low, found.high)
        for day, found in days.items()
        if found.low is not None and found.high is not None
    ]
    interval = t("quality.wilson" if measure.is_share else "quality.student")
    text = t("quality.by_day", measure=name, interval=interval, n=t.number(sum(one.n for one in days.values())))
    plot = Plot(read.since, read.now, _DAY, name, text, show=t.share if measure.is_share else t.number)
    drawing = time_chart([Trace("", points)], plot, band=band, happenings=_marks(read), zero=measure.is_share)
    return Chart(drawing, text)


def _noon(day: date, read: _Read) -> datetime:
    """The middle of a day, today that of what there is of it."""
    begin = datetime.combine(day, time(), UTC)
    return begin + min(_DAY, max(read.now - begin, timedelta())) / 2


def _marks(read: _Read) -> list[Happening]:
    """Each move, and the alerts of a day as one."""
    marks = [Happening(one.at, one.sign, one.text) for one in read.events if one.kind != "alert"]
    by_day: dict[date, list[_Event]] = {}
    for one in read.events:
        if one.kind == "alert":
            by_day.setdefault(one.at.astimezone(UTC).date(), []).append(one)
    for found in by_day.values():
        title = ", ".join(one.text for one in found[:5]) + (", …" if len(found) > 5 else "")
        marks.append(Happening(found[0].at, "!", title))
    return sorted(marks, key=lambda one: one.at)


def _days(days: Mapping[date, Pooled], measure: QualityMeasure) -> Table:
    rows: list[list[Cell]] = [[day.isoformat(), found.n, *_figures(measure, found)] for day, found in days.items()]
    return Table(["day", "n", "value", "low", "high"], rows)


def _versions(read: _Read, measure: QualityMeasure, ask: Ask) -> list[Panel]:
    """Other versions against the one that serves, on the days on which both answered."""
    t, tallies, champion = ask.words, read.of(measure), read.champion
    last = {one.version: one.day for one in sorted(tallies, key=lambda one: one.day)}
    others = sorted((version for version in last if version != champion), key=lambda one: last[one], reverse=True)
    rows: list[list[Cell]] = []
    intervals = []
    for version in others[:_MOST_VERSIONS] if champion is not None else []:
        found = on_the_same_days(tallies, champion or "", version, is_share=measure.is_share)
        if found is None:
            continue
        figures = (found.other.mean, found.one.mean, found.effect, found.low, found.high)
        rows.append([version, found.n_days, found.other.n, *map(_cell(measure), figures), _judged(found, ask)])
        if found.low is not None and found.high is not None:
            intervals.append(Interval(version, found.effect, found.low, found.high))
    heading = t("quality.versions")
    if not rows:
        return [Panel("versions", heading, [Prose(t("quality.no_common_days"))])]
    columns = ["version", "days", "n", "value", "value_of_champion", "effect", "low", "high", "verdict"]
    blocks: list[ConsoleBlock] = [Prose(t("quality.same_days", champion=champion, measure=_name(measure, ask)))]
    if intervals:
        title = t("quality.versions_chart", champion=champion)
        blocks.append(Chart(interval_plot(intervals, title=title, show=_show_effect(measure, ask)), title))
    return [Panel("versions", heading, [*blocks, Table(columns, rows)])]


def _judged(found: Difference, ask: Ask) -> Badge:
    t = ask.words
    if found.low is None or found.high is None:
        return Badge(t("quality.too_few"), "note")
    if found.low > 0:
        return Badge(t("quality.better"), "good")
    return Badge(t("quality.worse"), "bad") if found.high < 0 else Badge(t("quality.no_difference"))


def _slice(read: _Read, measure: QualityMeasure, label: str, ask: Ask) -> Panel:
    t = ask.words
    found = grouped(read.of(measure), lambda one: one.labels.get(label, "–"), is_share=measure.is_share)
    heading = t("quality.slice", label=t.get(f"columns.{label}", label))
    if not found:
        return Panel(f"by-{label}", heading, [Prose(t("quality.none_of", measure=_name(measure, ask)))], width="half")
    shown = sorted(found.items(), key=lambda item: (-item[1].n, str(item[0])))[:_MOST_GROUPS]
    rows: list[list[Cell]] = [[str(value), one.n, *_figures(measure, one)] for value, one in shown]
    intervals = [
        Interval(str(value), one.mean, one.low, one.high)
        for value, one in shown
        if one.low is not None and one.high is not None
    ]
    blocks: list[ConsoleBlock] = []
    if intervals:
        title = t("quality.slice_chart", measure=_name(measure, ask))
        show = t.share if measure.is_share else t.number
        blocks.append(Chart(interval_plot(intervals, title=title, zero=None, show=show), title))
    return Panel(f"by-{label}", heading, [*blocks, Table([label, "n", "value", "low", "high"], rows)], width="half")


def _events(read: _Read, ask: Ask) -> Table:
    t = ask.words
    rows: list[list[Cell]] = [
        [one.at, f"{one.sign} {t(f'quality.kinds.{one.kind}')}", Link(one.text, one.href)]
        for one in reversed(read.events)
    ]
    return Table(["at", "event", "subject"], rows[:_MOST_MARKS])


def _figures(measure: QualityMeasure, found: Pooled) -> Iterator[float | None]:
    """Mean and ends of the interval, as cells."""
    return map(_cell(measure), (found.mean, found.low, found.high))


def _cell(measure: QualityMeasure) -> Callable[[float | None], float | None]:
    return share if measure.is_share else rounded


def _name(measure: QualityMeasure, ask: Ask) -> str:
    return ask.words.get(f"quality.measures.{measure.name}", measure.name)


def _shown(value: float, measure: QualityMeasure, ask: Ask) -> str:
    return ask.words.share(value) if measure.is_share else ask.words.number(float(f"{value:.3g}"))


def _shown_band(found: Pooled, measure: QualityMeasure, ask: Ask) -> str:
    if found.low is None or found.high is None:
        return ask.words("quality.no_band")
    ends = (_shown(end, measure, ask) for end in (found.low, found.high))
    return ask.words("quality.band", low=next(ends), high=next(ends))


def _show_effect(measure: QualityMeasure, ask: Ask) -> Any:
    def shown(value: float) -> str:
        return ("+" if value > 0 else "") + _shown(value, measure, ask)

    return shown
