"""The page of quality: intervals are those of tallies, versions meet on the same days, marks are where they were."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from scipy import stats

from mlops.evaluation.shares import difference_of_means, mean_interval, wilson_interval
from mlops.http.console import Parts
from mlops.http.console.exports import as_json, tables_of
from mlops.http.console.measures import EstimateMeasures, QualityMeasure, QualityMeasures
from mlops.http.console.views.quality import quality
from mlops.http.words import Language
from mlops.monitoring.daily_quality import DayTally, grouped, on_the_same_days, pooled
from tests.console_world import MODEL, NOW, OTHER, World
from tests.integration.test_console_traffic import asked, rows

TODAY = NOW.astimezone(UTC).date()


def tally(days_ago: int, version: str, n: int, k: int, language: str = "es") -> DayTally:
    day = TODAY - timedelta(days=days_ago)
    return DayTally(day, version, "click_rate", n, k, k, {"language": language})


# 1.0.0 has had easier days before 1.1.0 came; on the day that they share, 1.1.0 is better.
TALLIES = [
    *(tally(days, "1.0.0", 100, 60) for days in range(20, 12, -1)),
    tally(12, "1.0.0", 400, 80),
    tally(12, "1.1.0", 400, 140, "en"),
    *(tally(days, "1.1.0", 100, 35) for days in range(11, 0, -1)),
]
NDCG = DayTally(TODAY - timedelta(days=1), "1.1.0", "ndcg@3", 4, 3.0, 2.5)


def quality_parts(tallies: Sequence[DayTally], asked_for: list[tuple[str, date]] | None = None) -> QualityMeasures:
    def read(model_id: str, since: date) -> Sequence[DayTally]:
        if asked_for is not None:
            asked_for.append((model_id, since))
        return [one for one in tallies if model_id == MODEL and one.day >= since]

    measures = [QualityMeasure("click_rate"), QualityMeasure("ndcg@3", is_share=False)]
    return QualityMeasures(read, measures, ["language"], EstimateMeasures("expected_rate", "observed_rate", ["click"]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture
def parts(world: World) -> Parts:
    return world.parts(quality=quality_parts([*TALLIES, NDCG]), model_ids=lambda: [MODEL, OTHER])


def test_each_day_has_its_rate_with_wilsons_interval(parts: Parts) -> None:
    days = {row["day"]: row for row in rows(quality(parts, asked(parts)), "online")}
    first = days[(TODAY - timedelta(days=12)).isoformat()]
    low, high = wilson_interval(220, 800)
    assert (first["n"], first["value"]) == (800, 0.275)
    assert (first["low"], first["high"]) == (pytest.approx(low, rel=0.01), pytest.approx(high, rel=0.01))
    assert len(days) == 20


def test_versions_are_compared_on_the_days_that_they_share(parts: Parts) -> None:
    (row,) = rows(quality(parts, asked(parts)), "versions")
    # Over all days 1.0.0 has 0.47 and 1.1.0 has 0.35: those days were different ones.
    assert (row["version"], row["days"], row["n"]) == ("1.0.0", 1, 400)
    assert (row["value"], row["value_of_champion"], row["effect"]) == (0.2, 0.35, pytest.approx(-0.15))
    assert row["verdict"].text == "peor"


def test_slices_and_the_window_are_as_asked_for(world: World) -> None:
    asked_for: list[tuple[str, date]] = []
    parts = world.parts(quality=quality_parts(TALLIES, asked_for))
    view = quality(parts, asked(parts, "en", ventana="7d", modelo=MODEL))
    assert asked_for == [(MODEL, TODAY - timedelta(days=7))]
    assert [(row["language"], row["n"]) for row in rows(view, "by-language")] == [("es", 700)]
    assert "35%" in view.lead


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("es", "No hay ninguna respuesta que medir en los últimos 7 días. Hay 180 en los últimos 30 días, "),
        ("en", "There is no answer to measure in the last 7 days. There are 180 in the last 30 days, "),
    ],
)
def test_an_empty_window_says_which_other_one_has_answers(world: World, language: Language, expected: str) -> None:
    earlier = [tally(70, "1.0.0", 50, 20), tally(20, "1.0.0", 100, 40), tally(19, "1.0.0", 80, 20)]
    parts = world.parts(quality=quality_parts(earlier))
    lead = quality(parts, asked(parts, language, ventana="7d")).lead
    assert lead.startswith(expected)
    assert (TODAY - timedelta(days=19)).isoformat() in lead
    older = world.parts(quality=quality_parts(earlier[:1]))
    for window in ("7d", "30d"):
        assert " 50 " in quality(older, asked(older, language, ventana=window)).lead
    none = world.parts(quality=quality_parts([]))
    leads = {quality(none, asked(none, language, ventana=window)).lead for window in ("7d", "30d", "90d")}
    assert leads == {asked(none, language).words("quality.lead_none")}


def test_moves_and_alerts_are_marked_on_the_chart_and_listed(parts: Parts) -> None:
    view = quality(parts, asked(parts))
    online = next(panel for panel in view.panels if panel.name == "online")
    drawing = str(next(block.drawing for block in online.blocks if hasattr(block, "drawing")))
    assert "1.1.0 sirve" in drawing
    assert drawing.count("<title>#") == 2  # the alerts of two days
    kinds = [row["event"] for row in rows(view, "events")]
    assert kinds.count("! alerta") == 4
    assert kinds.count("▲ empieza a servir") == 2


def test_what_trainings_compared_is_shown_with_their_intervals(world: World, parts: Parts) -> None:
    found = rows(quality(parts, asked(parts)), "offline")
    assert [(row["version"], row["verdict"].text) for row in found] == [("1.5.0", "pasa"), ("1.3.0", "no pasa")]
    job = world.retraining.book.get(3)
    assert job.evidence is not None
    # Gates hold to levels of their own, which the sentences say.
    panels = {panel["name"]: panel for panel in as_json(quality(parts, asked(parts)), asked(parts))["panels"]}
    lead = panels["offline"]["texts"][0]
    assert "a qué nivel" in lead
    assert "95" not in lead
    assert all("% interval" in row["sentence"].text for row in found)
    assert found[0]["effect"] == pytest.approx(job.evidence["verdicts"][0]["figures"]["effect"], rel=0.01)


def test_the_estimate_stands_beside_what_was_observed(parts: Parts) -> None:
    view = quality(parts, asked(parts))
    facts = next(each for each in as_json(view, asked(parts))["panels"] if each["name"] == "estimate-click")["facts"]
    assert facts["expected"] == "29\N{NO-BREAK SPACE}%"
    assert facts["calibration_error"] == "2\N{NO-BREAK SPACE}%"
    assert facts["steps_within_band"] == facts["steps_compared"] > 0


@pytest.mark.parametrize("language", ["es", "en"])
def test_what_there_is_not_is_said(tmp_path: Path, language: Language) -> None:
    empty = World(tmp_path, is_empty=True)
    try:
        for measures in (None, quality_parts([])):
            parts = empty.parts(quality=measures)
            view = quality(parts, asked(parts, language))
            assert tables_of(view) == {}
            assert all(panel["texts"] for panel in as_json(view, asked(parts))["panels"])
        none = empty.parts(model_ids=list)
        assert "mlops models register" in quality(none, asked(none, language)).panels[0].blocks[0].text  # type: ignore[union-attr]
    finally:
        empty.close()


def test_intervals_of_means_are_students_and_welchs() -> None:
    a, b = [0.1, 0.9, 0.4, 0.4, 0.7], [0.2, 0.3, 0.1, 0.5]
    sides = [(len(one), sum(one), sum(value * value for value in one)) for one in (a, b)]
    oracle = stats.ttest_1samp(a, 0.0).confidence_interval(0.95)
    assert mean_interval(*sides[0]) == pytest.approx((oracle.low, oracle.high))
    welch = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert difference_of_means(*sides) == pytest.approx((welch.low, welch.high))
    assert difference_of_means((3, 3.0, 3.0), (2, 0.0, 0.0)) == (-1.0, -1.0)


def test_wilsons_interval_is_that_of_scipy_and_holds_at_both_ends() -> None:
    for k, n in ((0, 12), (3, 40), (12, 12)):
        oracle = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert wilson_interval(k, n) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    with pytest.raises(ValueError, match="n of 1"):
        wilson_interval(0, 0)


def test_few_values_have_a_mean_and_no_interval() -> None:
    found = pooled([NDCG], is_share=False)
    assert found is not None
    assert (found.mean, found.low) == (0.75, None)
    assert pooled([], is_share=True) is None
    by_version = grouped(TALLIES, lambda one: one.version, is_share=True)
    assert math.isclose(by_version["1.0.0"].mean, 560 / 1200)
    assert on_the_same_days(TALLIES, "1.0.0", "9.9.9", is_share=True) is None
