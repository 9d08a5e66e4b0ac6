"""What was shown is recorded whole and off the request path; what cooks do with it counts once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops.errors import StoreUnavailable
from mlops.store import Database
from recipes import schema
from recipes.answer import Answer, Ask, Shown
from recipes.catalog import Catalogue, Recipe
from recipes.constraints import Constraints
from recipes.errors import NotShown, UnknownRequest
from recipes.feedback import AnswerLog, Feedback, FeedbackBook, Recorded
from recipes.query import Understanding
from recipes.query_hash import QueryHasher

SOUP, BREAD, FLAN = "test-soup", "test-bread", "test-flan"
NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)

MakeAnswer = Callable[..., Answer]


@pytest.fixture
def stocked(database: Database, make_recipe: Callable[..., Recipe]) -> Catalogue:
    """A catalogue of three recipes."""
    catalogue = Catalogue(database)
    catalogue.save([make_recipe(name.removeprefix("test-"), recipe_id=name) for name in (SOUP, BREAD, FLAN)])
    return catalogue


@pytest.fixture
def make_answer(stocked: Catalogue) -> MakeAnswer:
    """Makes answers that show recipes of the catalogue."""
    numbers = iter(range(1, 1_000_000))

    def make(
        *recipe_ids: str, query: str = "sopa", user_id: str | None = None, rules: Constraints | None = None
    ) -> Answer:
        shown = [
            Shown(position, stocked.get(recipe_id), 1 / position, {"semantic": 0.5, "popularity": 0.25})
            for position, recipe_id in enumerate(recipe_ids, start=1)
        ]
        return Answer(
            request_id=f"{next(numbers):032x}",
            answered_at=NOW,
            ask=Ask(query, user_id=user_id),
            understanding=Understanding("es", Constraints(), query, ()),
            constraints=rules or Constraints(),
            shown=tuple(shown),
            notices=(),
            mode="full",
            model_id="hybrid_ranker",
            model_version="1.0.0",
            n_candidates=123,
            stage_ms={"encode": 1.5, "rank": 0.5},
        )

    return make


@pytest.fixture
def log(database: Database) -> AnswerLog:
    """A log that writes only when told to."""
    return AnswerLog(database, hash_query=QueryHasher(b"key"), buffer_size=50, flush_seconds=60)


@pytest.fixture
def book(database: Database, stocked: Catalogue, log: AnswerLog) -> FeedbackBook:
    return FeedbackBook(database, stocked, log, clock=lambda: NOW)


def rows(database: Database, table: sa.Table) -> Sequence[sa.Row[Any]]:
    with database.reading() as connection:
        return connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all()


def in_parallel(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the tasks give, or the errors that they raise, run all at once."""
    results: list[Any] = [None] * len(tasks)
    barrier = threading.Barrier(len(tasks))

    def run(number: int, task: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[number] = task()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def wait_until_written(log: AnswerLog) -> None:
    deadline = time.monotonic() + 20
    while log.n_waiting and time.monotonic() < deadline:
        time.sleep(0.01)


# --- The log of answers ---------------------------------------------------------------------------------------------


def test_an_answer_is_recorded_with_what_was_shown_where_and_why(
    database: Database, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    answer = make_answer(BREAD, SOUP, user_id="ana", rules=Constraints(exclude=frozenset({"egg"}), max_minutes=30))
    log.record(answer)
    log.flush()
    [kept] = rows(database, schema.answers)
    assert (kept.request_id, kept.user_id, kept.language, kept.mode) == (answer.request_id, "ana", "es", "full")
    assert (kept.model_id, kept.model_version, kept.n_candidates, kept.latency_ms) == (
        "hybrid_ranker", "1.0.0", 123, 2.0,
    )  # fmt: skip
    assert kept.answered_at.replace(tzinfo=UTC) == NOW
    assert kept.constraints["exclude"] == ["egg"]
    assert kept.constraints["max_minutes"] == 30
    shown = rows(database, schema.impressions)
    assert [(row.position, row.recipe_id, row.score, row.propensity) for row in shown] == [
        (1, BREAD, 1.0, 1.0),
        (2, SOUP, 0.5, 1.0),
    ]
    assert shown[0].features == {"semantic": 0.5, "popularity": 0.25}


def test_an_answer_that_shows_nothing_is_recorded_too(
    database: Database, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    log.record(make_answer())
    log.flush()
    assert len(rows(database, schema.answers)) == 1
    assert rows(database, schema.impressions) == []


def test_a_full_buffer_drops_the_oldest_and_counts_them(
    database: Database, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    answers = [make_answer(SOUP) for _ in range(53)]
    for answer in answers:
        log.record(answer)
    assert (log.n_waiting, log.n_dropped) == (50, 3)
    log.flush()
    assert [row.request_id for row in rows(database, schema.answers)] == [each.request_id for each in answers[3:]]
    assert (log.n_waiting, log.n_written, log.n_dropped) == (0, 50, 3)


def test_stopping_writes_what_waits(database: Database, log: AnswerLog, make_answer: MakeAnswer) -> None:
    log.start()
    for _ in range(5):
        log.record(make_answer(SOUP))
    assert rows(database, schema.answers) == []
    log.stop()
    assert len(rows(database, schema.answers)) == 5


def test_answers_are_written_within_the_flush_interval(database: Database, make_answer: MakeAnswer) -> None:
    log = AnswerLog(database, hash_query=QueryHasher(b"key"), flush_seconds=0.05)
    log.start()
    log.record(make_answer(SOUP))
    wait_until_written(log)
    found = len(rows(database, schema.answers))
    log.stop()
    assert found == 1


def test_many_threads_and_two_workers_lose_no_answer(database: Database, make_answer: MakeAnswer) -> None:
    logs = [AnswerLog(database, hash_query=QueryHasher(b"key"), flush_seconds=0.01) for _ in range(2)]
    answers = [[make_answer(SOUP, FLAN) for _ in range(50)] for _ in range(8)]
    for log in logs:
        log.start()

    def record_all(number: int) -> None:
        for answer in answers[number]:
            logs[number % 2].record(answer)

    in_parallel([lambda number=number: record_all(number) for number in range(8)])
    for log in logs:
        log.stop()
    assert len(rows(database, schema.answers)) == 400
    assert len(rows(database, schema.impressions)) == 800
    assert [log.n_written for log in logs] == [200, 200]


def test_an_answer_that_the_database_refuses_keeps_no_other_from_it(
    database: Database, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    good, impossible, also_good = make_answer(SOUP), make_answer(SOUP, SOUP), make_answer(BREAD)
    for answer in (good, impossible, also_good):
        log.record(answer)
    log.flush()
    assert [row.request_id for row in rows(database, schema.answers)] == [good.request_id, also_good.request_id]
    assert (log.n_waiting, log.n_written, log.n_dropped) == (0, 2, 1)


def test_the_log_goes_on_after_an_answer_that_no_database_could_take(
    database: Database, make_answer: MakeAnswer
) -> None:
    log = AnswerLog(database, hash_query=QueryHasher(b"key"), flush_seconds=0.01)
    log.start()
    for query in ("half a letter: \ud83c", "sopa"):
        log.record(make_answer(SOUP, query=query))
        wait_until_written(log)
    log.stop()
    assert (log.n_written, log.n_dropped) == (1, 1)


def test_an_answer_pushed_out_while_it_was_being_written_is_not_counted_as_lost(
    sqlite_database: Database, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue = Catalogue(sqlite_database)
    catalogue.save([make_recipe(recipe_id=SOUP)])
    log = AnswerLog(sqlite_database, hash_query=QueryHasher(b"key"), buffer_size=1)
    first, second = (_plain_answer(catalogue, request_id=name) for name in ("a" * 32, "b" * 32))
    log.record(first)
    with sqlite_database.writing():  # nobody else can write now
        writer = threading.Thread(target=log.flush)
        writer.start()
        while not log._writing.locked():
            time.sleep(0.001)
        time.sleep(0.05)
        log.record(second)
    writer.join()
    log.flush()
    assert (log.n_written, log.n_dropped) == (2, 0)


def test_answers_wait_while_the_database_is_away_and_are_written_when_it_is_back(
    tmp_path: Path, sqlite_database: Database, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue = Catalogue(sqlite_database)
    catalogue.save([make_recipe(recipe_id=SOUP)])
    log = AnswerLog(sqlite_database, hash_query=QueryHasher(b"key"), flush_seconds=0.01)
    answers = [_plain_answer(catalogue, request_id=f"{number:032x}") for number in range(3)]
    log.start()
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    for answer in answers:
        log.record(answer)
    with pytest.raises(StoreUnavailable):
        log.flush()
    assert (log.n_waiting, log.n_dropped) == (3, 0)
    assert not (tmp_path / "state.db").exists()
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    log.stop()
    assert [row.request_id for row in rows(sqlite_database, schema.answers)] == [each.request_id for each in answers]


def test_nothing_of_a_query_s_text_reaches_the_database(
    tmp_path: Path, sqlite_database: Database, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue = Catalogue(sqlite_database)
    catalogue.save([make_recipe(recipe_id=SOUP)])
    log = AnswerLog(sqlite_database, hash_query=QueryHasher(b"key"))
    log.record(
        _plain_answer(
            catalogue,
            query="algo para Zacarías sin berenjenón",
            rules=Constraints(
                exclude=frozenset({"egg"}), exclude_words=frozenset({"berenjenon"}), include=("rice", "~chirimbolo")
            ),
        )
    )
    log.flush()
    [kept] = rows(sqlite_database, schema.answers)
    assert kept.constraints["include"][0] == "rice"
    assert (len(kept.constraints["include"]), len(kept.constraints["exclude_words"])) == (2, 1)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("state.db*")).lower()
    assert b"test-soup" in written
    assert not any(word in written for word in (b"zacar", b"berenjen", b"chirimbol", b"algo para"))


def test_equal_queries_have_equal_hashes_of_use_to_nobody_else() -> None:
    hash_query = QueryHasher(b"key of this installation")
    assert hash_query("Sopa  de ajo ") == hash_query("sopa de ajo")
    assert hash_query("sopa de ajo") == QueryHasher(b"key of this installation")("sopa de ajo")
    assert hash_query("sopa de ajo") != hash_query("sopa de pollo")
    assert hash_query("sopa de ajo") != QueryHasher(b"another key")("sopa de ajo")
    assert QueryHasher()("sopa") != QueryHasher()("sopa")


# --- Feedback -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["click", "cook", "save", "dismiss"])
def test_an_event_is_kept_and_leaves_the_rating_alone(
    database: Database, book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer, event: Any
) -> None:
    answer = make_answer(SOUP, BREAD)
    log.record(answer)
    recorded = book.record(Feedback(answer.request_id, BREAD, event, event_id="e-1"))
    assert recorded == Recorded("e-1", is_new=True, mean_rating=None, n_ratings=0)
    [kept] = rows(database, schema.feedback_events)
    assert (kept.request_id, kept.recipe_id, kept.event, kept.value) == (answer.request_id, BREAD, event, None)


def test_the_same_event_counts_once(
    database: Database, book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    answer = make_answer(SOUP)
    log.record(answer)
    rating = Feedback(answer.request_id, SOUP, "rating", 5, event_id="e-1")
    first, again = book.record(rating), book.record(rating)
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.mean_rating, again.n_ratings) == (5, 1)
    assert len(rows(database, schema.feedback_events)) == 1


def test_an_event_sent_again_with_other_stars_changes_nothing(
    book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer, stocked: Catalogue
) -> None:
    answer = make_answer(SOUP)
    log.record(answer)
    book.record(Feedback(answer.request_id, SOUP, "rating", 5, event_id="e-1"))
    book.record(Feedback(answer.request_id, SOUP, "rating", 1, event_id="e-1"))
    assert stocked.get(SOUP).mean_rating == 5


def test_events_without_an_id_are_events_of_their_own(
    database: Database, book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    answer = make_answer(SOUP)
    log.record(answer)
    ids = {book.record(Feedback(answer.request_id, SOUP, "click")).event_id for _ in range(3)}
    assert {row.event_id for row in rows(database, schema.feedback_events)} == ids
    assert len(ids) == 3


def test_of_the_same_event_sent_many_times_at_once_exactly_one_is_new(
    database: Database, book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    answer = make_answer(SOUP)
    log.record(answer)
    rating = Feedback(answer.request_id, SOUP, "rating", 4, event_id="e-1")
    results = in_parallel([lambda: book.record(rating)] * 8)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert sorted(result.is_new for result in results) == [False] * 7 + [True]
    assert {(result.mean_rating, result.n_ratings) for result in results} == {(4, 1)}
    assert len(rows(database, schema.feedback_events)) == 1


def test_ratings_of_many_people_at_once_are_all_counted(
    book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer, stocked: Catalogue
) -> None:
    answers = [make_answer(SOUP, BREAD, user_id=f"cook-{number}") for number in range(8)]
    for answer in answers:
        log.record(answer)
    stars = [1, 2, 3, 4, 5, 5, 5, 5]
    rate = [
        lambda answer=answer, value=value: book.record(Feedback(answer.request_id, SOUP, "rating", value))
        for answer, value in zip(answers, stars, strict=True)
    ]
    assert [result for result in in_parallel(rate) if isinstance(result, Exception)] == []
    soup = stocked.get(SOUP)
    assert (soup.n_ratings, soup.rating_sum) == (8, sum(stars))


def test_a_rating_moves_the_average(
    book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer, stocked: Catalogue
) -> None:
    averages = []
    for user_id, stars in (("ana", 5), ("luis", 2), ("eva", 4.5)):
        answer = make_answer(SOUP, user_id=user_id)
        log.record(answer)
        averages.append(book.record(Feedback(answer.request_id, SOUP, "rating", stars)).mean_rating)
    assert averages == [5, 3.5, pytest.approx(11.5 / 3)]
    assert stocked.get(SOUP).n_ratings == 3
    assert stocked.get(BREAD).mean_rating is None


def test_a_person_s_later_rating_replaces_the_earlier_one(
    book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    for stars in (1, 5):
        answer = make_answer(SOUP, user_id="ana")
        log.record(answer)
        recorded = book.record(Feedback(answer.request_id, SOUP, "rating", stars))
    assert (recorded.mean_rating, recorded.n_ratings) == (5, 1)


def test_somebody_unknown_is_one_person_within_an_answer(
    book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer
) -> None:
    here, elsewhere = make_answer(SOUP), make_answer(SOUP)
    for answer in (here, elsewhere):
        log.record(answer)
    book.record(Feedback(here.request_id, SOUP, "rating", 1))
    changed_mind = book.record(Feedback(here.request_id, SOUP, "rating", 3))
    somebody_else = book.record(Feedback(elsewhere.request_id, SOUP, "rating", 5))
    assert (changed_mind.mean_rating, changed_mind.n_ratings) == (3, 1)
    assert (somebody_else.mean_rating, somebody_else.n_ratings) == (4, 2)


def test_feedback_on_an_answer_that_was_never_given_is_refused(database: Database, book: FeedbackBook) -> None:
    with pytest.raises(UnknownRequest, match="'nobody-asked'"):
        book.record(Feedback("nobody-asked", SOUP, "click"))
    assert rows(database, schema.feedback_events) == []


def test_feedback_on_a_recipe_that_was_not_shown_is_refused(
    database: Database, book: FeedbackBook, log: AnswerLog, make_answer: MakeAnswer, stocked: Catalogue
) -> None:
    answer = make_answer(SOUP)
    log.record(answer)
    with pytest.raises(NotShown, match=BREAD):
        book.record(Feedback(answer.request_id, BREAD, "rating", 5))
    assert rows(database, schema.feedback_events) == []
    assert stocked.get(BREAD).n_ratings == 0


def test_feedback_without_a_database_is_an_error_and_not_lost_silently(
    tmp_path: Path, sqlite_database: Database, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue = Catalogue(sqlite_database)
    catalogue.save([make_recipe(recipe_id=SOUP)])
    log = AnswerLog(sqlite_database, hash_query=QueryHasher(b"key"))
    answer = _plain_answer(catalogue)
    log.record(answer)
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailable):
        FeedbackBook(sqlite_database, catalogue, log).record(Feedback(answer.request_id, SOUP, "click"))
    assert log.n_waiting == 1


def _plain_answer(
    catalogue: Catalogue, *, request_id: str = "0" * 32, query: str = "sopa", rules: Constraints | None = None
) -> Answer:
    return Answer(
        request_id=request_id,
        answered_at=NOW,
        ask=Ask(query),
        understanding=Understanding("es", Constraints(), query, ()),
        constraints=rules or Constraints(),
        shown=(Shown(1, catalogue.get(SOUP), 1.0, {}),),
        notices=(),
        mode="full",
        model_id="hybrid_ranker",
        model_version="1.0.0",
        n_candidates=1,
        stage_ms={},
    )
