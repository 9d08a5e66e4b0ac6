"""``hybrid_ranker`` 1.0.0 is 0.7 semantic and 0.3 popularity, over named features."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.index.search import Candidates
from recipes.ranker import FEATURES, INITIAL_VERSION, MODEL_ID, SEMANTIC_WEIGHTS, HybridRanker, RankingContext

SHARE = st.floats(0, 1, width=32)
SIMILARITY = st.floats(-1, 1, width=32)
PARTS = st.fixed_dictionaries(
    {"name_similarity": SIMILARITY, "ingredients_similarity": SIMILARITY, "name_words": SHARE, "body_words": SHARE}
)


def _candidates(*items: dict[str, float]) -> Candidates:
    n_items = len(items)
    columns = {name: np.array([item.get(name, 0) for item in items], dtype=np.float32) for name in SEMANTIC_WEIGHTS}
    return Candidates(
        numbers=np.arange(n_items),
        covered=np.zeros(n_items, dtype=np.float32),
        n_included=np.zeros(n_items, dtype=np.int32),
        minutes=np.zeros(n_items, dtype=np.int32),
        content_marks=np.zeros(n_items, dtype=np.int64),
        right_meal=np.zeros(n_items, dtype=np.bool_),
        known_meal=np.zeros(n_items, dtype=np.bool_),
        **columns,
    )


def _scores(ranker: HybridRanker, items: list[dict[str, float]], popularity: list[float]) -> np.ndarray:
    return ranker.score(_features(ranker, *items, popularity=popularity))


def _features(ranker: HybridRanker, *items: dict[str, float], popularity: list[float]) -> dict[str, np.ndarray]:
    return ranker.features(_candidates(*items), RankingContext(np.array(popularity, dtype=np.float32)))


def test_it_is_the_blend_of_the_specification() -> None:
    ranker = HybridRanker()
    assert (MODEL_ID, INITIAL_VERSION, ranker.version) == ("hybrid_ranker", "1.0.0", "1.0.0")
    features = {"semantic": np.array([0.9, 0.2], np.float32), "popularity": np.array([0.5, 1.0], np.float32)}
    assert ranker.score(features) == pytest.approx([0.7 * 0.9 + 0.3 * 0.5, 0.7 * 0.2 + 0.3], abs=1e-6)


def test_ways_of_matching_count_one_together() -> None:
    assert sum(SEMANTIC_WEIGHTS.values()) == pytest.approx(1)
    assert all(weight > 0 for weight in SEMANTIC_WEIGHTS.values())


@pytest.mark.parametrize("name", SEMANTIC_WEIGHTS)
def test_each_way_of_matching_counts_by_its_weight(name: str) -> None:
    ranker = HybridRanker()
    semantic = _features(ranker, {name: 0.5}, popularity=[0])["semantic"]
    assert semantic[0] == pytest.approx(0.5 * SEMANTIC_WEIGHTS[name])


@given(items=st.lists(PARTS, min_size=1, max_size=5), popularity=SHARE)
def test_features_written_down_give_the_same_scores_as_the_candidates_did(items, popularity) -> None:
    ranker = HybridRanker()
    features = _features(ranker, *items, popularity=[popularity] * len(items))
    written = {name: features[name] for name in (*ranker.semantic_weights, "popularity")}
    assert ranker.score(ranker.recalled(written)).tolist() == ranker.score(features).tolist()


def test_a_perfect_match_that_everybody_loves_scores_one_and_nothing_at_all_zero() -> None:
    scores = _scores(HybridRanker(), [dict.fromkeys(SEMANTIC_WEIGHTS, 1.0), {}], [1.0, 0.0])
    assert scores == pytest.approx([1, 0], abs=1e-6)


def test_features_are_those_it_names_one_value_a_candidate() -> None:
    features = _features(HybridRanker(), {}, {}, {}, popularity=[0, 0, 0])
    assert set(features) == set(FEATURES)
    assert {values.shape for values in features.values()} == {(3,)}


def test_a_meaning_that_points_the_other_way_is_no_worse_than_none() -> None:
    features = _features(HybridRanker(), {"name_similarity": -0.8}, {}, popularity=[0, 0])
    assert features["semantic"].tolist() == [0, 0]
    assert features["name_similarity"][0] == pytest.approx(-0.8)


def test_no_candidates_have_no_scores() -> None:
    assert _scores(HybridRanker(), [], []).shape == (0,)


@given(st.lists(st.tuples(PARTS, SHARE), min_size=1, max_size=6))
def test_scores_are_from_zero_to_one_and_do_not_depend_on_the_others(
    items: list[tuple[dict[str, float], float]],
) -> None:
    ranker = HybridRanker()
    together = _scores(ranker, [parts for parts, _ in items], [popularity for _, popularity in items])
    alone = [_scores(ranker, [parts], [popularity])[0] for parts, popularity in items]
    assert together.tolist() == pytest.approx(alone, abs=1e-6)
    assert ((together >= 0) & (together <= 1 + 1e-6)).all()


@given(PARTS, SHARE, st.sampled_from([*SEMANTIC_WEIGHTS, "popularity"]), SHARE)
def test_more_of_anything_good_never_lowers_a_score(
    parts: dict[str, float], popularity: float, better: str, value: float
) -> None:
    before = {**parts, "popularity": popularity}
    after = {**before, better: max(value, before[better])}
    low, high = _scores(HybridRanker(), [before, after], [before["popularity"], after["popularity"]])
    assert high >= low - 1e-6


@given(PARTS, SHARE, SHARE)
def test_of_two_equal_matches_the_better_liked_comes_first(parts: dict[str, float], one: float, other: float) -> None:
    scores = _scores(HybridRanker(), [parts, parts], [one, other])
    assert (scores[0] - scores[1]) == pytest.approx(0.3 * (one - other), abs=1e-6)


def test_its_weights_are_parameters() -> None:
    ranker = dataclasses.replace(
        HybridRanker(), semantic_weight=0.0, popularity_weight=1.0, semantic_weights={"body_words": 1.0}
    )
    assert _scores(ranker, [{"name_similarity": 1.0}, {}], [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=1e-6)
    features = _features(ranker, {"body_words": 0.4, "name_words": 1.0}, popularity=[0])
    assert features["semantic"][0] == pytest.approx(0.4)
