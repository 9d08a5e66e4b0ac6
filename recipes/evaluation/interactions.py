"""A version ranks the whole catalogue without a query, and is judged by what users cooked later.

``hybrid_ranker`` answers queries; without one, all that is left of it is its popularity. That is what is measured here:
no personal taste, and no search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlops.evaluation import evaluate_run
from mlops.evaluation.metrics import metrics_of
from recipes.errors import BadEvaluationFile, NothingToEvaluate
from recipes.evaluation.gains import rating_gain
from recipes.evaluation.items import Items, list_figures
from recipes.evaluation.results import Evaluated, scores_by_place
from recipes.index.items import Floats
from recipes.popularity import Popularity
from recipes.ranker import PARTS, Ranker

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = ("ndcg@10", "recall@10", "mrr")
HOLDOUT_SHARE = 0.2
LEAST_DEPTH = 20

Strings = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who had to do with which recipe; every array has shape (n_interactions,).

    Attributes:
        users: ids as text.
        rows: of the recipes, see :attr:`recipes.evaluation.items.Items.rows`.
        ratings: 1 to 5, NaN where none was given.
        dates: seconds since 1970 in UTC, or None where the file has no dates.
        n_unknown: left out, since the catalogue has no such recipe.
        n_undated: left out of a file with dates, since theirs is missing.
    """

    name: str
    users: Strings
    rows: NDArray[np.int64]
    ratings: NDArray[np.float64]
    dates: NDArray[np.float64] | None
    n_unknown: int = 0
    n_undated: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, chosen: NDArray[np.bool_]) -> Interactions:
        """Those that are *chosen*, shape (n_interactions,)."""
        dates = None if self.dates is None else self.dates[chosen]
        return replace(
            self, users=self.users[chosen], rows=self.rows[chosen], ratings=self.ratings[chosen], dates=dates
        )


def read_interactions(path: Path, items: Items) -> Interactions:
    """The interactions of a .parquet or .csv file; docs/evaluation.md describes its columns.

    Args:
        items: the catalogue. Whole numbers are ids of Food.com, as ``recipes import foodcom`` keeps them.
    Raises:
        BadEvaluationFile: with the column or row, and what would be right.
        NothingToEvaluate: none of its recipes is in the catalogue.
        OSError: the file cannot be read.
    """
    table = _table(path)
    found = Interactions(
        name=path.name,
        users=_texts(table, "user_id", path),
        rows=_rows(_texts(table, "recipe_id", path), items),
        ratings=_ratings(table, path),
        dates=_dates(table, path),
    )
    is_known = found.rows >= 0
    is_dated = np.ones(len(found), np.bool_) if found.dates is None else ~np.isnan(found.dates)
    kept = found.where(is_known & is_dated)
    if not len(kept):
        raise NothingToEvaluate(f"none of the {len(found)} interactions of {path.name} is of a recipe in the catalogue")
    return replace(kept, n_unknown=int((~is_known).sum()), n_undated=int((is_known & ~is_dated).sum()))


def _table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    readers = {".parquet": pyarrow.parquet.read_table, ".csv": pyarrow.csv.read_csv}
    if path.suffix not in readers:
        raise BadEvaluationFile(f"{path} must be one of {', '.join(readers)}")
    try:
        table = readers[path.suffix](path)
    except pa.ArrowException as error:
        raise BadEvaluationFile(f"{path.name} cannot be read as {path.suffix}: {error}") from error
    missing = [name for name in ("user_id", "recipe_id") if name not in table.column_names]
    if missing:
        raise BadEvaluationFile(f"{path.name} has no column {missing[0]}; it has {', '.join(table.column_names)}")
    return table


def _texts(table: pa.Table, name: str, path: Path) -> Strings:
    values = table[name].to_pylist()
    wrong = next((at for at, value in enumerate(values) if value is None or isinstance(value, float)), None)
    if wrong is not None:
        what = f"{path.name}, row {wrong + 1}: {name} must be text or a whole number, got {values[wrong]!r}"
        raise BadEvaluationFile(what)
    return np.array([str(value) for value in values], dtype=object)


def _rows(recipe_ids: Strings, items: Items) -> NDArray[np.int64]:
    rows = items.rows
    return np.array([rows.get(one, rows.get(f"foodcom-{one}", -1)) for one in recipe_ids.tolist()], np.int64)


def _ratings(table: pa.Table, path: Path) -> NDArray[np.float64]:
    if "rating" not in table.column_names:
        return np.full(len(table), np.nan)
    try:
        ratings = np.array(table["rating"].to_pylist(), np.float64)
    except (TypeError, ValueError) as error:
        raise BadEvaluationFile(f"{path.name}: rating must hold numbers: {error}") from error
    # Food.com writes 0 for an interaction without stars.
    ratings[ratings == 0] = np.nan
    wrong = np.flatnonzero((ratings < 1) | (ratings > 5))
    if len(wrong):
        at = int(wrong[0])
        raise BadEvaluationFile(f"{path.name}, row {at + 1}: rating must be from 1 to 5, got {ratings[at]:g}")
    return ratings


def _dates(table: pa.Table, path: Path) -> NDArray[np.float64] | None:
    if "date" not in table.column_names:
        return None
    return np.array([_date(value, path, row) for row, value in enumerate(table["date"].to_pylist(), start=1)])


def _date(value: Any, path: Path, row: int) -> float:
    if value is None or value == "":
        return float("nan")
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        what = f"{path.name}, row {row}: date must be like 2011-05-01, got {value!r}"
        raise BadEvaluationFile(what) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Split:
    """What was known, and what came later.

    Attributes:
        popularity: shape (n_items,): the feature of each recipe, 0 to 1, as known before the holdout.
        before: interactions before the cut, None where the file has no dates.
        about: how it was made, in a sentence.
    """

    holdout: Interactions
    before: Interactions | None
    popularity: Floats
    about: str


def split(interactions: Interactions, items: Items, *, present: Popularity) -> Split:
    """Cut by time: the last fifth of the interactions is the holdout, at >= cut; popularity is of those before.

    Without dates everything is holdout; without dates, or without a rating before the cut, popularity is the *present*
    one of the catalogue, which may have seen the holdout. ``about`` says so.

    Raises:
        NothingToEvaluate: all interactions are of one moment, so that nothing comes before.
    """
    if interactions.dates is None:
        about = "no dates: all of them are holdout, and the popularity is the catalogue's of today, which may know them"
        return Split(interactions, None, present.scores(items.numbers), about)
    cut = float(np.quantile(interactions.dates, 1 - HOLDOUT_SHARE, method="higher"))
    is_later = interactions.dates >= cut
    if is_later.all():
        raise NothingToEvaluate(f"no interaction of {interactions.name} is earlier than the last fifth of them")
    before, holdout = interactions.where(~is_later), interactions.where(is_later)
    shown = datetime.fromtimestamp(cut, UTC).date().isoformat()
    if np.isnan(before.ratings).all():
        about = f"cut at {shown}; no ratings before it: the popularity is the catalogue's of today, which may know more"
        return Split(holdout, before, present.scores(items.numbers), about)
    about = f"cut at {shown}: the {len(before)} interactions before it make the popularity"
    return Split(holdout, before, _popularity(before, items), about)


def _popularity(before: Interactions, items: Items) -> Floats:
    rated = ~np.isnan(before.ratings)
    counts = np.bincount(before.rows[rated], minlength=len(items))
    sums = np.bincount(before.rows[rated], weights=before.ratings[rated], minlength=len(items))
    ratings = {int(items.numbers[row]): (int(counts[row]), float(sums[row])) for row in np.flatnonzero(counts)}
    known = Popularity.of(ratings, sum_of_squares=float(np.square(before.ratings[rated]).sum()))
    return known.scores(items.numbers)


def evaluate_interactions(
    ranker: Ranker, interactions: Split, items: Items, *, metrics: Sequence[str] = METRICS
) -> Evaluated:
    """Measure what is left of *ranker* without a query; units are users.

    Raises:
        BadInput: no metric has one of the names.
        NothingToEvaluate: users only met recipes again.
    """
    depth = max(LEAST_DEPTH, *(metric.k or 0 for metric in metrics_of(metrics)))
    seen = _seen(interactions.before)
    qrels = _qrels(interactions.holdout, seen, items)
    ranked = _first(_order(ranker, interactions.popularity, items), seen, list(qrels), depth=depth)
    run = {user: scores_by_place([items.ids[row] for row in rows]) for user, rows in ranked.items()}
    used = interactions.before or interactions.holdout
    lists = np.full((len(ranked), depth), -1, np.int64)
    for at, rows in enumerate(ranked.values()):
        lists[at, : len(rows)] = rows
    counts = np.bincount(used.rows, minlength=len(items)).astype(np.float64)
    return Evaluated(
        source="interactions",
        about=_about(interactions, depth),
        version=ranker.version,
        qrels=qrels,
        metrics=evaluate_run(run, qrels, metrics=list(metrics)),
        figures={
            **list_figures(lists, items, used=counts, contents={}),
            "left_out_not_in_catalogue": float(interactions.holdout.n_unknown),
            "left_out_undated": float(interactions.holdout.n_undated),
        },
    )


def _qrels(holdout: Interactions, seen: Mapping[str, set[int]], items: Items) -> dict[str, dict[str, float]]:
    """The best gain of each recipe that is new to its user."""
    qrels: dict[str, dict[str, float]] = {}
    for user, row, rating in zip(holdout.users.tolist(), holdout.rows.tolist(), holdout.ratings.tolist(), strict=True):
        if row not in seen.get(user, ()):
            gains = qrels.setdefault(user, {})
            gain = rating_gain(None if np.isnan(rating) else rating)
            gains[items.ids[row]] = max(gain, gains.get(items.ids[row], 0.0))
    if not qrels:
        raise NothingToEvaluate(f"nobody in the holdout of {holdout.name} has to do with a recipe for the first time")
    return qrels


def _seen(before: Interactions | None) -> dict[str, set[int]]:
    seen: dict[str, set[int]] = {}
    if before is not None:
        for user, row in zip(before.users.tolist(), before.rows.tolist(), strict=True):
            seen.setdefault(user, set()).add(row)
    return seen


def _order(ranker: Ranker, popularity: Floats, items: Items) -> list[int]:
    """Rows of the catalogue as *ranker* ranks them without a query; ties by recipe number, as in an answer."""
    nothing = np.zeros(len(items), np.float32)
    features = ranker.recalled({**dict.fromkeys(PARTS, nothing), "popularity": popularity})
    order: list[int] = np.lexsort((items.numbers, -ranker.score(features))).tolist()
    return order


def _first(
    order: Sequence[int], seen: Mapping[str, set[int]], users: Sequence[str], *, depth: int
) -> dict[str, list[int]]:
    """The first *depth* rows of *order* for each user, without those that the user has seen."""
    first = {}
    for user in users:
        known = seen.get(user, set())
        first[user] = [row for row in order[: depth + len(known)] if row not in known][:depth]
    return first


def _about(interactions: Split, depth: int) -> str:
    holdout = interactions.holdout
    return (
        f"{len(holdout)} interactions of {holdout.name}, {interactions.about}; no query: the first {depth} recipes by "
        f"the version's score for its popularity alone, the same for all, less what a user had before; it measures "
        f"neither search nor personal taste; gain 3 for having cooked, or by rating: 4 for 5, 3 for 4, 1 for 3, 0 below"
    )
