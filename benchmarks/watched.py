"""What it costs to watch the service: the same server with metrics, watch and logs on, and with all of them off.

Two real server processes on loopback with the starter catalogue, whose answers are the quickest: the cost shows most.
They take turns, round by round, with the same distinct queries from 8 connections; the figures are medians of the
rounds, and of the differences within each round. "Off" is MONITORING_ENABLED=false with LOG_LEVEL=CRITICAL: ids of
requests are given all the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from _common import finish, machine, parser, table
from serving import Load, distinct_queries, row_of, run, server

N_WARM_UP = 300
N_CLIENTS = 8
OFF = {"MONITORING_ENABLED": "false", "LOG_LEVEL": "CRITICAL"}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--requests", type=int, default=1_000, help="requests of each server in each round")
    options.add_argument("--rounds", type=int, default=9)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = measure(Path(folder), n_rounds=chosen.rounds, n_requests=chosen.requests)
    figures = figures_of(rounds)
    print(f"Watching: {machine()}; {chosen.rounds} rounds of {chosen.requests} requests, {N_CLIENTS} connections\n")
    rows = [row_of("off", [off for off, _ in rounds]), row_of("on", [on for _, on in rounds])]
    print(table(["service", "p50 ms", "p99 ms", "requests/s", "failed"], rows))
    print(
        f"\nWith everything on: {figures['fewer_requests_percent']:.1f} % fewer requests/s (aim: at most 5), "
        f"{figures['p99_added_ms']:+.2f} ms p99 (aim: at most +1)"
    )
    finish({"machine": machine(), **figures}, chosen.json)


def measure(folder: Path, *, n_rounds: int, n_requests: int) -> list[tuple[Load, Load]]:
    """(off, on) of each round; which of them begins alternates."""
    bodies = distinct_queries(N_WARM_UP + n_requests)
    warm_up, asked = bodies[:N_WARM_UP], bodies[N_WARM_UP:]
    for name in ("off", "on"):
        (folder / name).mkdir()
    rounds = []
    with server("app:app", folder / "off", **OFF) as off, server("app:app", folder / "on") as on:
        for one in (off, on):
            run(one.port, warm_up, n_clients=N_CLIENTS)
        for number in range(n_rounds):
            ports = [off.port, on.port] if number % 2 == 0 else [on.port, off.port]
            loads = {port: run(port, asked, n_clients=N_CLIENTS) for port in ports}
            rounds.append((loads[off.port], loads[on.port]))
    return rounds


def figures_of(rounds: list[tuple[Load, Load]]) -> dict[str, float]:
    """The cost, as medians over the rounds."""
    return {
        "fewer_requests_percent": 100
        * median(1 - on.requests_per_second / off.requests_per_second for off, on in rounds),
        "p50_added_ms": median(on.p50_ms - off.p50_ms for off, on in rounds),
        "p99_added_ms": median(on.p99_ms - off.p99_ms for off, on in rounds),
    }


if __name__ == "__main__":
    main()
