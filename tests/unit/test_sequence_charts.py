"""Confidence sequences and progress, drawn: within the drawing, open ends to its edge, in the order of time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from mlops.reports import BadChart, Bounds, progress_bar, sequence_chart
from mlops.rollout.pages import ratio_chart

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
END = st.none() | st.floats(-1e6, 1e6)


@st.composite
def sequences(draw: st.DrawFn) -> list[Bounds]:
    """At least one end; low is never above high."""
    pairs = draw(st.lists(st.tuples(END, END), min_size=1, max_size=30))
    points = []
    for number, (one, other) in enumerate(pairs):
        low, high = (min(one, other), max(one, other)) if one is not None and other is not None else (one, other)
        points.append(Bounds(NOON + timedelta(minutes=number), low, high))
    return points if any(each.low is not None or each.high is not None for each in points) else [Bounds(NOON, 0.0, 1.0)]


def path_of(drawing: Markup, kind: str) -> list[list[tuple[float, float]]]:
    """The points of each path of a class."""
    paths = [each for each in ET.fromstring(str(drawing)).iter("path") if each.get("class") == kind]
    return [
        [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d") or "")] for path in paths
    ]


@given(points=sequences(), zero=st.none() | st.floats(-1e6, 1e6))
def test_a_sequence_stays_within_its_drawing_and_its_band_is_as_wide_as_its_ends(
    points: list[Bounds], zero: float | None
) -> None:
    drawing = sequence_chart(points, title="ratio", zero=zero)
    if len(points) == 1:
        assert len(path_of(drawing, "whisker")) == 1
        return
    (band,) = path_of(drawing, "band")
    low, high = band[: len(points)], band[: len(points) - 1 : -1]
    known = [
        [place for place, end in zip(low, [each.low for each in points], strict=True) if end is not None],
        [place for place, end in zip(high, [each.high for each in points], strict=True) if end is not None],
    ]
    assert path_of(drawing, "edge") == [places for places in known if places]
    assert all(64 <= x <= 632 and 0 <= y <= 160 for x, y in band)
    assert [x for x, _ in low] == [x for x, _ in high] == sorted(x for x, _ in low)
    # Downwards is larger: the lower end is never drawn above the upper one.
    assert all(below >= above for (_, below), (_, above) in zip(low, high, strict=True))


def test_an_open_end_goes_beyond_what_is_known_and_a_line_is_where_it_belongs() -> None:
    points = [Bounds(NOON, None, None), Bounds(NOON + timedelta(hours=1), -1.0, 1.0)]
    drawing = sequence_chart(points, title="ratio", zero=0.0, limit=0.5)
    (band,), (low, high) = path_of(drawing, "band"), path_of(drawing, "edge")
    assert (len(low), len(high)) == (1, 1)
    (zero,), (limit,) = path_of(drawing, "zero"), path_of(drawing, "margin")
    assert band[-1][1] == 8 < high[0][1] < limit[0][1] < zero[0][1] < low[0][1] < band[0][1] == 132


def test_an_open_end_reaches_as_far_as_it_is_told() -> None:
    points = [Bounds(NOON, None, -1.0), Bounds(NOON + timedelta(hours=1), None, -1.0)]
    drawing = sequence_chart(points, title="ratio", zero=0.0, reach=(-4.0, 4.0))
    (band,), (high,), (zero,) = (path_of(drawing, kind) for kind in ("band", "edge", "zero"))
    floor = band[0][1]
    # Only on the side that is open: nothing is above zero.
    assert (zero[0][1], floor) == (8, 132)
    assert high[0][1] == pytest.approx(8 + (132 - 8) / 4)


def test_the_band_of_a_ratio_below_an_eighth_hangs_from_its_upper_end_to_the_floor() -> None:
    looks = [(0.0, None), (0.02, 1.9), (0.0416, 0.698)]
    series = [
        {"at": (NOON + timedelta(hours=hour)).isoformat(), "interval": {"click_rate": list(look)}}
        for hour, look in enumerate(looks)
    ]
    drawing = ratio_chart(series, {"guard": "click_rate"}, title="ratio")
    assert drawing is not None
    # In figures as they are: an axis has powers of two, and ends somewhere.
    assert [(row["low"], row["high"]) for row in drawing.rows] == looks
    (band,), (high,) = path_of(drawing, "band"), path_of(drawing, "edge")
    (first, above), (last, below) = band[3], band[2]
    assert (first, last) == (632, 632)
    assert below == 132
    # 0.698 is 0.52 octaves below 1, where the floor is three octaves below it and the top three above.
    assert above == pytest.approx(70 + 0.5187 / 3 * 62, abs=0.06)
    assert high[-1] == (632, above)


def test_a_ratio_that_lies_beyond_eight_times_as_a_whole_is_drawn_at_the_edge() -> None:
    series = [{"at": NOON.isoformat(), "interval": {"click_rate": ends}} for ends in ([9.0, None], [0.5, 2.0])]
    drawing = ratio_chart(series, {"guard": "click_rate"}, title="ratio")
    assert drawing is not None
    (band,) = path_of(drawing, "band")
    assert band[0][1] == band[-1][1] == 8


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ([], "an end"),
        ([Bounds(NOON, None, None)], "an end"),
        ([Bounds(NOON, 2.0, 1.0)], "above high"),
        ([Bounds(NOON, 0.0, float("inf"))], "finite"),
        ([Bounds(NOON, 0.0, 1.0), Bounds(NOON - timedelta(1), 0.0, 1.0)], "times that rise"),
    ],
)
def test_what_cannot_be_drawn_is_refused(points: list[Bounds], why: str) -> None:
    with pytest.raises(BadChart, match=why):
        sequence_chart(points, title="ratio")


@given(share=st.floats(0, 1))
def test_a_bar_is_filled_as_far_as_it_says(share: float) -> None:
    track, filled = ET.fromstring(str(progress_bar(share, title="so far"))).iter("rect")
    assert float(filled.get("width") or 0) == pytest.approx(share * float(track.get("width") or 0), abs=0.06)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_bar_of_no_share_is_refused(share: float) -> None:
    with pytest.raises(BadChart):
        progress_bar(share, title="so far")
