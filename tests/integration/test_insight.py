"""What the console shows of the recommender: days, golden queries, drift and the map, from real rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from mlops import schema as toolkit
from mlops.drift import check_drift
from mlops.http.access import Visitor
from mlops.http.console import View
from mlops.http.console.ask import Ask as PageAsk
from mlops.http.console.exports import as_json, tables_of
from mlops.http.console.rendering import load_words
from mlops.http.words import Language
from mlops.monitoring.drift_book import DriftBook
from mlops.store import Database
from recipes import schema
from recipes.answer import Answer, Ask
from recipes.api.console import console_parts
from recipes.api.console_panels import compared_panel, golden_panel, query_map_panel
from recipes.api.health import HealthReport
from recipes.encoder import UseEncoder
from recipes.quality_days import QualityDays
from recipes.query_map import QueryMap
from recipes.ranker import MODEL_ID
from recipes.service import Service
from tests.shown_worlds import answer_row

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
TODAY = NOW.date()
WORDS = load_words()
SECRET = "arroz caldoso con zarigüeya"


def page(language: Language = "es", now: datetime = NOW) -> PageAsk:
    return PageAsk("/consola/x", {}, {}, WORDS[language], Visitor("ana", "read"), now)


# --- Days ----------------------------------------------------------------------------------------------------------


def answered(
    database: Database, name: str, at: datetime, events: list[tuple[int, str, float | None]], **more: Any
) -> None:
    """An answer of three recipes; *events* are (position, kind, value)."""
    with database.writing() as connection:
        connection.execute(schema.answers.insert(), answer_row(name, at, **more))
        for position in (1, 2, 3):
            shown = {"request_id": name, "position": position, "recipe_id": f"r{position}"}
            connection.execute(schema.impressions.insert(), {**shown, "score": 0.5, "features": {}, "propensity": 1.0})
        for number, (position, kind, value) in enumerate(events):
            event = {"event_id": f"{name}-{number}", "request_id": name, "recipe_id": f"r{position}", "event": kind}
            connection.execute(schema.feedback_events.insert(), {**event, "value": value, "received_at": at})


def test_a_day_is_counted_as_it_was(sqlite_database: Database) -> None:
    days = QualityDays(sqlite_database, clock=lambda: NOW)
    assert days.refresh() == []
    yesterday = NOW - timedelta(days=1)
    answered(sqlite_database, "none", yesterday, [])
    answered(sqlite_database, "dismissed", yesterday, [(1, "dismiss", None)])
    answered(sqlite_database, "second", yesterday, [(2, "click", None)])
    answered(sqlite_database, "cooked", yesterday, [(1, "click", None), (3, "cook", None), (1, "dismiss", None)])
    answered(sqlite_database, "english", yesterday, [(1, "click", None)], language="en")
    answered(sqlite_database, "link", yesterday, [(1, "click", None)], mode="direct")
    answered(sqlite_database, "too young", NOW - timedelta(minutes=30), [])
    assert days.refresh() == [TODAY - timedelta(days=1), TODAY]
    found = {(one.measure, one.labels["language"]): one for one in days.read("hybrid_ranker", date(2026, 6, 1))}
    clicks, ndcg = found["click_rate", "es"], found["ndcg@3", "es"]
    assert (clicks.n, clicks.total, clicks.day, clicks.version) == (4, 2, TODAY - timedelta(days=1), "1.0.0")
    # A click at rank 2 alone; a click at rank 1 and what was cooked at rank 3.
    second = 1 / math.log2(3)
    cooked = (1 + 3 / 2) / (3 + 1 / math.log2(3))
    assert (ndcg.n, ndcg.total) == (2, pytest.approx(second + cooked))
    assert ndcg.squares == pytest.approx(second**2 + cooked**2)
    assert found["click_rate", "en"].n == 1
    assert len(found) == 4
    assert days.read("other", date(2026, 6, 1)) == []


def test_late_reactions_are_counted_and_old_days_are_left_alone(sqlite_database: Database) -> None:
    days = QualityDays(sqlite_database, clock=lambda: NOW)
    for ago in (9, 2):
        answered(sqlite_database, f"ago-{ago}", NOW - timedelta(days=ago), [])
    assert len(days.refresh()) == 10
    with sqlite_database.writing() as connection:
        for ago in (9, 2):
            event = {"event_id": f"late-{ago}", "request_id": f"ago-{ago}", "recipe_id": "r1", "event": "cook"}
            connection.execute(schema.feedback_events.insert(), {**event, "value": None, "received_at": NOW})
    # From three days before the last one that has anything.
    assert days.refresh()[0] == TODAY - timedelta(days=5)
    totals = {one.day: one.total for one in days.read("hybrid_ranker", date(2026, 5, 1)) if one.measure == "click_rate"}
    assert totals == {TODAY - timedelta(days=9): 0, TODAY - timedelta(days=2): 1}


# --- A service that answers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_service(
    tmp_path_factory: pytest.TempPathFactory,
    copy_starter: Callable[[Path], Path],
    use_encoder: UseEncoder,
    make_settings: Any,
) -> Iterator[Service]:
    """A service over the starter catalogue at a clock that stands, whose threads do not run."""
    folder = copy_starter(tmp_path_factory.mktemp("insight") / "data")
    made = Service(make_settings(folder), encoder=use_encoder, clock=lambda: NOW)
    made.prepare()
    assert made.check() == {}
    yield made
    made.operations.metrics.stop()
    made.close()


@pytest.fixture
def service(whole_service: Service) -> Iterator[Service]:
    """It, with nothing made and nothing asked yet."""
    with whole_service.database.writing() as connection:
        for table in (schema.golden_results, toolkit.leases, schema.impressions, schema.answers):
            connection.execute(table.delete())
    yield whole_service
    whole_service.insight._is_stopping.clear()


def asked(service: Service, *queries: str) -> list[Answer]:
    found = [service.recommender.answer(Ask(query)) for query in queries]
    service.answers.flush()
    return found


def test_an_answer_keeps_its_cell_and_nothing_of_its_words(service: Service) -> None:
    first, again, other = asked(service, SECRET, SECRET, "tarta de chocolate")
    assert first.place is not None
    assert first.place == again.place != other.place
    with service.database.reading() as connection:
        rows = connection.execute(sa.select(schema.answers)).mappings().all()
        every = [
            str(value)
            for table in schema.metadata.sorted_tables
            if table.name not in {"recipes", "recipe_texts"}
            for row in connection.execute(sa.select(table))
            for value in row
        ]
    kept = {row["request_id"]: row for row in rows}
    assert (kept[first.request_id]["map_x"], kept[first.request_id]["map_y"]) == first.place[1:]
    assert not [value for value in every if "zarig" in value.lower()]


def test_the_map_is_learned_once_and_found_again(service: Service) -> None:
    found = service.query_maps.of(service.encoder.name)
    assert found is not None
    other = QueryMap.learned(found.encoder, _spread())
    assert service.query_maps.keep(other, at=NOW).to_json() == found.to_json()
    assert service.recommender.query_map is not None
    assert service.recommender.query_map.n_recipes == len(service.recommender.index or ())


def _spread() -> dict[int, Any]:
    import numpy as np

    return dict(enumerate(np.random.default_rng(0).normal(size=(30, 512)).astype(np.float32)))


def test_the_map_shows_what_changed_in_what_is_asked(service: Service) -> None:
    sweet = ["tarta de chocolate", "galletas de mantequilla", "helado de vainilla", "bizcocho de limón"]
    hearty = ["sopa de lentejas", "cocido de garbanzos", "guiso de ternera", "arroz con pollo"]
    places = {query: one.place for query, one in zip([*sweet, *hearty], asked(service, *sweet, *hearty), strict=True)}
    rows = []
    for ago, queries in ((20, sweet), (2, hearty)):
        for number in range(80):
            place = places[queries[number % len(queries)]]
            assert place is not None
            where = {"query_map": place.query_map, "map_x": place.x, "map_y": place.y}
            rows.append(answer_row(f"{ago}-{number}", NOW - timedelta(days=ago, minutes=number), **where))
    with service.database.writing() as connection:
        connection.execute(schema.answers.delete())
        connection.execute(schema.answers.insert(), rows)
    (panel,) = query_map_panel(service.database, service.catalogue, service.recommender.query_map, page())
    view = View("x", panels=[panel])
    facts = as_json(view, page())["panels"][0]["facts"]
    assert (facts["n_reference"], facts["n_current"]) == (80, 80)
    texts = as_json(view, page())["panels"][0]["texts"]
    assert texts[0] == "se pide otra cosa"
    table = tables_of(view)["query-map"]
    for column in (1, 2):
        assert sum(float(row[column]) for row in table.rows) == pytest.approx(100, abs=0.2)  # type: ignore[arg-type]
    assert any(row[3] for row in table.rows)


def test_golden_queries_are_asked_once_of_a_version_and_an_index(service: Service) -> None:
    (before,) = golden_panel(service.insight.golden, page())
    assert tables_of(View("x", panels=[before])) == {}
    n_answers = service.answers.n_written
    service.insight.ask_golden()
    (result,) = service.insight.golden.newest()
    assert (result.version, result.made_at) == ("1.0.0", NOW)
    assert sum(result.answered.values()) > len(result.answered) / 2
    assert result.ndcg is not None
    (panel,) = golden_panel(service.insight.golden, page("en"))
    row = tables_of(View("x", panels=[panel]))["golden"].rows[0]
    assert row[:3] == ["1.0.0", sum(result.answered.values()), len(result.answered)]
    # Asked again, nothing happens; and none of it was recorded.
    service.recommender.rehearse = None  # type: ignore[assignment, method-assign]
    service.insight.ask_golden()
    del service.recommender.rehearse
    service.answers.flush()
    assert service.answers.n_written == n_answers


def test_a_service_that_ends_does_not_wait_for_golden_queries(service: Service) -> None:
    service.insight.stop()
    assert "golden-queries" not in service.insight.look()
    assert service.insight.golden.newest() == []


def test_of_two_processes_one_makes_what_is_due(service: Service) -> None:
    made = service.insight.look()
    assert set(made) == {"quality-days", "drift-check", "golden-queries"}
    assert service.insight.look() == []
    # The initial version learned from no data, so that there is nothing to compare with.
    assert service.insight.drift.newest("hybrid_ranker") is None


def test_a_check_says_how_much_of_questions_and_of_shown_recipes_it_compared(sqlite_database: Database) -> None:
    book = DriftBook(sqlite_database, clock=lambda: NOW)
    (none,) = as_json(View("x", panels=compared_panel(book, page())), page())["panels"]
    assert none["texts"] == ["Todavía no se ha comparado nada."]
    rng = np.random.default_rng(3)
    before = {name: rng.normal(0.5, 0.1, 400) for name in ("semantic", "covered", "candidates")}
    later = {"semantic": before["semantic"] + 0.2, "covered": before["covered"], "candidates": before["candidates"]}
    book.keep(MODEL_ID, "1.1.0", check_drift(before, later), since=NOW - timedelta(days=7))
    table = tables_of(View("x", panels=compared_panel(book, page("en"))))["compared"]
    questions, features = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (questions["n_compared"], questions["n_drifted"]) == (1, 0)
    assert (features["n_compared"], features["n_drifted"]) == (2, 1)
    assert (questions["current"], features["current"]) == (
        "2026-06-09 12:00 UTC – 2026-06-10 12:00 UTC",
        "2026-06-03 12:00 UTC – 2026-06-10 12:00 UTC",
    )
    assert "1.1.0" in features["reference"]
    del before["candidates"]
    book.keep(MODEL_ID, "1.1.0", check_drift(before, later), since=NOW - timedelta(days=7))
    questions = tables_of(View("x", panels=compared_panel(book, page("en"))))["compared"].rows[0]
    assert questions[2:5] == ["none: there are too few questions on one of the sides", 0, 0]


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_page_of_the_recommender_can_be_shown(service: Service, language: Language) -> None:
    from mlops.http.console.views.drift import drift
    from mlops.http.console.views.quality import quality
    from mlops.http.console.views.traffic import traffic

    parts = console_parts(service, HealthReport(service))
    for view in (traffic, quality, drift):
        shown = view(parts, page(language))
        assert shown.panels
    for extra in parts.extras.values():
        assert extra(page(language))
