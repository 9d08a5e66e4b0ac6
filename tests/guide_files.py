"""The files that guides name in their commands: runs with judgements, tables before and now, rows of a training."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd


def write_runs() -> None:
    """`qrels.parquet`; `a`, whose first answer is wrong, and `b` and `run`, whose first answer is right."""
    queries = np.arange(40)
    language = np.where(queries % 2, "es", "en")
    pd.DataFrame({"query_id": queries, "item_id": 1, "gain": 1, "idioma": language}).to_parquet("qrels.parquet")
    for name, score in (("a", 0.0), ("b", 2.0), ("run", 2.0)):
        frame = pd.DataFrame({"query_id": np.repeat(queries, 2), "item_id": np.tile([1, 2], 40), "score": 1.0})
        frame.loc[frame["item_id"] == 1, "score"] = score
        frame.to_parquet(f"{name}.parquet")


def write_tables() -> None:
    """`reference` and `current` of one distribution, and `training`, one row that a model may learn from."""
    rng = np.random.default_rng(0)
    for name in ("reference", "current"):
        pd.DataFrame({"x": rng.normal(size=200)}).to_parquet(f"{name}.parquet")
    row = {"request_id": "r", "recipe_id": "x", "position": 1, "propensity": 1.0, "label": 1}
    pd.DataFrame([{**row, "shown_at": datetime.now(UTC)}]).to_parquet("training.parquet")
