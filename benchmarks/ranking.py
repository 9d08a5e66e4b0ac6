"""What it costs to measure a ranking: 100,000 queries × 100 candidates, nDCG@10, MRR, MAP@10 and recall@10.

Every contender runs in a process of its own, over the same random arrays: scores without ties, 5 % of the candidates
relevant with gains 1 to 4. Preparing is what it takes to get from the arrays to what the contender reads. The first
evaluation pays for compilation where there is some; warm is the best of three more. Memory is the growth of the peak
beyond the loaded arrays. scikit-learn has nDCG only.

The second table shows where conventions part: four candidates tied, a NaN score, a query with nothing relevant. ranx is
given arrays that are sorted already, so that ties and NaN there are NumPy's doing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _common import REPOSITORY, finish, machine, parser, table

METRICS = ["ndcg@10", "mrr", "map@10", "recall@10"]
N_CANDIDATES = 100
Figures = dict[str, Any]
Means = dict[str, float]


class Ours:
    """mlops.evaluation, from the arrays as they are."""

    needs = "mlops"

    def load(self) -> None:
        from mlops.evaluation import evaluate_arrays

        self.evaluate_arrays = evaluate_arrays

    def prepare(self, relevance: Any, scores: Any) -> None:
        self.arrays = relevance, scores

    def evaluate(self) -> Means:
        return {name: result.mean for name, result in self.evaluate_arrays(*self.arrays, metrics=METRICS).items()}


class OursFromTables(Ours):
    """mlops.evaluation, from Arrow tables of query, item and number."""

    def load(self) -> None:
        from mlops.evaluation import evaluate_run

        self.evaluate_run = evaluate_run

    def prepare(self, relevance: Any, scores: Any) -> None:
        import pyarrow as pa

        queries, items = rows_of(scores)
        chosen = relevance.ravel() > 0
        self.run = pa.table({"query_id": queries, "item_id": items, "score": scores.ravel()})
        gains = relevance.ravel()[chosen]
        self.qrels = pa.table({"query_id": queries[chosen], "item_id": items[chosen], "gain": gains})

    def evaluate(self) -> Means:
        return {name: result.mean for name, result in self.evaluate_run(self.run, self.qrels, metrics=METRICS).items()}


class Ranx:
    """ranx, from the sorted arrays that its compiled functions read."""

    needs = "ranx"
    names = ("ndcg@10", "mrr", "map@10", "recall@10")

    def load(self) -> None:
        from ranx import evaluate

        self.ranx_evaluate = evaluate

    def prepare(self, relevance: Any, scores: Any) -> None:
        self.qrels, self.run = paired(relevance), paired(scores)

    def evaluate(self) -> Means:
        means = self.ranx_evaluate(self.qrels, self.run, list(self.names))
        return {name: float(means[name]) for name in self.names}


class IrMeasures:
    """ir-measures, from data frames."""

    needs = "ir_measures"

    def load(self) -> None:
        import ir_measures

        self.module = ir_measures
        self.measures = [ir_measures.parse_measure(name) for name in ("nDCG@10", "RR", "AP@10", "R@10")]

    def prepare(self, relevance: Any, scores: Any) -> None:
        import pandas as pd

        queries, items = (ids.astype("U6") for ids in rows_of(scores))
        chosen = relevance.ravel() > 0
        self.run = pd.DataFrame({"query_id": queries, "doc_id": items, "score": scores.ravel()})
        gains = relevance.ravel()[chosen]
        self.qrels = pd.DataFrame({"query_id": queries[chosen], "doc_id": items[chosen], "relevance": gains})

    def evaluate(self) -> Means:
        means = self.module.calc_aggregate(self.measures, self.qrels, self.run)
        return dict(zip(METRICS, (means[measure] for measure in self.measures), strict=True))


class PytrecEval:
    """pytrec_eval, from dictionaries."""

    needs = "pytrec_eval"
    names = ("ndcg_cut_10", "recip_rank", "map_cut_10", "recall_10")

    def load(self) -> None:
        import pytrec_eval

        self.module = pytrec_eval

    def prepare(self, relevance: Any, scores: Any) -> None:
        items = [str(item) for item in range(relevance.shape[1])]
        self.run = {str(at): dict(zip(items, row, strict=True)) for at, row in enumerate(scores.tolist())}
        self.qrels = {
            str(at): {items[place]: int(row[place]) for place in np.flatnonzero(row)}
            for at, row in enumerate(relevance)
        }

    def evaluate(self) -> Means:
        measures = {"ndcg_cut.10", "recip_rank", "map_cut.10", "recall.10"}
        values = self.module.RelevanceEvaluator(self.qrels, measures).evaluate(self.run)
        return {
            name: float(np.mean([one[theirs] for one in values.values()]))
            for name, theirs in zip(METRICS, self.names, strict=True)
        }


class ScikitLearn:
    """scikit-learn's ndcg_score, which has none of the other metrics."""

    needs = "sklearn"

    def load(self) -> None:
        from sklearn.metrics import ndcg_score

        self.ndcg_score = ndcg_score

    def prepare(self, relevance: Any, scores: Any) -> None:
        self.arrays = relevance, scores

    def evaluate(self) -> Means:
        return {"ndcg@10": float(self.ndcg_score(*self.arrays, k=10, ignore_ties=True))}


class PlainNumPy:
    """The least that NumPy can do in one piece: the ten best by partition, no ties, no NaN, no checks."""

    needs = "numpy"

    def load(self) -> None:
        self.discounts = 1 / np.log2(np.arange(2, 12))

    def prepare(self, relevance: Any, scores: Any) -> None:
        self.arrays = relevance, scores

    def evaluate(self) -> Means:
        relevance, scores = self.arrays
        best = np.argpartition(-scores, 10, axis=1)[:, :10]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)
        gains = np.take_along_axis(relevance, best, 1)
        ideal = -np.partition(-relevance, 10, axis=1)[:, :10]
        ideal.sort(axis=1)
        hits, n_relevant = gains > 0, np.count_nonzero(relevance, axis=1)
        highest = np.where(relevance > 0, scores, -np.inf).max(axis=1)
        first = np.count_nonzero(scores >= highest[:, None], axis=1)
        precisions = np.cumsum(hits, axis=1) / np.arange(1, 11)
        return {
            "ndcg@10": float(((gains @ self.discounts) / (ideal[:, ::-1] @ self.discounts)).mean()),
            "mrr": float((1 / first).mean()),
            "map@10": float(((precisions * hits).sum(axis=1) / n_relevant).mean()),
            "recall@10": float((hits.sum(axis=1) / n_relevant).mean()),
        }


CONTENDERS: dict[str, Callable[[], Any]] = {
    "mlops, arrays": Ours,
    "mlops, tables": OursFromTables,
    "ranx, arrays": Ranx,
    "ir-measures": IrMeasures,
    "pytrec_eval": PytrecEval,
    "scikit-learn (nDCG only)": ScikitLearn,
    "plain NumPy": PlainNumPy,
}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--queries", type=int, default=100_000)
    for name in ("--one", "--edges", "--folder"):
        options.add_argument(name, help="used by the benchmark itself")
    chosen = options.parse_args()
    if chosen.one or chosen.edges:
        print(json.dumps(edges(chosen.edges) if chosen.edges else measured(chosen.one, Path(chosen.folder))))
        return
    print(f"{chosen.queries:,} queries × {N_CANDIDATES} candidates; {machine()}\n")
    figures: Figures = {"machine": machine(), "queries": chosen.queries, "contenders": {}, "edges": {}}
    with tempfile.TemporaryDirectory() as name:
        write_arrays(Path(name), chosen.queries)
        for contender in CONTENDERS:
            if is_installed(contender):
                figures["contenders"][contender] = child("--one", contender, "--folder", name)
                figures["edges"][contender] = child("--edges", contender)
    print_tables(figures)
    finish(figures, chosen.json)


def write_arrays(folder: Path, n_queries: int) -> None:
    """Random arrays in which every query has a relevant item: peers count queries without one differently."""
    rng = np.random.default_rng(20_261_117)
    relevance = (rng.random((n_queries, N_CANDIDATES)) < 0.05) * rng.integers(1, 5, (n_queries, N_CANDIDATES))
    lacking = ~relevance.any(axis=1)
    relevance[lacking, rng.integers(0, N_CANDIDATES, lacking.sum())] = 1
    np.save(folder / "relevance.npy", relevance.astype(np.int64))
    np.save(folder / "scores.npy", rng.random((n_queries, N_CANDIDATES)))


def is_installed(contender: str) -> bool:
    """Whether the contender's package is there; said where it is not."""
    package = CONTENDERS[contender].needs  # type: ignore[attr-defined]
    if package == "mlops" or importlib.util.find_spec(package) is not None:
        return True
    print(f"skipped: {contender}, {package} is not installed")
    return False


def child(*arguments: str) -> Figures:
    """What a process of its own measures."""
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-W", "ignore", __file__, *arguments]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    answer: Figures = json.loads(printed.splitlines()[-1])
    return answer


def measured(contender: str, folder: Path) -> Figures:
    """Times in seconds, memory in MB, and the means."""
    relevance, scores = np.load(folder / "relevance.npy"), np.load(folder / "scores.npy")
    before = peak_mb()
    peer = CONTENDERS[contender]()
    load = seconds(peer.load)
    prepare = seconds(lambda: peer.prepare(relevance, scores))
    first = seconds(peer.evaluate)
    memory = peak_mb() - before
    warm = min(seconds(peer.evaluate) for _ in range(3))
    return {
        "import": load, "prepare": prepare, "first": first, "warm": warm, "cold": load + prepare + first,
        "memory_mb": memory, "means": peer.evaluate(),
    }  # fmt: skip


def edges(contender: str) -> Figures:
    """Reciprocal rank, or nDCG, where conventions part; a text where the peer fails."""
    cases = {
        "four tied, the third relevant": ([[0, 0, 1, 0]], [[1.0, 1.0, 1.0, 1.0]]),
        "relevant one scored NaN": ([[0, 0, 1, 0]], [[0.4, 0.3, np.nan, 0.2]]),
        "one query, nothing relevant": ([[0, 0, 0, 0], [1, 0, 0, 0]], [[0.4, 0.3, 0.2, 0.1]] * 2),
    }
    answers: Figures = {}
    for case, (relevance, scores) in cases.items():
        peer = CONTENDERS[contender]()
        try:
            peer.load()
            peer.prepare(np.array(relevance), np.array(scores))
            answers[case] = round(peer.evaluate()["ndcg@10"], 3)
        except Exception as error:
            answers[case] = type(error).__name__
    return answers


def print_tables(figures: Figures) -> None:
    """Times and memory, ratios to ours, and the cases where conventions part."""
    contenders = figures["contenders"]
    names = ("import", "prepare", "first", "warm", "cold")
    rows = [
        [name, *(f"{one[key]:.2f}" for key in names), f"{one['memory_mb']:.0f}", f"{one['means']['ndcg@10']:.10f}"]
        for name, one in contenders.items()
    ]
    print(table(["", "import s", "prepare s", "first s", "warm s", "cold s", "memory MB", "nDCG@10"], rows))
    print()
    cases = next(iter(figures["edges"].values()))
    print(table(["nDCG@10 where", *figures["edges"]], [[c, *(e[c] for e in figures["edges"].values())] for c in cases]))
    ours = contenders["mlops, arrays"]["means"]
    largest = max(abs(value - ours[key]) for one in contenders.values() for key, value in one["means"].items())
    print(f"\nLargest difference of a mean from ours: {largest:.1e}")


def rows_of(scores: Any) -> tuple[Any, Any]:
    """Query and item number of each score."""
    n_queries, n_items = scores.shape
    return np.repeat(np.arange(n_queries), n_items), np.tile(np.arange(n_items), n_queries)


def paired(values: Any) -> Any:
    """Items and values, highest first: shape (n_queries, n_items, 2)."""
    order = np.argsort(-values, axis=1)
    return np.stack([order.astype(np.float64), np.take_along_axis(values, order, 1).astype(np.float64)], axis=2)


def seconds(run: Callable[[], Any]) -> float:
    """How long *run* takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_mb() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
