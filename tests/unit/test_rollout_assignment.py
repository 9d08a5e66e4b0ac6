"""Assignment: sticky, secret, in proportion, and without reshuffling when the share grows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.rollout.assignment import assign, place_of

KEY = bytes(range(16))


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_who_is_with_the_challenger_stays_when_the_share_grows(unit_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if assign(unit_id, share=small, key=KEY).arm == "challenger":
        assert assign(unit_id, share=large, key=KEY).arm == "challenger"
    assert assign(unit_id, share=small, key=KEY) == assign(unit_id, share=small, key=KEY)


def test_units_are_spread_evenly_and_another_key_spreads_them_anew() -> None:
    places = np.array([place_of(f"user-{n}", KEY) for n in range(5_000)])
    others = np.array([place_of(f"user-{n}", b"another") for n in range(5_000)])
    assert stats.kstest(places, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(places, others)[0, 1]) < 0.05


def test_the_propensity_is_that_of_the_arm() -> None:
    found = Counter(assign(f"user-{n}", share=0.25, key=KEY) for n in range(2_000))
    assert {(each.arm, each.propensity) for each in found} == {("challenger", 0.25), ("champion", 0.75)}
    assert assign("x", share=0, key=KEY).arm == "champion"
    assert assign("x", share=1, key=KEY).arm == "challenger"


def test_a_share_is_between_nobody_and_everybody() -> None:
    with pytest.raises(ValueError, match=r"share must lie between 0 and 1, got 5"):
        assign("x", share=5, key=KEY)
