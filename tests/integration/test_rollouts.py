"""A challenger's way into production, or back: stages, guards, freezes, people, time, bars."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mlops.errors import Barred, Conflict, Frozen, RolloutOpen, RolloutRefused, UnknownRollout, UnknownVersion
from mlops.model_registry import ApprovalPolicy
from mlops.rollout import CanaryRouter, Expected, RolloutPlan, credit
from mlops.rollout.guards import STREAK
from mlops.rollout.pages import rollout_page
from mlops.store import Database
from tests.rollout_traffic import PLAN, START, Traffic


@pytest.fixture
def traffic(emptied_database: Database) -> Traffic:
    """On each kind of database."""
    return Traffic(emptied_database)


@pytest.fixture
def on_sqlite(sqlite_database: Database) -> Traffic:
    """For decisions that are the same on any database."""
    return Traffic(sqlite_database)


def test_a_good_challenger_goes_from_share_to_share_into_production(traffic: Traffic) -> None:
    traffic.start()
    assert traffic.status_of("1.1.0") == "validation"
    traffic.go_on(2)
    assert traffic.step(hours=0.5).share == 0.2
    assert traffic.step(hours=0.6).share == 0.5
    traffic.go_on(2)
    rollout = traffic.step(hours=1.1)
    assert (rollout.status, traffic.champion) == ("watch", "1.1.0")
    traffic.go_on(2)
    rollout = traffic.step(hours=1.1)
    assert (rollout.status, rollout.settled, traffic.champion) == ("promoted", True, "1.1.0")
    assert traffic.kinds() == ["started", "stage", "promoted", "watched"]
    move = traffic.registry.moves("ranker")[-1]
    assert move.automatic
    assert {guard["guard"] for guard in move.evidence["guards"]} >= {"error_rate", "click_rate"}
    assert traffic.alarms == []


@pytest.mark.parametrize(
    ("guard", "bad"),
    [
        ("error_rate", {"challenger": {"failed": 3}, "champion": {"failed": 50}}),
        ("p95_latency", {"challenger": {"slow": 3}, "champion": {"slow": 30}}),
        ("click_rate", {"challenger": {"click": 12}, "champion": {"click": 3}}),
        ("output_valid", {"challenger": {"invalid": 5}}),
    ],
)
def test_a_guard_that_alarms_takes_the_challenger_back_bars_it_and_says_why(
    on_sqlite: Traffic, guard: str, bad: dict[str, dict[str, int]]
) -> None:
    on_sqlite.start()
    rollout = on_sqlite.go_on(12, every=bad)
    assert (rollout.status, rollout.share, rollout.settled) == ("rolled_back", 0.0, True)
    assert guard in rollout.because
    assert on_sqlite.alarms == [rollout.because]
    assert on_sqlite.router.choose("user-1").version is None
    assert on_sqlite.champion == "1.0.0"
    assert on_sqlite.status_of("1.1.0") == "archived"
    event = next(each for each in on_sqlite.controller.events(rollout.rollout_id) if each.kind == "rolled_back")
    reading = next(each for each in event.figures["guards"] if each["guard"] == guard)
    assert reading["log_evidence"] >= reading["needed"]
    assert event.figures["series"][-1]["evidence"][guard] == pytest.approx(reading["log_evidence"], abs=1e-3)
    with pytest.raises(Barred, match=r"mlops rollout unbar ranker 1\.1\.0"):
        on_sqlite.controller.start("ranker", "1.1.0", plan=PLAN)


def test_a_challenger_that_fails_in_a_row_is_taken_back_by_the_next_step(on_sqlite: Traffic) -> None:
    on_sqlite.start()
    while not on_sqlite.router.is_tripped:
        choice = on_sqlite.router.choose(f"u{on_sqlite._n}")
        on_sqlite._n += 1
        on_sqlite.router.observe(choice, failed=choice.arm == "challenger")
    assert on_sqlite.router.choose("u1").version is None
    on_sqlite.router.flush()
    rollout = on_sqlite.step()
    assert rollout.status == "rolled_back"
    assert "crash_loop" in rollout.because


def test_where_the_champion_fails_too_there_is_no_crash_loop(on_sqlite: Traffic) -> None:
    on_sqlite.start()
    for n in range(20 * STREAK):
        on_sqlite.router.observe(on_sqlite.router.choose(f"u{n}"), failed=True)
    assert not on_sqlite.router.is_tripped


def test_a_promoted_challenger_is_not_excused_by_failures_before_it_or_counted_for_another(on_sqlite: Traffic) -> None:
    on_sqlite.start()
    champion = next(each for n in range(99) if (each := on_sqlite.router.choose(f"u{n}")).arm == "champion")
    for _ in range(STREAK):
        on_sqlite.router.observe(champion, failed=True)
        on_sqlite.router.observe(champion, answered_by="1.1.0", failed=True)
    assert on_sqlite.router._counts[("champion", "error")][0] == STREAK
    on_sqlite.controller.promote_now("ranker", because="sure", actor="ana")
    on_sqlite.router.refresh()
    for n in range(STREAK):
        on_sqlite.router.observe(on_sqlite.router.choose(f"u{n}"), answered_by="1.1.0", failed=True)
    on_sqlite.router.flush()
    assert on_sqlite.step().status == "rolled_back"


def test_the_same_files_under_another_version_are_barred_too_until_somebody_unbars_them(traffic: Traffic) -> None:
    traffic.start()
    traffic.go_on(12, every={"challenger": {"failed": 2}})
    traffic.register("1.1.1", content='"1.1.0"')
    with pytest.raises(Barred, match=r"1\.1\.1 has the files of 1\.1\.0"):
        traffic.controller.start("ranker", "1.1.1")
    traffic.controller.unbar("ranker", "1.1.0", because="the network was at fault", actor="ana")
    assert traffic.controller.bars() == []
    traffic.start(version="1.1.1")
    with pytest.raises(RolloutRefused, match="is not barred"):
        traffic.controller.unbar("ranker", "1.1.0", because="again", actor="ana")


def test_after_the_promotion_a_guard_goes_back_to_what_served_and_sees_that_it_does(emptied_database: Database) -> None:
    traffic = Traffic(emptied_database, serving=lambda model_id: traffic.champion)
    traffic.start(replace(PLAN, shares=(0.5,), hold_seconds=60))
    traffic.go_on(2)
    assert traffic.step(hours=0.1).status == "watch"
    rollout = traffic.go_on(10, every={"watch": {"failed": 5}})
    assert rollout.status == "rolled_back"
    assert traffic.champion == "1.0.0"
    assert traffic.registry.moves("ranker")[-1].kind == "rolled_back"
    assert traffic.kinds()[-2:] == ["rolled_back", "verified"]
    assert [bar.version for bar in traffic.controller.bars("ranker")] == ["1.1.0"]


def test_a_rollback_that_nobody_sees_is_an_alarm(emptied_database: Database) -> None:
    traffic = Traffic(emptied_database, serving=lambda model_id: "1.1.0", verify_seconds=0.1)
    traffic.start()
    traffic.go_on(12, every={"challenger": {"failed": 2}})
    assert traffic.kinds()[-1] == "not_verified"
    assert traffic.alarms[-1] == "1.1.0 answers, and the registry has 1.0.0 in production"


def test_a_freeze_stops_every_step_forward_and_no_rollback(traffic: Traffic) -> None:
    traffic.start()
    traffic.go_on(2)
    traffic.registry.freeze(because="holidays")
    assert traffic.step(hours=2).share == 0.2
    with pytest.raises(Frozen):
        traffic.controller.start("ranker", "1.1.0", automatic=True)
    rollout = traffic.go_on(12, every={"challenger": {"failed": 2}})
    assert (rollout.status, rollout.settled, traffic.status_of("1.1.0")) == ("rolled_back", False, "validation")
    n_alarms = len(traffic.alarms)
    traffic.registry.unfreeze(because="back")
    assert traffic.step().settled
    assert traffic.status_of("1.1.0") == "archived"
    assert len(traffic.alarms) == n_alarms == 1


def test_a_frozen_champion_is_not_rolled_back_but_people_are_told_once(traffic: Traffic) -> None:
    traffic.start()
    traffic.send(200)
    traffic.controller.promote_now("ranker", because="sure", actor="ana")
    traffic.registry.freeze(because="holidays")
    traffic.router.refresh()
    rollout = traffic.go_on(6, every={"watch": {"failed": 4}})
    assert (rollout.status, traffic.champion) == ("watch", "1.1.0")
    assert len(traffic.alarms) == 1
    assert "could not be rolled back" in traffic.alarms[0]


def test_quiet_traffic_proves_nothing_and_ends_by_the_default(on_sqlite: Traffic) -> None:
    on_sqlite.start()
    on_sqlite.send(20)
    assert on_sqlite.step(hours=2).share == 0.2
    rollout = on_sqlite.step(hours=23)
    assert (rollout.status, on_sqlite.champion) == ("expired", "1.0.0")
    assert "1.0.0 stays in production by default" in rollout.because
    assert on_sqlite.controller.bars() == []


def test_the_default_may_be_a_promotion(on_sqlite: Traffic) -> None:
    on_sqlite.start(replace(PLAN, default="promote"))
    assert on_sqlite.step(hours=25).status == "watch"
    assert on_sqlite.champion == "1.1.0"


def test_users_who_were_not_split_as_promised_make_the_comparison_void(on_sqlite: Traffic) -> None:
    on_sqlite.start()
    for n in range(1_500):
        if on_sqlite.router.choose(f"user-{n}").arm == "champion" and n % 2:
            # Half of the champion's users never reached this process's counts.
            on_sqlite.router._counts[("champion", "users_at_0.2")][0] -= 1
    on_sqlite.router.flush()
    rollout = on_sqlite.step()
    assert rollout.status == "aborted"
    assert "void" in rollout.because
    assert on_sqlite.controller.bars() == []


def test_a_pause_holds_the_share_and_does_not_count(traffic: Traffic) -> None:
    traffic.start()
    traffic.go_on(2)
    traffic.controller.pause("ranker", because="lunch", actor="ana")
    assert traffic.step(hours=30).share == 0.2
    with pytest.raises(RolloutRefused, match="paused already"):
        traffic.controller.pause("ranker", because="lunch", actor="ana")
    resumed = traffic.controller.resume("ranker", because="back", actor="ana")
    assert resumed.ends_at == START + timedelta(hours=54)
    assert traffic.step().share == 0.2
    assert traffic.step(hours=1.1).share == 0.5
    with pytest.raises(RolloutRefused, match="is not paused"):
        traffic.controller.resume("ranker", because="back", actor="ana")


def test_an_aborted_challenger_serves_nobody_and_may_come_again(traffic: Traffic) -> None:
    traffic.start()
    with pytest.raises(RolloutOpen):
        traffic.controller.start("ranker", "1.1.0")
    traffic.controller.abort("ranker", because="later", actor="ana")
    traffic.router.refresh()
    assert traffic.router.choose("user-1").rollout_id is None
    with pytest.raises(RolloutRefused, match="no rollout of ranker is under way"):
        traffic.controller.abort("ranker", because="later", actor="ana")
    traffic.start()
    assert traffic.kinds() == ["started"]


@pytest.mark.parametrize(("version", "error"), [("1.0.0", RolloutRefused), ("9.9.9", UnknownVersion)])
def test_what_is_no_challenger_is_not_rolled_out(on_sqlite: Traffic, version: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        on_sqlite.controller.start("ranker", version)
    with pytest.raises(UnknownRollout):
        on_sqlite.controller.events(7)


def test_a_version_that_a_person_promotes_meanwhile_is_watched_and_another_one_ends_the_rollout(
    traffic: Traffic,
) -> None:
    traffic.start()
    traffic.registry.promote("ranker", "1.1.0", because="by hand")
    assert traffic.step().status == "watch"
    traffic.registry.rollback("ranker", because="by hand")
    rollout = traffic.step()
    assert (rollout.status, [bar.version for bar in traffic.controller.bars()]) == ("rolled_back", ["1.1.0"])
    traffic.register("1.2.0")
    traffic.register("1.3.0")
    traffic.start(version="1.2.0")
    traffic.registry.promote("ranker", "1.3.0", because="by hand")
    assert traffic.step().status == "aborted"


def test_a_promotion_that_needs_a_person_waits_for_one(traffic: Traffic) -> None:
    traffic.registry.approval = ApprovalPolicy.from_text("ranker")
    traffic.start(replace(PLAN, shares=(0.5,), hold_seconds=60))
    traffic.send(200)
    assert traffic.step(hours=0.1).status == "canary"
    assert traffic.step(hours=0.1).status == "canary"
    assert traffic.kinds() == ["started", "waits"]
    traffic.registry.approve("ranker", "1.1.0", because="looks good", actor="ben")
    assert traffic.step().status == "watch"


def test_a_target_has_to_show_that_it_is_not_worse(on_sqlite: Traffic) -> None:
    on_sqlite.start(replace(PLAN, shares=(0.5,), hold_seconds=60, target="click_rate"))
    on_sqlite.go_on(2)
    assert on_sqlite.step(hours=0.1).status == "canary"
    better = {"challenger": {"click": 2}, "champion": {"click": 4}}
    on_sqlite.go_on(4, every=better)
    assert on_sqlite.step(hours=0.1).status == "watch"


def test_a_change_that_rests_on_an_old_look_is_refused(traffic: Traffic) -> None:
    from mlops.rollout import _rows

    traffic.start()
    seen = traffic.controller.status("ranker")
    assert seen is not None
    traffic.controller.pause("ranker", because="x", actor="ana")
    with pytest.raises(Conflict), traffic.registry.database.writing() as connection:
        _rows.change(connection, seen, share=0.9)


def test_only_one_steps_at_a_time(traffic: Traffic) -> None:
    from mlops.store.leases import Leases

    traffic.start()
    Leases(traffic.registry.database, clock=traffic.clock).take("rollout-ranker", "another worker", 10)
    assert traffic.controller.step() == []
    traffic.now += timedelta(seconds=11)
    assert [each.model_id for each in traffic.controller.step()] == ["ranker"]


@pytest.mark.parametrize("breach", [False, True])
def test_a_challenger_in_shadow_answers_nobody_and_is_held_to_its_answers(on_sqlite: Traffic, breach: bool) -> None:
    on_sqlite.start(RolloutPlan(shadow_seconds=600, shares=(0.2,), hold_seconds=600, least_requests=50))
    on_sqlite.send(200)
    assert {on_sqlite.router.choose(f"u{n}").arm for n in range(50)} == {"champion"}
    rollout_id = on_sqlite.controller.history("ranker")[0].rollout_id
    for n in range(60):
        on_sqlite.router.count(rollout_id, "shadow", failed=breach and n % 2 == 0, valid=True, seconds=0.02)
    on_sqlite.router.flush()
    rollout = on_sqlite.step(hours=0.2)
    assert rollout.status == ("rolled_back" if breach else "canary")


# --- Lists of both rankings -------------------------------------------------------------------------------------------

BOTH = replace(
    PLAN, shadow_seconds=600, interleave_seconds=3_600, interleave_share=0.5, least_requests=80, max_seconds=200_000
)


def shared(traffic: Traffic, n: int, *, lost_every: int = 2) -> list[bool]:
    """*n* requests; each *lost_every*-th list of both is won by the champion, the others by the challenger."""
    found = [traffic.router.interleave(f"request-{number}") for number in range(n)]
    for number, (choice, draft) in enumerate([each for each in found if each is not None]):
        # As a service does it: draft, show, observe, and credit what was clicked when its time is up.
        drafted = draft("ab", "ba", k=2)
        traffic.router.observe(choice, answered_by="1.1.0", seconds=0.01)
        clicked = drafted.items[drafted.teams.index("champion" if number % lost_every == 0 else "challenger")]
        traffic.router.outcome(choice, "preference", credit(drafted, [clicked]))
    traffic.router.flush()
    return [each is not None for each in found]


def test_lists_of_both_come_after_the_shadow_and_before_anybody_gets_the_challenger_alone(traffic: Traffic) -> None:
    traffic.start(BOTH)
    assert traffic.router.interleave("request-1") is None
    for _ in range(90):
        traffic.router.count(
            traffic.controller.history()[0].rollout_id, "shadow", failed=False, valid=True, seconds=0.02
        )
    traffic.send(50)
    rollout = traffic.step(hours=0.2)
    assert (rollout.status, rollout.share, rollout.step) == ("interleave", 0.5, -1)
    assert {traffic.router.choose(f"u{n}").arm for n in range(50)} == {"champion"}
    first = shared(traffic, 100)
    assert 30 < sum(first) < 70
    assert traffic.step(hours=1.1).status == "interleave"  # enough time, and too few lists
    again = CanaryRouter(traffic.registry.database, "ranker")
    again.refresh()
    assert again.interleave("request-1") is None  # not loaded in that process yet
    again.ready("1.1.0")
    assert [again.interleave(f"request-{n}") is not None for n in range(100)] == first
    look = traffic.controller.look(rollout)
    assert look.interleaving is not None
    assert (look.interleaving.n_challenger, look.interleaving.n_champion) == (
        sum(first) // 2,
        sum(first) - sum(first) // 2,
    )
    shared(traffic, 100)
    rollout = traffic.step()
    assert (rollout.status, rollout.share, rollout.step) == ("canary", 0.2, 0)
    assert traffic.router.interleave("request-1") is None
    events = traffic.controller.events(rollout.rollout_id)
    assert [event.kind for event in events] == ["started", "stage", "stage"]
    assert "shares 50% of the lists" in events[1].sentence
    assert "Of the lists of both it won" in events[2].sentence
    assert events[2].figures["interleaving"]["n_ties"] == 0
    # What was counted in lists of both is no evidence in the canary, whose guards begin anew.
    readings = {reading.guard: reading.n_champion for reading in traffic.controller.look(rollout).readings}
    assert readings == {"error_rate": 0, "click_rate": 0, "output_valid": 0, "crash_loop": 0}


def test_a_challenger_that_loses_lists_is_taken_back_before_it_got_a_user(on_sqlite: Traffic) -> None:
    on_sqlite.start(replace(BOTH, shadow_seconds=0))
    rollout = on_sqlite.step()
    for _ in range(6):
        on_sqlite.send(10)
        shared(on_sqlite, 40, lost_every=1)
        rollout = on_sqlite.step()
    assert (rollout.status, on_sqlite.alarms) == ("rolled_back", [rollout.because])
    assert "preference: interleaved lists won: 0.00%" in rollout.because
    assert [bar.version for bar in on_sqlite.controller.bars("ranker")] == ["1.1.0"]
    assert on_sqlite.router.interleave("request-1") is None


def test_a_challenger_that_fails_in_shared_lists_in_a_row_is_taken_back_at_once(on_sqlite: Traffic) -> None:
    on_sqlite.start(replace(BOTH, shadow_seconds=0, interleave_share=1.0))
    for n in range(STREAK):
        asked = on_sqlite.router.interleave(f"request-{n}")
        assert asked is not None
        on_sqlite.router.observe(asked[0], answered_by="1.1.0", failed=True)
    assert on_sqlite.router.interleave("request-99") is None
    on_sqlite.router.flush()
    assert "crash_loop" in on_sqlite.step().because


def test_a_challenger_that_is_promoted_out_of_shared_lists_is_watched(on_sqlite: Traffic) -> None:
    on_sqlite.start(replace(BOTH, shadow_seconds=0))
    shared(on_sqlite, 100)
    on_sqlite.controller.promote_now("ranker", because="sure", actor="ana")
    rollout = on_sqlite.step()
    assert rollout.status == "watch"
    assert "preference" not in {reading.guard for reading in on_sqlite.controller.look(rollout).readings}


# --- What is expected beforehand --------------------------------------------------------------------------------------

WORSE = Expected("clearly worse", "Off-policy, clearly worse: 20 % expected.", {"snips": {"value": 0.2}})


def test_a_challenger_that_is_expected_to_be_worse_begins_only_where_it_is_forced(sqlite_database: Database) -> None:
    asked: list[tuple[str, str, str]] = []

    def expect(*versions: str) -> Expected:
        asked.append(versions)  # type: ignore[arg-type]
        return WORSE

    traffic = Traffic(sqlite_database, expect=expect)
    with pytest.raises(RolloutRefused, match=r"ranker 1\.1\.0 is not rolled out unless forced\. Off-policy, clearly"):
        traffic.start()
    assert (traffic.status_of("1.1.0"), traffic.controller.history()) == ("training", [])
    traffic.start(force=True, because="the log is of last winter")
    [event] = traffic.controller.events(1)
    assert (event.figures["expected"], event.figures["forced"]) == (WORSE.to_dict(), True)
    assert asked == [("ranker", "1.0.0", "1.1.0")] * 2
    page = rollout_page(traffic.controller.get(1), [event])
    assert WORSE.sentence in page
    assert "snips" in page


@pytest.mark.parametrize("verdict", ["not clearly worse", "cannot tell", "nothing", "raises"])
def test_whatever_else_is_expected_is_kept_and_holds_nobody_up(sqlite_database: Database, verdict: Any) -> None:
    def expect(*_: str) -> Expected | None:
        if verdict == "raises":
            raise OSError("the log is away")
        return None if verdict == "nothing" else Expected(verdict, "as told")

    traffic = Traffic(sqlite_database, expect=expect)
    traffic.start(automatic=True)
    figures = traffic.controller.events(1)[0].figures
    if verdict == "nothing":
        assert "expected" not in figures
    elif verdict == "raises":
        assert figures["expected"]["verdict"] == "cannot tell"
        assert "OSError: the log is away" in figures["expected"]["sentence"]
    else:
        assert figures["expected"]["verdict"] == verdict
