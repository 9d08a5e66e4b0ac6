"""What it costs to watch the service: the same server with metrics, watch and logs on, and with all of them off.

Real server processes on loopback with the starter catalogue, whose answers are the quickest: the cost shows most. They
take turns with the same distinct queries. Two processes of the same program differ by more than the cost that is looked
for, so each group has three fresh ones: off, off once more, and on. The figures are medians over the groups, of the
differences within each; what "off once more" differs by is the noise. "Off" is MONITORING_ENABLED=false with
LOG_LEVEL=CRITICAL: ids of requests are given all the same.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from _common import finish, machine, parser, table
from serving import Load, distinct_queries, row_of, run, server

N_WARM_UP = 200
OFF = {"MONITORING_ENABLED": "false", "LOG_LEVEL": "CRITICAL"}
SERVERS = {"off": OFF, "off once more": OFF, "on": {}}
Group = dict[str, list[Load]]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--groups", type=int, default=5, help="of three fresh processes each")
    options.add_argument("--rounds", type=int, default=4, help="of each group")
    options.add_argument("--requests", type=int, default=400, help="of each server in each round")
    options.add_argument("--connections", type=int, default=1)
    chosen = options.parse_args()
    groups = [measure(chosen.rounds, chosen.requests, chosen.connections) for _ in range(chosen.groups)]
    print(
        f"Watching: {machine()}; {chosen.groups} groups, {chosen.rounds} rounds of {chosen.requests} requests, "
        f"{chosen.connections} connection(s)\n"
    )
    rows = [row_of(name, [load for group in groups for load in group[name]]) for name in SERVERS]
    print(table(["service", "p50 ms", "p99 ms", "requests/s", "failed"], rows))
    figures = {name: cost_of(name, groups) for name in ("on", "off once more")}
    for name, one in figures.items():
        print(
            f"\n{name}: {one['fewer_requests_percent']:+.1f} % fewer requests/s, {one['p50_added_ms']:+.2f} ms p50, "
            f"{one['p99_added_ms']:+.2f} ms p99"
        )
    print("\nAim for on: at most 5 % fewer requests/s, and 1 ms more p99.")
    finish({"machine": machine(), **figures}, chosen.json)


def measure(n_rounds: int, n_requests: int, n_clients: int) -> Group:
    """The rounds of three fresh processes; in each round another one begins."""
    bodies = distinct_queries(N_WARM_UP + n_requests)
    loads: Group = {name: [] for name in SERVERS}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ports = {}
        for name, environment in SERVERS.items():
            work = Path(folder) / name.replace(" ", "-")
            work.mkdir()
            ports[name] = stack.enter_context(server("app:app", work, **environment)).port
            run(ports[name], bodies[:N_WARM_UP], n_clients=n_clients)
        for number in range(n_rounds):
            order = [*SERVERS][number % 3 :] + [*SERVERS][: number % 3]
            for name in order:
                loads[name].append(run(ports[name], bodies[N_WARM_UP:], n_clients=n_clients))
    return loads


def cost_of(name: str, groups: list[Group]) -> dict[str, float]:
    """How *name* differs from off: medians over the groups, of medians over their rounds."""

    def over(what: str, group: Group) -> float:
        return median(getattr(load, what) for load in group[name]) - median(
            getattr(load, what) for load in group["off"]
        )

    def share(group: Group) -> float:
        return -over("requests_per_second", group) / median(load.requests_per_second for load in group["off"])

    return {
        "fewer_requests_percent": 100 * median(share(group) for group in groups),
        "p50_added_ms": median(over("p50_ms", group) for group in groups),
        "p99_added_ms": median(over("p99_ms", group) for group in groups),
    }


if __name__ == "__main__":
    main()
