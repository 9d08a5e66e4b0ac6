"""What a cook will cook next, by what others cooked: our collaborative feature against the usual ones.

Two data sets. `allrecipes_interactions` has no dates: a fifth of each cook's recipes is held out, drawn by
each seed of `--splits`, two of them by default.
`foodcom/interactions_dense` has: one cut for all, the last fifth of the interactions is held out, gains by rating.
Every contender ranks all recipes of the training that the cook has not met; cooks with nothing relevant in the holdout
are counted and left out. Peers choose from six settings each by nDCG@10 on a validation split that is carved from the
training in the same way; then they learn from all of it. Our feature chooses by itself, within `fit`. Cooks without a
history get the popularity (with recency, where there are dates) from every contender. iALS and BPR draw their start by
chance: with three seeds each cook's values are averaged.

EASE covers the 4,096 recipes that most cooks know, as our feature does; the others rank below, by popularity.
"As good" is printed where the paired comparison with the best peer does not say worse.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # implicit has threads of its own, and warns otherwise.

import numpy as np
import pandas as pd
import scipy.sparse as sp
from _common import finish, machine, need, parser, table

from mlops.evaluation import compare, evaluate_run
from mlops.evaluation.lists import coverage
from recipes.collaborative import CollaborativeModel, Interactions
from recipes.collaborative.choice import split_for_validation
from recipes.collaborative.ease import ease_weights
from recipes.collaborative.interactions import Table, recent_popularity
from recipes.evaluation.gains import rating_gain

METRICS = ("ndcg@10", "recall@20")
DEPTH, HEAD, ROWS_AT_ONCE = 20, 4_096, 256
SEEDS = (1, 2, 3)
Scores = Callable[[np.ndarray], np.ndarray]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is known before, and what each cook who is asked about met later: gain by column of the table."""

    before: Interactions
    table: Table
    now: float | None
    qrels: dict[str, dict[str, float]]
    n_left_out: int

    @classmethod
    def of(cls, before: Interactions, later: Interactions) -> Task:
        known = Table.of(before)
        places = {number: place for place, number in enumerate(known.recipes.tolist())}
        seen = set(zip(before.users.tolist(), before.recipes.tolist(), strict=True))
        qrels: dict[str, dict[str, float]] = {}
        for user, number, gain in zip(later.users, later.recipes.tolist(), later.weights.tolist(), strict=True):
            if (user, number) not in seen and number in places:
                qrels.setdefault(user, {})[str(places[number])] = gain
        now = None if later.at is None else float(later.at.min())
        return cls(before, known, now, qrels, len(set(later.users.tolist()) - set(qrels)))

    def popularity(self, half_life_days: float | None) -> np.ndarray:
        counts = recent_popularity(self.before, self.table.recipes, now=self.now, half_life_days=half_life_days)
        return counts.astype(np.float32)

    def run(self, scores: Scores, fallback: np.ndarray) -> tuple[dict[str, dict[str, float]], np.ndarray]:
        """The first 20 recipes for each cook that is asked about, and the first 10 as rows of an array."""
        row = {user: at for at, user in enumerate(self.table.users)}
        users, run, lists = list(self.qrels), {}, []
        for start in range(0, len(users), ROWS_AT_ONCE):
            part = users[start : start + ROWS_AT_ONCE]
            known = np.array([row.get(user, -1) for user in part])
            values = np.tile(fallback, (len(part), 1))
            if (known >= 0).any():
                values[known >= 0] = scores(known[known >= 0])
                met = self.table.matrix[known[known >= 0]].tocoo()
                values[np.flatnonzero(known >= 0)[met.row], met.col] = -np.inf
            top = np.argpartition(-values, DEPTH, axis=1)[:, :DEPTH]
            order = np.argsort(-np.take_along_axis(values, top, axis=1), axis=1, kind="stable")
            top = np.take_along_axis(top, order, axis=1)
            run |= {
                user: {str(place): float(-rank) for rank, place in enumerate(one)}
                for user, one in zip(part, top.tolist(), strict=True)
            }
            lists.append(top[:, :10])
        return run, np.concatenate(lists)


def measured(task: Task, scores: Scores, fallback: np.ndarray) -> Figures:
    """Values of each cook, and the share of the recipes that the first 10 places show."""
    run, lists = task.run(scores, fallback)
    found = evaluate_run(run, task.qrels, metrics=list(METRICS))
    values = {name: dict(zip(one.query_ids.tolist(), one.values, strict=True)) for name, one in found.items()}
    return {**values, "coverage": coverage(lists, n_items=len(task.table.recipes))}


# ---- contenders: (task, setting, seed) -> scores of rows of the table


def popularity(task: Task, setting: dict[str, Any], _seed: int) -> Scores:
    ranked = task.popularity(setting["half_life_days"])
    return lambda rows: np.tile(ranked, (len(rows), 1))


def item_knn(task: Task, setting: dict[str, Any], _seed: int) -> Scores:
    """Cosine shrunk by a constant in the denominator, the nearest neighbours of each recipe."""
    known = binary(task)
    counts = np.asarray(known.sum(axis=0)).ravel()
    together = (known.T @ known).tocoo()
    off = together.row != together.col
    row, column, value = together.row[off], together.col[off], together.data[off]
    cosine = value / (np.sqrt(counts[row] * counts[column]) + setting["shrink"])
    order = np.lexsort((-cosine, column))
    rank = np.arange(len(order)) - np.searchsorted(column[order], column[order])
    kept = order[rank < setting["neighbours"]]
    near = sp.csr_matrix((cosine[kept], (row[kept], column[kept])), shape=together.shape)
    return lambda rows: (known[rows] @ near).toarray().astype(np.float32)


def ease(task: Task, setting: dict[str, Any], _seed: int) -> Scores:
    """Steck's EASE as published: every cook's pairs count in full."""
    head = binary(task)[:, :HEAD]
    weights = ease_weights((head.T @ head).toarray().astype(np.float32), ridge=setting["ridge"])
    below = task.popularity(None)

    def scores(rows: np.ndarray) -> np.ndarray:
        values = np.tile(below - 1e3, (len(rows), 1))
        values[:, : len(weights)] = head[rows].astype(np.float32) @ weights
        return values

    return scores


def ials(task: Task, setting: dict[str, Any], seed: int) -> Scores:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(iterations=15, random_state=seed, num_threads=2, **setting)
    return factors(task, model)


def bpr(task: Task, setting: dict[str, Any], seed: int) -> Scores:
    from implicit.bpr import BayesianPersonalizedRanking

    # With one thread, since several race for the same factors and no run is like another.
    return factors(task, BayesianPersonalizedRanking(random_state=seed, num_threads=1, **setting))


def factors(task: Task, model: Any) -> Scores:
    model.fit(binary(task).astype(np.float32), show_progress=False)
    return lambda rows: model.user_factors[rows] @ model.item_factors.T


def ours(task: Task, _setting: dict[str, Any], seed: int) -> Scores:
    model = CollaborativeModel.fit(task.before, seed=seed, as_of=None)
    print(f"  ours chose {model.options}", flush=True)
    users = task.table.users
    return lambda rows: np.stack([model.scores(task.table.recipes, user_id=users[row]) for row in rows])


def binary(task: Task) -> sp.csr_matrix:
    return (task.table.matrix > 0).astype(np.float64)


def grid(**choices: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


Contender = tuple[Callable[[Task, dict[str, Any], int], Scores], list[dict[str, Any]], Sequence[int]]
CONTENDERS: dict[str, Contender] = {
    "popularity": (popularity, grid(half_life_days=[None]), SEEDS[:1]),
    "popularity, recency": (popularity, grid(half_life_days=[30, 60, 120, 240, 480, 960]), SEEDS[:1]),
    "item-item, shrunk cosine": (item_knn, grid(shrink=[0, 10, 50], neighbours=[100, 1_000]), SEEDS[:1]),
    "EASE (head)": (ease, grid(ridge=[100, 200, 400, 800, 1_600, 3_200]), SEEDS[:1]),
    "iALS (implicit)": (ials, grid(factors=[16, 64], regularization=[10.0], alpha=[0.3, 1.0, 10.0]), SEEDS),
    "BPR (implicit)": (
        bpr,
        grid(factors=[32], regularization=[0.01, 0.1], learning_rate=[0.01, 0.05, 0.1], iterations=[60]),
        SEEDS,
    ),
    "our feature": (ours, [{}], SEEDS[:1]),
}  # fmt: skip


def contest(name: str, before: Interactions, later: Interactions, *, seed: int, only: Sequence[str]) -> Figures:
    """Tune on the validation split of *before*, measure on *later*; all contenders, or *only* some."""
    task, trial = Task.of(before, later), Task.of(*split_for_validation(before, seed=seed))
    has_dates = before.at is not None
    print(f"\n{name}: {len(before)} interactions before, {len(task.qrels)} cooks asked about, "
          f"{task.n_left_out} left out since nothing in their holdout is new and known", flush=True)  # fmt: skip
    figures: Figures = {}
    for contender, (build, settings, seeds) in CONTENDERS.items():
        if (contender == "popularity, recency" and not has_dates) or contender not in only:
            continue
        started = time.perf_counter()
        best = chosen(build, settings, trial, has_dates)
        fallback = task.popularity(120 if has_dates else None)
        runs = [measured(task, build(task, best, one), fallback) for one in seeds]
        figures[contender] = {"setting": best, "seconds": time.perf_counter() - started, **averaged(runs)}
        means = {metric: float(np.mean(list(figures[contender][metric].values()))) for metric in METRICS}
        print(f"  {contender}: {best}, {means}, {figures[contender]['seconds']:.0f} s", flush=True)
    return figures


def chosen(build: Any, settings: list[dict[str, Any]], trial: Task, has_dates: bool) -> dict[str, Any]:
    if len(settings) == 1:
        return settings[0]
    fallback = trial.popularity(120 if has_dates else None)

    def quality(setting: dict[str, Any]) -> float:
        values = measured(trial, build(trial, setting, SEEDS[0]), fallback)["ndcg@10"]
        return float(np.mean(list(values.values())))

    return max(settings, key=quality)


def averaged(runs: list[Figures]) -> Figures:
    values = {
        metric: {user: float(np.mean([run[metric][user] for run in runs])) for user in runs[0][metric]}
        for metric in METRICS
    }
    return {**values, "coverage": float(np.mean([run["coverage"] for run in runs]))}


def print_contest(name: str, splits: list[Figures]) -> Figures:
    """The table of one data set. Units are cooks; of several splits, a cook's values are averaged."""
    merged = {contender: merge([one[contender] for one in splits]) for contender in splits[0]}
    rows, summary = [], {}
    for contender, one in merged.items():
        cells = [f"{np.mean(list(one[m].values())):.4f} ± {1.96 * spread(one[m]):.4f}" for m in METRICS]
        rows.append([contender, *cells, f"{one['coverage']:.3f}", "; ".join(str(s) for s in one["settings"])])
        summary[contender] = {m: float(np.mean(list(one[m].values()))) for m in METRICS} | {
            "coverage": one["coverage"], "settings": one["settings"], "seconds": one["seconds"],
        }  # fmt: skip
    print(f"\n### {name}\n")
    print(table(["", *METRICS, "coverage", "chosen on validation"], rows))
    print()
    for metric in METRICS:
        peers = [contender for contender in merged if contender != "our feature"]
        best = max(peers, key=lambda contender: summary[contender][metric])
        result = compare(merged[best][metric], merged["our feature"][metric], metric=metric)
        at_least = "NOT as good" if result.verdict == "worse" else "as good"
        print(f"{metric}: {at_least} as {best}, the best peer. {result.sentence}")
        summary[f"{metric} against {best}"] = result.to_dict()
    return summary


def merge(parts: list[Figures]) -> Figures:
    users = set.intersection(*(set(part[METRICS[0]]) for part in parts))
    values = {m: {user: float(np.mean([part[m][user] for part in parts])) for user in sorted(users)} for m in METRICS}
    return {
        **values,
        "coverage": float(np.mean([part["coverage"] for part in parts])),
        "settings": [part["setting"] for part in parts],
        "seconds": float(np.mean([part["seconds"] for part in parts])),
    }


def spread(values: dict[str, float]) -> float:
    numbers = np.array(list(values.values()))
    return float(numbers.std(ddof=1) / np.sqrt(len(numbers)))


def allrecipes(path: Path) -> Interactions:
    frame = pd.read_parquet(path)
    return Interactions.of(frame["user_id"].astype(str).tolist(), frame["recipe_id"].to_numpy())


def foodcom(path: Path) -> Interactions:
    """Those with a gain, by rating; a rating below 3 is not what anybody wants to cook again."""
    frame = pd.read_parquet(path)
    gains = np.array([rating_gain(float(one) or None) for one in frame["rating"]])
    liked = frame[gains > 0]
    at = liked["date"].astype("datetime64[s]").astype("int64").to_numpy(np.float64)
    # Everybody learns that a cook met a recipe; how good it was counts in the holdout.
    return Interactions.of(
        liked["user_id"].astype(str).tolist(), liked["recipe_id"].to_numpy(), weights=gains[gains > 0], at=at
    )


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--splits", type=int, nargs="+", default=[1, 2], help="seeds of allrecipes' splits")
    options.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    arguments = options.parse_args()
    print(f"{machine()}")
    without_dates = allrecipes(need(arguments.data / "allrecipes_interactions.parquet"))
    with_dates = foodcom(need(arguments.data / "foodcom" / "interactions_dense.parquet"))
    figures = {}
    splits = [
        contest(
            f"allrecipes, seed {seed}",
            *split_for_validation(without_dates, seed=seed),
            seed=10 + seed,
            only=arguments.only,
        )
        for seed in arguments.splits
    ]
    figures["allrecipes"] = print_contest(f"allrecipes_interactions, splits {arguments.splits}", splits)
    before, later = split_for_validation(with_dates, seed=0)
    alike = Interactions(before.users, before.recipes, np.ones(len(before)), before.at)
    figures["foodcom"] = print_contest(
        "foodcom/interactions_dense, one clock", [contest("food.com", alike, later, seed=1, only=arguments.only)]
    )
    finish(figures, arguments.json)


if __name__ == "__main__":
    main()
