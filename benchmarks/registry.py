"""The model registry against MLflow's, both on SQLite, in the same run; and what following the registry costs.

Each side works in a process of its own, in turn, several times over; the medians are compared. The floor is Python's
own sqlite3 with the same durability (write-ahead log, every commit forced to disk) and as few statements as will do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _common import REPOSITORY, finish, machine, parser, table

MODEL = "ranker"
METRICS = {"ndcg_3": 0.412, "mrr": 0.377}
PARAMETERS = {"learning_rate": 0.05, "n_trees": 200}
TAGS = {"team": "search", "data": "2026-11"}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--side", choices=SIDES, help="measure one side, and print JSON")
    options.add_argument("--folder", type=Path, help="where that side keeps its files")
    options.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    options.add_argument("--versions", type=int, default=10_000, help="how many versions the long list has")
    chosen = options.parse_args()
    if chosen.side:
        print(json.dumps(SIDES[chosen.side](chosen.folder, chosen.versions)))
        return
    sides = [side for side in SIDES if side != "mlflow" or importlib.util.find_spec("mlflow")]
    if "mlflow" not in sides:
        print("MLflow is not installed: only ours and the floor are measured (pip install 'mlflow>=3.4,<4')\n")
    figures = measure(sides, rounds=chosen.rounds, n_versions=chosen.versions)
    print(f"Model registry: {machine()}; median of {chosen.rounds} rounds, milliseconds\n")
    print(table(["", "ours", "MLflow", "times faster", "bare SQLite"], list(rows(figures, chosen.versions))))
    finish({"machine": machine(), **figures}, chosen.json)


def rows(figures: dict[str, dict[str, float]], n_versions: int) -> list[list[str]]:
    """The table's rows."""
    names = {
        "register": "register a version, durable, move recorded",
        "promote": "promote a version, durable, moves recorded (MLflow: set alias)",
        "look_up": "look up the production version in the database",
        "look_up_serving": "… in a serving process, which follows the registry",
        "list_1000": "list 1,000 versions",
        "list_many": f"list {n_versions:,} versions",
        "history": f"all moves of {n_versions:,} versions (MLflow keeps none)",
        "swap": "from a promotion to the first answer of the new model",
        "import": "import, cold",
    }
    found = []
    for key, name in names.items():
        ours, mlflow, floor = (figures.get(side, {}).get(key) for side in ("ours", "mlflow", "floor"))
        # A serving process of MLflow's asks the registry each time: it follows nothing.
        peer = figures.get("mlflow", {}).get("look_up") if key == "look_up_serving" else mlflow
        ratio = f"{peer / ours:,.1f}" if peer and ours else "–"
        found.append(
            [name, *(f"{each:,.4g}" if each else "–" for each in (ours, peer)), ratio, f"{floor:.4g}" if floor else "–"]
        )
    return found


def measure(sides: list[str], *, rounds: int, n_versions: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each figure of each side."""
    collected: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
    for number in range(rounds):
        for side in sides:
            print(f"round {number + 1} of {rounds}: {side}", file=sys.stderr)
            with tempfile.TemporaryDirectory(prefix="registry-benchmark-") as folder:
                for name, value in _of_one_side(side, folder, n_versions).items():
                    collected[side].setdefault(name, []).append(value)
    return {
        side: {name: statistics.median(values) for name, values in found.items()} for side, found in collected.items()
    }


def _of_one_side(side: str, folder: str, n_versions: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side, "--folder", folder, "--versions", str(n_versions)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    module = {"ours": "mlops", "mlflow": "mlflow"}.get(side)
    if module:
        found["import"] = _import_ms(module)
    return found


def _import_ms(module: str) -> float:
    code = f"import time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1000)"
    times = [float(subprocess.check_output([sys.executable, "-c", code], cwd=REPOSITORY)) for _ in range(4)]
    return statistics.median(times[1:])


def each_ms(step: Callable[[int], object], n: int) -> float:
    """Median milliseconds of one call of *step*."""
    times = []
    for number in range(n):
        started = time.perf_counter()
        step(number)
        times.append((time.perf_counter() - started) * 1_000)
    return statistics.median(times)


def ours(folder: Path, n_versions: int) -> dict[str, float]:
    """Our registry, with its view, artefact store and all."""
    from mlops.config import Settings
    from mlops.live_model import LiveModel
    from mlops.model_registry import ModelMetadata, open_registry

    registry = open_registry(Settings(_env_file=None, data_dir=folder), actor="benchmark")  # type: ignore[call-arg]

    def register(number: int) -> None:
        metadata = ModelMetadata(MODEL, f"1.0.{number}", metrics=METRICS, parameters=PARAMETERS, tags=TAGS)
        registry.register(metadata)

    registry.register(ModelMetadata(MODEL, "0.0.1"))
    found = {"register": each_ms(register, 1_000)}
    found["promote"] = each_ms(lambda n: registry.promote(MODEL, f"1.0.{n}", because="measured"), 300)
    found["look_up"] = each_ms(lambda _: registry.get_production_model(MODEL), 1_000)
    found["list_1000"] = each_ms(lambda _: registry.list_models(MODEL), 20)
    for number in range(1_000, n_versions):
        register(number)
    registry.refresh_view()  # or its thread, ten thousand registrations behind, would share the interpreter
    found["list_many"] = each_ms(lambda _: registry.list_models(MODEL), 10)
    found["history"] = each_ms(lambda _: registry.moves(MODEL), 5)

    files = {"model.json": b"{}"}
    swapped: list[float] = []
    live: LiveModel[bytes] = LiveModel(
        registry, "served", load=lambda _version, kept: kept["model.json"], try_out=len,
        on_swap=lambda _served: swapped.append(time.perf_counter()),
    )  # fmt: skip
    for number in range(21):
        registry.register(ModelMetadata("served", f"1.0.{number}"), artefact=files)
    registry.promote("served", "1.0.0", because="measured")
    live.refresh()
    live.start()
    waits = []
    for number in range(1, 21):
        # Not in step with the watch: people do not promote in step with it either.
        time.sleep(0.037 * (number % 9))
        registry.promote("served", f"1.0.{number}", because="measured")
        promoted = time.perf_counter()
        while len(swapped) < number + 1:
            time.sleep(0.001)
        waits.append((swapped[-1] - promoted) * 1_000)
    found["swap"] = statistics.median(waits)
    started = time.perf_counter()
    for _ in range(100_000):
        _version = live.served.version.version if live.served else None
    found["look_up_serving"] = (time.perf_counter() - started) / 100
    live.stop()
    registry.close()
    registry.database.close()
    return found


def mlflow(folder: Path, n_versions: int) -> dict[str, float]:
    """MLflow's registry in its SQLite store, without a server between."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # its best: no attempt to call home
    from mlflow import MlflowClient

    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri, uri)
    client.create_registered_model(MODEL)
    source = (folder / "model").as_uri()
    tags = {**TAGS, **{f"metric.{name}": str(value) for name, value in METRICS.items()}}

    def register(_number: int) -> None:
        client.create_model_version(MODEL, source, tags=tags)

    def listed(_number: int) -> None:
        token, n_found = None, 0
        while True:
            page = client.search_model_versions(f"name='{MODEL}'", max_results=10_000, page_token=token)
            token, n_found = page.token, n_found + len(page)
            if not token:
                break

    register(0)
    found = {"register": each_ms(register, 1_000)}
    found["promote"] = each_ms(lambda n: client.set_registered_model_alias(MODEL, "production", n % 1_000 + 1), 300)
    found["look_up"] = each_ms(lambda _: client.get_model_version_by_alias(MODEL, "production"), 500)
    found["list_1000"] = each_ms(listed, 10)
    for number in range(1_000, n_versions):
        register(number)
    found["list_many"] = each_ms(listed, 5)
    return found


def floor(folder: Path, n_versions: int) -> dict[str, float]:
    """What Python's sqlite3 needs for as few statements as will do."""
    import sqlite3

    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE versions (version TEXT PRIMARY KEY, status TEXT, content TEXT);"
        "CREATE UNIQUE INDEX one ON versions (status) WHERE status = 'production';"
        "CREATE TABLE moves (id INTEGER PRIMARY KEY, version TEXT, to_status TEXT, at TEXT);"
    )
    content = json.dumps({"metrics": METRICS, "parameters": PARAMETERS, "tags": TAGS})

    def run(*statements: tuple[str, tuple[Any, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            connection.execute(statement, values)
        connection.execute("COMMIT")

    move = "INSERT INTO moves (version, to_status, at) VALUES (?, ?, '2026-11-24')"

    def register(number: int) -> None:
        version = f"1.0.{number}"
        run(("INSERT INTO versions VALUES (?, 'training', ?)", (version, content)), (move, (version, "training")))

    def promote(number: int) -> None:
        version = f"1.0.{number}"
        run(
            ("UPDATE versions SET status = 'archived' WHERE status = 'production'", ()),
            ("UPDATE versions SET status = 'production' WHERE version = ?", (version,)),
            (move, (version, "production")),
        )

    def listed(_number: int) -> list[tuple[Any, ...]]:
        return connection.execute("SELECT * FROM versions").fetchall()

    look_up = "SELECT * FROM versions WHERE status = 'production'"
    found = {"register": each_ms(register, 1_000), "promote": each_ms(promote, 300)}
    found["look_up"] = each_ms(lambda _: connection.execute(look_up).fetchone(), 1_000)
    found["list_1000"] = each_ms(listed, 20)
    for number in range(1_000, n_versions):
        register(number)
    found["list_many"] = each_ms(listed, 10)
    return found


SIDES: dict[str, Callable[[Path, int], dict[str, float]]] = {"ours": ours, "mlflow": mlflow, "floor": floor}


if __name__ == "__main__":
    main()
