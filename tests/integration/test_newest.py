"""The newest of everything, of all models at once, on both kinds of database: what a page of all that changed reads."""

from __future__ import annotations

from mlops import ModelMetadata
from mlops.artefacts import Manifest
from mlops.rollout import RolloutPlan
from mlops.store import Database
from tests.retraining_app import MODEL, Loop
from tests.rollout_traffic import PLAN, Traffic

FILES = {"model.json": b'"1.1.0"'}


def test_newest_moves_and_freezes_of_all_models(emptied_database: Database) -> None:
    traffic = Traffic(emptied_database)
    registry = traffic.registry
    registry.register(ModelMetadata("other", "1.0.0"))
    registry.promote("other", "1.0.0", because="first", evidence={"sentence": "long"})
    registry.freeze("ranker", because="a sale")
    registry.freeze(because="a holiday")
    registry.unfreeze("ranker", because="it is over")
    newest = registry.latest_moves(limit=3)
    assert [(move.model_id, move.to_status) for move in newest] == [
        ("other", "production"), ("other", "validation"), ("other", "training"),
    ]  # fmt: skip
    assert [move.evidence for move in newest] == [None] * 3
    assert [(each.scope, each.lifted_because) for each in registry.latest_freezes(limit=5)] == [
        ("*", None), ("ranker", "it is over"),
    ]  # fmt: skip
    assert [each.scope for each in registry.latest_freezes(limit=1)] == ["*"]
    one = registry.get_model("ranker", "1.1.0")
    assert one is not None
    assert registry.manifest(one) == Manifest.of(FILES)
    without_files = registry.get_model("other", "1.0.0")
    assert without_files is not None
    assert registry.manifest(without_files) is None


def test_what_happened_last_to_rollouts_and_which_are_under_way(emptied_database: Database) -> None:
    traffic = Traffic(emptied_database)
    controller = traffic.controller
    assert (controller.under_way(), controller.latest_events(limit=5)) == ([], [])
    traffic.start(PLAN)
    controller.pause("ranker", because="a sale", actor="ana")
    (under_way,) = controller.under_way()
    assert (under_way.model_id, under_way.paused_at) == ("ranker", traffic.now)
    newest = controller.latest_events(limit=5)
    assert [(each.model_id, each.challenger, each.event.kind) for each in newest] == [
        ("ranker", "1.1.0", "paused"), ("ranker", "1.1.0", "started"),
    ]  # fmt: skip
    assert [each.event.figures for each in newest] == [{}, {}]
    assert [each.event.event_id for each in controller.latest_events(limit=1)] == [newest[0].event.event_id]


def test_the_series_of_a_rollout_keeps_both_ends_of_each_interval(emptied_database: Database) -> None:
    traffic = Traffic(emptied_database)
    traffic.start(RolloutPlan.from_dict({**PLAN.to_dict(), "hold_seconds": 7_200.0}))
    traffic.go_on(3, 150)
    rollout = traffic.controller.history("ranker", limit=1)[0]
    look = traffic.controller.look(rollout)
    kept = [point["interval"]["click_rate"] for point in rollout.state["series"]]
    assert len(kept) == 3
    assert all(low < high for low, high in kept)
    clicks = next(each for each in look.readings if each.guard == "click_rate")
    assert kept[-1] == [round(clicks.low or 0, 4), round(clicks.high or 0, 4)]


def test_a_brief_job_is_the_job_without_what_is_long(emptied_database: Database) -> None:
    loop = Loop(emptied_database).begin()
    job = loop.run()
    (brief,) = loop.book.listed(MODEL, brief=True)
    left_out = {"log", "result", "evidence"}
    assert {name: getattr(brief, name) for name in left_out} == {"log": [], "result": None, "evidence": None}
    assert {name: getattr(brief, name) for name in set(job.__slots__) - left_out} == {
        name: getattr(job, name) for name in set(job.__slots__) - left_out
    }
    open_ones = loop.job(raises="later")
    assert [each.job_id for each in loop.book.listed(states=("pending", "running"))] == [open_ones.job_id]
    assert loop.book.listed(states=("awaiting_approval",), brief=True) == []
