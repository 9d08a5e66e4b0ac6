"""What a training does to the answers that the service gives meanwhile.

A real server process with the starter catalogue and 100,000 made-up impressions in its database (those of
``training.py``). One client asks distinct queries without a pause; then a job trains hybrid_ranker, in a child process
of the service with low priority, and the client asks on until it is over. Several rounds; the peer is the same server
in the same round without a training.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import training
from _common import finish, machine, parser, table
from serving import Load, distinct_queries, row_of, run, server

N_WARM_UP = 300
N_AT_ONCE = 100
OPEN = {"pending", "running", "evaluating"}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--impressions", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = measure(Path(folder), n_impressions=chosen.impressions, n_rounds=chosen.rounds)
    ratio = median(busy.p99_ms / quiet.p99_ms for quiet, busy, _ in rounds)
    rows = [row_of("no training", [quiet for quiet, _, _ in rounds])]
    rows.append(row_of("while it trains", [busy for _, busy, _ in rounds]))
    seconds = median(each[2] for each in rounds)
    print(f"While training: {machine()}; {chosen.impressions:,} impressions, {chosen.rounds} of {seconds:.0f} s\n")
    print(table(["service", "p50 ms", "p99 ms", "requests/s", "failed"], rows))
    print(f"\np99 while it trains: {ratio:.2f} times (aim: at most 1.20)")
    finish({"machine": machine(), "p99_ratio": ratio, "training_seconds": seconds}, chosen.json)


def measure(folder: Path, *, n_impressions: int, n_rounds: int) -> list[tuple[Load, Load, float]]:
    """(without, with a training, its seconds) of each round."""
    (folder / "var").mkdir()
    training.BEGIN = datetime.now(UTC) - timedelta(days=training.DAYS + 9)
    training.write(folder / "var", n_impressions)
    bodies = distinct_queries(20_000)
    # So that each of the trainings begins, whatever the one before it made.
    with server("app:app", folder, RETRAIN_COOLDOWN_HOURS="0", RETRAIN_SCHEDULE="") as one:
        run(one.port, bodies[:N_WARM_UP], n_clients=1)
        return [_round(one.port, bodies[N_WARM_UP:], seed) for seed in range(n_rounds)]


def _round(port: int, bodies: list[bytes], seed: int) -> tuple[Load, Load, float]:
    quiet = run(port, bodies[:1_000], n_clients=1)
    began = time.perf_counter()
    job = _asked(port, "/retrain", {"model_id": "hybrid_ranker", "seed": seed})["job_id"]
    loads: list[Load] = []
    while _asked(port, f"/retrain/jobs/{job}")["state"] in OPEN:
        start = (1_000 + N_AT_ONCE * len(loads)) % (len(bodies) - N_AT_ONCE)
        loads.append(run(port, bodies[start : start + N_AT_ONCE], n_clients=1))
    return quiet, merged(loads), time.perf_counter() - began


def merged(loads: list[Load]) -> Load:
    """One of all that was asked while it trained."""
    latencies = [latency for load in loads for latency in load.latencies_ms]
    seconds = sum(load.n_requests / load.requests_per_second for load in loads)
    return Load.of(latencies, seconds, n_failed=sum(load.n_failed for load in loads), mean_bytes=loads[0].mean_bytes)


def _asked(port: int, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


if __name__ == "__main__":
    main()
