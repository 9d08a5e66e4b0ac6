"""The chart of several lines over days: every line, label and mark is there, and nothing that cannot be drawn."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from mlops.reports import BadChart, Line, Mark, timeline_chart


def test_a_line_lifts_the_pen_over_a_missing_day_and_marks_carry_their_words() -> None:
    lines = [Line("loop", [0.5, None, 0.7, 0.8]), Line("never < trained", [0.5, 0.5, 0.5, 0.5], "second")]
    drawn = timeline_chart(lines, [Mark(3, "▲", "1.1.0 & more", over_the_plot=True)], title="quality")
    root = ET.fromstring(drawn)
    path = next(one for one in root.iter("path") if one.find("title") is not None and one.find("title").text == "loop")  # type: ignore[union-attr]
    assert re.sub(r"[\d. ]+", "", path.attrib["d"]) == "MML"
    texts = ["".join(one.itertext()) for one in root.iter("text")]
    assert {"loop", "never < trained", "▲1.1.0 & more"} <= set(texts)
    assert len([one for one in root.iter("path") if one.get("class") == "margin"]) == 1


def test_higher_values_are_drawn_higher_and_later_days_further_right() -> None:
    drawn = timeline_chart([Line("one", [1.0, 2.0])], title="x")
    path = next(one for one in ET.fromstring(drawn).iter("path") if one.find("title") is not None)
    (x1, y1), (x2, y2) = (map(float, point.split()) for point in re.findall(r"[ML]([\d.]+ [\d.]+)", path.attrib["d"]))
    assert x2 > x1
    assert y2 < y1


def test_labels_of_lines_that_end_together_do_not_overlap() -> None:
    drawn = timeline_chart([Line(name, [1.0, 1.0]) for name in "abc"], title="x")
    places = [float(one.attrib["y"]) for one in ET.fromstring(drawn).iter("text") if one.get("class") == "value"]
    assert len(places) == 3
    assert min(later - earlier for earlier, later in pairwise(places)) >= 13.9


@pytest.mark.parametrize(
    ("lines", "marks", "words"),
    [
        ([], [], "equal length"),
        ([Line("a", [None])], [], "values"),
        ([Line("a", [1.0]), Line("b", [1.0, 2.0])], [], "equal length"),
        ([Line("a", [1.0, float("nan")])], [], "nan"),
        ([Line("a", [1.0, 2.0])], [Mark(3, "!", "late")], "day 3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(lines: list[Line], marks: list[Mark], words: str) -> None:
    with pytest.raises(BadChart, match=words):
        timeline_chart(lines, marks, title="x")
