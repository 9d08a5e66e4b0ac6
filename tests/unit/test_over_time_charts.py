"""Charts over time and maps: everything within its box, labels apart, gaps left open, nothing drawn that is not so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.reports import (
    BadChart,
    Happening,
    Landmark,
    Limit,
    Plot,
    Spot,
    Trace,
    spot_map,
    time_chart,
    time_columns,
)

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLOT = Plot(SINCE, SINCE + 48 * HOUR, HOUR, "latency")
POINTS = st.lists(st.tuples(st.integers(0, 48), st.floats(0.01, 1e6)), min_size=1, max_size=30).map(
    lambda found: [(SINCE + hour * HOUR, value) for hour, value in sorted(dict(found).items())]
)


def places(drawn: str) -> list[tuple[float, float]]:
    """Where anything of a drawing lies, by its paths, circles and texts."""
    root, found = ET.fromstring(drawn), []
    for one in root.iter():
        x, y = one.get("x", one.get("cx")), one.get("y", one.get("cy"))
        if x is not None and y is not None:
            found.append((float(x), float(y)))
        at = 0.0, 0.0
        for sign, numbers in re.findall(r"([MLHV])([\d. -]+)", one.get("d", "")):
            values = [float(value) for value in numbers.split()]
            at = {"H": lambda v, at: (v[0], at[1]), "V": lambda v, at: (at[0], v[0])}.get(
                sign, lambda v, at: (v[0], v[1])
            )(values, at)
            found.append(at)
    return found


def texts(drawn: str, kind: str) -> list[tuple[str, float, float]]:
    root = ET.fromstring(drawn)
    return [
        ("".join(one.itertext()), float(one.attrib["x"]), float(one.attrib["y"]))
        for one in root.iter("text")
        if one.get("class") == kind
    ]


def path_of(drawn: str, label: str) -> str:
    root = ET.fromstring(drawn)
    return next(one.attrib["d"] for one in root.iter("path") if "".join(one.itertext()) == label)


def test_a_chart_tells_its_figures_those_of_the_first_line_with_their_band() -> None:
    after = SINCE + HOUR
    traces = [Trace("p95", [(SINCE, 1.0), (after, 2.0)]), Trace("p50", [(SINCE, 0.5)])]
    assert time_chart(traces, PLOT, band=[(after, 1.5, 2.5)]).rows == [
        {"name": "p95", "at": SINCE, "value": 1.0},
        {"name": "p95", "at": after, "value": 2.0, "low": 1.5, "high": 2.5},
        {"name": "p50", "at": SINCE, "value": 0.5},
    ]
    assert time_columns([(SINCE, 3.0)], PLOT).rows == [{"at": SINCE, "value": 3.0}]
    (spot,) = spot_map([Spot(0.1, 0.2, 1.0)], [], extent=1.0, title="map").rows
    assert spot == {"sample": "reference", "x": 0.1, "y": 0.2, "share": 1.0}


@given(st.lists(POINTS, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_everything_lies_within_the_box_and_labels_do_not_overlap(series: Any, log: bool, zero: bool) -> None:
    traces = [Trace(f"p{number}", points) for number, points in enumerate(series)]
    band = [(at, value / 2, value * 2) for at, value in series[0]]
    drawn = time_chart(traces, PLOT, band=band, limits=[Limit("limit", 5.0)], log=log, zero=zero and not log)
    assert all(0 <= x <= 640 and 0 <= y <= PLOT.height for x, y in places(drawn))
    assert all(0 <= x <= 340 and 0 <= y <= PLOT.height for x, y in places(drawn.narrow))
    heights = sorted(y for kind in ("value", "aside") for _, _, y in texts(drawn, kind))
    assert len(heights) == len(series) + 1
    assert all(later - earlier >= 13.8 for earlier, later in pairwise(heights))


@given(POINTS)
def test_columns_lie_within_the_box_and_each_has_its_own(points: Any) -> None:
    drawn = time_columns(points, PLOT)
    assert all(0 <= x <= 640 and 0 <= y <= PLOT.height for x, y in places(drawn))
    root = ET.fromstring(drawn)
    (shape,) = [one.attrib["d"] for one in root.iter("path") if one.get("class") == "area"]
    assert shape.count("z") == len(points)


def test_a_gap_lifts_the_pen_and_a_point_by_itself_is_a_dot() -> None:
    hours = [0, 1, 5, 6, 9]
    drawn = time_chart([Trace("p95", [(SINCE + hour * HOUR, 1.0 + hour) for hour in hours])], PLOT)
    assert re.sub(r"[\d. ]+", "", path_of(drawn, "p95")) == "MLML"
    assert len([one for one in ET.fromstring(drawn).iter("circle") if "dot" in one.attrib["class"]]) == 1


def test_on_a_logarithmic_axis_equal_factors_are_equal_distances() -> None:
    points = [(SINCE + hour * HOUR, value) for hour, value in enumerate([1.0, 10.0, 100.0])]

    def heights_of(*, log: bool) -> list[float]:
        drawn = path_of(time_chart([Trace("a", points)], PLOT, log=log), "a")
        return [float(y) for y in re.findall(r" ([\d.]+)", drawn)]

    heights, linear = heights_of(log=True), heights_of(log=False)
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert (linear[1] - linear[2]) == pytest.approx(10 * (linear[0] - linear[1]), rel=0.05)


def test_marks_carry_their_words_and_styles_are_left_to_classes() -> None:
    happenings = [Happening(SINCE + 3 * HOUR, "▲", "1.1.0 & <more>")]
    drawn = time_chart([Trace("a", [(SINCE, 0.0)])], PLOT, happenings=happenings, zero=True)
    assert "▲1.1.0 & <more>" in ["".join(one.itertext()) for one in ET.fromstring(drawn).iter("text")]
    assert "style=" not in drawn


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: time_chart([], PLOT), "a point at least"),
        (lambda: time_chart([Trace("a", [(SINCE - HOUR, 1.0)])], PLOT), "goes from"),
        (lambda: time_chart([Trace("a", [(SINCE + HOUR, 1.0), (SINCE, 1.0)])], PLOT), "rise"),
        (lambda: time_chart([Trace("a", [(SINCE, float("nan"))])], PLOT), "nan"),
        (lambda: time_chart([Trace("a", [(SINCE, 0.0)])], PLOT, log=True), "above 0"),
        (lambda: time_columns([], PLOT), "a point at least"),
        (lambda: time_columns([(SINCE, -1.0)], PLOT), "0 or more"),
        (lambda: time_columns([(SINCE, 1.0)], Plot(SINCE, SINCE, HOUR, "none")), "before it ends"),
        (lambda: spot_map([], [], extent=1, title="m"), "spots"),
        (lambda: spot_map([Spot(0, 0, 0.1)] * 401, [], extent=1, title="m"), "401"),
        (lambda: spot_map([Spot(2, 0, 0.1)], [], extent=1, title="m"), "goes from"),
        (lambda: spot_map([Spot(0, 0, 0.0)], [], extent=1, title="m"), "shares"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Any, words: str) -> None:
    with pytest.raises(BadChart, match=words):
        draw()


SPOTS = st.lists(st.builds(Spot, st.floats(-1, 1), st.floats(-1, 1), st.floats(1e-6, 1)), min_size=1, max_size=40)
LANDMARKS = st.lists(
    st.builds(Landmark, st.floats(-1, 1), st.floats(-1, 1), st.text("abcñ ", min_size=1, max_size=20)), max_size=12
)


@given(SPOTS, SPOTS, LANDMARKS)
def test_a_map_shows_every_spot_and_no_name_lies_upon_another(
    reference: list[Spot], current: list[Spot], landmarks: list[Landmark]
) -> None:
    drawn = spot_map(reference, current, landmarks, extent=1, title="queries")
    circles = list(ET.fromstring(drawn).iter("circle"))
    assert [one.attrib["class"] for one in circles] == ["area"] * len(reference) + ["ring"] * len(current)
    assert all(float(one.attrib["cx"]) - float(one.attrib["r"]) >= 0 for one in circles)
    names = texts(drawn, "name")
    assert bool(names) == bool(landmarks)
    for number, (label, x, y) in enumerate(names):
        half = 3.3 * len(label)
        assert half <= x + 0.1
        assert x <= 640 - half + 0.1
        for other, at, height in names[:number]:
            assert abs(y - height) >= 14.8 or abs(x - at) >= half + 3.3 * len(other) - 0.2


def test_a_spot_of_four_times_the_share_has_twice_the_radius() -> None:
    drawn = spot_map([Spot(0, 0, 0.4), Spot(0.5, 0.5, 0.1)], [], extent=1, title="queries")
    radii = [float(one.attrib["r"]) for one in ET.fromstring(drawn).iter("circle")]
    assert radii[0] == pytest.approx(2 * radii[1])
