"""How fast the service answers, against a bare FastAPI endpoint on the same machine in the same run.

A real server process on loopback with the 73,322 Allrecipes recipes, warm; every query is different, so no cache of
answers could help. Clients are asyncio streams that send prepared bytes, in a process of their own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from _common import REPOSITORY, finish, machine, need, parser, table

N_WARM_UP = 200
_HEAD = b"POST /recommend HTTP/1.1\r\nhost: b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What one run measured."""

    p50_ms: float
    p99_ms: float
    requests_per_second: float
    n_requests: int
    n_failed: int
    mean_bytes: int
    latencies_ms: tuple[float, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, latencies_ms: Sequence[float], seconds: float, *, n_failed: int, mean_bytes: int) -> Load:
        """From the latency of each request, and how long they took together."""
        p50, p99 = np.percentile(latencies_ms, [50, 99])
        n_requests = len(latencies_ms)
        return cls(float(p50), float(p99), n_requests / seconds, n_requests, n_failed, mean_bytes, tuple(latencies_ms))

    def figures(self) -> dict[str, float]:
        """Without the single latencies."""
        return {name: value for name, value in vars(self).items() if name != "latencies_ms"}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--work", type=Path, help="folder with the imported and indexed catalogue; kept between runs")
    options.add_argument("--requests", type=int, default=2_000, help="requests of each run")
    chosen = options.parse_args()
    recipes = need(chosen.data / "allrecipes_recipes.parquet")
    work = chosen.work or Path(tempfile.gettempdir()) / "recipes-serving-benchmark"
    prepare(work, recipes)
    queries = distinct_queries(2 * chosen.requests + N_WARM_UP)
    figures: dict[str, object] = {"machine": machine()}
    rows = []
    with server("app:app", work) as ours:
        figures["ready_seconds"] = round(ours.ready_seconds, 2)
        run(ours.port, queries[:N_WARM_UP], n_clients=2)
        results = {
            n_clients: run(ours.port, queries[start : start + chosen.requests], n_clients=n_clients)
            for n_clients, start in ((1, N_WARM_UP), (8, N_WARM_UP + chosen.requests))
        }
        figures["rss_mb"] = rss_mb(ours.process.pid)
    n_bytes = results[1].mean_bytes
    with server("_floor:app", work, app_dir=REPOSITORY / "benchmarks", FLOOR_BYTES=str(n_bytes)) as floor:
        run(floor.port, queries[:N_WARM_UP], n_clients=2)
        floors = {n: run(floor.port, queries[: chosen.requests], n_clients=n) for n in (1, 8)}
    for n_clients, load in results.items():
        base = floors[n_clients]
        for name, one in (("ours", load), ("floor", base)):
            rows.append(
                [
                    name,
                    n_clients,
                    f"{one.p50_ms:.2f}",
                    f"{one.p99_ms:.2f}",
                    f"{one.requests_per_second:,.0f}",
                    one.n_failed,
                ]
            )
        figures[f"clients_{n_clients}"] = {"ours": load.figures(), "floor": base.figures()}
    print(f"Serving: {machine()}; {n_bytes} bytes an answer; {chosen.requests} distinct queries a run\n")
    print(table(["service", "clients", "p50 ms", "p99 ms", "requests/s", "failed"], rows))
    print(
        f"\np50 above the floor at one client: {results[1].p50_ms - floors[1].p50_ms:.2f} ms; "
        f"memory (RSS): {figures['rss_mb']} MB; ready with an existing index: {figures['ready_seconds']} s"
    )
    finish(figures, chosen.json)


def prepare(work: Path, recipes: Path) -> None:
    """Import and index the catalogue, unless an earlier run did."""
    work.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DATA_DIR": str(work)}
    for command in (["import", "parquet", str(recipes)], ["index"]):
        subprocess.run([sys.executable, "-m", "recipes.cli", *command], env=environment, cwd=REPOSITORY, check=True)


def distinct_queries(n: int) -> list[bytes]:
    """Bodies of requests of the kinds that cooks send, all different, the same in every run."""
    from recipes.lexicon import cooking_lexicon

    concepts = cooking_lexicon().concepts.values()
    foods = sorted(c.es[0] for c in concepts if c.group in {"animal", "plants"} and c.es)
    dishes = sorted(c.es[0] for c in concepts if c.group == "dishes" and c.es)
    english = sorted(c.en[0] for c in concepts if c.group in {"animal", "plants"} and c.en)
    shapes = [
        lambda r: f"{r.choice(dishes)} de {r.choice(foods)}",
        lambda r: f"{r.choice(dishes)} con {r.choice(foods)} y {r.choice(foods)}",
        lambda r: f"{r.choice(dishes)} de {r.choice(foods)} sin {r.choice(['gluten', 'huevo', 'lácteos', 'cebolla'])}",
        lambda r: f"cena vegana con {r.choice(foods)} y {r.choice(foods)}",
        lambda r: f"{r.choice(english)} with {r.choice(english)} without {r.choice(['nuts', 'garlic', 'butter'])}",
    ]
    draw = random.Random(7)
    seen: dict[str, None] = {}
    for shape in itertools.cycle(shapes):
        seen.setdefault(shape(draw))
        if len(seen) == n:
            return [json.dumps({"query": query}).encode() for query in seen]
    raise AssertionError


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float


@contextmanager
def server(app: str, work: Path, *, app_dir: Path = REPOSITORY, **environment: str) -> Iterator[Server]:
    """A uvicorn process, ready to answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--app-dir", str(app_dir), "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=work, env={**os.environ, "DATA_DIR": str(work), **environment}, stdout=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                    break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{app} did not start") from None
                time.sleep(0.02)
        yield Server(process, port, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()


def run(port: int, bodies: Sequence[bytes], *, n_clients: int) -> Load:
    """Send *bodies* from *n_clients* connections, each waiting for its answer before the next request."""
    waiting = iter(bodies)
    latencies: list[float] = []
    sizes: list[int] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            sent = time.perf_counter()
            writer.write(_HEAD % len(body) + body)
            answer_head = await reader.readuntil(b"\r\n\r\n")
            length = int(answer_head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - sent)
            sizes.append(length)
            failed += b" 200 " not in answer_head.split(b"\r\n")[0]
        writer.close()

    async def all_clients() -> float:
        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(n_clients)))
        return time.perf_counter() - started

    seconds = asyncio.run(all_clients())
    milliseconds = [1_000 * latency for latency in latencies]
    return Load.of(milliseconds, seconds, n_failed=failed, mean_bytes=int(np.mean(sizes)))


def row_of(name: str, loads: list[Load]) -> list[object]:
    """A line of a table: medians of *loads*, and how many requests failed in all."""
    return [
        name,
        f"{median(one.p50_ms for one in loads):.2f}",
        f"{median(one.p99_ms for one in loads):.2f}",
        f"{median(one.requests_per_second for one in loads):,.0f}",
        sum(one.n_failed for one in loads),
    ]


def rss_mb(pid: int) -> int:
    """Resident memory of a process, from Linux."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) // 1_024


if __name__ == "__main__":
    main()
