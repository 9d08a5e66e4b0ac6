"""A map of two samples: how much of each lies where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

from mlops.reports._svg import Drawing, Scale, Sheet, check_drawable, coordinate, drawing
from mlops.reports.errors import BadChart

MOST_SPOTS = 400
_HEIGHT, _EDGE = 400, 16
_SMALLEST, _LARGEST = 1.5, 14.0
# About what a letter takes, for labels that must not lie upon each other.
_LETTER, _LINE = 6.6, 15.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the map, and which *share* of its sample lies there, above 0 to 1: the area of the spot."""

    x: float
    y: float
    share: float


@dataclass(frozen=True, slots=True)
class Landmark:
    """Something known that helps to read the map."""

    x: float
    y: float
    label: str


def spot_map(
    reference: Sequence[Spot],
    current: Sequence[Spot],
    landmarks: Sequence[Landmark] = (),
    *,
    extent: float,
    title: str,
    description: str = "",
) -> Drawing:
    """Two samples over each other: the reference as discs, the current one as rings.

    Args:
        reference, current: at most 400 each.
        landmarks: the first ones are the most important: one that would lie upon another is left out.
        extent: the map goes from -extent to extent in both directions.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
    Raises:
        BadChart: too many spots, none at all, or one beyond the map or without a share.
    """
    spots = [*reference, *current]
    places: list[Spot | Landmark] = [*spots, *landmarks]
    if not spots or max(len(reference), len(current)) > MOST_SPOTS:
        counts = f"{len(reference)} and {len(current)}"
        raise BadChart(f"map {title!r} needs 1 to {MOST_SPOTS} spots of each sample, got {counts}")
    check_drawable(title, [value for one in places for value in (one.x, one.y)])
    for one in places:
        if max(abs(one.x), abs(one.y)) > extent:
            raise BadChart(f"map {title!r} goes from {-extent} to {extent}, got ({one.x}, {one.y})")
    if not all(0 < one.share <= 1 for one in spots):
        raise BadChart(f"map {title!r} needs shares above 0 and at most 1")
    y = Scale(-extent, extent, _HEIGHT - _EDGE, _EDGE)
    largest = max(one.share for one in spots)

    def parts(sheet: Sheet) -> list[str]:
        x = Scale(-extent, extent, _EDGE, sheet.width - _EDGE)
        frame = f"M{x(0)} {_EDGE}V{_HEIGHT - _EDGE}M{_EDGE} {y(0)}H{sheet.width - _EDGE}"
        drawn = [f'<path class="grid" d="{frame}"/>']
        drawn += [_spot(one, x, y, largest, "area") for one in reference]
        drawn += [_spot(one, x, y, largest, "ring") for one in current]
        return [*drawn, *_names(landmarks, x, y, sheet)]

    rows = [
        {"sample": sample, "x": one.x, "y": one.y, "share": one.share}
        for sample, spots in (("reference", reference), ("current", current))
        for one in spots
    ]
    return drawing(_HEIGHT, title, description, parts, rows)


def _spot(one: Spot, x: Scale, y: Scale, largest: float, kind: str) -> str:
    radius = max(_SMALLEST, _LARGEST * math.sqrt(one.share / largest))
    return f'<circle class="{kind}" cx="{x(one.x)}" cy="{y(one.y)}" r="{coordinate(radius)}"/>'


def _names(landmarks: Sequence[Landmark], x: Scale, y: Scale, sheet: Sheet) -> list[str]:
    drawn, taken = [], list[tuple[float, float, float]]()
    for one in landmarks:
        half = _LETTER * len(one.label) / 2
        middle = min(max(x.at(one.x), half + 2), sheet.width - half - 2)
        height = min(max(y.at(one.y), _LINE), _HEIGHT - 4)
        if any(abs(height - other) < _LINE and abs(middle - at) < half + wide for at, other, wide in taken):
            continue
        taken.append((middle, height, half))
        drawn.append(
            f'<text class="name" x="{coordinate(middle)}" y="{coordinate(height)}" text-anchor="middle">'
            f"{escape(one.label)}</text>"
        )
    return drawn
