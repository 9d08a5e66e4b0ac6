"""Artefacts of learned rankers: what was saved scores the same, and what is damaged is refused by name."""

from __future__ import annotations

import builtins
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import orjson
import pytest

from mlops.artefacts.formats import refuse_unsafe
from recipes.constraints import Constraints
from recipes.errors import RankerFailed
from recipes.index.search import made_up_candidates
from recipes.ranker import (
    FEATURE_DEFAULTS,
    FEATURES,
    LEARNED_FEATURES,
    RANKER_FILE,
    TREES_FILE,
    HybridRanker,
    LambdaRanker,
    LearnedBlend,
    RankingContext,
    ranker_from,
)
from recipes.ranker.base import try_out
from recipes.ranker.learned import matrix_of, specified_weights
from recipes.training.data import divided
from recipes.training.options import TrainingOptions
from recipes.training.trainer import HybridRankerTrainer
from tests.shown_worlds import World, silent

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files() -> Files:
    """The artefact of a ranker with trees."""
    world = World(n_answers=1_500)
    options = TrainingOptions(kind="lambdarank", n_rounds=10)
    data = divided(world.log(), options, until=world.end.timestamp())
    return dict(HybridRankerTrainer(None, options=options).train(data, {}, 1, silent).files)  # type: ignore[arg-type]


def columns(n: int = 50) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.random(n, dtype=np.float32) for name in FEATURES}


def changed(files: Files, **fields: Any) -> Files:
    return {**files, RANKER_FILE: orjson.dumps({**orjson.loads(files[RANKER_FILE]), **fields})}


def test_what_was_saved_scores_the_same_and_is_saved_the_same(files: Files) -> None:
    one, other = ranker_from(files, version="1.2.0"), ranker_from(files, version="1.2.0")
    assert one.version == "1.2.0"
    assert other.files() == one.files() == files
    features = one.recalled(columns())
    assert one.score(features).tolist() == other.score(features).tolist()
    assert len(set(one.score(features).tolist())) > 40
    for path, content in files.items():
        refuse_unsafe(path, content)


def test_every_kind_answers_a_canary_query(files: Files) -> None:
    candidates, blend = made_up_candidates(50), LearnedBlend("1.1.0", {"popularity": 0.5, "affinity": 0.5})
    context = RankingContext(np.full(50, 0.5, np.float32), rules=Constraints(include=("egg",), meals=("dinner",)))
    for ranker in (HybridRanker(), blend, ranker_from(files, version="1.2.0")):
        try_out(ranker, candidates, context)
        assert set(ranker.features(candidates, context)) == set(FEATURES)
        assert ranker.score(ranker.features(made_up_candidates(0), RankingContext(np.zeros(0, np.float32)))).shape == (
            0,
        )


def test_a_score_that_is_no_number_is_found_when_it_is_tried_out() -> None:
    broken = LearnedBlend("1.1.0", {"popularity": float("nan")})
    with pytest.raises(RankerFailed, match="gave 50 of 50 candidates no finite score"):
        try_out(broken, made_up_candidates(50), RankingContext(np.zeros(50, np.float32)))


def test_the_weights_of_the_specification_make_a_learned_blend_the_same_as_1_0_0() -> None:
    blend = LearnedBlend("1.1.0", dict(zip(LEARNED_FEATURES, specified_weights().tolist(), strict=True)))
    written = columns()
    expected = HybridRanker().score(HybridRanker().recalled(written))
    assert blend.score(blend.recalled(written)) == pytest.approx(expected, abs=1e-6)


def test_trees_of_an_older_release_look_at_the_features_of_then(files: Files) -> None:
    world, options = World(n_answers=1_500), TrainingOptions(kind="lambdarank", n_rounds=10)
    data = divided(world.log(), options, until=world.end.timestamp())
    new = ranker_from(files, version="1.2.0")
    assert isinstance(new, LambdaRanker)
    older = tuple(name for name in LEARNED_FEATURES if name not in ("covered", "taste"))
    matrix = matrix_of(new.recalled(data.train.columns), older)
    data_set = lightgbm.Dataset(matrix, data.train.grades.astype(float), params={"verbose": -1})
    booster = lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data_set, 5)
    trees = booster.model_to_string().encode()
    saved = replace(new, trees=trees, booster=booster, names=older).files()
    read = ranker_from(saved, version="1.2.0")
    assert read.files() == saved
    features = read.recalled(columns())
    corrected = read.score(features) - new.blend.score(features)
    assert corrected == pytest.approx(booster.predict(matrix_of(features, older)) / new.scale, abs=1e-6)
    assert np.ptp(corrected) > 0


def test_features_that_an_older_release_did_not_write_down_get_their_defaults(files: Files) -> None:
    old = {
        name: column for name, column in columns().items() if name in ("name_similarity", "name_words", "popularity")
    }
    full = {**{name: np.full(50, value, np.float32) for name, value in FEATURE_DEFAULTS.items()}, **old}
    for ranker in (HybridRanker(), LearnedBlend("1.1.0", {"included": 1.0}), ranker_from(files, version="1.2.0")):
        assert ranker.score(ranker.recalled(old)).tolist() == ranker.score(ranker.recalled(full)).tolist()


def test_how_well_wishes_are_met_is_a_feature() -> None:
    candidates = replace(
        made_up_candidates(3),
        n_included=np.array([2, 1, 0], np.int32),
        minutes=np.array([30, 0, 60], np.int32),
        right_meal=np.array([True, False, False]),
        known_meal=np.array([True, False, True]),
    )
    rules = Constraints(include=("egg", "rice"), meals=("dinner",), max_minutes=60)
    features = HybridRanker().features(candidates, RankingContext(np.zeros(3, np.float32), rules=rules))
    assert features["included"].tolist() == [1, 0.5, 0]
    assert features["meal_fit"].tolist() == [1, 0.5, 0]
    assert features["time_fit"].tolist() == [1, 0.5, 1]
    assert features["quickness"] == pytest.approx([1 / 2, 1 / 2, 1 / 3])


Damage = Callable[[Files], Files]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda files: {RANKER_FILE: files[RANKER_FILE]}, "no file trees.txt"),
        (lambda files: {**files, TREES_FILE: files[TREES_FILE][:-200]}, "trees.txt has the SHA-256"),
        (lambda files: changed(files, weights={"affinity": 0.5}), r"must add up to 1, got 0\.500000"),
        (lambda files: changed(files, weights={"smell": 1.0}), "weights must be weights of name_similarity"),
        (lambda files: changed(files, weights={"affinity": -1.0, "popularity": 2.0}), r"weights\.affinity must be"),
        (lambda files: changed(files, scale=0), "scale must be a number above 0, got 0"),
        (lambda files: changed(files, features=["affinity"]), "trees.txt is of 15 features, not of 1"),
        (lambda files: changed(files, features=["smell"]), r"features must be of .*each once, got \['smell'\]"),
        (lambda files: changed(files, features=["taste"] * 2), "features must be of name_similarity"),
        (lambda files: changed(files, kind="pickle"), 'no "kind" that this release knows, one of "linear_blend"'),
        (lambda files: {}, "no file ranker.json"),
        (lambda files: {RANKER_FILE: b"{"}, "no JSON"),
    ],
)  # fmt: skip
def test_a_damaged_artefact_is_refused_by_the_name_of_what_is_wrong(files: Files, damage: Damage, message: str) -> None:
    with pytest.raises(RankerFailed, match=message):
        ranker_from(damage(files), version="1.2.0")


def test_trees_without_lightgbm_say_what_to_install(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "lightgbm" else find(name))
    monkeypatch.setattr(builtins, "__import__", _without_lightgbm(builtins.__import__))
    with pytest.raises(RankerFailed, match="need LightGBM, which is not installed; run: pip install lightgbm"):
        ranker_from(files, version="1.2.0")


def _without_lightgbm(real: Callable[..., Any]) -> Callable[..., Any]:
    def load(name: str, *arguments: Any, **options: Any) -> Any:
        assert not name.startswith("lightgbm"), "it was to be looked for before it is imported"
        return real(name, *arguments, **options)

    return load
