"""Ranking metrics: values worked by hand, laws, a slow twin, and ir-measures and scikit-learn as oracles."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import ir_measures
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from mlops.evaluation._lists import query_labels
from mlops.evaluation._order import ranking
from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite, NothingRelevant, UnknownMetric
from mlops.evaluation.metrics import metric
from mlops.evaluation.ranking import evaluate_arrays, evaluate_run
from mlops.evaluation.results import by_slice
from tests.ranking_twin import measure

CLOSE = {"rel": 1e-12, "abs": 1e-12}
ALL = [
    "ndcg", "ndcg@1", "ndcg@3", "ndcg@10", "ndcg_exp@3", "ndcg_exp", "mrr", "mrr@2", "map", "map@3",
    "precision@3", "recall@1", "recall@5", "hit_rate@2",
]  # fmt: skip
GAINS = st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 3.5])
SCORES = st.floats(allow_nan=True, allow_infinity=True, width=64)
# Few distinct scores, so that there are ties; neighbours in the last bit; numbers that fill the mantissa.
TIED = st.sampled_from([0.0, -0.0, 0.1, np.nextafter(0.1, 1), np.nextafter(0.1, 0), 1.0, -1.0, math.nan, math.inf])
ITEMS = st.integers(0, 12)
RUN = st.dictionaries(st.integers(0, 5), st.dictionaries(ITEMS, TIED | SCORES, max_size=8), max_size=5)
QRELS = st.dictionaries(st.integers(0, 6), st.dictionaries(ITEMS, GAINS, max_size=6), max_size=6)


def _value(name: str, relevance: list[float], scores: list[float], **options: Any) -> float:
    return evaluate_arrays([relevance], [scores], metrics=[name], **options)[name].mean


# Values worked by hand


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Ranked gains 0 3 0 1, with one more relevant item of gain 2 last: 0 3 0 1 2.
        ("ndcg@4", (3 / math.log2(3) + 1 / math.log2(5)) / (3 + 2 / math.log2(3) + 1 / 2)),
        ("ndcg@1", 0.0),
        ("ndcg_exp@4", (7 / math.log2(3) + 1 / math.log2(5)) / (7 + 3 / math.log2(3) + 1 / 2)),
        ("mrr", 1 / 2),
        ("mrr@1", 0.0),
        ("map", (1 / 2 + 2 / 4 + 3 / 5) / 3),
        ("map@2", (1 / 2) / 3),
        ("precision@2", 1 / 2),
        ("precision@10", 3 / 10),
        ("recall@4", 2 / 3),
        ("hit_rate@1", 0.0),
        ("hit_rate@2", 1.0),
    ],
)
def test_a_list_is_worth_what_the_formula_says(name: str, expected: float) -> None:
    assert _value(name, [0, 3, 0, 1, 2], [0.9, 0.8, 0.7, 0.6, 0.5]) == pytest.approx(expected, **CLOSE)


def test_a_lone_relevant_item_at_rank_two_is_worth_one_over_log2_of_three() -> None:
    assert _value("ndcg@10", [0, 1], [2.0, 1.0]) == pytest.approx(0.63093, abs=1e-5)


def test_the_ideal_list_holds_relevant_items_that_were_not_retrieved() -> None:
    results = evaluate_run({"q": {"a": 1.0}}, {"q": {"a": 1, "b": 1}}, metrics=["ndcg@10", "ndcg@1", "recall@10"])
    assert results["ndcg@10"].mean == pytest.approx(1 / (1 + 1 / math.log2(3)), **CLOSE)
    assert results["ndcg@1"].mean == 1.0
    assert results["recall@10"].mean == 0.5


# Conventions


def test_queries_with_nothing_relevant_are_counted_and_not_averaged() -> None:
    result = evaluate_arrays([[0, 1], [0, 0], [1, 0]], [[1.0, 2.0]] * 3, metrics=["mrr"])["mrr"]
    assert (result.mean, result.n_queries, result.n_without_relevant) == (0.75, 3, 1)
    assert result.query_ids.tolist() == [0, 2]
    assert result.values.tolist() == [1.0, 0.5]


def test_without_any_relevant_item_there_is_no_mean() -> None:
    result = evaluate_arrays([[0, 0]], [[1.0, 2.0]], metrics=["ndcg@10"])["ndcg@10"]
    assert result.to_dict()["mean"] is None
    with pytest.raises(NothingRelevant, match="none of the 1 queries"):
        _ = result.mean


def test_equal_scores_rank_in_the_order_of_their_columns() -> None:
    assert _value("mrr", [0, 0, 1, 1], [1.0] * 4) == pytest.approx(1 / 3)
    assert _value("mrr", [1, 0, 0, 0], [1.0] * 4) == 1.0


def test_equal_scores_of_named_items_rank_in_the_order_of_their_ids() -> None:
    run = {"q": {"c": 1.0, "a": 1.0, "b": 1.0}}
    assert evaluate_run(run, {"q": {"b": 1}}, metrics=["mrr"])["mrr"].mean == 0.5


def test_number_ids_are_ordered_as_numbers() -> None:
    run = {1: {10: 1.0, 9: 1.0}}
    assert evaluate_run(run, {1: {9: 1}}, metrics=["mrr"])["mrr"].mean == 1.0


def test_minus_zero_and_zero_are_a_tie() -> None:
    assert _value("mrr", [1, 0], [-0.0, 0.0]) == 1.0


def test_nan_ranks_below_minus_infinity() -> None:
    assert _value("mrr", [1, 0], [math.nan, -math.inf]) == 0.5
    assert _value("mrr", [1, 0], [-math.nan, -math.inf]) == 0.5


def test_nan_is_refused_where_asked_for() -> None:
    with pytest.raises(NotFinite, match="nan_scores='last'"):
        _value("mrr", [1, 0], [math.nan, 1.0], nan_scores="error")
    with pytest.raises(NotFinite):
        evaluate_run({1: {1: math.nan}}, {1: {1: 1}}, nan_scores="error")


def test_nan_under_the_mask_is_no_score() -> None:
    value = _value("mrr", [1, 0], [1.0, math.nan], mask=[[True, False]], nan_scores="error")
    assert value == 1.0


def test_masked_places_neither_rank_nor_count_as_relevant() -> None:
    results = evaluate_arrays(
        [[1, 9, 0], [0, 1, 1]],
        [[0.1, 0.9, 0.2], [0.3, 0.2, 0.1]],
        mask=[[True, False, True], [True, True, False]],
        metrics=["mrr", "recall@2", "ndcg@3"],
    )
    assert results["mrr"].values.tolist() == [0.5, 0.5]
    assert results["recall@2"].values.tolist() == [1.0, 1.0]
    assert results["ndcg@3"].values[0] == pytest.approx(1 / math.log2(3))


def test_scores_that_differ_in_their_last_bit_are_no_tie() -> None:
    assert _value("mrr", [0, 1], [0.1, np.nextafter(0.1, 1)]) == 1.0
    assert _value("mrr", [0, 1], [-0.1, np.nextafter(-0.1, 0)]) == 1.0


def test_queries_that_the_run_does_not_answer_count_as_zero_or_are_skipped() -> None:
    run, qrels = {"a": {"x": 1.0}}, {"a": {"x": 1}, "b": {"x": 1}}
    zero = evaluate_run(run, qrels, metrics=["mrr"])["mrr"]
    skipped = evaluate_run(run, qrels, metrics=["mrr"], missing="skip")["mrr"]
    assert (zero.mean, zero.n_queries) == (0.5, 2)
    assert (skipped.mean, skipped.n_queries) == (1.0, 1)
    assert skipped.query_ids.tolist() == ["a"]


def test_queries_that_nobody_judged_count_as_without_relevant_items() -> None:
    result = evaluate_run({"a": {"x": 1.0}, "b": {"x": 1.0}}, {"a": {"x": 1}}, metrics=["mrr"])["mrr"]
    assert (result.n_queries, result.n_without_relevant) == (2, 1)


def test_a_result_states_its_convention() -> None:
    linear, exponential = evaluate_arrays([[1]], [[1.0]], metrics=["ndcg@10", "ndcg_exp@10"]).values()
    for words in ("linear", "log2(rank + 1)", "cut at rank 10", "ties", "NaN", "relevant item", "counted apart"):
        assert words in linear.convention
    assert "2^label - 1" in exponential.convention


def test_results_come_in_the_order_asked_for_and_once() -> None:
    assert list(evaluate_arrays([[1]], [[1.0]], metrics=["mrr", "ndcg@2", "mrr"])) == ["mrr", "ndcg@2"]


def test_one_metric_may_be_named_without_a_list() -> None:
    assert list(evaluate_arrays([[1]], [[1.0]], metrics="mrr")) == ["mrr"]


def test_results_carry_the_ids_of_their_queries() -> None:
    result = evaluate_arrays([[1], [0], [1]], [[1.0]] * 3, metrics=["mrr"], query_ids=["x", "y", "z"])["mrr"]
    assert result.query_ids.tolist() == ["x", "z"]


# Slices


def test_slices_have_means_and_counts_of_their_own() -> None:
    result = evaluate_arrays([[0, 1], [1, 0], [0, 0]], [[2.0, 1.0]] * 3, metrics=["mrr"])["mrr"]
    slices = by_slice(result, {0: "es", 1: "en", 2: "en"})
    assert list(slices) == ["en", "es"]
    assert (slices["en"].mean, slices["en"].n_queries, slices["en"].n_without_relevant) == (1.0, 2, 1)
    assert slices["es"].mean == 0.5


@pytest.mark.parametrize("labels", [{0: "es"}, {0: "es", 9: "en"}])
def test_a_query_without_a_label_is_an_error(labels: dict[int, str]) -> None:
    result = evaluate_arrays([[1], [1]], [[1.0]] * 2, metrics=["mrr"])["mrr"]
    with pytest.raises(LengthMismatch):
        by_slice(result, labels)


def test_labels_of_queries_come_from_a_column_of_either_table() -> None:
    run = pa.table({"query_id": ["a", "c"], "device": ["phone", "desk"]})
    qrels = pa.table({"query_id": ["a", "b", "a"], "idioma": ["es", None, "es"]})
    assert query_labels(run, qrels, "idioma") == {"a": "es", "b": "(none)", "c": "(none)"}
    assert query_labels(run, qrels, "device") == {"a": "phone", "c": "desk", "b": "(none)"}


def test_labels_of_numbered_queries_fit_the_results() -> None:
    run = pd.DataFrame({"query_id": [1, 2], "item_id": [1, 1], "score": [1.0, 1.0]})
    qrels = pd.DataFrame({"query_id": [1, 2], "item_id": [1, 2], "gain": [1, 1], "idioma": ["es", "en"]})
    result = evaluate_run(run, qrels, metrics=["mrr"])["mrr"]
    slices = by_slice(result, query_labels(run, qrels, "idioma"))
    assert {label: part.mean for label, part in slices.items()} == {"es": 1.0, "en": 0.0}


def test_two_labels_for_one_query_or_no_such_column_are_refused() -> None:
    table = pa.table({"query_id": ["a", "a"], "idioma": ["es", "en"]})
    with pytest.raises(BadInput, match="qrels: query 'a' has two values of idioma"):
        query_labels(table, table, "idioma")
    with pytest.raises(BadInput, match="neither qrels nor run has a column language"):
        query_labels(table, table, "language")
    with pytest.raises(BadInput, match="run has no column query_id"):
        query_labels(pa.table({"query": ["a"]}), table, "idioma")


# Twins and oracles


@given(data=st.data(), n_queries=st.integers(1, 6), n_items=st.integers(1, 9))
def test_arrays_agree_with_the_slow_twin(data: st.DataObject, n_queries: int, n_items: int) -> None:
    def rows(cells: Any) -> Any:
        row = st.lists(cells, min_size=n_items, max_size=n_items)
        return data.draw(st.lists(row, min_size=n_queries, max_size=n_queries))

    gains, scores, mask = rows(GAINS), rows(TIED | SCORES), rows(st.booleans())
    results = evaluate_arrays(gains, scores, metrics=ALL, mask=mask)
    for name, result in results.items():
        expected = [
            measure(name, *({at: row[at] for at in range(n_items) if mask[query][at]} for row in (given, judged)))
            for query, (given, judged) in enumerate(zip(scores, gains, strict=True))
        ]
        assert result.query_ids.tolist() == [query for query, value in enumerate(expected) if value is not None]
        assert result.values == pytest.approx([value for value in expected if value is not None], **CLOSE)


@given(run=RUN, qrels=QRELS)
def test_mappings_agree_with_the_slow_twin(run: dict[int, Any], qrels: dict[int, Any]) -> None:
    queries = sorted({*run, *qrels})
    if not queries:
        with pytest.raises(EmptyInput):
            evaluate_run(run, qrels, metrics=ALL)
        return
    results = evaluate_run(run, qrels, metrics=ALL)
    for name, result in results.items():
        expected = {query: measure(name, run.get(query, {}), qrels.get(query, {})) for query in queries}
        judged = {query: value for query, value in expected.items() if value is not None}
        assert dict(zip(result.query_ids.tolist(), result.values.tolist(), strict=True)) == pytest.approx(
            judged, **CLOSE
        )
        assert (result.n_queries, result.n_without_relevant) == (len(queries), len(queries) - len(judged))


@settings(deadline=None)
@given(
    scores=st.dictionaries(st.sampled_from("abcdefghij"), st.integers(-50, 50), min_size=1),
    gains=st.dictionaries(st.sampled_from("abcdefghijklm"), st.integers(0, 3), min_size=1),
)
def test_ir_measures_agrees_where_no_scores_are_tied(scores: dict[str, float], gains: dict[str, int]) -> None:
    # trec_eval breaks ties the other way round, so there are none here.
    run = {"q": {item: score + ord(item) / 1000 for item, score in scores.items()}}
    names = {
        "ndcg": "nDCG", "ndcg@3": "nDCG@3", "mrr": "RR", "map": "AP", "map@3": "AP@3", "precision@5": "P@5",
        "recall@5": "R@5", "hit_rate@2": "Success@2",
    }  # fmt: skip
    qrels = {"q": gains}
    results = evaluate_run(run, qrels, metrics=list(names))
    if not any(gains.values()):
        assert results["ndcg"].n_without_relevant == 1
        return
    oracle = ir_measures.calc_aggregate([ir_measures.parse_measure(name) for name in names.values()], qrels, run)
    theirs = {str(measure): value for measure, value in oracle.items()}
    assert {name: results[name].mean for name in names} == pytest.approx(
        {name: theirs[their_name] for name, their_name in names.items()}, **CLOSE
    )


@given(
    gains=st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 8),
)
def test_scikit_learn_agrees_on_linear_gains(gains: list[list[int]], seed: int, k: int) -> None:
    judged = [row for row in gains if any(row)]
    if not judged:
        return
    scores = np.random.default_rng(seed).permuted(np.tile(np.arange(6.0), (len(judged), 1)), axis=1)
    ours = evaluate_arrays(judged, scores, metrics=[f"ndcg@{k}"])[f"ndcg@{k}"]
    assert ours.mean == pytest.approx(ndcg_score(judged, scores, k=k), **CLOSE)


def test_all_forms_of_the_same_data_have_the_same_values() -> None:
    run = {"q2": {"a": 0.5, "b": 0.7}, "q1": {"b": 0.1, "c": 0.9, "a": 0.9}}
    qrels = {"q1": {"a": 2, "d": 1}, "q2": {"b": 1}, "q3": {"a": 1}}
    rows = [(query, item, score) for query, items in run.items() for item, score in items.items()]
    judged = [(query, item, gain) for query, items in qrels.items() for item, gain in items.items()]
    run_frame = pd.DataFrame(rows, columns=["query_id", "item_id", "score"])
    qrels_frame = pd.DataFrame(judged, columns=["query_id", "item_id", "gain"])
    forms = [
        (run, qrels),
        (run_frame, qrels_frame),
        (run_frame.sample(frac=1, random_state=0), qrels_frame.astype({"query_id": "category"})),
        (pa.Table.from_pandas(run_frame), pa.Table.from_pandas(qrels_frame)),
        (run, pa.Table.from_pandas(qrels_frame).to_batches()[0]),
    ]
    answers = [evaluate_run(*form, metrics=ALL) for form in forms]
    for other in answers[1:]:
        for name in ALL:
            assert other[name].values.tolist() == answers[0][name].values.tolist()
            assert other[name].query_ids.tolist() == ["q1", "q2", "q3"]


def test_chunks_do_not_change_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    relevance, scores = rng.integers(0, 3, (37, 11)), rng.integers(0, 4, (37, 11))
    run = {query: dict(enumerate(row[: query % 11].tolist())) for query, row in enumerate(scores)}
    qrels = {query: dict(enumerate(row[query % 4 :].tolist())) for query, row in enumerate(relevance)}
    whole = [evaluate_arrays(relevance, scores, metrics=ALL), evaluate_run(run, qrels, metrics=ALL)]
    monkeypatch.setattr("mlops.evaluation.ranking._CHUNK", 40)
    chunked = [evaluate_arrays(relevance, scores, metrics=ALL), evaluate_run(run, qrels, metrics=ALL)]
    for one, other in zip(whole, chunked, strict=True):
        for name in ALL:
            assert one[name].values == pytest.approx(other[name].values, **CLOSE)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_do_not_change_the_values_and_report_errors(n_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops.evaluation.ranking._CHUNK", 40)
    rng = np.random.default_rng(3)
    relevance, scores = rng.integers(0, 3, (200, 11)), rng.integers(0, 4, (200, 11))
    one = evaluate_arrays(relevance, scores, metrics=ALL, n_threads=n_threads)
    other = evaluate_arrays(relevance, scores, metrics=ALL, n_threads=2)
    assert all(one[name].values.tolist() == other[name].values.tolist() for name in ALL)
    relevance[150, 3] = -1
    with pytest.raises(BadInput, match="gain -1"):
        evaluate_arrays(relevance, scores, metrics=ALL, n_threads=n_threads)


# Laws


@given(gains=st.lists(st.integers(0, 4), min_size=1, max_size=12), k=st.integers(1, 12))
def test_the_best_order_is_worth_one(gains: list[int], k: int) -> None:
    gains = sorted([*gains, 1], reverse=True)
    assert _value(f"ndcg@{k}", gains, list(range(len(gains), 0, -1))) == pytest.approx(1.0)


@given(st.lists(st.tuples(GAINS, SCORES), min_size=1, max_size=10))
def test_every_value_is_between_zero_and_one(pairs: list[tuple[float, float]]) -> None:
    gains, scores = zip(*pairs, strict=True)
    for result in evaluate_arrays([gains], [scores], metrics=ALL).values():
        assert ((result.values >= 0) & (result.values <= 1 + 1e-12)).all()


@given(st.lists(st.tuples(GAINS, st.integers(-9, 9)), min_size=1, max_size=10))
def test_only_the_order_of_scores_matters(pairs: list[tuple[float, int]]) -> None:
    gains, scores = (list(column) for column in zip(*pairs, strict=True))
    one = evaluate_arrays([gains], [scores], metrics=ALL)
    other = evaluate_arrays([gains], [[math.exp(score / 7) for score in scores]], metrics=ALL)
    assert all(one[name].values.tolist() == other[name].values.tolist() for name in ALL)


@given(st.lists(st.tuples(GAINS, SCORES), min_size=1, max_size=10), st.integers(1, 9))
def test_recall_and_hits_do_not_fall_with_a_deeper_cutoff(pairs: list[tuple[float, float]], k: int) -> None:
    gains, scores = zip(*pairs, strict=True)
    for base in ("recall", "hit_rate", "mrr", "map"):
        shallow, deep = f"{base}@{k}", f"{base}@{k + 1}"
        results = evaluate_arrays([gains], [scores], metrics=[shallow, deep])
        assert (results[shallow].values <= results[deep].values + 1e-12).all()


@given(
    rows=st.lists(st.lists(TIED | SCORES, min_size=5, max_size=5), min_size=1, max_size=8),
    depth=st.integers(1, 5),
)
def test_ranking_is_a_stable_sort(rows: list[list[float]], depth: int) -> None:
    expected = [sorted(range(5), key=lambda at: (math.isnan(row[at]), -row[at], at)) for row in rows]
    for row, order in zip(rows, expected, strict=True):
        nan_first_by_place = [at for at in order if not math.isnan(row[at])]
        order[:] = nan_first_by_place + [at for at in range(5) if math.isnan(row[at])]
    assert ranking(np.array(rows), depth=depth).tolist() == [order[:depth] for order in expected]


def test_ranking_a_long_list_of_near_ties_is_exact() -> None:
    rng = np.random.default_rng(5)
    scores = 0.3 + rng.integers(-6, 6, (3, 5_000)) * np.spacing(0.3)
    expected = np.argsort(-scores, axis=1, kind="stable")
    assert (ranking(scores, depth=5_000) == expected).all()
    assert (ranking(scores, depth=7) == expected[:, :7]).all()


# Errors


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ndgc@10", "unknown metric 'ndgc@10'"),
        ("ndcg@0", "unknown metric 'ndcg@0'"),
        ("ndcg@1.5", "unknown"),
        ("NDCG@10", "unknown"),
        ("", "unknown"),
        ("precision", "precision needs a cutoff"),
        ("hit_rate", "needs a cutoff"),
    ],
)
def test_an_unknown_metric_is_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(UnknownMetric, match=reason):
        metric(name)


@pytest.mark.parametrize(
    ("relevance", "scores", "options", "error", "reason"),
    [
        ([[1]], [[1.0, 2.0]], {}, LengthMismatch, r"\(1, 1\).*\(1, 2\)"),
        ([1], [1.0], {}, BadInput, "n_queries, n_candidates"),
        ([[]], [[]], {}, EmptyInput, "nothing to rank"),
        (np.zeros((0, 3)), np.zeros((0, 3)), {}, EmptyInput, "nothing to rank"),
        ([[-1, 1]], [[1.0, 2.0]], {}, BadInput, "gain -1.0"),
        ([[math.nan, 1]], [[1.0, 2.0]], {}, NotFinite, "NaN"),
        ([[math.inf, 1]], [[1.0, 2.0]], {}, NotFinite, "inf"),
        ([[501, 1]], [[1.0, 2.0]], {"metrics": ["ndcg_exp@3"]}, NotFinite, "up to 500"),
        ([["a", "b"]], [[1.0, 2.0]], {}, BadInput, "real numbers"),
        ([[1], [1, 2]], [[1.0], [1.0, 2.0]], {}, BadInput, "different lengths"),
        ([[1]], [[1.0]], {"mask": [[1]]}, BadInput, "True and False"),
        ([[1]], [[1.0]], {"mask": [[True, True]]}, LengthMismatch, "mask"),
        ([[1]], [[1.0]], {"query_ids": ["a", "b"]}, LengthMismatch, "query_ids"),
        ([[1]] * 2, [[1.0]] * 2, {"query_ids": ["a", "a"]}, BadInput, "names a query twice"),
        ([[1]], [[1.0]], {"metrics": []}, EmptyInput, "metrics is empty"),
        ([[1]], [[1.0]], {"nan_scores": "first"}, BadInput, "'first'"),
        ([[1]], [[1.0]], {"n_threads": 0}, BadInput, "n_threads must be at least 1, got 0"),
    ],
)
def test_bad_arrays_are_refused_with_the_reason(
    relevance: Any, scores: Any, options: Any, error: type[BadInput], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        evaluate_arrays(relevance, scores, **options)


def _frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("run", "qrels", "reason"),
    [
        ({}, {}, "neither run nor qrels"),
        ({"a": {"x": 1.0}}, {1: {"x": 1}}, "query_id is"),
        ({"a": {"x": 1.0, 2: 1.0}}, {"a": {"x": 1}}, "one type"),
        ({"a": ["x"]}, {"a": {"x": 1}}, "must be a mapping"),
        ({"a": {"x": "high"}}, {"a": {"x": 1}}, "numbers"),
        ({"a": {"x": None}}, {"a": {"x": 1}}, "missing values"),
        ({"a": {"x": 1.0}}, {"a": {"x": -1}}, "gain -1.0"),
        ({"a": {"x": 1.0}}, {"a": {"x": math.nan}}, "NaN"),
        (7, {"a": {"x": 1}}, "got int"),
        (_frame(query_id=["a"], item_id=["x"]), {"a": {"x": 1}}, "no column score"),
        (_frame(query_id=["a"] * 2, item_id=["x"] * 2, score=[1.0, 2.0]), {"a": {"x": 1}}, "'x' of query 'a' twice"),
        (_frame(query_id=["a", None], item_id=["x", "y"], score=[1.0, 2.0]), {"a": {"x": 1}}, "missing values"),
        (_frame(query_id=[0.5], item_id=["x"], score=[1.0]), {"a": {"x": 1}}, "whole numbers or text"),
    ],
)  # fmt: skip
def test_bad_runs_and_qrels_are_refused_with_the_reason(run: Any, qrels: Any, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        evaluate_run(run, qrels)


def test_a_run_without_answers_is_worth_nothing_or_refused() -> None:
    assert evaluate_run({}, {"a": {"x": 1}}, metrics=["mrr"])["mrr"].mean == 0.0
    assert evaluate_run({"a": {}}, {"a": {"x": 1}}, metrics=["mrr"])["mrr"].mean == 0.0
    with pytest.raises(EmptyInput, match="run answers no query"):
        evaluate_run({}, {"a": {"x": 1}}, missing="skip")


def test_an_unknown_way_with_missing_queries_is_refused() -> None:
    with pytest.raises(BadInput, match="'drop'"):
        evaluate_run({"a": {"x": 1.0}}, {"a": {"x": 1}}, missing="drop")  # type: ignore[arg-type]


def test_memory_stays_bounded_whatever_the_number_of_queries() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((20_000, 100))
    relevance = (rng.random((20_000, 100)) < 0.05).astype(np.float64)
    tracemalloc.start()
    evaluate_arrays(relevance, scores)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_one_long_list_among_short_ones_does_not_make_them_all_long() -> None:
    run = {query: {0: 1.0} for query in range(2_000)} | {-1: dict.fromkeys(range(50_000), 1.0)}
    tracemalloc.start()
    evaluate_run(run, {query: {0: 1} for query in run}, metrics=["mrr"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
