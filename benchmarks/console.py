"""How fast the console's pages are where much has happened: 90 days, 1,000 versions, 10,000 jobs, 100,000 alerts.

``_installation.py`` says what is written, and how. A real service process then answers every page of the menu, one page
of each kind behind it, each window and state, and what is kept as HTML, JSON and CSV, in turn, one at a time: how long
it took by the clock, and how much of the processor's time the service took meanwhile (background work included), which
tells more where other programs are busy. The first answer after the start is told apart: it reads the metrics of all
90 days.

The peer is the answer that MLflow's page of a model waits for, 25 of 1,000 versions from its server's REST interface
(``model-versions/search``), on SQLite as ours: a whole page of ours, with 50 versions, moves and requests, is held
against that JSON alone, since MLflow's pages are drawn in the browser. It has no page for the rest.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _common import finish, machine, parser, table
from _installation import QUIET, Size, installation, n_bytes
from serving import rss_mb, server

from mlops.http.console.pages import PAGES

AIM_MS = 300.0
_WINDOWS = ("15m", "1h", "6h", "24h", "7d", "30d", "90d")
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--work", type=Path, help="folder of the installation, kept between runs")
    options.add_argument("--rounds", type=int, default=10, help="how often each page is asked for")
    options.add_argument("--scale", type=float, default=1.0, help="size of the installation; 1: as the aim has it")
    options.add_argument("--only-make", action="store_true", help="make the installation and end")
    chosen = options.parse_args()
    size = scaled(chosen.scale)
    work = chosen.work or Path(tempfile.gettempdir()) / f"console-benchmark-{chosen.scale:g}"
    began = time.perf_counter()
    installation(work, size)
    print(f"installation in {time.perf_counter() - began:.0f} s: {n_bytes(work) / 1e6:.0f} MB\n", file=sys.stderr)
    if chosen.only_make:
        return
    figures, cold, memory, ready = measure(work, size, chosen.rounds)
    peer = of_mlflow(size.versions, chosen.rounds)
    show(figures, cold, memory, ready, peer, size, chosen.rounds)
    finish(
        {
            "machine": machine(),
            "size": vars(size),
            "pages": figures,
            "first_ms": cold,
            "rss_mb": memory,
            "mlflow": peer,
        },
        chosen.json,
    )


def scaled(scale: float) -> Size:
    """The size of the aim times *scale*, days apart."""
    full = vars(Size())
    return Size(**{name: n if name == "days" else max(20, round(n * scale)) for name, n in full.items()})


def addresses(size: Size) -> list[str]:
    """What is asked for, under the console's address."""
    last = size.versions - 1
    samples = {
        "": ["", "?idioma=en"],
        "/modelos": [
            "/modelos", "/modelos?estado=archived", "/modelos?estado=training", f"/modelos?antes=1.{last // 2}.0",
        ],
        "/modelos/{model_id}/{version}": [
            f"/modelos/hybrid_ranker/1.{last}.0", "/modelos/hybrid_ranker/1.5.0",
            "/modelos/hybrid_ranker/1.5.0?con=1.1.0,1.2.0",
        ],
        "/trafico": [f"/trafico?ventana={window}" for window in _WINDOWS],
        "/calidad": [f"/calidad?ventana={window}" for window in ("7d", "30d", "90d")],
        "/reentrenamiento": [
            *(f"/reentrenamiento?estado={state}" for state in ("all", "failed", "awaiting_approval", "cancelled")),
            f"/reentrenamiento?antes={size.jobs // 2}",
        ],
        "/reentrenamiento/{job_id}": [f"/reentrenamiento/{size.jobs // 2}"],
        "/despliegues": ["/despliegues", f"/despliegues?antes={size.rollouts // 2}"],
        "/despliegues/{rollout_id}": [f"/despliegues/{size.rollouts // 2}", f"/despliegues/{n_ended(size) + 1}"],
        "/alertas": [
            *(f"/alertas?estado={state}" for state in ("all", "firing", "acknowledged", "resolved")),
            f"/alertas?antes={size.alerts // 2}", f"/alertas?estado=acknowledged&antes={size.alerts // 2}",
        ],
        "/alertas/{alert_id}": [f"/alertas/{size.alerts // 2}"],
    }  # fmt: skip
    pages = [address for page in PAGES for address in samples.get(page.route, [page.route])]
    of_menu = [page.route for page in PAGES if page.is_in_menu]
    kept = [f"{route}?formato={form}" for route in of_menu for form in ("html", "json", "csv")]
    return [*pages, *kept]


def n_ended(size: Size) -> int:
    """How many rollouts ended: as the installation has them."""
    every = max(1, size.versions // size.rollouts)
    return min(size.rollouts, (size.versions - 4) // every)


def measure(
    work: Path, size: Size, rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, float], list[int], float]:
    """Figures of each page, the first answers, memory before and after, seconds until ready."""
    asked = addresses(size)
    walls: dict[str, list[float]] = {address: [] for address in asked}
    busy: dict[str, float] = dict.fromkeys(asked, 0.0)
    sizes: dict[str, int] = {}
    with server("app:app", work, **QUIET) as one:
        base = f"http://127.0.0.1:{one.port}/consola"
        cold = {address or "/": got(base + address)[0] for address in ("", "/trafico?ventana=90d", "/modelos")}
        for address in asked:
            got(base + address)
        before = rss_mb(one.process.pid)
        for _ in range(rounds):
            for address in asked:
                started = cpu_seconds(one.process.pid)
                wall, sizes[address] = got(base + address)
                walls[address].append(wall)
                busy[address] += cpu_seconds(one.process.pid) - started
        memory = [before, rss_mb(one.process.pid)]
        ready = one.ready_seconds
    figures = {
        address or "/": {
            "median_ms": median(walls[address]), "p95_ms": float(np.quantile(walls[address], 0.95)),
            "cpu_ms": 1_000 * busy[address] / rounds, "bytes": sizes[address],
        }
        for address in asked
    }  # fmt: skip
    return figures, cold, memory, ready


def got(address: str) -> tuple[float, int]:
    """Milliseconds until the whole answer is there, and its size."""
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(address, timeout=120) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{address} was answered with {error.code}; the log of the service tells why") from None
    return 1_000 * (time.perf_counter() - started), len(content)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all threads, in steps of its clock (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def of_mlflow(n_versions: int, rounds: int) -> dict[str, float] | None:
    """A page of versions from MLflow's server; None where it is not installed."""
    if not importlib.util.find_spec("mlflow"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        subprocess.run([sys.executable, "-c", _FILL, uri, str(n_versions)], check=True, stdout=subprocess.DEVNULL)
        with mlflow_server(uri, folder) as (address, pid):
            query = urllib.parse.urlencode(
                {"filter": "name='hybrid_ranker'", "max_results": 25, "order_by": "version_number DESC"}
            )
            address = f"{address}/api/2.0/mlflow/model-versions/search?{query}"
            first, n = got(address)
            before = cpu_seconds(pid)
            walls = [got(address)[0] for _ in range(rounds)]
            busy = 1_000 * (cpu_seconds(pid) - before) / rounds
    return {
        "first_ms": first, "median_ms": median(walls), "p95_ms": float(np.quantile(walls, 0.95)), "cpu_ms": busy,
        "bytes": n,
    }  # fmt: skip


_FILL = """
import sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1], sys.argv[1])
client.create_registered_model("hybrid_ranker")
for number in range(int(sys.argv[2])):
    client.create_model_version("hybrid_ranker", f"file:///models/{number}", tags={"ndcg_3": "0.41", "seed": "7"})
"""


@contextmanager
def mlflow_server(uri: str, folder: str) -> Iterator[tuple[str, int]]:
    """Its server with one worker, ready to answer; address, and the id of the worker's process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--port", str(port)]
    environment = {**os.environ, "_MLFLOW_SERVER_FILE_STORE": uri, "_MLFLOW_SERVER_REGISTRY_STORE": uri,
                   "_MLFLOW_SERVER_ARTIFACT_ROOT": folder}  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: urllib.request.urlopen(f"{address}/health", timeout=5).read(), process)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def until(ask: Callable[[], Any], process: subprocess.Popen[bytes], *, seconds: float = 180) -> None:
    """Wait for an answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            ask()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("MLflow's server did not start") from None
            time.sleep(0.2)
        else:
            return


def show(
    figures: dict[str, dict[str, float]],
    cold: dict[str, float],
    memory: list[int],
    ready: float,
    peer: dict[str, float] | None,
    size: Size,
    rounds: int,
) -> None:
    """Print all of it."""
    print(
        f"Console: {machine()}; {size.days} days, {size.versions:,} versions, {size.jobs:,} jobs, "
        f"{size.alerts:,} alerts, {size.rollouts:,} rollouts; {rounds} rounds, load {os.getloadavg()[0]:.0f}\n"
    )
    shown = figures if peer is None else {**figures, "MLflow: 25 versions as JSON": peer}
    columns = ("median_ms", "p95_ms", "cpu_ms")
    rows = [
        [name, *(f"{one[column]:.0f}" for column in columns), f"{one['bytes'] / 1e3:.0f}"]
        for name, one in shown.items()
    ]
    print(table(["page", "median ms", "p95 ms", "CPU ms of the service", "kB"], rows))
    first = ", ".join(f"{name} {ms:.0f} ms" for name, ms in cold.items())
    print(f"\nfirst answers after the start: {first}; ready after {ready:.1f} s; memory {memory[0]} to {memory[1]} MB")
    slowest = max(figures, key=lambda name: figures[name]["median_ms"])
    n_over = sum(one["median_ms"] > AIM_MS for one in figures.values())
    print(
        f"slowest: {slowest}, {figures[slowest]['median_ms']:.0f} ms (aim: {AIM_MS:.0f}); "
        f"{n_over} of {len(figures)} over the aim; most CPU: {max(one['cpu_ms'] for one in figures.values()):.0f} ms"
    )


if __name__ == "__main__":
    main()
