"""Vectors and texts: the domain classifier, MMD, and their null."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.drift import DriftOptions, check_drift
from mlops.drift.vectors import (
    _ridge_weights,
    auc,
    compare_vectors,
    domain_auc,
    hashed_words,
    maximum_mean_discrepancy,
    sample_rows,
    summarise_vectors,
)

FAST = DriftOptions(n_permutations=199)


def drift_of(before, now, *, options=FAST):
    sides = [
        summarise_vectors(rows, n_missing=0, max_rows=options.max_rows, rng=np.random.default_rng(0))
        for rows in (before, now)
    ]
    return compare_vectors("vector", *sides, options=options)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn_with_ties(rows):
    from sklearn.metrics import roc_auc_score

    scores, labels = np.array([score for score, _ in rows], float), np.array([label for _, label in rows])
    if 0 < labels.sum() < len(labels):
        assert auc(scores[:, None], labels[:, None])[0] == pytest.approx(roc_auc_score(labels, scores))


@pytest.mark.parametrize("n_dimensions", [3, 30])
def test_held_out_scores_are_those_of_a_ridge_of_scikit_learn(n_dimensions):
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(1)
    fitted, scored, labels = (
        rng.normal(size=(20, n_dimensions)),
        rng.normal(size=(5, n_dimensions)),
        rng.normal(size=20),
    )
    expected = Ridge(alpha=2.5, fit_intercept=False).fit(fitted, labels).predict(scored)
    assert _ridge_weights(fitted, scored, 2.5) @ labels == pytest.approx(expected)


def test_auc_by_hand():
    scores = np.array([[0.1], [0.4], [0.35], [0.8]])
    assert auc(scores, np.array([[False], [False], [True], [True]]))[0] == 0.75


def test_a_classifier_reaches_what_the_distance_of_two_clouds_allows():
    rng = np.random.default_rng(1)
    area, p = domain_auc(
        rng.normal(size=(1_000, 4)), rng.normal([0.8, 0, 0, 0], 1, (1_000, 4)), n_permutations=199, rng=rng
    )
    # Phi(0.8 / sqrt 2), the best that any classifier can do.
    assert area == pytest.approx(0.714, abs=0.03)
    assert p == 1 / 200


def test_a_shift_of_the_mean_is_drift():
    rng = np.random.default_rng(2)
    result = drift_of(rng.normal(size=(300, 8)), rng.normal(0.3, 1, (300, 8)))
    assert result.drifted
    assert result.score == pytest.approx(2 * result.details["auc"] - 1)
    assert result.details["mmd_p"] < 0.05


def test_a_change_of_shape_is_seen_by_mmd_alone():
    rng = np.random.default_rng(3)
    result = drift_of(rng.normal(size=(300, 4)), rng.normal(0, 2, (300, 4)))
    assert not result.drifted
    assert result.details["mmd_p"] == 1 / 200


def test_mmd_by_hand():
    """Without a permutation: the mean similarity within each side, minus twice that across."""
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(6, 2)), rng.normal(1, 1, (5, 2))
    rows = np.concatenate([first, second])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    squares = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / np.median(squares[np.triu_indices(11, 1)]))
    within = [
        (block.sum() - len(block)) / (len(block) * (len(block) - 1)) for block in (kernel[:6, :6], kernel[6:, 6:])
    ]
    value, _ = maximum_mean_discrepancy(first, second, n_permutations=5, rng=rng)
    assert value == pytest.approx(sum(within) - 2 * kernel[:6, 6:].mean())


@pytest.mark.parametrize("test", [domain_auc, maximum_mean_discrepancy])
def test_p_is_uniform_without_drift(test):
    rng = np.random.default_rng(5)
    p = [test(rng.normal(size=(40, 5)), rng.normal(size=(60, 5)), n_permutations=99, rng=rng)[1] for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 0.035
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)


def test_more_dimensions_than_rows_do_not_make_drift():
    rng = np.random.default_rng(6)
    alarms = [drift_of(rng.normal(size=(40, 300)), rng.normal(size=(40, 300))).drifted for _ in range(40)]
    assert np.mean(alarms) <= 0.05 + 0.075


def test_equal_vectors_everywhere_have_not_drifted():
    result = drift_of(np.ones((50, 3)), np.ones((50, 3)))
    assert (result.score, result.p) == (0.0, 1.0)


def test_few_vectors_are_not_judged():
    rng = np.random.default_rng(7)
    assert drift_of(rng.normal(size=(500, 3)), rng.normal(9, 1, (20, 3))).verdict == "not enough data"


def test_a_sample_is_without_replacement_and_all_of_a_small_table():
    rng = np.random.default_rng(8)
    assert sample_rows(5, max_rows=10, rng=rng).tolist() == [0, 1, 2, 3, 4]
    drawn = sample_rows(1_000, max_rows=50, rng=rng)
    assert len(set(drawn.tolist())) == 50
    assert (np.diff(drawn) > 0).all()


def test_hashed_words_have_unit_length_and_ignore_order_and_case():
    vectors = hashed_words(["Sopa de ajo", "ajo DE sopa", "tarta", ""])
    assert vectors[0].tolist() == vectors[1].tolist()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0])
    assert vectors[0] @ vectors[2] < 0.5


def test_hashed_words_are_the_same_in_every_process():
    assert np.flatnonzero(hashed_words(["ajo"])[0]).tolist() == [225]


def test_a_change_of_language_is_seen_in_texts():
    rng = np.random.default_rng(9)
    spanish, english = ["sopa", "pollo", "arroz", "con", "ajo", "sin"], ["soup", "chicken", "rice", "with", "garlic"]
    texts = [[" ".join(rng.choice(words, 6)) for _ in range(150)] for words in (spanish, spanish + english)]
    report = check_drift({"query": texts[0]}, {"query": texts[1]}, options=FAST)
    assert report.columns_with_drift == ["query"]
