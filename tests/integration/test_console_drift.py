"""The page of drift: the newest kept check as it was made, worst column first, and never made while a page waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops.drift import DriftReport, ReferenceProfile, check_drift
from mlops.http.console import Parts
from mlops.http.console.exports import as_json, tables_of
from mlops.http.console.views.drift import drift
from mlops.http.words import Language
from mlops.monitoring.drift_book import MOST_KEPT, DriftBook
from mlops.schema import drift_checks
from mlops.store import Database
from tests.console_world import MODEL, NOW, OTHER, World
from tests.integration.test_console_traffic import asked, rows


def report(*, shift: float = 1.0, n: int = 400) -> DriftReport:
    rng = np.random.default_rng(3)
    reference = {
        "minutes": rng.normal(30, 10, 500), "score": rng.beta(5, 2, 500), "meal": rng.choice(["dinner", "lunch"], 500),
        "gone": np.ones(500),
    }  # fmt: skip
    current = {
        "minutes": rng.normal(30 + 10 * shift, 10, n), "score": rng.beta(5, 2, n),
        "meal": rng.choice(["dinner", "lunch"], n),
    }  # fmt: skip
    return check_drift(ReferenceProfile.of(reference), current)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    with made.database.writing() as connection:
        connection.execute(drift_checks.delete())
    book = DriftBook(made.database, clock=made.clock)
    made.clock.now = NOW - timedelta(hours=1)
    book.keep(MODEL, "1.0.0", report(shift=0.0), since=NOW - timedelta(days=8))
    made.clock.now = NOW
    book.keep(MODEL, "1.1.0", report(), since=NOW - timedelta(days=7))
    yield made
    made.close()


@pytest.fixture
def parts(world: World) -> Parts:
    return world.parts(model_ids=lambda: [MODEL, OTHER])


def test_a_kept_report_comes_back_as_it_was(sqlite_database: Database) -> None:
    made = report()
    book = DriftBook(sqlite_database, clock=lambda: NOW)
    book.keep(MODEL, "1.1.0", made, since=NOW - timedelta(days=7))
    found = book.newest(MODEL)
    assert found is not None
    assert found[1].to_dict() == made.to_dict()
    assert (found[0].verdict, found[0].n_drifted, found[0].n_compared, found[0].made_at) == ("drift", 1, 3, NOW)
    assert book.newest(OTHER) is None


def test_old_checks_are_forgotten_each_model_by_itself(sqlite_database: Database) -> None:
    book, made = DriftBook(sqlite_database), report(n=40)
    book.keep(OTHER, "0.1.0", made, since=NOW)
    for number in range(MOST_KEPT + 3):
        book.keep(MODEL, f"1.{number}.0", made, since=NOW)
    kept = book.history(MODEL, limit=1_000)
    assert [kept[0].version, kept[-1].version, len(kept)] == [f"1.{MOST_KEPT + 2}.0", "1.3.0", MOST_KEPT]
    assert len(book.history(OTHER)) == 1


def test_the_worst_column_comes_first_with_its_figures(parts: Parts) -> None:
    view = drift(parts, asked(parts))
    made = {one.column: one for one in report().results}
    found = rows(view, "columns")
    assert found[0]["column"] == "minutes"
    assert found[0]["verdict"].text == "deriva"
    assert [row["verdict"].text for row in found[1:]] == ["estable"] * (len(found) - 1)
    for row in found:
        assert row["effect"] == pytest.approx(made[row["column"]].score, rel=0.01)
        assert row["adjusted_p"] == pytest.approx(made[row["column"]].adjusted_p, rel=0.01)
    assert view.verdict is not None
    assert view.verdict.text == "deriva"
    (finding,) = rows(view, "findings")
    assert (finding["column"], finding["finding"].text) == ("gone", "falta la columna")
    assert [row["version"] for row in rows(view, "checks")] == ["1.1.0", "1.0.0"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "es",
            "1 columna ha derivado, de 3 comparadas. Comprobado el {at}. Además, 1 falta o ya no es como era: gone.",
        ),
        ("en", "1 column drifted, of 3 compared. Checked at {at}. Besides, 1 is missing or not what it was: gone."),
    ],
)
def test_the_lead_tells_missing_columns_apart_from_those_that_drifted(
    parts: Parts, language: Language, expected: str
) -> None:
    at = f"{NOW.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    assert drift(parts, asked(parts, language)).lead == expected.format(at=at)


def test_a_check_of_a_version_that_serves_no_more_says_so(tmp_path: Path) -> None:
    moved = World(tmp_path, is_empty=True)
    try:
        book = DriftBook(moved.database, clock=moved.clock)
        book.keep(MODEL, "1.4.0", report(), since=NOW - timedelta(days=7))
        assert drift(moved.parts(), asked(moved.parts(), "en")).lead.endswith("No version serves now.")
        moved.register("1.0.0", 0.4)
        moved.registry.promote(MODEL, "1.0.0", because="the first")
        lead = drift(moved.parts(), asked(moved.parts())).lead
        assert "Vale para 1.4.0. Ahora sirve 1.0.0: su comprobación llega" in lead
        book.keep(MODEL, "1.0.0", report(), since=NOW - timedelta(days=7))
        assert "sirve" not in drift(moved.parts(), asked(moved.parts())).lead
    finally:
        moved.close()


def test_columns_that_are_held_to_stricter_limits_show_them(tmp_path: Path) -> None:
    mixed = World(tmp_path, is_empty=True)
    try:
        made = report()
        strict, *others = made.results
        held = replace(made, results=[replace(strict, threshold=0.15, alpha=0.001), *others])
        DriftBook(mixed.database, clock=mixed.clock).keep(MODEL, "1.0.0", held, since=NOW)
        view = drift(mixed.parts(), asked(mixed.parts()))
        limits = {row["column"]: (row["effect_limit"], row["p_limit"]) for row in rows(view, "columns")}
        assert limits[strict.column] == (0.15, 0.001)
        assert limits[others[0].column] == (0.1, 0.05)
        panels = {panel["name"]: panel for panel in as_json(view, asked(mixed.parts()))["panels"]}
        assert panels["columns"]["facts"]["effect_limit"] == "0,1 / 0,15"
        assert any("0,001 / 0,05" in text for text in panels["how"]["texts"])
    finally:
        mixed.close()


def test_what_was_compared_is_said_and_drawn(parts: Parts) -> None:
    panels = {panel["name"]: panel for panel in as_json(drift(parts, asked(parts)), asked(parts))["panels"]}
    facts = panels["columns"]["facts"]
    assert facts["made_at"] == NOW.isoformat()
    assert facts["n_reference"] == 500
    assert "1.1.0" in facts["reference"]
    assert len(panels["distributions"]["charts"]) == 3
    assert panels["distributions"]["charts"][0]["caption"].startswith("minutes ha derivado: efecto ")


def test_too_few_values_are_a_verdict(tmp_path: Path) -> None:
    few = World(tmp_path, is_empty=True)
    try:
        few.register("1.0.0", 0.4)
        DriftBook(few.database, clock=few.clock).keep(MODEL, "1.0.0", report(n=12), since=NOW)
        view = drift(few.parts(), asked(few.parts(), "en"))
        assert {row["verdict"].text for row in rows(view, "columns")} == {"not enough data"}
    finally:
        few.close()


@pytest.mark.parametrize("language", ["es", "en"])
def test_what_there_is_not_is_said(parts: Parts, language: Language) -> None:
    view = drift(parts, asked(parts, language, modelo=OTHER))
    assert tables_of(view) == {}
    (panel,) = as_json(view, asked(parts))["panels"]
    assert any(OTHER in text for text in panel["texts"])


def test_a_page_makes_no_check(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any, **named: Any) -> Any:
        raise AssertionError("a check takes seconds: the page shows what was kept")

    monkeypatch.setattr("mlops.drift.check.Checker.check", refused)
    assert drift(parts, asked(parts)).panels
