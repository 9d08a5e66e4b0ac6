"""What came of a simulation: days of each arm, what the loop did, and the figures that say whether it was worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recipes.simulate.arms import Day, Kept
from recipes.simulate.options import ArmName, Options

EventKind = Literal["alarm", "retraining", "verdict", "promotion", "refusal"]
# The loop's lead over the frozen arm is averaged over so many days, before the drift and while it recovers.
_DAYS_OF_LEAD_BEFORE, _DAYS_OF_LEAD_AFTER = 7, 3
RECOVERED = 0.8
DAYS_TO_RECOVER = 10


@dataclass(frozen=True, slots=True)
class LoopEvent:
    """Something that the loop did or noticed in the night after *day*, in a sentence."""

    day: int
    kind: EventKind
    sentence: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version that took another's place, judged by what the loop cannot know: the cooks' tastes.

    Attributes:
        effect: mean over *n_requests* fresh questions of true nDCG@3 of *version* less that of *previous*.
        low, high: ends of the interval of 95 % around it (normal).
    """

    day: int
    previous: str
    version: str
    effect: float
    low: float
    high: float
    n_requests: int

    @property
    def was_wrong(self) -> bool:
        """Whether the new version is truly worse than the one that it replaced."""
        return self.effect < 0


@dataclass(frozen=True, slots=True)
class Simulation:
    """A finished simulation.

    Attributes:
        days: of each arm, in order.
        kept: what the loop's service kept of what it was sent.
        seconds: of real time.
    """

    options: Options
    n_recipes: int
    days: Mapping[ArmName, Sequence[Day]]
    events: Sequence[LoopEvent]
    promotions: Sequence[Promotion]
    kept: Kept
    seconds: float

    def lead(self) -> list[float]:
        """True nDCG@3 of the loop less that of the frozen version, by day."""
        pairs = zip(self.days["loop"], self.days["frozen"], strict=True)
        return [loop.ndcg - frozen.ndcg for loop, frozen in pairs]

    def gained_share(self, *, last_days: int = 1, figure: Literal["ndcg", "click_share"] = "ndcg") -> float | None:
        """The loop's gain over the frozen version as a share of the oracle's, at the end; None where that has none.

        Args:
            last_days: so many days are averaged.
        """
        ends = {
            name: float(np.mean([getattr(day, figure) for day in days[-last_days:]]))
            for name, days in self.days.items()
        }
        distance = ends["oracle"] - ends["frozen"]
        return (ends["loop"] - ends["frozen"]) / distance if distance > 0 else None

    def lead_before_drift(self) -> float | None:
        """Mean lead of the week before the drift; None without one."""
        drift = self.options.drift_day
        if drift is None:
            return None
        return float(np.mean(self.lead()[max(0, drift - 1 - _DAYS_OF_LEAD_BEFORE) : drift - 1]))

    def days_to_recover(self) -> int | None:
        """Days after the drift until the lead, averaged over three days, is 80 % of that before.

        None: it never was, or there was no lead.

        The drift day itself is day 0. The first average that counts lies wholly behind the drift.
        """
        drift, before, lead = self.options.drift_day, self.lead_before_drift(), self.lead()
        if drift is None or before is None or before <= 0:
            return None
        for last in range(drift - 1 + _DAYS_OF_LEAD_AFTER - 1, len(lead)):
            if np.mean(lead[last - _DAYS_OF_LEAD_AFTER + 1 : last + 1]) >= RECOVERED * before:
                return last - (drift - 1)
        return None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "simulated": True,
            "options": {**asdict(self.options), "start": self.options.start.isoformat()},
            "recipes": self.n_recipes,
            "gained_share": self.gained_share(),
            "gained_share_of_clicks": self.gained_share(figure="click_share"),
            "lead_before_drift": self.lead_before_drift(),
            "days_to_recover": self.days_to_recover(),
            "wrong_promotions": sum(one.was_wrong for one in self.promotions),
            "days": {name: [asdict(day) for day in days] for name, days in self.days.items()},
            "events": [asdict(event) for event in self.events],
            "promotions": [asdict(one) | {"was_wrong": one.was_wrong} for one in self.promotions],
            "kept": asdict(self.kept) | {"lost": self.kept.lost},
            "seconds": self.seconds,
        }
