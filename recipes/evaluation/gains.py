"""How much a recipe was worth to a cook, by what the cook did with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# A click is curiosity; who cooks has chosen.
EVENT_GAINS: Mapping[str, float] = {"click": 1.0, "save": 2.0, "cook": 3.0, "dismiss": 0.0}
_COOKED = EVENT_GAINS["cook"]
CONVENTION = "gain 1 click, 2 save, 3 cook, 0 dismiss; a rating counts alone: 4 for 5, 3 for 4, 1 for 3, 0 below"


def rating_gain(rating: float | None) -> float:
    """Gain of a rating from 1 to 5; None is having cooked it without a word."""
    if rating is None:
        return _COOKED
    if rating >= 5:
        return 4.0
    if rating >= 4:
        return 3.0
    return 1.0 if rating >= 3 else 0.0


def gain_of(events: Iterable[tuple[str, float | None]]) -> float:
    """Gain of one recipe in one answer.

    Args:
        events: kind and value of each event, oldest first. The last rating counts alone: who cooked a recipe and gave
            it one star does not want it again. Without a rating the highest gain counts.
    """
    kept = list(events)
    ratings = [value for kind, value in kept if kind == "rating"]
    if ratings:
        return rating_gain(ratings[-1])
    return max((EVENT_GAINS[kind] for kind, _ in kept), default=0.0)
