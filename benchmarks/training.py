"""What it costs to train hybrid_ranker anew as the log grows: 10⁴, 10⁵ and 10⁶ impressions.

The impressions are made up here, three to an answer, with cooks who like what is like what they chose before and look
down the list less and less; nothing of this says how good a model is, only what it costs. They are written into a
database as the service writes them. Each training runs in a process of its own, with one thread: it reads the log,
labels and cleans it, fits the blend and 60 rounds of trees (no early end, so that all sizes do the same work), and
judges itself and 1.0.0 on the holdout. The growth is told by the CPU, which other work on the machine disturbs least;
with one thread it is the time on a quiet machine. Peak memory is that of the process, imports included. The peer is
LightGBM alone in the same run, on the matrix that our steps made, ready in memory: what is left is what our steps cost
beside it.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _common import REPOSITORY, finish, machine, parser, table

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 60
END = BEGIN + timedelta(days=DAYS + 8)
ANSWERS_AT_ONCE = 20_000
LOOKS = np.array([1.0, 0.6, 0.35])
N_ROUNDS = 60
N_COOKS_EACH = 20
Figures = dict[str, Any]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--sizes", default="10000,100000,1000000", help="impressions, apart by commas")
    options.add_argument(
        "--child", choices=["write", "ours", "plain"], help="one measurement, for the benchmark itself"
    )
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    if given.child:
        size = int(given.sizes)
        print(json.dumps({"write": write, "ours": _ours, "plain": _plain}[given.child](given.folder, size)))
        return
    sizes = [int(size) for size in given.sizes.split(",")]
    figures = {str(size): _measured(size) for size in sizes}
    _show(sizes, figures)
    finish({"machine": machine(), "sizes": figures}, given.json)


def _measured(size: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        _child("write", size, folder)
        return {**_child("ours", size, folder), **_child("plain", size, folder)}


def _child(what: str, size: int, folder: str) -> Figures:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--child", what, "--sizes", str(size), "--folder", folder]
    done = subprocess.run(
        command, env={**os.environ, **one_thread}, cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    answer: Figures = json.loads(done.stdout.splitlines()[-1])
    return answer


def _show(sizes: list[int], figures: dict[str, Figures]) -> None:
    print(f"{machine()}\n")
    rows = []
    for size in sizes:
        one = figures[str(size)]
        rows.append(
            [
                f"{size:,}", one["n_reacted"], f"{one['read_seconds']:.2f}", f"{one['fit_seconds']:.2f}",
                f"{one['judge_seconds']:.2f}", f"{one['cpu_seconds']:.2f}", f"{one['plain_seconds']:.2f}",
                f"{one['fit_cpu_seconds'] / one['plain_seconds']:.2f}", f"{one['peak_mb']:.0f}",
                f"{one['peak_mb'] - one['floor_mb']:.0f}",
            ]
        )  # fmt: skip
    columns = (
        "impressions", "answers with a reaction", "read and label, s", "fit, s", "judge, s", "CPU of these, s",
        "LightGBM alone, CPU s",
        "fit / alone, CPU", "peak, MB", "of it data, MB",
    )  # fmt: skip
    print(table(columns, rows))
    for before, after in pairwise(sizes):
        old, new = (figures[str(size)]["cpu_seconds"] for size in (before, after))
        exponent = math.log(new / old) / math.log(after / before)
        limit = 1 + math.log(math.log(after) / math.log(before)) / math.log(after / before)
        seconds = f"{old:.1f} s → {new:.1f} s of CPU"
        print(f"\n{before:,} → {after:,}: {seconds}, exponent {exponent:.2f} (n log n: {limit:.2f})")


def write(folder: Path, size: int) -> Figures:
    """A state database in *folder* with *size* made-up impressions."""
    from mlops import schema as toolkit
    from mlops.store import Database
    from recipes import schema

    database = Database(f"sqlite:///{folder}/state.db")
    database.upgrade(toolkit.MIGRATIONS, schema.MIGRATIONS)
    rng = np.random.default_rng(size)
    for answers, impressions, events in _batches(rng, size // 3):
        with database.writing() as connection:
            connection.execute(schema.answers.insert(), answers)
            connection.execute(schema.impressions.insert(), impressions)
            connection.execute(schema.feedback_events.insert(), events)
    return {}


def _batches(rng: np.random.Generator, n_answers: int) -> Iterator[tuple[list[Figures], list[Figures], list[Figures]]]:
    from recipes.ranker import FEATURES, MODEL_ID

    constant = {
        "language": "es", "constraints": {}, "mode": "full", "model_id": MODEL_ID, "model_version": "1.0.0",
        "n_candidates": 150, "latency_ms": 20.0,
    }  # fmt: skip
    taste = FEATURES.index("affinity")
    for first in range(0, n_answers, ANSWERS_AT_ONCE):
        count = min(ANSWERS_AT_ONCE, n_answers - first)
        features = rng.random((count, 3, len(FEATURES))).round(4)
        clicked = (rng.random((count, 3)) < LOOKS) & (rng.random((count, 3)) < 0.6 * features[:, :, taste] ** 2)
        recipes = rng.integers(0, 1_000, (count, 1)) + np.array([0, 1_000, 2_000])
        answers, impressions, events = [], [], []
        for row in range(count):
            number = first + row
            at = BEGIN + timedelta(days=DAYS * number / n_answers)
            identity = f"{number:032x}"
            cook = f"cook-{number % max(1, n_answers // N_COOKS_EACH)}"
            answers.append(
                {**constant, "request_id": identity, "answered_at": at, "user_id": cook, "query_hash": identity}
            )
            for place in range(3):
                shown = {"request_id": identity, "recipe_id": f"recipe-{recipes[row, place]}"}
                values = dict(zip(FEATURES, features[row, place].tolist(), strict=True))
                impressions.append(
                    {**shown, "position": place + 1, "score": 1 - place / 3, "features": values, "propensity": 0.95}
                )
                if clicked[row, place]:
                    event = {"event_id": f"{identity}-{place}", "event": "click", "value": None}
                    events.append({**shown, **event, "received_at": at + timedelta(minutes=1)})
        yield answers, impressions, events


def _ours(folder: Path, size: int) -> Figures:
    import lightgbm

    from mlops.store import Database
    from recipes.ranker import HybridRanker, LearnedBlend
    from recipes.ranker.learned import matrix_of
    from recipes.training import HybridRankerTrainer

    del lightgbm, size
    database = Database(f"sqlite:///{folder}/state.db")
    trainer = HybridRankerTrainer(database, clock=lambda: END)
    floor = _peak_mb()
    begun, cpu_begun = time.perf_counter(), time.process_time()
    data = trainer.load()
    read, cpu_read = time.perf_counter(), time.process_time()
    trained = trainer.train(data, _PARAMETERS, 1, lambda share, what: None)
    fitted, fit_cpu = time.perf_counter(), time.process_time() - cpu_read
    for artefact in (trained.files, HybridRanker().files()):
        trainer.evaluate(artefact, data)
    judged, cpu_used, peak = time.perf_counter(), time.process_time() - cpu_begun, _peak_mb()
    parts = {}
    for name, part in (("train", data.train), ("held", data.validation)):
        used = part.where(part.reacted)
        parts |= {f"{name}_matrix": matrix_of(LearnedBlend("0.0.0", {}).recalled(used.columns))}
        parts |= {f"{name}_grades": used.grades, f"{name}_sizes": used.sizes, f"{name}_positions": used.positions}
    np.savez(folder / "matrix.npz", **parts)
    return {
        "n_reacted": int(data.train.reacted.sum()), "read_seconds": read - begun, "fit_seconds": fitted - read,
        "judge_seconds": judged - fitted, "cpu_seconds": cpu_used, "fit_cpu_seconds": fit_cpu,
        "peak_mb": peak, "floor_mb": floor,
    }  # fmt: skip


_PARAMETERS = {"kind": "lambdarank", "n_rounds": N_ROUNDS, "patience": N_ROUNDS}


def _plain(folder: Path, size: int) -> Figures:
    """The same rounds on the same rows, with LightGBM's own metric on the same validation part."""
    import lightgbm

    from recipes.training.options import TrainingOptions
    from recipes.training.trees import _parameters

    del size
    with np.load(folder / "matrix.npz") as kept:
        parts = {name: kept[name] for name in kept.files}
    parameters = {**_parameters(TrainingOptions(), 1), "metric": "ndcg", "eval_at": [3]}
    begun = time.process_time()
    train, held = (
        lightgbm.Dataset(
            parts[f"{name}_matrix"], label=parts[f"{name}_grades"], group=parts[f"{name}_sizes"],
            position=parts[f"{name}_positions"].astype(np.int32) - 1, params=parameters,
        )
        for name in ("train", "held")
    )  # fmt: skip
    held.reference = train
    lightgbm.train(parameters, train, N_ROUNDS, valid_sets=[held])
    return {"plain_seconds": time.process_time() - begun, "plain_peak_mb": _peak_mb()}


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    main()
