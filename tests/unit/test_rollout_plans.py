"""Plans, guards and settings of rollouts: what can be said, and what is refused by name."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.config import Settings, load_settings
from mlops.errors import BadPlan, InvalidSettings, RolloutRefused, UnknownGuard
from mlops.rollout import RolloutPlan, plan_from_settings, policy_from_settings, rank_overlap
from mlops.rollout.counts import Totals, bucket_of, bucket_seconds, percentile_bucket, slower_than
from mlops.rollout.guards import ALWAYS, GUARDS, guards_named
from mlops.rollout.judging import Reading, begun, look, watch_lines
from mlops.rollout.means import Sums
from mlops.rollout.plan import interleave_from, seconds_from, shares_from
from mlops.rollout.sequential import Block, log_evidence_worse, log_likelihood
from mlops.rollout.state import OPEN, STATUSES, check_move


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1_800), ("1.5h", 5_400), ("2d", 172_800), ("0", 0), (" 1h ", 3_600)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_from(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1h30m", "1w", "١h"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(BadPlan, match="hold must be a duration such as 90s"):
        seconds_from(text, field="hold")


def test_shares_are_read_as_percent_or_as_parts() -> None:
    assert shares_from("5%,25%, 50%") == (0.05, 0.25, 0.5)
    assert shares_from("0.05,0.25") == (0.05, 0.25)
    with pytest.raises(BadPlan, match=r"canary must be shares such as 5%,25%,50%, got 'half'"):
        shares_from("half")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shares": (0.5, 0.25)}, "shares must grow"),
        ({"shares": ()}, "got none"),
        ({"shares": (0.5, 1.0)}, "100 % is the promotion"),
        ({"hold_seconds": -1.0}, "hold_seconds must be between 0 and a year, got -1"),
        ({"alpha": 0.0}, "alpha must be more than 0"),
        ({"default": "stay"}, "default must be one of keep_champion, promote, got 'stay'"),
        ({"max_seconds": 60.0}, "max_seconds must be at least 25200, what the stages take, got 60"),
        ({"interleave_share": 0.0}, "interleave_share must be more than 0 and at most 1, got 0"),
        ({"guards": ("preference",)}, "preference needs a stage of interleaved lists"),
        ({"interleave_seconds": 60.0, "target": "preference"}, "target must be one of the guards error_rate, "),
        ({"interleave_seconds": 200_000.0}, "max_seconds must be at least 225200, what the stages take"),
        ({"least_requests": -1}, "least_requests must be between 0 and 1000000000, got -1"),
        ({"target": "crash_loop"}, "target must be one of the guards error_rate"),
        ({"guards": ("error_rate", "error_rate:1")}, "named once each"),
        ({"guards": ("click_rate:1",)}, "the margin of click_rate must be at least 0 and less than 1, got '1'"),
        ({"guards": ("error_rate:lots",)}, "the margin of error_rate"),
    ],
)
def test_a_plan_that_makes_no_sense_says_where(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPlan, match=message):
        RolloutPlan(**values)


def test_a_stage_of_shared_lists_is_a_length_and_perhaps_a_share() -> None:
    assert interleave_from("2h") == (7_200, None)
    assert interleave_from("90s:5%") == (90, 0.05)
    for text in ("long", "2h:", "2h:half", ":20%"):
        with pytest.raises(BadPlan, match="--interleave must be"):
            interleave_from(text, field="--interleave")


def test_shared_lists_bring_a_guard_that_uses_its_part_of_alpha() -> None:
    plan = RolloutPlan(guards=("error_rate",), interleave_seconds=60)
    assert [guard.name for guard in plan.watched] == ["error_rate", "preference", *ALWAYS]
    assert plan.alpha_each == pytest.approx(0.05 / 3)
    assert RolloutPlan(guards=("preference:0.1",), interleave_seconds=60).watched[0].margin == 0.1


def test_an_unknown_guard_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownGuard, match="there is no guard 'joy'; there are error_rate, p95_latency"):
        guards_named(["joy"])


def test_what_is_always_watched_is_watched_and_the_tests_share_alpha() -> None:
    plan = RolloutPlan(guards=("error_rate:0.2",))
    assert [guard.name for guard in plan.watched] == ["error_rate", *ALWAYS]
    assert plan.watched[0].margin == 0.2
    # error_rate and output_valid; a streak is no test.
    assert plan.alpha_each == pytest.approx(0.025)
    assert GUARDS["error_rate"].margin == 0.5


def test_a_plan_comes_back_from_plain_values() -> None:
    plan = RolloutPlan(shares=(0.1,), guards=("error_rate:0.2",), target="error_rate", default="promote")
    assert RolloutPlan.from_dict(plan.to_dict()) == plan
    with pytest.raises(BadPlan, match="a plan has no field 'speed'"):
        RolloutPlan.from_dict({"speed": 1})


def test_the_settings_make_a_plan_and_say_whether_it_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy_from_settings(load_settings(Settings)) is None
    assert plan_from_settings(load_settings(Settings)) == RolloutPlan()
    monkeypatch.setenv("ROLLOUT_POLICY", "canary")
    monkeypatch.setenv("ROLLOUT_CANARY", "10%")
    monkeypatch.setenv("ROLLOUT_SHADOW", "0")
    monkeypatch.setenv("ROLLOUT_INTERLEAVE", "1h:30%")
    plan = policy_from_settings(load_settings(Settings))
    assert plan is not None
    assert (plan.shares, plan.shadow_seconds) == ((0.1,), 0)
    assert (plan.interleave_seconds, plan.interleave_share) == (3_600, 0.3)
    monkeypatch.setenv("ROLLOUT_HOLD", "long")
    with pytest.raises(InvalidSettings, match="ROLLOUT_HOLD must be a duration"):
        plan_from_settings(load_settings(Settings))


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in OPEN])
def test_a_rollout_that_ended_stays_so(status: Any) -> None:
    for to in STATUSES:
        with pytest.raises(RolloutRefused, match=f"is {status} cannot become"):
            check_move(status, to)


@given(st.floats(0, 1e6))
def test_a_latency_lies_in_the_bucket_that_reaches_it(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert seconds <= bucket_seconds(bucket) * (1 + 1e-9) or bucket == 150
    assert bucket == 0 or seconds > bucket_seconds(bucket - 1) * (1 - 1e-9)


@given(st.lists(st.floats(1e-5, 10), min_size=1, max_size=80))
def test_at_most_a_twentieth_is_slower_than_the_bucket_of_the_95th_percentile(latencies: list[float]) -> None:
    counted: dict[int, int] = {}
    for seconds in latencies:
        counted[bucket_of(seconds)] = counted.get(bucket_of(seconds), 0) + 1
    line = percentile_bucket(counted, 0.95)
    assert slower_than(counted, line) <= 0.05 * len(latencies)
    assert slower_than(counted, line - 1) > 0.05 * len(latencies)


def test_rank_overlap_is_the_papers() -> None:
    # By hand, p = 0.9: agreements 0, 1 at ranks 1, 2: (1 - p)/p (0 + p²) + 1 p² = 0.09 + 0.81.
    assert rank_overlap("ab", "ba") == pytest.approx(0.9)
    assert rank_overlap("abc", "abc") == pytest.approx(1)
    assert rank_overlap("abc", "xyz") == 0
    assert rank_overlap("", "") == 1
    assert rank_overlap("", "a") == 0


@given(st.lists(st.integers(0, 30), unique=True, min_size=2), st.integers(0, 30))
def test_to_swap_farther_down_changes_less(ranking: list[int], at: int) -> None:
    def swapped(i: int) -> list[int]:
        other = list(ranking)
        other[i], other[i + 1] = other[i + 1], other[i]
        return other

    i = at % (len(ranking) - 1)
    ids = [str(each) for each in ranking]
    overlaps = [rank_overlap(ids, [str(each) for each in swapped(j)]) for j in (0, i)]
    assert overlaps[0] <= overlaps[1] + 1e-12
    assert overlaps[1] == pytest.approx(rank_overlap([str(each) for each in swapped(i)], ids))


@pytest.mark.parametrize(
    ("log_evidence", "said"),
    [(math.log(3_180), "evidence 3,180 of 60 needed"), (math.log(0.5), "evidence 0.5 of 60 needed"),
     (-30.0, "evidence under 0.001 of 60 needed"), (21.0, "evidence over 10⁸ of 60 needed")],
)  # fmt: skip
def test_evidence_is_told_in_full(log_evidence: float, said: str) -> None:
    reading = Reading(
        "error_rate", "failed", 100, 2, 1_000, 20, 0.5, log_evidence, math.log(60), None, None, breached=False
    )
    assert reading.sentence.endswith(said)


def test_a_promoted_challenger_is_held_to_the_upper_end_of_its_champions_rate_and_the_margin() -> None:
    reading = Reading("error_rate", "failed", 100, 2, 1_000, 20, 0.5, 0.0, 4.0, None, None, False)
    silent = Reading("click_rate", "clicked", 100, 30, 0, 0, 0.1, 0.0, 4.0, None, None, False)
    lines = watch_lines(RolloutPlan(guards=("error_rate", "click_rate")), [reading, silent])
    highest = stats.binomtest(20, 1_000).proportion_ci(0.95, method="exact").high
    odds = 1.5 * highest / (1 - highest)
    assert lines == {"error_rate": pytest.approx(odds / (1 + odds)), "output_valid": 0.01}


def test_requests_of_one_arm_wait_for_those_of_the_other_however_often_one_looks() -> None:
    plan = RolloutPlan(guards=("error_rate",))
    state = begun(Totals({}, {}), plan.watched, "canary", {})
    failed = Totals({("challenger", "error"): Sums(1, 1.0, 1.0)}, {})
    both = Totals({**failed.sums, ("champion", "error"): Sums(19, 0.0, 0.0)}, {})
    for totals in (failed, failed, both, both):
        found = look(plan, totals, "canary", state, now=datetime(2026, 11, 24, tzinfo=UTC))
        state = dict(found.state)
    expected = log_evidence_worse(log_likelihood(Block(1, 1, 19, 0)), margin=0.5)
    assert found.readings[0].log_evidence == pytest.approx(expected, abs=1e-4)
    assert expected > 0
