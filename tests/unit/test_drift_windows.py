"""Queries and outputs: what is counted, and what one answer is worth as a witness."""

import numpy as np
import pytest

from mlops.drift import (
    DriftOptions,
    OutputWindow,
    QueryWindow,
    check_output_drift,
    check_query_drift,
    query_window,
)

FAST = DriftOptions(n_permutations=199)


def queries(rng, n=800, *, english=0.2, unknown=0.05, empty=0.02, length=4.0):
    return QueryWindow(
        languages=rng.choice(["es", "en"], n, p=[1 - english, english]).tolist(),
        n_words=(1 + rng.poisson(length - 1, n)).tolist(),
        n_unknown_words=(rng.random(n) < unknown).astype(int).tolist(),
        n_results=np.where(rng.random(n) < empty, 0, 3).tolist(),
    )


def drifted(report):
    return [result.column for result in report.results if result.drifted]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"english": 0.4}, "language"),
        ({"unknown": 0.15}, "queries with an unknown word"),
        ({"empty": 0.1}, "empty results"),
        ({"length": 6.0}, "words per query"),
    ],
)
def test_each_change_of_the_queries_is_found_by_its_name(change, column):
    rng = np.random.default_rng(1)
    assert drifted(check_query_drift(queries(rng), queries(rng, **change))) == [column]


def test_queries_without_drift_alarm_in_one_check_of_twenty_at_most():
    rng = np.random.default_rng(2)
    alarms = [check_query_drift(queries(rng, 200), queries(rng, 200)).drifted for _ in range(200)]
    assert np.mean(alarms) <= 0.05 + 0.03


def test_a_new_language_is_named():
    rng = np.random.default_rng(3)
    before, now = queries(rng, 100), queries(rng, 100)
    now = QueryWindow(
        languages=["pt", *now.languages[1:]], n_words=now.n_words, n_unknown_words=now.n_unknown_words,
        n_results=now.n_results,
    )  # fmt: skip
    assert [finding.sentence for finding in check_query_drift(before, now).findings] == [
        "Queries came in a new language: pt."
    ]


def test_no_queries_are_no_data_and_no_rate_of_zero():
    rng = np.random.default_rng(4)
    nothing = QueryWindow(languages=[], n_words=[], n_unknown_words=[], n_results=[])
    assert check_query_drift(queries(rng), nothing).verdict == "not enough data"
    assert nothing.unknown_word_share == 0.0


def test_a_window_is_read_from_texts():
    window = query_window(
        ["Sopa de quinoa", "nut free snack"],
        [3, 0],
        vocabulary={"sopa", "de", "free", "snack"},
        language_of=lambda text: "en" if "free" in text else "es",
    )
    assert window == QueryWindow(languages=["es", "en"], n_words=[3, 3], n_unknown_words=[1, 1], n_results=[3, 0])
    assert window.unknown_word_share == pytest.approx(2 / 6)


def test_fields_of_different_length_are_refused():
    with pytest.raises(ValueError, match="n_words 2"):
        QueryWindow(languages=["es"], n_words=[1, 2], n_unknown_words=[0], n_results=[3])
    with pytest.raises(ValueError, match="item_ids 2"):
        OutputWindow(request_ids=["r"], item_ids=["a", "b"], scores=[1.0])


def answers(rng, n=400, *, items=200, shift=0.0, day="a"):
    """Three different items in each answer, whose scores share a level of their own."""
    shown = np.array([rng.choice(items, 3, replace=False) for _ in range(n)])
    levels = np.repeat(rng.normal(shift, 1, n), 3)
    return OutputWindow(
        request_ids=[f"{day}{request}" for request in np.repeat(np.arange(n), 3)],
        item_ids=[f"i{item}" for item in shown.ravel()],
        scores=(levels + rng.normal(0, 0.1, 3 * n)).tolist(),
        popularity=(1_000 / (1 + shown.ravel())).tolist(),
    )


def test_scores_that_moved_are_found():
    rng = np.random.default_rng(5)
    assert drifted(check_output_drift(answers(rng), answers(rng, shift=0.5), options=FAST)) == ["scores"]


def test_a_model_that_shows_fewer_and_more_popular_items_is_found():
    rng = np.random.default_rng(6)
    report = check_output_drift(answers(rng), answers(rng, items=60), options=FAST)
    assert drifted(report) == ["popularity", "coverage"]
    coverage = report.results[2]
    assert coverage.details["current_items"] == 60
    assert coverage.score == pytest.approx(1 - 60 / coverage.details["reference_items"])


def test_a_longer_window_does_not_look_like_more_coverage():
    rng = np.random.default_rng(7)
    report = check_output_drift(answers(rng, 60, items=500), answers(rng, 2_000, items=500), options=FAST)
    assert report.results[2].details["n_answers_compared"] == 60
    assert not report.drifted


def test_items_of_one_answer_are_one_witness():
    """Scores of an answer rise and fall together: taken one by one, chance would alarm far too often."""
    rng = np.random.default_rng(8)
    alarms = [check_output_drift(answers(rng, 60), answers(rng, 60), options=FAST).drifted for _ in range(60)]
    assert np.mean(alarms) <= 0.05 + 0.06


def test_without_popularity_the_rest_is_checked():
    rng = np.random.default_rng(9)
    window = answers(rng)
    plain = OutputWindow(request_ids=window.request_ids, item_ids=window.item_ids, scores=window.scores)
    assert [result.column for result in check_output_drift(plain, window, options=FAST).results] == [
        "scores",
        "coverage",
    ]


def test_requests_with_the_same_name_on_both_days_are_kept_apart():
    rng = np.random.default_rng(10)
    window = answers(rng, 100)
    report = check_output_drift(window, window, options=FAST)
    assert (report.n_reference, report.n_current) == (100, 100)
    assert not report.drifted


def test_few_answers_are_not_judged():
    rng = np.random.default_rng(11)
    assert check_output_drift(answers(rng), answers(rng, 10), options=FAST).verdict == "not enough data"
