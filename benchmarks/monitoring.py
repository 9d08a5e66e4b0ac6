"""What it costs to record a metric, to read a window, and to be scraped.

`record()` is measured over 500,000 calls in a row, ours with its share of folding and of the durable write: the clock
stops when the last point is in the file. None of the peers is durable, and none but the deque has a window. The window
is an hour with 1,000,000 points. The scrape has 100 series, each a histogram; prometheus_client's multiprocess mode
reads the files of two processes, and so does ours. Each contender runs in a process of its own; the best of five is
shown. `--peers-python` names the interpreter of an environment that has the peers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from _common import REPOSITORY, finish, machine, parser, table

N_CALLS = 500_000
N_WINDOW = 1_000_000
N_SERIES = 100
LABELS = {"version": "1.0.1"}
EDGES = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0)
Figures = dict[str, Any]
Call = Callable[[], object]


def values(n: int) -> list[float]:
    """Latencies in milliseconds."""
    return [float(value) for value in np.random.default_rng(20_261_125).lognormal(3, 1, n)]


def best(run: Call, *, times: int = 5) -> float:
    """The least seconds that *run* took."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)


def per_call_us(one: Callable[[float], object], last: Call = lambda: None) -> float:
    """Microseconds of one call, with *last* after all of them."""
    some = values(N_CALLS)

    def all_of_them() -> None:
        for value in some:
            one(value)
        last()

    return best(all_of_them) / N_CALLS * 1e6


def ours() -> Figures:
    """mlops.monitoring."""
    from mlops.monitoring.collector import MetricsCollector

    with tempfile.TemporaryDirectory() as folder:
        collector = MetricsCollector(folder)
        record = collector.record
        figures: Figures = {
            "record_us": per_call_us(lambda value: record("latency_ms", value), collector.flush),
            "labelled_us": per_call_us(lambda value: record("latency_ms", value, LABELS), collector.flush),
        }
        lost = collector.status()
        figures["lost"] = lost.n_dropped + lost.n_waiting
        collector.stop()
    return figures | _our_window() | _our_scrape()


def _our_window() -> Figures:
    from mlops.monitoring.collector import MetricsCollector

    now = datetime.now(UTC).replace(second=59)
    with tempfile.TemporaryDirectory() as folder:
        collector = MetricsCollector(folder, clock=lambda: now, flush_seconds=60)
        end = now
        for minute, part in enumerate(np.array_split(values(N_WINDOW), 60)):
            now = end - timedelta(minutes=59 - minute)
            for value in part.tolist():
                collector.record("latency_ms", value)
            collector.flush()
        stats = collector.get_stats("latency_ms")
        window_ms = best(lambda: collector.get_stats("latency_ms"), times=50) * 1000
        size = collector.n_bytes() / 1e6
        collector.stop()
        raw = best(lambda: MetricsCollector(folder, clock=lambda: end).get_stats("latency_ms"), times=2)
        collector.keep_house()
        rolled = best(lambda: MetricsCollector(folder, clock=lambda: end).get_stats("latency_ms"), times=2)
    exact = np.quantile(values(N_WINDOW), [0.5, 0.95, 0.99])
    error = max(abs(stats[name] / value - 1) for name, value in zip(("p50", "p95", "p99"), exact, strict=True))
    return {
        "count": stats["count"], "window_ms": window_ms, "window_mb": size, "error": float(error),
        "restart_raw_ms": raw * 1000, "restart_rolled_ms": rolled * 1000,
    }  # fmt: skip


def _our_scrape() -> Figures:
    from mlops.monitoring.collector import MetricsCollector
    from mlops.monitoring.prometheus import exposition

    with tempfile.TemporaryDirectory() as folder:
        first, second = (MetricsCollector(folder) for _ in range(2))
        for place, value in enumerate(values(100 * N_SERIES)):
            (first, second)[place % 2].record("latency_ms", value, {"series": str(place // 2 % N_SERIES)})
        second.stop()
        text = exposition(first)

        def scrape() -> None:
            # What came since the last scrape is part of it.
            for number in range(N_SERIES):
                first.record("latency_ms", 5.0, {"series": str(number)})
            exposition(first)

        took = best(scrape, times=20)
        first.stop()
    return {"scrape_ms": took * 1000, "scrape_lines": text.count("\n")}


def prometheus() -> Figures:
    """prometheus_client, one process."""
    return _prometheus(in_files=False)


def prometheus_multiprocess() -> Figures:
    """prometheus_client with PROMETHEUS_MULTIPROC_DIR."""
    with tempfile.TemporaryDirectory() as folder:
        # It is read when the module is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        return _prometheus(in_files=True)


def _prometheus(*, in_files: bool) -> Figures:
    import prometheus_client
    from prometheus_client import CollectorRegistry, Histogram, generate_latest, multiprocess

    registry = CollectorRegistry()
    plain = Histogram("latency_ms", "Time.", buckets=EDGES, registry=registry)
    labelled = Histogram("labelled_ms", "Time.", ["version"], buckets=EDGES, registry=registry)
    figures = {
        "record_us": per_call_us(plain.observe),
        "labelled_us": per_call_us(lambda value: labelled.labels("1.0.1").observe(value)),
    }
    if in_files:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        _fill_another_process()
    own = prometheus_client.REGISTRY if in_files else registry
    many = Histogram("scraped_ms", "Time.", ["series"], buckets=EDGES, registry=own)
    for place, value in enumerate(values(100 * N_SERIES)):
        many.labels(str(place % N_SERIES)).observe(value)
    figures["scrape_ms"] = best(lambda: generate_latest(registry), times=20) * 1000
    return figures


def _fill_another_process() -> None:
    code = f"""
from prometheus_client import Histogram
many = Histogram("scraped_ms", "Time.", ["series"], buckets={EDGES})
for place in range(100 * {N_SERIES}):
    many.labels(str(place % {N_SERIES})).observe(5.0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def opentelemetry() -> Figures:
    """opentelemetry-sdk, a histogram with a reader in memory."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader], shutdown_on_exit=False).get_meter("benchmark")
    plain, labelled = (meter.create_histogram(name) for name in ("latency_ms", "labelled_ms"))
    figures = {
        "record_us": per_call_us(plain.record),
        "labelled_us": per_call_us(lambda value: labelled.record(value, LABELS)),
    }
    many = meter.create_histogram("scraped_ms")
    for place, value in enumerate(values(100 * N_SERIES)):
        many.record(value, {"series": str(place % N_SERIES)})
    figures["scrape_ms"] = best(reader.get_metrics_data, times=20) * 1000
    return figures


def ddsketch() -> Figures:
    """ddsketch: one sketch without a window, in memory."""
    from ddsketch import DDSketch

    sketch = DDSketch(0.01)
    figures = {"record_us": per_call_us(sketch.add)}
    figures["window_ms"] = best(lambda: [sketch.get_quantile_value(q) for q in (0.5, 0.95, 0.99)], times=20) * 1000
    return figures


def deque_and_numpy() -> Figures:
    """A deque of the last million values, and NumPy over it: what one writes first. Two processes have two windows."""
    kept: deque[float] = deque(maxlen=N_WINDOW)
    figures = {"record_us": per_call_us(kept.append)}
    kept.extend(values(N_WINDOW))

    def stats() -> None:
        array = np.fromiter(kept, dtype=np.float64, count=len(kept))
        (len(array), array.mean(), array.std(), array.min(), array.max(), *np.quantile(array, [0.5, 0.95, 0.99]))

    figures["window_ms"] = best(stats) * 1000
    # The floats and the places in the deque.
    figures["window_mb"] = N_WINDOW * (24 + 8) / 1e6
    return figures


CONTENDERS: dict[str, Callable[[], Figures]] = {
    "mlops.monitoring": ours,
    "prometheus_client": prometheus,
    "prometheus_client, multiprocess": prometheus_multiprocess,
    "opentelemetry-sdk": opentelemetry,
    "ddsketch": ddsketch,
    "deque + NumPy": deque_and_numpy,
}
OURS = "mlops.monitoring"


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--peers-python", default=sys.executable, help="interpreter that has the peers")
    options.add_argument("--one", help="used by the benchmark itself")
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(CONTENDERS[chosen.one]()))
        return
    figures: Figures = {"machine": machine(), "contenders": {}}
    for name in CONTENDERS:
        answer = child(sys.executable if name == OURS else chosen.peers_python, name)
        if answer is not None:
            figures["contenders"][name] = answer
    print_tables(figures)
    finish(figures, chosen.json)


def child(python: str, name: str) -> Figures | None:
    """What a process of its own measures; None where it cannot, which is said."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [python, __file__, "--one", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"skipped: {name}, {done.stderr.strip().splitlines()[-1]}")
        return None
    answer: Figures = json.loads(done.stdout.splitlines()[-1])
    return answer


COLUMNS = (
    ("record_us", "record µs", 2), ("labelled_us", "with a label µs", 2), ("window_ms", "hour of 1,000,000 ms", 3),
    ("window_mb", "its memory MB", 2), ("scrape_ms", "scrape of 100 series ms", 1),
)  # fmt: skip


def print_tables(figures: Figures) -> None:
    """Figures, each with its ratio to ours."""
    contenders = figures["contenders"]
    mine = contenders[OURS]
    rows = [[name, *(cell(one, mine, key, digits) for key, _, digits in COLUMNS)] for name, one in contenders.items()]
    print(f"{figures['machine']}; in brackets: times ours\n")
    print(table(["", *(heading for _, heading, _ in COLUMNS)], rows))
    print(
        f"\nours: {mine['lost']} points lost; quantiles off by {mine['error']:.2%} at most; first read after a restart "
        f"{mine['restart_raw_ms']:.0f} ms from points, {mine['restart_rolled_ms']:.1f} ms from a rollup"
    )


def cell(one: Figures, mine: Figures, key: str, digits: int) -> str:
    """A figure, and how many times ours it is."""
    if key not in one:
        return "–"
    shown = f"{one[key]:,.{digits}f}"
    return shown if one is mine else f"{shown} ({one[key] / mine[key]:,.2g}×)"


if __name__ == "__main__":
    main()
