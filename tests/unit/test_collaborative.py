"""The collaborative feature: its formulas, its laws, its artefact."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.artefacts.formats import refuse_unsafe
from mlops.errors import TooLittleData
from recipes.collaborative import COLLABORATIVE_FILE, CollaborativeModel, Interactions, Options
from recipes.collaborative import model as model_module
from recipes.collaborative.choice import HALF_LIVES_DAYS, _blends, _scores, _Trial, choose_options, split_for_validation
from recipes.collaborative.ease import ease_weights, gram
from recipes.collaborative.histories import Histories
from recipes.collaborative.interactions import Table, recent_popularity
from recipes.errors import BadInteractions, RankerFailed

CUT = datetime(2026, 5, 1, tzinfo=UTC)
OPTIONS = Options(ridge=1.0, popularity_weight=0.01, half_life_days=30.0)


def two_camps(rng: np.random.Generator, *, n_users: int = 60, n_recipes: int = 20) -> Interactions:
    """Cooks who like the even recipes and cooks who like the odd ones, each with a stranger among them."""
    users, recipes, at = [], [], []
    for user in range(n_users):
        favourites = np.arange(user % 2, n_recipes, 2)
        for number in [*rng.choice(favourites, 6, replace=False).tolist(), int(rng.integers(n_recipes))]:
            users.append(f"cook-{user}")
            recipes.append(100 + number)
            at.append(CUT - timedelta(days=int(rng.integers(1, 200))))
    return Interactions.of(users, recipes, at=at)


@pytest.fixture(scope="module")
def events() -> Interactions:
    return two_camps(np.random.default_rng(7))


@pytest.fixture(scope="module")
def model(events: Interactions) -> CollaborativeModel:
    return CollaborativeModel.fit(events, seed=1, as_of=CUT, options=OPTIONS)


def joined(one: Interactions, other: Interactions) -> Interactions:
    assert one.at is not None
    assert other.at is not None
    return Interactions.of(
        [*one.users, *other.users],
        np.concatenate([one.recipes, other.recipes]),
        weights=np.concatenate([one.weights, other.weights]),
        at=np.concatenate([one.at, other.at]),
    )


def test_ease_of_two_recipes_is_what_the_closed_form_gives_by_hand() -> None:
    # G + I = [[3, 1], [1, 2]], its inverse is [[2, -1], [-1, 3]] / 5, so B01 = 1/3 and B10 = 1/2.
    together = np.array([[2.0, 1.0], [1.0, 1.0]], np.float32)
    np.testing.assert_allclose(ease_weights(together, ridge=1.0), [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), ridge=st.floats(0.5, 50))
def test_each_column_of_ease_is_the_ridge_regression_on_all_other_recipes(seed: int, ridge: float) -> None:
    matrix = (np.random.default_rng(seed).random((12, 5)) < 0.5).astype(np.float64)
    weights = ease_weights((matrix.T @ matrix).astype(np.float32), ridge=ridge)
    for target in range(5):
        others = np.delete(np.arange(5), target)
        inputs = matrix[:, others]
        solved = np.linalg.solve(inputs.T @ inputs + ridge * np.eye(4), inputs.T @ matrix[:, target])
        np.testing.assert_allclose(weights[others, target], solved, atol=1e-4)
        assert weights[target, target] == 0


@pytest.mark.parametrize(("power", "pair"), [(0.0, 1.0), (0.25, 4**-0.25), (0.5, 0.5)])
def test_a_long_history_counts_by_a_power_of_its_length(power: float, pair: float) -> None:
    # Cook 0 met both recipes and two more. Cook 1 met the first alone, which counts 1.
    matrix = sp.csr_matrix(np.array([[1.0, 1, 1, 1], [1.0, 0, 0, 0]]))
    together = gram(matrix, power=power)
    assert together[0, 1] == pytest.approx(pair)
    assert together[0, 0] == pytest.approx(pair + 1)


def test_a_gram_matrix_of_several_blocks_is_the_product_of_the_weighted_histories() -> None:
    dense = (np.random.default_rng(3).random((40, 700)) < 0.1).astype(np.float64)
    weighted = dense / np.sqrt(dense.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(gram(sp.csr_matrix(dense), power=0.5), weighted.T @ dense, rtol=1e-5)


def test_popularity_halves_with_each_half_life() -> None:
    events = Interactions.of(["a", "b", "c"], [1, 2, 2], at=[CUT, CUT - timedelta(days=30), CUT - timedelta(days=60)])
    numbers = np.array([1, 2])
    recent = recent_popularity(events, numbers, now=CUT.timestamp(), half_life_days=30)
    np.testing.assert_allclose(recent, [1.0, 0.75])
    np.testing.assert_allclose(recent_popularity(events, numbers, now=None, half_life_days=None), [0.5, 1.0])


def test_of_several_events_of_a_cook_with_a_recipe_the_largest_weight_counts() -> None:
    table = Table.of(Interactions.of(["b", "a", "a", "b"], [7, 7, 7, 5], weights=[1, 0.25, 0.5, 1]))
    assert table.users == ["a", "b"]
    assert table.recipes.tolist() == [7, 5]
    assert table.matrix.toarray().tolist() == [[0.5, 0], [1, 1]]


def test_a_cook_is_given_what_the_own_camp_likes(model: CollaborativeModel) -> None:
    numbers = np.arange(100, 120)
    scores = model.scores(numbers, history=[100, 102, 104])
    assert scores[6::2].mean() > 2 * scores[7::2].mean()
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_the_score_of_a_cook_is_taste_and_popularity_over_one_more_than_themselves() -> None:
    events = Interactions.of(["a", "a", "b"], [1, 2, 1])
    fitted = CollaborativeModel.fit(events, seed=0, as_of=None, options=Options(1.0, 0.25, None, 2.0))
    # B12 by the closed form of two recipes. Sharp: cook a gives 1 to each entry of the Gram matrix, b 1 to the first;
    # broad: a gives 1/sqrt(2). Only b has something new, so b is the typical cook, and has a taste of 1.
    pair = 1 / np.sqrt(2)
    assert fitted.typical == pytest.approx((1 / (1 + 1 + 1), pair / (pair + 1 + 2)), rel=1e-5)
    raw = 1 + 0.25 * 0.5
    assert fitted.scores(np.array([2]), user_id="b")[0] == pytest.approx(raw / (1 + raw), rel=1e-3)


@pytest.mark.parametrize("halfway", [1.0, 30.0])
def test_the_more_a_cook_met_the_more_the_sharp_taste_counts_and_the_less_popularity(
    halfway: float, events: Interactions
) -> None:
    options = Options(2.0, 0.5, None, 3.0, halfway)
    fitted = CollaborativeModel.fit(events, seed=1, as_of=None, options=options)
    matrix = Table.of(events).matrix.toarray()
    lengths = matrix.sum(axis=1)
    tastes = []
    for power, ridge in ((0.0, 2.0), (0.5, 3.0)):
        together = (matrix / lengths[:, None] ** power).T @ matrix
        inverse = np.linalg.inv(together + ridge * np.eye(len(together)))
        weights = np.eye(len(together)) - inverse / np.diag(inverse)
        taste = np.maximum(matrix @ weights, 0) / np.sqrt(lengths)[:, None]
        tastes.append(taste / np.median(np.where(matrix > 0, 0, taste).max(axis=1)))
    for row in (0, 31):
        share = lengths[row] / (lengths[row] + halfway)
        expected = share * tastes[0][row] + (1 - share) * tastes[1][row]
        expected += 0.5 * fitted.popularity / np.sqrt(lengths[row])
        scores = fitted.scores(fitted.recipes, user_id=fitted.histories.users[row])
        np.testing.assert_allclose(scores, expected / (1 + expected), rtol=5e-3, atol=1e-3)


def test_what_is_tried_in_choosing_is_what_is_served(events: Interactions) -> None:
    # Otherwise the options would be chosen for another model.
    undated = Interactions(events.users, events.recipes, events.weights)
    trial = _Trial.of(*split_for_validation(undated, seed=1), seed=1)
    earlier = CollaborativeModel.fit(trial.earlier, seed=1, as_of=None, options=OPTIONS)
    (tried,) = _scores(trial.table.matrix, _blends(trial, [OPTIONS], n_head=4_096))
    for row, user in enumerate(trial.table.users):
        served = earlier.scores(trial.table.recipes, user_id=user)
        np.testing.assert_allclose(served, tried[row] / (1 + tried[row]), rtol=5e-3, atol=1e-3)


def test_a_cold_cook_gets_the_popularity_alone(model: CollaborativeModel) -> None:
    expected = model.popularity / (1 + model.popularity)
    for scores in (
        model.scores(model.recipes),
        model.scores(model.recipes, user_id="nobody"),
        model.scores(model.recipes, history=[999]),
    ):
        np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert model.knows("cook-1")
    assert not model.knows("nobody")


def test_an_unknown_recipe_scores_zero_and_leaves_the_others_alone(model: CollaborativeModel) -> None:
    scores = model.scores(np.array([5, 101, 999]), user_id="cook-1")
    assert scores[[0, 2]].tolist() == [0, 0]
    assert scores[1] == model.scores(np.array([101]), user_id="cook-1")[0] > 0
    assert model.scores(np.array([], np.int64), user_id="cook-1").shape == (0,)


def test_a_history_that_is_handed_in_gives_what_the_same_history_of_a_known_cook_gives(
    events: Interactions, model: CollaborativeModel
) -> None:
    own = np.unique(events.recipes[events.users == "cook-3"])
    given = model.scores(model.recipes, history=own)
    np.testing.assert_allclose(given, model.scores(model.recipes, user_id="cook-3"), rtol=1e-5)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1_000))
def test_neither_the_order_of_the_events_nor_what_comes_after_the_cut_changes_a_byte(
    seed: int, events: Interactions, model: CollaborativeModel
) -> None:
    rng = np.random.default_rng(seed)
    n_later = int(rng.integers(1, 40))
    later = Interactions.of(
        [f"cook-{number}" for number in rng.integers(0, 80, n_later)],
        rng.integers(90, 130, n_later),
        at=[CUT + timedelta(days=int(day)) for day in rng.integers(0, 50, n_later)],
    )
    everything = joined(events, later)
    shuffled = rng.permutation(len(everything))
    assert everything.at is not None
    mixed = Interactions(
        everything.users[shuffled],
        everything.recipes[shuffled],
        everything.weights[shuffled],
        everything.at[shuffled],
    )
    assert CollaborativeModel.fit(mixed, seed=1, as_of=CUT, options=OPTIONS).files() == model.files()


def test_renaming_the_cooks_changes_nothing_but_their_names(events: Interactions, model: CollaborativeModel) -> None:
    names = {f"cook-{number}": f"chef-{97 * (number + 1) % 101:03}" for number in range(60)}
    renamed = Interactions.of([names[user] for user in events.users], events.recipes, at=events.at)
    other = CollaborativeModel.fit(renamed, seed=1, as_of=CUT, options=OPTIONS)
    for old in ("cook-0", "cook-31"):
        expected = model.scores(model.recipes, user_id=old)
        np.testing.assert_allclose(other.scores(model.recipes, user_id=names[old]), expected, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("dated", [True, False])
def test_a_validation_split_keeps_the_past_apart_or_takes_a_fifth_of_each_cook(
    dated: bool, events: Interactions
) -> None:
    given_events = events if dated else Interactions(events.users, events.recipes, events.weights)
    earlier, later = split_for_validation(given_events, seed=3)
    assert len(earlier) + len(later) == len(events)
    if dated:
        assert earlier.at is not None
        assert later.at is not None
        assert earlier.at.max() < later.at.min()
    else:
        assert set(np.unique(later.users.astype(str), return_counts=True)[1]) == {1}
        other = split_for_validation(given_events, seed=4)[1]
        assert not np.array_equal(later.recipes, other.recipes)


def test_options_are_chosen_by_what_ranks_held_out_recipes_best() -> None:
    camps = two_camps(np.random.default_rng(5), n_users=150, n_recipes=60)
    undated = Interactions(camps.users, camps.recipes, camps.weights)
    chosen = choose_options(undated, seed=1, n_head=4_096)
    # Taste is all there is to see in two camps of equal size.
    assert chosen.popularity_weight < 1
    assert chosen.half_life_days is None
    # Nobody has a taste here: everybody cooks what is in fashion, and that changed a month before the last fifth.
    rng = np.random.default_rng(6)
    odds = 0.8 ** np.arange(60)
    then, lately = (rng.choice(60, 2_100, p=one / one.sum()) for one in (odds, odds[::-1]))
    days = np.concatenate([np.linspace(400, 60, 2_100), np.linspace(59, 0, 2_100)])
    crowd = Interactions.of(
        rng.integers(0, 300, 4_200).astype(str).tolist(),
        np.concatenate([then, lately]),
        at=CUT.timestamp() - days * 86_400,
    )
    in_fashion = choose_options(crowd, seed=1, n_head=4_096)
    assert in_fashion.popularity_weight > 1
    assert in_fashion.half_life_days == min(HALF_LIVES_DAYS)


def test_too_few_cooks_to_choose_by_leave_the_defaults(events: Interactions) -> None:
    assert choose_options(events, seed=1, n_head=4_096) == Options()


def test_of_a_history_that_is_too_long_the_latest_count() -> None:
    days = [CUT - timedelta(days=day) for day in (5, 1, 3, 9)]
    dated = Table.of(Interactions.of(["a"] * 4, [1, 2, 3, 4], at=days))
    histories = Histories.of(dated, n_head=4, longest=2)
    assert dated.recipes[histories.of_cook(0)[0]].tolist() == [2, 3]
    # Without dates: those that fewest others met.
    undated = Table.of(Interactions.of(["a", "a", "a", "b"], [1, 2, 3, 3]))
    assert undated.recipes[Histories.of(undated, n_head=3, longest=2).of_cook(0)[0]].tolist() == [2, 1]


def test_a_recipe_beyond_the_head_is_ranked_by_popularity_alone(
    events: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "MOST_IN_HEAD", 10)
    small = CollaborativeModel.fit(events, seed=1, as_of=CUT, options=OPTIONS)
    assert small.weights.shape == (10, 10)
    tail = small.scores(small.recipes[10:], user_id="cook-1")
    assert np.array_equal(np.argsort(-tail, kind="stable"), np.argsort(-small.popularity[10:], kind="stable"))


def test_a_model_that_was_kept_and_loaded_answers_the_same(model: CollaborativeModel) -> None:
    files = model.files()
    refuse_unsafe(COLLABORATIVE_FILE, files[COLLABORATIVE_FILE])
    loaded = CollaborativeModel.load(files)
    assert loaded.options == OPTIONS
    for user in ("cook-0", "cook-59", None):
        assert np.array_equal(loaded.scores(model.recipes, user_id=user), model.scores(model.recipes, user_id=user))
    assert loaded.files() == files


def test_a_file_that_is_missing_cut_or_changed_is_refused(model: CollaborativeModel) -> None:
    content = model.files()[COLLABORATIVE_FILE]
    with pytest.raises(RankerFailed, match="has no file"):
        CollaborativeModel.load({})
    for damaged in (b"", b"no archive", content[: len(content) // 2], content.replace(b"\x93NUMPY", b"\x93NUMPX")):
        with pytest.raises(RankerFailed, match="cannot be read"):
            CollaborativeModel.load({COLLABORATIVE_FILE: damaged})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("history_recipes", np.array([60_000], np.uint16)),
        ("history_ends", np.array([5, 3], np.int64)),
        ("user_ends", np.array([4], np.int64)),
        ("weights", np.full((20, 20), np.nan, np.float16)),
        ("weights", np.zeros((20, 19), np.float16)),
        ("popularity", np.full(20, 2, np.float32)),
        ("typical", np.zeros(2)),
        ("broad", np.zeros((21, 21), np.float16)),
        ("recipes", np.zeros(20, np.int64)),
        ("recipes", np.zeros(20, np.float32)),
        ("format", np.int64(1)),
        ("options", np.array([-1.0, 0.1, 1, 1, 1])),
        ("fingerprint", np.zeros(20, np.uint8)),
        ("user_bytes", np.full(470, 255, np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused_by_name(
    name: str, value: np.ndarray, model: CollaborativeModel
) -> None:
    with np.load(io.BytesIO(model.files()[COLLABORATIVE_FILE])) as archive:
        arrays = dict(archive)
    if name == "user_bytes":
        value = np.full(len(arrays[name]), 255, np.uint8)
    changed = io.BytesIO()
    np.savez(changed, **{**arrays, name: value})
    with pytest.raises(RankerFailed, match="utf-8" if name == "user_bytes" else "ridge" if name == "options" else name):
        CollaborativeModel.load({COLLABORATIVE_FILE: changed.getvalue()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipes": [1]}, "recipes must have one value for each of 2 users"),
        ({"weights": [1.0, 0.0]}, "number 1 is 0"),
        ({"weights": [float("nan"), 1.0]}, "number 0 is nan"),
        ({"at": np.array([1.0, np.nan])}, "no time for number 1"),
        ({"at": [CUT, datetime(2026, 5, 1)]}, "aware"),  # noqa: DTZ001
    ],
)
def test_interactions_that_cannot_be_learned_from_are_refused(change: dict[str, object], message: str) -> None:
    columns = {"users": ["a", "b"], "recipes": [1, 2], **change}
    with pytest.raises(BadInteractions, match=message):
        Interactions.of(**columns)  # type: ignore[arg-type]


def test_a_cut_needs_dates_and_something_before_it(events: Interactions) -> None:
    with pytest.raises(BadInteractions, match="without dates"):
        CollaborativeModel.fit(Interactions.of(["a"], [1]), seed=0, as_of=CUT)
    with pytest.raises(TooLittleData, match="0 interactions before 2020"):
        CollaborativeModel.fit(events, seed=0, as_of=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "wrong",
    [{"ridge": 0.0}, {"popularity_weight": -1.0}, {"half_life_days": float("nan")}, {"halfway": 0.0}],
)
def test_an_option_out_of_its_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInteractions, match=next(iter(wrong))):
        Options(**wrong)
