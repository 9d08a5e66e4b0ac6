"""The windows that pages look back over, and the model that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.view import Choice, Choices

WINDOW, MODEL = "ventana", "modelo"


@dataclass(frozen=True, slots=True)
class Window:
    """How far back a page looks, and how fine.

    Attributes:
        kept: how fine metrics are still kept so far back: the window begins on such an edge.
        step: of its charts; a multiple of *kept*.
    """

    name: str
    span: timedelta
    kept: timedelta
    step: timedelta

    @property
    def minutes(self) -> float:
        """Its length."""
        return self.span / timedelta(minutes=1)

    def since(self, now: datetime) -> datetime:
        """The edge that the window begins on, as the statistics of a window have it."""
        step = self.kept.total_seconds()
        return datetime.fromtimestamp((now - self.span).timestamp() // step * step, tz=now.tzinfo)


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS: Mapping[str, Window] = {
    one.name: one
    for one in (
        Window("15m", 15 * _MINUTE, _MINUTE, _MINUTE),
        Window("1h", _HOUR, _MINUTE, _MINUTE),
        Window("6h", 6 * _HOUR, _HOUR, _HOUR),
        Window("24h", _DAY, _HOUR, _HOUR),
        Window("7d", 7 * _DAY, _HOUR, 3 * _HOUR),
        Window("30d", 30 * _DAY, _DAY, _DAY),
        Window("90d", 90 * _DAY, _DAY, _DAY),
    )
}


def chosen_window(ask: Ask, default: str, among: tuple[str, ...] = tuple(WINDOWS)) -> Window:
    """The window that the page was asked for."""
    return WINDOWS[ask.choice(WINDOW, dict.fromkeys(among), default)]


def window_choices(ask: Ask, current: Window, among: tuple[str, ...] = tuple(WINDOWS)) -> Choices:
    """Links to the same page over other windows."""
    t = ask.words
    options = [Choice(t(f"traffic.windows.{name}"), {WINDOW: name}, name == current.name) for name in among]
    return Choices(t("traffic.window"), options)


def chosen_model(parts: Parts, ask: Ask) -> str | None:
    """The model that the page is about; None where there is none at all."""
    known = parts.model_ids()
    return ask.choice(MODEL, dict.fromkeys(known), known[0]) if known else None


def model_choices(parts: Parts, ask: Ask, current: str) -> list[Choices]:
    """Links to the same page about other models; none where there is but one."""
    known = parts.model_ids()
    if len(known) < 2:
        return []
    return [Choices(ask.words("traffic.model"), [Choice(one, {MODEL: one}, one == current) for one in known])]
