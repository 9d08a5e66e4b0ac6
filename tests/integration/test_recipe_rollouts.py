"""The ranker's rollouts in the service: who answers, what is written down and counted, what a passed gate leads to."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops.errors import RolloutRefused, StoreUnavailable, UnknownVersion
from mlops.live_model import Served
from mlops.model_registry import ModelMetadata
from mlops.retraining.consequences import Consequences
from mlops.retraining.gradual import GradualStart
from mlops.rollout import Expected, Rollout, RolloutController, RolloutPlan
from mlops.rollout.counts import read_totals
from mlops.rollout.expecting import EXPECTATIONS
from mlops.store import Database, insert_new
from recipes.answer import Answer, Ask
from recipes.contents import contents_of
from recipes.encoder import UseEncoder
from recipes.evaluation.feedback import read_feedback
from recipes.feedback import Feedback
from recipes.index.items import Floats
from recipes.ranker import MODEL_ID, HybridRanker
from recipes.rollout_clicks import ClickCounts
from recipes.schema import answers, feedback_events, impressions
from recipes.service import Service
from recipes.training import labelled_since, read_log
from tests.conftest import REPOSITORY, MakeSettings
from tests.retraining_app import MODEL, Loop
from tests.rollout_traffic import KEY, START

PLAN = RolloutPlan(shadow_seconds=0, shares=(0.5,), hold_seconds=3_600, least_requests=10)


class RaisingRanker(HybridRanker):
    def score(self, features: Mapping[str, Floats]) -> Floats:
        raise RuntimeError("this version raises on purpose")


class UpsideDownRanker(HybridRanker):
    def score(self, features: Mapping[str, Floats]) -> Floats:
        return 1 - super().score(features)


class RubbishRanker(HybridRanker):
    def score(self, features: Mapping[str, Floats]) -> Floats:
        return super().score(features) * math.nan


class Kitchen:
    """A service with a rollout of 1.1.0 against 1.0.0 that is stepped by hand."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.rollout = service.rollout
        self.controller = service.operations.rollouts
        # By chance one arm may be drawn so often at first that it is taken back before the other was drawn at all.
        self.controller._new_key = lambda: KEY

    def begin(self, plan: RolloutPlan = PLAN, *, version: str = "1.1.0", semantic_weight: float = 0.5) -> Rollout:
        ranker = HybridRanker(version, semantic_weight=semantic_weight, popularity_weight=1 - semantic_weight)
        self.service.registry.register(ModelMetadata(MODEL_ID, version), artefact=ranker.files())
        begun = self.controller.start(MODEL_ID, version, plan=plan)
        self.rollout.refresh()
        return begun

    def replace_challenger(self, faulty: HybridRanker) -> None:
        """Have the challenger that is loaded fail from now on."""
        served = self.rollout._challenger.served
        assert served is not None
        self.rollout._challenger.served = Served(served.version, faulty)

    def answer(self, user: int | None = None) -> Answer:
        return self.service.recommender.answer(Ask("sopa de ajo", user_id=None if user is None else f"cook-{user}"))

    def counted(self) -> Any:
        """The counts of the last rollout, by (arm, metric)."""
        self.rollout.router.flush()
        last = self.controller.history(MODEL_ID, limit=1)[0]
        with self.service.database.reading() as connection:
            return read_totals(connection, last.rollout_id)


@pytest.fixture
def kitchen(starter_copy: Path, make_settings: MakeSettings, use_encoder: UseEncoder) -> Iterator[Kitchen]:
    service = Service(make_settings(starter_copy), encoder=use_encoder)
    service.prepare()
    yield Kitchen(service)
    service.close()


def test_each_cook_keeps_to_one_version_and_the_answer_says_which_and_why(kitchen: Kitchen) -> None:
    assert kitchen.answer(1).arm is None
    kitchen.begin(RolloutPlan(shadow_seconds=0, shares=(0.3,), hold_seconds=3_600))
    first = {user: kitchen.answer(user) for user in range(40)}
    again = {user: kitchen.answer(user) for user in range(40)}
    assert {user: one.arm for user, one in again.items()} == {user: one.arm for user, one in first.items()}
    seen = {(one.arm, one.model_version, one.arm_propensity) for one in first.values()}
    assert seen == {("champion", "1.0.0", 0.7), ("challenger", "1.1.0", 0.3)}
    kitchen.service.answers.flush()
    with kitchen.service.database.reading() as connection:
        kept = connection.execute(sa.select(answers.c.arm, answers.c.model_version, answers.c.arm_propensity)).all()
    assert {tuple(row) for row in kept} == {*seen, (None, "1.0.0", 1.0)}
    n_of = {arm: 2 * sum(one.arm == arm for one in first.values()) for arm in ("champion", "challenger")}
    totals = kitchen.counted()
    assert {arm: totals.of(arm, "error").n for arm in n_of} == n_of
    assert totals.of("challenger", "latency").total > 0
    assert kitchen.service.recommender.answer_with(HybridRanker("9.9.9"), Ask("sopa")).arm is None


@pytest.mark.parametrize(
    ("faulty", "guard"), [(RaisingRanker("1.1.0"), "crash_loop"), (RubbishRanker("1.1.0"), "output_valid")]
)
def test_a_challenger_that_fails_is_never_seen_and_is_taken_back_with_an_alert(
    kitchen: Kitchen, faulty: HybridRanker, guard: str
) -> None:
    kitchen.begin()
    kitchen.replace_challenger(faulty)
    given = [kitchen.answer(user) for user in range(60)]
    assert {one.model_version for one in given} == {"1.0.0"}
    assert all(math.isfinite(shown.score) for one in given for shown in one.shown)
    assert {one.arm for one in given} >= {"champion", "challenger"}
    kitchen.rollout.router.flush()
    kitchen.controller.step()
    last = kitchen.controller.history(MODEL_ID, limit=1)[0]
    assert (last.status, last.settled) == ("rolled_back", True)
    assert guard in last.because
    one = kitchen.service.registry.get_model(MODEL_ID, "1.1.0")
    assert one is not None
    assert one.status == "archived"
    assert [bar.version for bar in kitchen.controller.bars(MODEL_ID)] == ["1.1.0"]
    [alert] = kitchen.service.operations.alerts.open_alerts()
    assert (alert.rule, alert.severity, alert.sentence) == ("rollout", "warning", last.because)
    assert alert.labels == {"model_id": MODEL_ID, "version": "1.1.0"}
    events = [event.kind for event in kitchen.controller.events(last.rollout_id)]
    assert events[-3:] == ["rolled_back", "archived", "verified"]
    kitchen.rollout.refresh()
    assert {kitchen.answer(user).arm for user in range(10)} == {None}


def test_a_version_taken_back_later_leaves_the_alert_of_the_one_before_as_it_was(kitchen: Kitchen) -> None:
    for version, weight in (("1.1.0", 0.5), ("1.2.0", 0.25)):
        kitchen.begin(version=version, semantic_weight=weight)
        kitchen.controller.promote_now(MODEL_ID, because="looks right", actor="ana")
        kitchen.service.registry.rollback(MODEL_ID, because="by hand", actor="ana")
        kitchen.controller.step()
    later, first = kitchen.service.operations.alerts.open_alerts()
    assert (first.labels["version"], first.count, first.sentence[:5]) == ("1.1.0", 1, "1.1.0")
    assert (later.labels["version"], later.count, later.sentence[:5]) == ("1.2.0", 1, "1.2.0")


def test_after_its_promotion_the_version_before_stands_in_and_a_failure_goes_back_to_it(kitchen: Kitchen) -> None:
    kitchen.begin()
    kitchen.controller.promote_now(MODEL_ID, because="looks right", actor="ana")
    kitchen.service.live.refresh()
    kitchen.rollout.refresh()
    assert {(one.arm, one.model_version) for one in map(kitchen.answer, range(5))} == {("challenger", "1.1.0")}
    kitchen.service.recommender.ranker = RaisingRanker("1.1.0")
    assert {(one.arm, one.model_version) for one in map(kitchen.answer, range(6))} == {("challenger", "1.0.0")}
    kitchen.rollout.router.flush()
    kitchen.controller.step()
    champion = kitchen.service.registry.get_production_model(MODEL_ID)
    assert champion is not None
    assert champion.version == "1.0.0"


def test_what_no_version_could_have_answered_is_no_ones_failure(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen.begin()

    def away(*_: object) -> None:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(kitchen.service.recommender, "_answered", away)
    for user in range(20):
        with pytest.raises(StoreUnavailable):
            kitchen.answer(user)
    assert kitchen.counted().of("challenger", "error").n == kitchen.counted().of("champion", "error").n == 0


def test_in_shadow_the_challenger_answers_aside_and_nothing_of_it_is_recorded(kitchen: Kitchen) -> None:
    kitchen.begin(RolloutPlan(shadow_seconds=3_600))
    kitchen.rollout._shadow.start()
    try:
        given = [kitchen.answer(user) for user in range(20)]
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        while not kitchen.counted().of("shadow", "overlap").n:
            assert datetime.now(UTC) < deadline
    finally:
        kitchen.rollout._shadow.stop()
    assert {(one.arm, one.model_version, one.arm_propensity) for one in given} == {("champion", "1.0.0", 1.0)}
    totals = kitchen.counted()
    assert 0 < totals.of("shadow", "overlap").total / totals.of("shadow", "overlap").n <= 1
    assert totals.of("shadow", "error").total == 0
    kitchen.service.answers.flush()
    with kitchen.service.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(answers)).scalar() == 20


# --- Lists of both rankings -------------------------------------------------------------------------------------------

SHARED = RolloutPlan(shadow_seconds=0, interleave_seconds=3_600, interleave_share=0.5, hold_seconds=3_600)


def test_some_lists_are_drafted_from_both_rankings_and_say_whose_each_recipe_is(kitchen: Kitchen) -> None:
    kitchen.begin(SHARED)
    champion, challenger = HybridRanker("1.0.0"), UpsideDownRanker("1.1.0")
    kitchen.replace_challenger(challenger)
    given = [kitchen.answer(user) for user in range(40)]
    assert {(one.arm, one.model_version, one.arm_propensity) for one in given} == {
        ("champion", "1.0.0", 0.5),
        ("interleaved", "1.0.0", 0.5),
    }
    alone = [
        [
            shown.stored.recipe.recipe_id
            for shown in kitchen.service.recommender.answer_with(by, Ask("sopa de ajo")).shown
        ]
        for by in (champion, challenger)
    ]
    shared = [one for one in given if one.arm == "interleaved"]
    teams = {(shown.stored.recipe.recipe_id, shown.team, shown.propensity) for one in shared for shown in one.shown}
    for recipe_id, team, propensity in teams:
        assert propensity == (1.0 if team == "both" else 0.5)
        if team != "champion":
            assert recipe_id in alone[1]
        if team != "challenger":
            assert recipe_id in alone[0]
    assert {team for _, team, _ in teams} == {"champion", "challenger"}
    assert {shown.team for one in given if one.arm == "champion" for shown in one.shown} == {None}
    kitchen.service.answers.flush()
    with kitchen.service.database.reading() as connection:
        kept = connection.execute(
            sa.select(impressions.c.recipe_id, impressions.c.team, impressions.c.propensity)
            .join(answers, answers.c.request_id == impressions.c.request_id)
            .where(answers.c.arm == "interleaved")
        ).all()
    assert {tuple(row) for row in kept} == teams
    totals = kitchen.counted()
    assert totals.of("interleaved", "error").n == len(shared)
    assert totals.of("champion", "error").n == len(given) - len(shared)
    assert 0 < totals.of("interleaved", "latency").total < sum(one.latency_ms for one in shared) / 1_000


def test_lists_of_both_keep_what_was_excluded_and_what_was_asked_for_first(kitchen: Kitchen) -> None:
    kitchen.begin(replace(SHARED, interleave_share=1.0))
    kitchen.replace_challenger(UpsideDownRanker("1.1.0"))
    ask = Ask("tengo garbanzos y espinacas, sin carne", n=10)
    by_both = kitchen.service.recommender.answer(ask)
    alone = kitchen.service.recommender.answer_with(HybridRanker("1.0.0"), ask)
    assert by_both.arm == "interleaved"
    assert by_both.constraints.exclude == alone.constraints.exclude
    assert by_both.constraints.exclude
    assert (len(by_both.shown), by_both.notices) == (len(alone.shown), alone.notices)
    lexicon = kitchen.service.lexicon
    for shown in by_both.shown:
        contents = contents_of(shown.stored.recipe, lexicon)
        assert not contents.breaks(by_both.constraints.exclude, by_both.constraints.exclude_words)
    has_all = [
        contents_of(shown.stored.recipe, lexicon).has_all(by_both.constraints.include) for shown in by_both.shown
    ]
    assert set(has_all) == {True, False}
    assert has_all == sorted(has_all, reverse=True)


@pytest.mark.parametrize(
    ("faulty", "guard"), [(RaisingRanker("1.1.0"), "crash_loop"), (RubbishRanker("1.1.0"), "output_valid")]
)
def test_where_the_challenger_cannot_rank_the_list_is_the_champions_and_the_challenger_is_taken_back(
    kitchen: Kitchen, faulty: HybridRanker, guard: str
) -> None:
    kitchen.begin(SHARED)
    kitchen.replace_challenger(faulty)
    usual = kitchen.service.recommender.answer_with(HybridRanker("1.0.0"), Ask("sopa de ajo")).shown
    given = [kitchen.answer(user) for user in range(60)]
    for one in given:
        assert [shown.stored for shown in one.shown] == [shown.stored for shown in usual]
        assert {shown.team for shown in one.shown} == {None}
    assert "interleaved" in {one.arm for one in given}
    kitchen.rollout.router.flush()
    kitchen.controller.step()
    last = kitchen.controller.history(MODEL_ID, limit=1)[0]
    assert (last.status, guard in last.because) == ("rolled_back", True)


def test_lists_of_both_are_not_learned_from_and_tell_what_a_version_would_earn(
    kitchen: Kitchen,
) -> None:
    kitchen.begin(replace(SHARED, interleave_share=1.0))
    given = [kitchen.answer(user) for user in range(5)]
    kitchen.service.answers.flush()
    for one in given:
        kitchen.service.feedback.record(Feedback(one.request_id, one.shown[0].stored.recipe.recipe_id, "click"))
    span = {"since": given[0].answered_at, "until": given[-1].answered_at + timedelta(seconds=60)}
    database = kitchen.service.database
    assert len(read_log(database, **span)) == 0
    assert labelled_since(database, span["since"]) == 0
    assert not read_feedback(database).answers
    whole = read_log(database, **span, with_interleaved=True)
    assert len(whole) == sum(len(one.shown) for one in given)
    assert set(whole.propensities.tolist()) <= {0.5, 1.0}


# --- Clicks -----------------------------------------------------------------------------------------------------------


class Slates:
    """Answers of a rollout and what cooks did, written as the service writes them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = START
        loop = Loop(database).begin()
        loop.registry.register(ModelMetadata(MODEL, "1.1.0"), artefact={"model.json": b"1.0"})
        controller = RolloutController(loop.registry, clock=lambda: START)
        self.rollout = controller.start(MODEL, "1.1.0", plan=PLAN)
        self._n = 0

    def counts(self) -> ClickCounts:
        return ClickCounts(self.database, lambda: self.rollout, settled_seconds=3_600, clock=lambda: self.now)

    def show(self, arm: str | None, *, at: float, clicked_after: float | None = None, **different: Any) -> None:
        """A list, *at* so many hours after the start, clicked so many minutes later."""
        self._n += 1
        shown_at = START + timedelta(hours=at)
        row = {
            "request_id": f"r{self._n}", "answered_at": shown_at, "query_hash": "q", "language": "es",
            "constraints": {}, "mode": "full", "model_id": MODEL_ID, "n_candidates": 1, "latency_ms": 1.0, "arm": arm,
            "model_version": "1.0.0" if arm == "champion" else "1.1.0", "arm_propensity": 0.5, **different,
        }  # fmt: skip
        impression = {
            "request_id": f"r{self._n}", "position": 1, "recipe_id": "soup", "score": 1.0, "features": {},
            "propensity": 1.0,
        }  # fmt: skip
        with self.database.writing() as connection:
            insert_new(connection, answers, row, key=["request_id"])
            insert_new(connection, impressions, impression, key=["request_id", "position"])
            if clicked_after is not None:
                event = {
                    "event_id": f"e{self._n}", "request_id": f"r{self._n}", "recipe_id": "soup", "event": "click",
                    "value": None, "received_at": shown_at + timedelta(minutes=clicked_after),
                }  # fmt: skip
                insert_new(connection, feedback_events, event, key=["event_id"])

    def share(self, *teams: str, clicked: tuple[int, ...] = (), at: float = 0.5, **different: Any) -> None:
        """An interleaved list, *at* so many hours after the start, of which recipes are clicked after a minute."""
        self.show("interleaved", at=at, **{"model_version": "1.0.0", "arm_propensity": 0.2, **different})
        with self.database.writing() as connection:
            connection.execute(sa.delete(impressions).where(impressions.c.request_id == f"r{self._n}"))
            for position, team in enumerate(teams, 1):
                row = {
                    "request_id": f"r{self._n}", "position": position, "recipe_id": f"dish-{position}", "score": 1.0,
                    "features": {}, "propensity": 0.5, "team": team,
                }  # fmt: skip
                insert_new(connection, impressions, row, key=["request_id", "position"])
            for number, position in enumerate(clicked):
                event = {
                    "event_id": f"e{self._n}-{number}", "request_id": f"r{self._n}", "recipe_id": f"dish-{position}",
                    "event": "click", "value": None, "received_at": START + timedelta(hours=at, minutes=1),
                }  # fmt: skip
                insert_new(connection, feedback_events, event, key=["event_id"])

    def preferred(self) -> Any:
        with self.database.reading() as connection:
            sums = read_totals(connection, self.rollout.rollout_id).of("interleaved", "preference")
        return sums.n, sums.total, sums.squares

    def counted(self) -> dict[str, tuple[int, float]]:
        with self.database.reading() as connection:
            totals = read_totals(connection, self.rollout.rollout_id)
        sums = {arm: totals.of(arm, "click") for arm in ("champion", "challenger", "watch")}
        return {arm: (one.n, one.total) for arm, one in sums.items() if one.n}


def test_each_list_counts_once_when_its_time_is_up_whoever_counts_and_however_often(
    emptied_database: Database,
) -> None:
    slates = Slates(emptied_database)
    slates.show("champion", at=0.5, clicked_after=59)
    slates.show("champion", at=0.6, clicked_after=61)  # too late
    slates.show("challenger", at=0.9)
    slates.show("challenger", at=1.5, clicked_after=1)
    slates.show("challenger", at=2.5, clicked_after=1)
    # Of another version than was chosen, of no rollout, in shadow, without a search, and before the rollout.
    slates.show("challenger", at=0.5, clicked_after=1, model_version="1.0.0")
    slates.show(None, at=0.5, clicked_after=1)
    slates.show("champion", at=0.5, clicked_after=1, arm_propensity=1.0)
    slates.show("champion", at=0.5, clicked_after=1, mode="popular")
    slates.show("challenger", at=-0.5, clicked_after=1)
    slates.now = START + timedelta(hours=1.7)
    first = slates.counts()
    first.turn()
    assert slates.counted() == {"champion": (2, 1.0)}
    slates.now = START + timedelta(hours=3)
    slates.show("challenger", at=3, clicked_after=1, arm_propensity=1.0)  # after its promotion
    for counts in (first, slates.counts(), slates.counts()):
        counts.turn()
    assert slates.counted() == {"champion": (2, 1.0), "challenger": (2, 1.0)}
    slates.now = START + timedelta(hours=9)
    for counts in (slates.counts(), first):
        counts.turn()
    assert slates.counted() == {"champion": (2, 1.0), "challenger": (3, 2.0), "watch": (1, 1.0)}


def test_clicks_on_lists_of_both_go_to_whose_ranking_brought_the_recipe(emptied_database: Database) -> None:
    slates = Slates(emptied_database)
    slates.share("champion", "challenger", "both", clicked=(2, 2, 3))  # the challenger's, twice, and nobody's
    slates.share("challenger", "champion", "challenger", clicked=(1, 3, 2))  # two of the challenger's
    slates.share("challenger", "champion", clicked=(2,))
    slates.share("challenger", "champion", clicked=(1, 2))
    slates.share("challenger", "champion")
    slates.share("both", "both", clicked=(1,))
    # The champion alone, since the challenger could not; another rollout's; too new.
    slates.share(*([None] * 2), clicked=(1,))  # type: ignore[list-item]
    slates.share("challenger", "champion", clicked=(1,), model_version="0.9.0")
    slates.share("challenger", "champion", clicked=(1,), at=2.5)
    slates.now = START + timedelta(hours=2)
    for _ in range(2):
        slates.counts().turn()
        assert slates.preferred() == (6, 1.0, 3.0)
    assert slates.counted() == {}


def test_whole_lists_of_the_time_before_the_canary_are_not_compared_with_those_of_it(
    emptied_database: Database,
) -> None:
    slates = Slates(emptied_database)
    slates.show("champion", at=0.5, clicked_after=1)
    slates.show("champion", at=1.5, clicked_after=1)
    slates.show("challenger", at=1.6)
    slates.now = START + timedelta(hours=3)
    slates.rollout = replace(slates.rollout, status="interleave")
    slates.counts().turn()
    assert "champion" not in slates.counted()
    began = START + timedelta(hours=1)
    slates.rollout = replace(slates.rollout, status="canary", state={"canary_began_at": began.isoformat()})
    slates.counts().turn()
    assert slates.counted() == {"champion": (1, 1.0), "challenger": (1, 0.0)}


# --- After a passed gate ----------------------------------------------------------------------------------------------


@pytest.fixture
def loop(sqlite_database: Database) -> Loop:
    loop = Loop(sqlite_database).begin()
    loop.orchestrator._bring_in = GradualStart(RolloutController(loop.registry), PLAN)
    return loop


def rollouts(loop: Loop) -> list[tuple[str, str]]:
    return [(one.challenger, one.status) for one in RolloutController(loop.registry).history(MODEL)]


def test_by_policy_a_passed_gate_leads_to_a_rollout_and_not_to_a_promotion(loop: Loop) -> None:
    job = loop.run(noise=0.01)
    assert (job.state, job.outcome) == ("completed", "rolled out")
    assert str(job.reason).startswith("Rollout 1 of 1.1.0 began: 1 of 1 gates passed.")
    assert loop.champion == "1.0.0"
    assert rollouts(loop) == [("1.1.0", "canary")]
    second = loop.run(noise=0.02)
    assert (second.outcome, "is under way" in str(second.reason)) == ("not promoted", True)
    assert loop.statuses == {"1.0.0": "production", "1.1.0": "validation", "1.2.0": "archived"}


def test_a_version_that_is_expected_to_be_worse_is_not_rolled_out_by_itself(loop: Loop) -> None:
    def expect(*_: str) -> Expected:
        return Expected("clearly worse", "Off-policy, clearly worse.")

    loop.orchestrator._bring_in = GradualStart(RolloutController(loop.registry, expect=expect), PLAN)
    job = loop.run(noise=0.01)
    assert (job.state, job.outcome, rollouts(loop)) == ("completed", "not promoted", [])
    assert "is not rolled out unless forced. Off-policy, clearly worse." in str(job.reason)
    assert loop.statuses == {"1.0.0": "production", "1.1.0": "archived"}


QUESTIONS = ("sopa de ajo", "tarta de manzana", "algo con garbanzos", "pollo al horno", "arroz con verduras")
BY_BODY = {"name_similarity": 0.0, "ingredients_similarity": 0.0, "name_words": 0.0, "body_words": 1.0}


def test_what_cooks_did_with_lists_of_both_is_what_the_service_expects_of_a_version_later(kitchen: Kitchen) -> None:
    registry = kitchen.service.registry
    for version in ("1.1.0", "1.2.0"):
        other = HybridRanker(version, semantic_weights=BY_BODY)
        registry.register(ModelMetadata(MODEL_ID, version), artefact={**other.files(), "note.txt": version.encode()})
    plan = replace(SHARED, interleave_share=1.0)
    begun = kitchen.controller.start(MODEL_ID, "1.1.0", plan=plan)
    assert "chance exchanged nothing" in kitchen.controller.events(begun.rollout_id)[0].figures["expected"]["sentence"]
    kitchen.rollout.refresh()
    answer = kitchen.service.recommender.answer
    given = [answer(Ask(QUESTIONS[n % len(QUESTIONS)], user_id=f"cook-{n}")) for n in range(400)]
    kitchen.service.answers.flush()
    liked = [one for one in given if one.shown[0].team == "champion"]
    with kitchen.service.database.writing() as connection:
        for one in liked:
            event = {
                "event_id": one.request_id, "request_id": one.request_id, "event": "click", "value": None,
                "recipe_id": one.shown[0].stored.recipe.recipe_id, "received_at": one.answered_at,
            }  # fmt: skip
            insert_new(connection, feedback_events, event, key=["event_id"])
    kitchen.controller.abort(MODEL_ID, because="enough", actor="ana")
    with pytest.raises(RolloutRefused, match="Off-policy, clearly worse: clicks on the first recipe"):
        kitchen.controller.start(MODEL_ID, "1.2.0", plan=plan)
    forced = kitchen.controller.start(MODEL_ID, "1.2.0", plan=plan, because="the log is odd", force=True)
    figures = kitchen.controller.events(forced.rollout_id)[0].figures["expected"]["figures"]
    n = sum(one.shown[0].team != "both" for one in given)
    assert (figures["snips"]["n"], figures["champion"]["value"]) == (n, 1.0)


def test_commands_find_what_is_expected_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][EXPECTATIONS]
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    expect = EntryPoint(MODEL_ID, named[MODEL_ID], EXPECTATIONS).load()()
    assert expect("another_model", "1.0.0", "1.1.0") is None
    with pytest.raises(UnknownVersion, match=r"has no version 1\.0\.0"):
        expect(MODEL_ID, "1.0.0", "1.1.0")


def test_a_worker_that_dies_after_it_began_a_rollout_leaves_one_rollout(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        """The process ends."""

    def dies(*_: object) -> None:
        raise Died

    with monkeypatch.context() as scope:
        scope.setattr(Consequences, "_completed", dies)
        with pytest.raises(Died):
            loop.run(noise=0.01)
    assert loop.orchestrator.worker().run_next() is not None
    assert loop.book.listed(MODEL)[0].outcome == "rolled out"
    assert rollouts(loop) == [("1.1.0", "canary")]


@pytest.mark.parametrize("why", ["frozen", "asked"])
def test_where_a_person_decides_no_rollout_begins(sqlite_database: Database, why: str) -> None:
    loop = Loop(sqlite_database, auto_approve=why != "asked").begin()
    loop.orchestrator._bring_in = GradualStart(RolloutController(loop.registry), PLAN)
    if why == "frozen":
        loop.registry.freeze(because="until we know why")
    assert loop.run(noise=0.01).state == "awaiting_approval"
    assert rollouts(loop) == []


@pytest.mark.parametrize("policy", ["off", "canary"])
def test_the_policy_is_a_setting(starter_copy: Path, make_settings: MakeSettings, policy: str) -> None:
    service = Service(make_settings(starter_copy, rollout_policy=policy))
    service.close()
    assert (service.operations.retraining._bring_in is not None) == (policy == "canary")
