"""Ranking the catalogue without a query: what is known before the cut, what counts after it, what a file may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.evaluation import evaluate_run
from recipes.errors import BadEvaluationFile, NothingToEvaluate
from recipes.evaluation.interactions import Interactions, evaluate_interactions, read_interactions, split
from recipes.evaluation.items import Items
from recipes.popularity import Popularity
from recipes.ranker import HybridRanker

SHELF = Items(np.arange(1, 5), ["soup", "bread", "flan", "foodcom-7"], np.zeros(4))
TODAY = Popularity.of({4: (50, 250.0)}, sum_of_squares=1250.0)
HEAD = "user_id,recipe_id,rating,date\n"


def read(folder: Path, text: str, name: str = "i.csv") -> Interactions:
    (folder / name).write_text(text)
    return read_interactions(folder / name, SHELF)


# Before the cut flan is liked and soup is not; afterwards ana likes flan, ben soup.
DATED = (
    HEAD
    + "".join(f"u{n},flan,5,2011-01-0{n}\n" for n in range(1, 7))
    + "u1,soup,1,2011-02-01\nben,bread,3,2011-02-02\n"
    + "ana,flan,5,2011-03-01\nben,soup,4,2011-03-02\n"
)


def test_the_last_fifth_is_held_out_and_the_ones_before_make_the_order(tmp_path: Path) -> None:
    cut = split(read(tmp_path, DATED), SHELF, present=TODAY)
    assert cut.holdout.users.tolist() == ["ana", "ben"]
    assert len(cut.before or []) == 8
    assert "cut at 2011-03-01" in cut.about
    measured = evaluate_interactions(HybridRanker(), cut, SHELF, metrics=["mrr"])
    # Order: flan, foodcom-7 and bread (unrated or rated as the mean shrunk), soup last. Ben has had bread.
    assert dict(zip(measured.metrics["mrr"].query_ids, measured.metrics["mrr"].values, strict=True)) == {
        "ana": pytest.approx(1.0),
        "ben": pytest.approx(1 / 3),
    }
    assert measured.qrels == {"ana": {"flan": 4.0}, "ben": {"soup": 3.0}}


@given(stars=st.lists(st.integers(1, 5), min_size=2, max_size=2))
def test_what_comes_after_the_cut_changes_nothing_that_was_known_before(stars, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("leak")
    future = DATED.replace("ana,flan,5", f"ana,flan,{stars[0]}").replace("ben,soup,4", f"ben,soup,{stars[1]}")
    known, changed = (split(read(folder, text), SHELF, present=TODAY) for text in (DATED, future))
    assert known.popularity.tolist() == changed.popularity.tolist()


def test_a_recipe_that_a_user_meets_again_is_neither_ranked_nor_asked_for(tmp_path: Path) -> None:
    text = DATED + "ben,bread,5,2011-03-03\n"
    measured = evaluate_interactions(HybridRanker(), split(read(tmp_path, text), SHELF, present=TODAY), SHELF)
    assert measured.qrels["ben"] == {"soup": 3.0}
    only_again = HEAD + "".join(f"ana,soup,5,2011-01-0{n}\n" for n in range(1, 9))
    with pytest.raises(NothingToEvaluate, match="for the first time"):
        evaluate_interactions(HybridRanker(), split(read(tmp_path, only_again), SHELF, present=TODAY), SHELF)


def test_without_dates_popularity_is_todays_and_the_words_say_so(tmp_path: Path) -> None:
    cut = split(read(tmp_path, "user_id,recipe_id\n1,soup\n2,7\n"), SHELF, present=TODAY)
    assert (len(cut.holdout), cut.before) == (2, None)
    assert cut.popularity.tolist() == TODAY.scores(SHELF.numbers).tolist()
    assert "no dates" in cut.about
    assert "which may know them" in cut.about


def test_without_ratings_before_the_cut_popularity_is_todays_and_the_words_say_so(tmp_path: Path) -> None:
    text = "user_id,recipe_id,date\n" + "".join(f"{n},soup,2011-01-0{n}\n" for n in range(1, 6))
    cut = split(read(tmp_path, text), SHELF, present=TODAY)
    assert (len(cut.holdout), "no ratings before it" in cut.about) == (1, True)
    assert cut.popularity.tolist() == TODAY.scores(SHELF.numbers).tolist()


def test_interactions_of_one_moment_cannot_be_cut(tmp_path: Path) -> None:
    text = HEAD + "1,soup,5,2011-01-01\n2,flan,5,2011-01-01\n"
    with pytest.raises(NothingToEvaluate, match="earlier"):
        split(read(tmp_path, text), SHELF, present=TODAY)


def test_numbers_are_ids_of_foodcom_and_zero_stars_are_none(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "5,7,0,2011-01-01\n6,7,4,2011-01-02\n")
    assert found.rows.tolist() == [3, 3]
    assert np.isnan(found.ratings[0])
    assert found.ratings[1] == 4


def test_unknown_recipes_and_missing_dates_are_left_out_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "1,soup,5,2011-01-01\n2,gone,5,2011-01-02\n3,flan,5,\n")
    assert (len(found), found.n_unknown, found.n_undated) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,recipe_id\n1,soup\n", "has no column user_id; it has user, recipe_id"),
        (HEAD + "1,soup,6,2011-01-01\n", "row 1: rating must be from 1 to 5, got 6"),
        (HEAD + "1,soup,good,2011-01-01\n", "rating must hold numbers"),
        (HEAD + "1,soup,5,2011-01-01\n2,soup,5,soon\n", "row 2: date must be like 2011-05-01, got 'soon'"),
        (HEAD + "1,soup,5,2011-01-01\n,soup,5,2011-01-01\n", "row 2: user_id must be text or a whole number, got None"),
        (HEAD + "1,soup\n", "cannot be read as .csv"),
    ],
)
def test_a_fault_is_named_with_file_row_and_column(text, said, tmp_path: Path) -> None:
    with pytest.raises(BadEvaluationFile) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith("i.csv")
    assert said in str(raised.value)


def test_a_file_of_another_kind_or_of_other_recipes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadEvaluationFile, match=r"must be one of \.parquet, \.csv"):
        read(tmp_path, "", "i.txt")
    with pytest.raises(NothingToEvaluate, match="none of the 1 interactions"):
        read(tmp_path, "user_id,recipe_id\n1,gone\n")


def test_parquet_with_real_dates_reads_as_csv_does(tmp_path: Path) -> None:
    import datetime as dt

    days = [dt.datetime(2011, 1, 1, 12), dt.datetime(2011, 1, 2)]  # noqa: DTZ001
    table = pa.table({"user_id": [1, 2], "recipe_id": ["soup", "flan"], "rating": [4, None], "date": days})
    pq.write_table(table, tmp_path / "i.parquet")
    found = read_interactions(tmp_path / "i.parquet", SHELF)
    assert found.dates is not None
    assert np.diff(found.dates).tolist() == [12 * 3600]
    assert np.isnan(found.ratings).tolist() == [False, True]


def test_a_version_that_does_not_weigh_popularity_orders_by_number(tmp_path: Path) -> None:
    cut = split(read(tmp_path, DATED), SHELF, present=TODAY)
    blind = evaluate_interactions(HybridRanker("2.0.0", 1.0, 0.0), cut, SHELF, metrics=["ndcg@10"])
    by_hand = {"ana": {"soup": 4, "bread": 3, "flan": 2, "foodcom-7": 1}, "ben": {"soup": 3, "flan": 2, "foodcom-7": 1}}
    expected = evaluate_run(by_hand, blind.qrels, metrics=["ndcg@10"])["ndcg@10"]
    assert blind.metrics["ndcg@10"].values.tolist() == expected.values.tolist()
