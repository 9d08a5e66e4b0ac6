"""How ``hybrid_ranker`` learns, on cooks whose preference is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest

from mlops.errors import TooLittleData, UnreadableData
from mlops.evaluation import Evaluation, run_gates
from mlops.retraining.trainer import Trained
from recipes.index.items import Floats
from recipes.ranker import LEARNED_FEATURES, RANKER_FILE, HybridRanker, LambdaRanker, Ranker, ranker_from
from recipes.ranker.learned import specified_weights
from recipes.training.data import TrainingData, divided
from recipes.training.golden import GoldenAnswer, GoldenJudge, GoldenPromises
from recipes.training.labels import EVENT_CODES, Events
from recipes.training.log import ImpressionLog
from recipes.training.measure import measured
from recipes.training.options import TrainingOptions
from recipes.training.trainer import HybridRankerTrainer
from tests.shown_worlds import World, silent

OPTIONS = TrainingOptions(n_rounds=40)
TRAINER = HybridRankerTrainer(None, options=OPTIONS)  # type: ignore[arg-type]
# Personal taste, of which 1.0.0 knows nothing. In the one world it comes with a condition that no blend can express, in
# the other there are too few answers for trees.
MUCH, LITTLE = World(n_answers=10_000, needs="included"), World(n_answers=700)


def data_of(world: World, log: ImpressionLog | None = None, **options: Any) -> TrainingData:
    return divided(
        world.log() if log is None else log, dataclasses.replace(OPTIONS, **options), until=world.end.timestamp()
    )


def trained(data: TrainingData, seed: int = 1, **parameters: Any) -> Trained:
    return TRAINER.train(data, parameters, seed, silent)


@pytest.fixture(scope="module")
def log() -> ImpressionLog:
    return MUCH.log()


@pytest.fixture(scope="module")
def much(log: ImpressionLog) -> TrainingData:
    return data_of(MUCH, log)


@pytest.fixture(scope="module")
def with_trees(much: TrainingData) -> Trained:
    return trained(much)


def test_with_little_feedback_it_is_a_blend_with_enough_trees_are_tried(with_trees: Trained) -> None:
    few = trained(data_of(LITTLE))
    assert orjson.loads(few.files[RANKER_FILE])["kind"] == few.parameters["kind_chosen"] == "blend"
    assert "too few for trees, which take 1000" in few.parameters["because"]
    assert with_trees.parameters["kind_chosen"] == "lambdarank"
    assert len(with_trees.curves["validation_ndcg@3"]) >= 10
    assert with_trees.metrics["validation_ndcg@3_trees"] > with_trees.metrics["validation_ndcg@3_blend"]


def test_a_planted_preference_is_found_and_passes_all_gates(much: TrainingData, with_trees: Trained) -> None:
    champion = TRAINER.evaluate(HybridRanker().files(), much)
    for artefact in (with_trees.files, trained(much, kind="blend").files):
        challenger = TRAINER.evaluate(artefact, much)
        verdicts = run_gates(TRAINER.gates(), challenger, champion)
        assert {verdict.gate: verdict.outcome for verdict in verdicts} == {
            "beats(ndcg@3)": "passed", "holds(click@1)": "passed", "keeps_share(coverage)": "passed",
            "output_valid": "passed",
        }  # fmt: skip
        assert challenger.metrics["ndcg@3"].mean > champion.metrics["ndcg@3"].mean + 0.08
    weights = orjson.loads(artefact[RANKER_FILE])["weights"]
    assert weights["affinity"] > 0.3 > weights["name_similarity"]
    assert sum(weights.values()) == pytest.approx(1, abs=1e-4)


def test_where_the_champion_is_right_nothing_beats_it() -> None:
    data = data_of(World(likes={"semantic": 0.7, "popularity": 0.3}, n_answers=2_500))
    challenger, champion = (TRAINER.evaluate(one, data) for one in (trained(data).files, HybridRanker().files()))
    assert run_gates(TRAINER.gates(), challenger, champion)[0].outcome != "passed"


def test_the_same_data_and_seed_give_the_same_bytes_and_another_day_another_fingerprint(
    much: TrainingData, with_trees: Trained, log: ImpressionLog
) -> None:
    again = data_of(MUCH)
    assert TRAINER.fingerprint(again) == TRAINER.fingerprint(much)
    assert trained(again).files == with_trees.files
    later = divided(log, OPTIONS, until=(MUCH.end + timedelta(days=30)).timestamp())
    assert TRAINER.fingerprint(later) == TRAINER.fingerprint(much)
    other = data_of(dataclasses.replace(LITTLE, seed=8))
    assert TRAINER.fingerprint(other) != TRAINER.fingerprint(much)


# --- Golden queries -------------------------------------------------------------------------------------------------


def judge_of(queries: Mapping[str, Mapping[str, Floats]]) -> GoldenJudge:
    """Asks queries whose candidates have these features. What 1.0.0 puts third is what must be among three."""

    def judge(ranker: Ranker) -> dict[str, GoldenAnswer]:
        answers = {}
        for query, columns in queries.items():
            third = int(np.argsort(-HybridRanker().score(HybridRanker().recalled(columns)), kind="stable")[2])
            order = np.argsort(-ranker.score(ranker.recalled(columns)), kind="stable")[:3].tolist()
            shown = {str(row): {name: float(column[row]) for name, column in columns.items()} for row in order}
            answers[query] = GoldenAnswer(third in order, [str(third)], shown)
        return answers

    return judge


def golden_queries(seed: int, *, n: int = 12, n_candidates: int = 40) -> dict[str, dict[str, Floats]]:
    rng = np.random.default_rng(seed)
    return {
        f"query {number}": {name: rng.random(n_candidates, dtype=np.float32) for name in LEARNED_FEATURES}
        for number in range(n)
    }


def keeping(golden: GoldenJudge) -> HybridRankerTrainer:
    return HybridRankerTrainer(None, golden=golden, options=OPTIONS)  # type: ignore[arg-type]


def lost(golden: GoldenJudge, artefact: Trained) -> list[str]:
    answers = golden(ranker_from(artefact.files, version="1.1.0"))
    return [query for query, answer in answers.items() if not answer.is_right]


@pytest.mark.parametrize("seed", range(5))
def test_a_blend_keeps_what_1_0_0_answers_and_learns_what_it_may(seed: int) -> None:
    """It always can: the weights of 1.0.0 keep all of it."""
    golden, data = judge_of(golden_queries(seed)), data_of(LITTLE)
    free, held = trained(data), keeping(golden).train(data, {}, 1, silent)
    assert free.metrics["golden_pairs"] == 0
    assert len(lost(golden, free)) >= 3
    assert lost(golden, held) == []
    assert held.metrics["golden_pairs"] >= 3
    weights = orjson.loads(held.files[RANKER_FILE])["weights"]
    assert weights["affinity"] > 0
    assert weights != {
        name: pytest.approx(value) for name, value in zip(LEARNED_FEATURES, specified_weights(), strict=True)
    }


def test_conditions_are_such_as_the_weights_of_1_0_0_fulfil() -> None:
    """What 1.0.0 shows is held before what it does not show, not before all that it need not show."""
    golden = judge_of(golden_queries(3, n=40))
    promises = GoldenPromises(golden)
    free = ranker_from(trained(data_of(LITTLE)).files, version="1.1.0")
    leads = promises.leads(promises.broken(free))
    assert len(leads) >= 10
    assert (leads @ specified_weights() >= 0).all()
    assert (leads @ np.array([free.weights[name] for name in LEARNED_FEATURES]) <= 0).all()  # type: ignore[attr-defined]


def test_a_query_that_is_lost_whatever_the_weights_is_named() -> None:
    """As where a rule is broken: the recipe is shown, and the answer wrong."""

    def golden(ranker: Ranker) -> dict[str, GoldenAnswer]:
        return {"es: sopa": GoldenAnswer(isinstance(ranker, HybridRanker), ["soup"], {"soup": {}})}

    data = data_of(LITTLE)
    held = keeping(golden).train(data, {}, 1, silent)
    assert held.files == trained(data).files
    assert held.parameters["because"].endswith("; the blend loses es: sopa")


def test_a_blend_that_loses_nothing_is_what_it_would_be_without_golden_queries() -> None:
    data, few = data_of(LITTLE), judge_of(golden_queries(1, n_candidates=3))
    assert lost(few, trained(data)) == []
    assert keeping(few).train(data, {}, 1, silent).files == trained(data).files


def test_golden_queries_that_1_0_0_loses_too_hold_nothing() -> None:
    data = data_of(LITTLE)
    never = keeping(lambda ranker: {"es: sopa": GoldenAnswer(False, ["soup"], {})}).train(data, {}, 1, silent)
    assert never.files == trained(data).files


def test_trees_that_lose_a_golden_query_are_not_taken(much: TrainingData, with_trees: Trained) -> None:
    def golden(ranker: Ranker) -> dict[str, GoldenAnswer]:
        return {"es: sopa": GoldenAnswer(not isinstance(ranker, LambdaRanker), ["soup"], {})}

    held = keeping(golden).train(much, {}, 1, silent)
    assert held.parameters["because"] == (
        "the trees are better than the blend on the validation part, and lose es: sopa"
    )
    assert held.files == trained(much, kind="blend").files
    # Whoever asks for trees gets them, and the gate tells.
    trainer = keeping(golden)
    challenger, champion = (trainer.evaluate(one, much) for one in (with_trees.files, HybridRanker().files()))
    assert trainer.train(much, {"kind": "lambdarank"}, 1, silent).files == with_trees.files
    verdicts = {verdict.gate: verdict.outcome for verdict in run_gates(trainer.gates(), challenger, champion)}
    assert verdicts["keeps_golden"] == "failed"


def test_nothing_that_happens_after_the_cut_changes_what_is_learned(
    much: TrainingData, with_trees: Trained, log: ImpressionLog
) -> None:
    cut = much.cuts.validation_until
    late = log.answered_at[log.slates] >= cut
    rng = np.random.default_rng(3)
    features = log.features.copy()
    features[late] = rng.permutation(features[late])
    changed = dataclasses.replace(log, features=features, events=_shuffled(log.events, cut, len(log), rng))
    data = data_of(MUCH, changed)
    assert data.fingerprint() != much.fingerprint()
    assert trained(data).files == with_trees.files
    # The same done to what came before is seen.
    early = data_of(MUCH, dataclasses.replace(log, events=_shuffled(log.events, -np.inf, len(log), rng)))
    assert trained(early).files != with_trees.files


def _shuffled(events: Events, since: float, n_rows: int, rng: np.random.Generator) -> Events:
    """As if all cooks had done something else from *since* on: clicked other recipes, those of earlier answers, too."""
    kept = events.times < since
    rows = np.sort(rng.choice(n_rows, int((~kept).sum()), replace=False))
    new = Events(
        np.concatenate([events.rows[kept], rows]),
        np.concatenate([events.kinds[kept], np.full(len(rows), EVENT_CODES["cook"], np.int8)]),
        np.concatenate([events.values[kept], np.full(len(rows), np.nan, np.float32)]),
        np.concatenate([events.times[kept], np.full(len(rows), max(since, events.times.min()))]),
    )
    order = np.argsort(new.rows, kind="stable")
    return Events(new.rows[order], new.kinds[order], new.values[order], new.times[order])


def test_parts_follow_each_other_with_a_gap(much: TrainingData, log: ImpressionLog) -> None:
    times = dict(zip(log.request_ids, log.answered_at.tolist(), strict=True))
    spans = [sorted(times[one] for one in part.request_ids) for part in (much.train, much.validation, much.holdout)]
    for before, after in pairwise(spans):
        assert after[0] - before[-1] >= OPTIONS.delay_seconds
    assert [round(len(part.sizes) / 10_000, 2) for part in (much.train, much.validation, much.holdout)] == [
        0.62, 0.12, 0.2,
    ]  # fmt: skip


def test_too_little_to_learn_from_says_how_much_there_is() -> None:
    with pytest.raises(TooLittleData, match=r"the training part has \d+ answers .* takes 50; it has \d+ answers"):
        data_of(World(n_answers=100))
    with pytest.raises(TooLittleData, match="the training part has 0 answers"):
        data_of(MUCH, World(n_answers=0).log())
    with pytest.raises(TooLittleData, match="the holdout has"):
        data_of(World(n_answers=700), least_holdout=300)


def test_what_cooks_did_not_see_is_made_up_for(much: TrainingData) -> None:
    """Hand-worked: two slates, clicks at the positions 1 and 3, a third of the cooks look at position 3."""
    two = much.holdout.where(np.arange(len(much.holdout.sizes)) < 2)
    grades = np.array([2, 1, 1, 1, 1, 2], np.int8)
    two = dataclasses.replace(two, grades=grades)
    weights = np.array([1, 2, 3, 1, 2, 3.0])
    as_shown = measured("ndcg@3", two, -two.positions, weights=weights, k=3, graded=True, largest=10)
    # Gains 1 at rank 1, 3 at rank 3, over the mean of the best, (1 + 3) / 2.
    assert as_shown.values.tolist() == pytest.approx([1 / 2, (3 / np.log2(4)) / 2])
    first = measured("click@1", two, two.positions, weights=weights, k=1, graded=False, largest=10)
    assert first.values.tolist() == pytest.approx([0, 3 / 2])
    assert first.query_ids.tolist() == list(two.request_ids)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": 3}, "no parameter 'depth'"),
        ({"n_rounds": "9"}, "n_rounds must be"),
        ({"kind": "net"}, "kind must be"),
    ],
)
def test_parameters_of_no_use_are_refused_by_name(
    much: TrainingData, parameters: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TRAINER.train(much, parameters, 1, silent)


def test_a_job_that_is_to_stop_stops_the_trees(much: TrainingData) -> None:
    class Cancelled(Exception):
        pass

    def progress(share: float, what: str) -> None:
        if what.startswith("round"):
            raise Cancelled(share)

    with pytest.raises(Cancelled):
        TRAINER.train(much, {}, 1, progress)


def frame(world: World) -> dict[str, list[Any]]:
    """In the layout of training_rows."""
    rows = [
        {
            **{name: row[name] for name in ("request_id", "user_id", "recipe_id", "position", "propensity")},
            "shown_at": row["answered_at"].isoformat(), "gain": 3.0 if len(done) > 1 else float(len(done)),
            **{f"feature_{name}": value for name, value in row["features"].items()},
        }
        for row, done in world.rows()
    ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_data_frames_are_taken_as_the_log_would_be() -> None:
    import pandas as pd

    table = pd.DataFrame(frame(LITTLE))
    data = TRAINER.take(table.sample(frac=1, random_state=1))
    challenger, champion = (TRAINER.evaluate(one, data) for one in (trained(data).files, HybridRanker().files()))
    assert _ndcg(challenger) > _ndcg(champion)
    assert data.fingerprint() == TRAINER.take(table).fingerprint()
    apart = TRAINER.take(table, pd.DataFrame(frame(World(n_answers=300, seed=9))))
    assert len(apart.holdout.sizes) == 300
    with pytest.raises(UnreadableData, match="no column gain, or label"):
        TRAINER.take(table.drop(columns="gain"))
    with pytest.raises(UnreadableData, match=r"row 1 of .* propensity must be from 1e-09 to 1, got 2"):
        TRAINER.take(table.assign(propensity=2.0))


def _ndcg(evaluation: Evaluation) -> float:
    return evaluation.metrics["ndcg@3"].mean


def test_what_cooks_like_of_late_counts_more_than_what_they_liked(log: ImpressionLog) -> None:
    old = World(n_answers=3_000, likes={"popularity": 1.0}, days=20)
    new = World(n_answers=3_000, likes={"affinity": 1.0}, days=20, seed=8, begin=old.begin + timedelta(days=20))
    examples = [data_of(world).train for world in (old, new)]
    together = examples[0].then(examples[1])
    assert len(together) == len(examples[0]) + len(examples[1])
    assert together.newness(21.0).max() == 1
    ages = (together.answered_at.max() - together.answered_at) / 86_400
    assert together.newness(2.0) == pytest.approx(np.repeat(0.5 ** (ages / 2), together.sizes))
    data = dataclasses.replace(data_of(new), train=together)
    quick, slow = (
        orjson.loads(trained(data, kind="blend", half_life_days=days).files[RANKER_FILE])["weights"]
        for days in (3.0, 1_000.0)
    )
    assert quick["affinity"] > slow["affinity"] + 0.05
    assert quick["popularity"] < slow["popularity"] - 0.05


def test_a_blend_is_learned_from_the_validation_part_too(much: TrainingData) -> None:
    turned = dataclasses.replace(much.validation, grades=much.validation.grades[::-1].copy())
    other = dataclasses.replace(much, validation=turned)
    assert trained(much, kind="blend").files != trained(other, kind="blend").files
