"""Report pages: one document, nothing fetched, everything escaped; charts say what their data say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from mlops.reports import (
    BadChart,
    Badge,
    Chart,
    Interval,
    Legend,
    Prose,
    Section,
    Table,
    bar_chart,
    bar_pair,
    histogram_pair,
    interval_plot,
    line_chart,
    render_page,
    save_page,
    shown_number,
    shown_share,
)

DRAWABLE = st.floats(-1e290, 1e290)
SHARES = st.floats(0, 1)
NASTY = '<script>alert("x")</script> & "quoted"'
NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


class _Tags(HTMLParser):
    """The tags of a document, and whether each that was opened was closed."""

    VOID = frozenset({"meta", "link", "br", "hr", "img"})

    def __init__(self, document: str) -> None:
        super().__init__()
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(document)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def names(self) -> set[str]:
        return {tag for tag, _ in self.opened}


def _parts(drawing: Markup, name: str) -> list[ET.Element]:
    return [part for part in ET.fromstring(str(drawing)).iter() if part.tag == name]


def _texts(drawing: Markup) -> list[str]:
    return [part.text or "" for part in _parts(drawing, "text")]


def _page(**options: Any) -> str:
    blocks = [
        Prose("One.\n\nTwo."),
        Table(["what", "n", "verdict"], [["a", 3, Badge("better", "good")], ["b", None, True]], caption="All of it"),
        Legend(),
        Chart(bar_chart(["a", "b"], [1.0, 2.0], title="Bars"), caption="Two bars"),
        Badge("cannot tell", "note"),
    ]
    return render_page("Report", [Section("First", blocks)], **options)


# The page


def test_a_page_is_one_document_that_runs_and_fetches_nothing() -> None:
    page = _page(lead="In short.", verdict=Badge("worse", "bad"), made_at=NOON)
    tags = _Tags(page)
    assert not tags.names() & {"script", "link", "img", "iframe", "object", "embed"}
    assert not [value for _, attributes in tags.opened for name, value in attributes.items() if name in {"src", "href"}]
    assert not re.search(r"url\(|@import|https?:", page)
    assert not [name for _, attributes in tags.opened for name in attributes if name.startswith("on")]


def test_a_page_says_its_language_and_follows_light_dark_and_print() -> None:
    page = _page(language="es")
    assert dict(_Tags(page).opened)["html"] == {"lang": "es"}
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_page_shows_what_it_was_given() -> None:
    page = _page(lead="In short.", verdict=Badge("worse", "bad"), made_at=NOON)
    for text in ("In short.", "worse", "2026-11-17 12:00 UTC", "<p>One.</p>", "<p>Two.</p>", "All of it", "Two bars"):
        assert text in page
    assert "cannot tell" in page
    assert '<td class="number">3</td>' in page


def test_a_time_in_another_zone_is_shown_in_utc() -> None:
    assert "2026-11-17 11:00 UTC" in _page(made_at=NOON.replace(tzinfo=timezone(timedelta(hours=1))))


def test_texts_are_escaped_wherever_they_stand() -> None:
    drawing = bar_chart([NASTY], [1.0], title=NASTY, description=NASTY)
    blocks = [
        Prose(NASTY),
        Table([NASTY], [[NASTY], [Badge(NASTY)]], caption=NASTY),
        Chart(drawing, caption=NASTY),
        Badge(NASTY),
        Legend(NASTY, NASTY),
    ]
    page = render_page(NASTY, [Section(NASTY, blocks)], lead=NASTY, verdict=Badge(NASTY))
    assert "<script" not in page
    assert "script" not in _Tags(page).names()


def test_markup_that_does_not_come_from_a_chart_is_escaped() -> None:
    page = render_page("t", [Section("s", [Chart("<script>1</script>")])])  # type: ignore[arg-type]
    assert "<script" not in page


def test_a_chart_may_be_a_cell() -> None:
    drawing = bar_chart(["a"], [1.0], title="In a cell")
    page = render_page("t", [Section("s", [Table(["name", "chart"], [["a", Chart(drawing)]])])])
    assert f"<td>{drawing}</td>" in page


def test_fifty_columns_with_a_histogram_each_stay_below_300_kb() -> None:
    edges = [number * 1.2345 for number in range(31)]
    shares = [1 / 30 + number / 1000 for number in range(30)]
    charts = [Chart(histogram_pair(edges, shares, shares[::-1], title=f"Column {n}"), f"c{n}") for n in range(50)]
    rows = [[f"column {n}", 0.1234, 0.00123, Badge("drifted", "bad"), "numeric", 100_000, 100_000] for n in range(50)]
    head = ["column", "effect", "p", "verdict", "kind", "n", "m"]
    page = render_page("Drift", [Section("All", [Table(head, rows), *charts])])
    assert len(page.encode()) < 300_000


def test_a_page_is_saved_with_the_folder_it_needs(tmp_path: Any) -> None:
    save_page(tmp_path / "new" / "page.html", "<p>ñ</p>")
    assert (tmp_path / "new" / "page.html").read_text("utf-8") == "<p>ñ</p>"


# Charts


ROWS = [
    (
        interval_plot([Interval("a", 1.0, 0.5, 2.0)], title="t"),
        [{"name": "a", "estimate": 1.0, "low": 0.5, "high": 2.0}],
    ),
    (bar_chart(["a"], [1.0], title="t"), [{"name": "a", "value": 1.0}]),
    (bar_pair(["a"], [0.2], [0.4], title="t"), [{"name": "a", "reference": 0.2, "current": 0.4}]),
    (
        histogram_pair([0, 1, 3], [0.2, 0.8], [0.4, 0.6], title="t"),
        [
            {"from": 0, "to": 1, "reference": 0.2, "current": 0.4},
            {"from": 1, "to": 3, "reference": 0.8, "current": 0.6},
        ],
    ),
    (line_chart([NOON], [2.0], title="t"), [{"at": NOON, "value": 2.0}]),
]


@pytest.mark.parametrize(("drawing", "rows"), ROWS)
def test_a_chart_brings_its_figures_and_itself_for_a_narrow_page(drawing: Any, rows: Any) -> None:
    assert drawing.rows == Chart(drawing).rows == rows
    narrow = ET.fromstring(drawing.narrow)
    assert (narrow.get("class"), narrow.get("width")) == ("narrow", "340")
    assert all(0 <= float(text.attrib["x"]) <= 340 for text in narrow.iter("text"))
    page = render_page("t", [Section("s", [Chart(drawing)])])
    assert f"{drawing}{drawing.narrow}" in page
    assert (Chart(Markup("<svg></svg>")).narrow, Chart(Markup("<svg></svg>")).rows) == ("", ())


def test_a_long_name_is_cut_sooner_on_a_narrow_page_and_whole_in_its_title() -> None:
    name = "mas lentas que el p95 de antes"
    drawing = bar_chart([name], [1.0], title="t")
    shown = [re.search(r">([^<>]+…)<title>([^<]+)<", each) for each in (drawing, drawing.narrow)]
    assert [each and (len(each[1]), each[2]) for each in shown] == [(28, name), (18, name)]


def test_a_chart_is_an_image_with_a_title_and_a_description() -> None:
    drawing = ET.fromstring(str(bar_chart(["a"], [1.0], title="Bars", description="One bar of 1.")))
    assert drawing.get("role") == "img"
    assert [(part.tag, part.text) for part in list(drawing)[:2]] == [("title", "Bars"), ("desc", "One bar of 1.")]


def test_whiskers_reach_from_low_to_high_and_the_dot_lies_on_the_estimate() -> None:
    drawing = interval_plot([Interval("ndcg@10", 0.5, 0.0, 1.0)], title="t", zero=None)
    (dot,) = _parts(drawing, "circle")
    whisker = next(part for part in _parts(drawing, "path") if part.get("class") == "whisker")
    # The scale reaches from 180 (0.0) to 550 (1.0).
    assert dot.get("cx") == "365"
    assert whisker.get("d", "").startswith("M180 13H550")


def test_the_zero_line_and_the_margin_are_in_the_picture_even_far_from_the_intervals() -> None:
    drawing = interval_plot([Interval("a", 9.0, 8.0, 10.0)], title="t", margin=2.0)
    kinds = {part.get("class"): part.get("d") for part in _parts(drawing, "path")}
    assert kinds["margin"] == "M180 0V26"
    assert kinds["zero"] == f"M{180 + 370 * 2 / 12:.1f} 0V26"


def test_bars_are_as_long_as_their_values() -> None:
    lengths = [float(bar.get("width", "")) for bar in _parts(bar_chart(["a", "b"], [1.0, 4.0], title="t"), "rect")]
    assert lengths[1] == pytest.approx(4 * lengths[0], abs=0.2)


def test_a_negative_bar_grows_to_the_left_of_zero() -> None:
    left, right = _parts(bar_chart(["a", "b"], [-1.0, 1.0], title="t"), "rect")
    assert float(left.get("x", "")) < float(right.get("x", ""))
    assert float(left.get("x", "")) + float(left.get("width", "")) == pytest.approx(float(right.get("x", "")), abs=0.1)


def test_highlighted_bars_and_a_threshold_are_marked() -> None:
    drawing = bar_chart(["a", "b"], [1.0, 2.0], title="t", highlighted=[False, True], threshold=1.5)
    assert [bar.get("class") for bar in _parts(drawing, "rect")] == ["bar", "bar marked"]
    assert [part.get("class") for part in _parts(drawing, "path")] == ["grid", "zero", "margin"]


def test_a_histogram_steps_through_each_bin() -> None:
    drawing = histogram_pair([0, 1, 2], [0.5, 0.5], [0.0, 1.0], title="t", width=108, height=128)
    area, step, _ = _parts(drawing, "path")
    # 4 to 104 across; 104 (nothing) to 4 (the highest share, 1.0) up.
    assert area.get("d") == "M4 104V54H54V54H104V104z"
    assert step.get("d") == "M4 104V104H54V4H104V104"


def test_a_pair_of_bars_stands_for_reference_and_current() -> None:
    drawing = bar_pair(["es"], [0.5], [0.25], title="t")
    before, now = _parts(drawing, "rect")
    assert (before.get("class"), now.get("class")) == ("area", "bar")
    assert float(before.get("width", "")) == pytest.approx(2 * float(now.get("width", "")))


def test_a_line_goes_through_its_points_in_time() -> None:
    times = [NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=4)]
    (line,) = _parts(line_chart(times, [0.0, 1.0, 0.5], title="t"), "polyline")
    # 64 to 632 across, 152 (0.0) to 8 (1.0) up.
    assert line.get("points") == "64,152 206,8 632,80"


def test_a_single_point_in_time_is_a_dot() -> None:
    drawing = line_chart([NOON], [0.5], title="t")
    assert len(_parts(drawing, "circle")) == 1
    assert not _parts(drawing, "polyline")


def test_a_long_line_keeps_its_peak_and_stays_small() -> None:
    times = [NOON + timedelta(seconds=number) for number in range(100_000)]
    values = [0.0] * 100_000
    values[54_321] = 1.0
    drawing = line_chart(times, values, title="t", threshold=0.5)
    assert len(drawing) < 10_000
    assert ",8 " in str(_parts(drawing, "polyline")[0].get("points"))


def test_a_long_label_is_cut_and_stays_whole_in_its_title() -> None:
    drawing = bar_chart(["a" * 40], [1.0], title="t")
    assert "a" * 27 + "…" in _texts(drawing)
    assert [part.text for part in _parts(drawing, "title")] == ["t", "a" * 40]


def test_axis_labels_are_round_numbers() -> None:
    drawing = bar_chart(["a"], [0.7], title="t")
    assert _texts(drawing)[:4] == ["0", "0.2", "0.4", "0.6"]


@given(low=DRAWABLE, high=DRAWABLE)
@example(low=0.0, high=5e-324)
@example(low=1e290, high=1e290)
@example(low=1e-310, high=1e-310)
@example(low=1.0, high=1.0000000000000002)
def test_any_two_numbers_can_be_drawn(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)
    drawing = interval_plot([Interval("a", high, low, high)], title="t", zero=None)
    numbers = re.findall(r' c?x="([^"]+)"', str(drawing))
    assert all(0 <= float(number) <= 640 for number in numbers)


@given(shares=st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=40))
def test_any_shares_can_be_drawn_within_the_picture(shares: list[tuple[float, float]]) -> None:
    reference, current = zip(*shares, strict=True)
    drawing = histogram_pair(range(len(shares) + 1), reference, current, title="t", height=100)
    heights = [float(number) for number in re.findall(r"V(-?[\d.]+)H", str(drawing))]
    assert all(3.9 <= height <= 76 for height in heights)


@pytest.mark.parametrize(
    ("draw", "reason"),
    [
        (lambda: interval_plot([], title="t"), "at least one"),
        (lambda: interval_plot([Interval("a", 1.0, 2.0, 0.0)], title="t"), "low 2.0 above high 0.0"),
        (lambda: interval_plot([Interval("a", float("nan"), 0.0, 1.0)], title="t"), "the value nan"),
        (lambda: bar_chart([], [], title="t"), "one at least"),
        (lambda: bar_chart(["a"], [1.0, 2.0], title="t"), "as many labels"),
        (lambda: bar_chart(["a"], [float("inf")], title="t"), "the value inf"),
        (lambda: bar_chart(["a"], [1e300], title="t"), r"within ±1e\+290"),
        (lambda: histogram_pair([0, 1], [1.0, 0.0], [1.0], title="t"), "2 edges"),
        (lambda: histogram_pair([0, 0], [1.0], [1.0], title="t"), "rise"),
        (lambda: histogram_pair([0, 1], [-1.0], [1.0], title="t"), "0 or more"),
        (lambda: bar_pair(["a"], [], [], title="t"), "as many labels"),
        (lambda: bar_pair(["a"], [-1.0], [1.0], title="t"), "0 or more"),
        (lambda: line_chart([], [], title="t"), "as many times"),
        (lambda: line_chart([NOON, NOON - timedelta(1)], [1.0, 2.0], title="t"), "rise"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_reason(draw: Any, reason: str) -> None:
    with pytest.raises(BadChart, match=reason):
        draw()


# Numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.5, "−0.5"),
        (0.0213491, "0.02135"),
        (12345.678, "12,346"),
        (1_000_000, "1,000,000"),
        (-3.0, "−3"),
        (1.3e-9, "1.3e-09"),
        (float("inf"), "∞"),
        (float("nan"), "–"),
    ],
)
def test_numbers_are_short_and_exact_enough(value: float, shown: str) -> None:
    assert shown_number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5, "50.0 %"), (0.00042, "0.042 %"), (0.0, "0.0 %"), (-0.25, "−25.0 %")]
)
def test_shares_are_percentages(value: float, shown: str) -> None:
    assert shown_share(value) == shown
