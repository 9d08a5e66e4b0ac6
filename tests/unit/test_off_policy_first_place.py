"""What a version would have earned in the first place, against a world in which it is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mlops.errors import TooLittleOverlap
from recipes.evaluation.off_policy import expected_in_first_place, first_place, sentence
from recipes.index.items import Floats
from recipes.ranker import FEATURES, HybridRanker
from recipes.training.labels import EVENT_CODES, Events
from recipes.training.log import ImpressionLog

POPULAR = HybridRanker("1.1.0", semantic_weight=0.0, popularity_weight=1.0)


class LeastPopularFirst(HybridRanker):
    def score(self, features: Mapping[str, Floats]) -> Floats:
        return 1 - features["popularity"]


UNPOPULAR_FIRST = 0.2
POPULAR_FIRST = 0.5


def shown(n: int, *, share: float, seed: int = 3) -> ImpressionLog:
    """*n* lists of three, the less popular recipe first but for a *share* in which the first two change places."""
    rng = np.random.default_rng(seed)
    swapped = rng.random(n) < share
    popularity = np.tile([0.1, 0.9, 0.0], (n, 1))
    popularity[swapped, :2] = [0.9, 0.1]
    propensities = np.ones((n, 3))
    propensities[:, :2] = np.where(swapped, share, 1 - share)[:, None]
    features = np.zeros((3 * n, len(FEATURES)), np.float32)
    features[:, list(FEATURES).index("popularity")] = popularity.ravel()
    clicked = np.flatnonzero(rng.random(n) < np.where(swapped, POPULAR_FIRST, UNPOPULAR_FIRST)) * 3
    events = Events(
        clicked, np.full(len(clicked), EVENT_CODES["click"], np.int8), np.full(len(clicked), np.nan, np.float32),
        np.zeros(len(clicked)),
    )  # fmt: skip
    return ImpressionLog(
        slates=np.repeat(np.arange(n), 3), positions=np.tile([1, 2, 3], n).astype(np.int16),
        recipes=np.zeros(3 * n, np.int32), scores=np.zeros(3 * n, np.float32),
        propensities=propensities.ravel().astype(np.float32), features=features, answered_at=np.zeros(n),
        users=np.zeros(n, np.int64), queries=np.zeros(n, np.int64), request_ids=[str(i) for i in range(n)],
        recipe_ids=["soup"], events=events, n_items=3,
    )  # fmt: skip


def test_a_version_that_would_exchange_the_first_two_is_judged_by_the_lists_in_which_chance_did() -> None:
    found = first_place(POPULAR, shown(8_000, share=0.1))
    assert found is not None
    low, high = found.interval
    assert low < POPULAR_FIRST < high
    assert high - low < 0.15
    assert found.logged == pytest.approx(0.9 * UNPOPULAR_FIRST + 0.1 * POPULAR_FIRST, abs=0.02)
    assert found.effective_sample_size == pytest.approx(800, rel=0.15)
    assert "1.1.0 would have its first recipe clicked in" in sentence("1.1.0", found)


def test_too_few_such_lists_give_no_number_and_none_where_nothing_was_left_to_chance() -> None:
    with pytest.raises(TooLittleOverlap):
        first_place(POPULAR, shown(500, share=0.05))
    log = shown(200, share=0.1)
    log.propensities[:] = 1.0
    assert first_place(POPULAR, log) is None


def test_a_list_whose_second_recipe_was_exchanged_for_another_is_left_out() -> None:
    log = shown(4_000, share=0.1)
    whole = first_place(POPULAR, log)
    log.propensities[1:3_000:3] = 0.01
    found = first_place(POPULAR, log)
    assert whole is not None
    assert found is not None
    n_kept_by_both = np.count_nonzero(log.propensities[0:3_000:3] < 0.5)
    assert (whole.n, found.n) == (4_000, 3_000 + n_kept_by_both)


def test_before_a_rollout_a_version_is_compared_with_the_champion_in_the_lists_that_chance_exchanged() -> None:
    unpopular = LeastPopularFirst("1.2.0")
    log = shown(8_000, share=0.1)
    worse = expected_in_first_place(POPULAR, unpopular, log)
    assert worse.verdict == "clearly worse"
    assert worse.figures["snips"]["value"] == pytest.approx(UNPOPULAR_FIRST, abs=0.02)
    assert worse.figures["champion"]["value"] == pytest.approx(POPULAR_FIRST, abs=0.06)
    # The reward model has learned that popular recipes are clicked: with it the estimate is as good.
    better = expected_in_first_place(unpopular, POPULAR, log)
    assert better.verdict == "not clearly worse"
    assert better.figures["dr"]["low"] < POPULAR_FIRST < better.figures["dr"]["high"]
    assert better.figures["dr"]["standard_error"] < 1.2 * better.figures["snips"]["standard_error"]


def test_lists_that_a_coin_ordered_need_fewest_and_without_chance_nothing_is_told() -> None:
    coined = shown(300, share=0.5)
    found = expected_in_first_place(POPULAR, LeastPopularFirst("1.2.0"), coined)
    assert (found.verdict, found.figures["snips"]["largest_weight"]) == ("clearly worse", 2.0)
    assert expected_in_first_place(POPULAR, POPULAR, shown(100, share=0.03)).verdict == "cannot tell"
    coined.propensities[:] = 1.0
    assert "chance exchanged nothing" in expected_in_first_place(POPULAR, POPULAR, coined).sentence
