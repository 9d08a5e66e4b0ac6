"""A real service of several processes is measured, logged and watched."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.test_service_process import recommend, wait_until

QUERIES = ["sopa de ajo", "algo con garbanzos", "postre con chocolate", "cena rápida", "ensalada sin nueces"]
SECRET = "lentejas-de-mi-abuela-7731"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, copy_starter: Callable[[Path], Path]) -> Path:
    return copy_starter(tmp_path_factory.mktemp("watched") / "data")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Any]:
    from tests.conftest import LiveServer

    made = LiveServer(folder, METRICS_FLUSH_SECONDS="0.1", WATCH_SECONDS="1", ALERT_THRESHOLD_LATENCY="0.01")
    made.start(workers=2)
    wait_until(lambda: httpx.get(f"{made.url}/health/ready", timeout=60).status_code == 200)
    yield made
    made.stop()


def ask(server: Any, n: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: recommend(server, QUERIES[number % len(QUERIES)]), range(n)))


def told(server: Any) -> dict[int, dict[str, Any]]:
    """What each worker tells of the last hour, by its process; each question is a new connection."""
    found: dict[int, dict[str, Any]] = {}
    while len(found) < 2:
        with httpx.Client(timeout=60) as client:
            pid = client.get(f"{server.url}/health").json()["pid"]
            found[pid] = client.get(f"{server.url}/metrics", params={"by": "version"}).json()["metrics"]
    return found


def test_either_worker_tells_the_same_complete_numbers_also_after_a_restart(server: Any) -> None:
    before = httpx.get(f"{server.url}/metrics").json()["metrics"].get("api_latency_ms", {"count": 0})["count"]
    ask(server, 40)
    time.sleep(0.5)
    first, second = told(server).values()
    by_version = [each["api_latency_ms"].pop("by")["version"] for each in (first, second)]
    assert by_version[0]["1.0.0"] == pytest.approx(by_version[1]["1.0.0"], rel=1e-9)
    # Each adds up its own points first, so the last digits may differ.
    assert first["api_latency_ms"] == pytest.approx(second["api_latency_ms"], rel=1e-9)
    assert first["api_latency_ms"]["count"] == before + 40
    assert first["error_rate"]["mean"] == 0
    assert by_version[0]["1.0.0"]["count"] == before + 40
    assert first["encode_ms"]["count"] == first["rank_ms"]["count"] == before + 40
    server.stop()
    server.start(workers=2)
    after = httpx.get(f"{server.url}/metrics").json()["metrics"]
    assert after["api_latency_ms"]["count"] == before + 40
    assert after["api_latency_ms"]["p95"] == pytest.approx(first["api_latency_ms"]["p95"], rel=0.02)


def test_each_request_is_one_line_that_holds_no_word_of_the_query(server: Any, folder: Path) -> None:
    with httpx.Client(timeout=60) as client:
        answer = client.post(
            f"{server.url}/recommend",
            json={"query": f"sopa {SECRET}", "usuario": "ana@example.com"},
            headers={"x-request-id": "from-the-test-1"},
        )
    assert answer.headers["x-request-id"] == "from-the-test-1"
    time.sleep(0.2)
    text = "".join(path.read_text("utf-8") for path in folder.glob("logs/*.log*"))
    assert SECRET not in text
    assert "ana@example.com" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    mine = [line for line in lines if line.get("request_id") == "from-the-test-1"]
    assert len(mine) == 1
    assert {"version", "language", "status", "latency_ms", "stage_ms", "route", "mode"} <= set(mine[0])
    assert mine[0]["answer_id"] == answer.json()["request_id"]
    assert (mine[0]["route"], mine[0]["status"], mine[0]["version"]) == ("/recommend", 200, "1.0.0")


def test_what_lasts_makes_one_alert_and_a_person_acknowledges_it(server: Any) -> None:
    ask(server, 30)

    def alerts() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{server.url}/alerts").json()["alerts"]
        return found

    # Each look finds it anew, and so do the rules of which it is the cause.
    wait_until(lambda: bool(alerts()) and alerts()[0]["count"] >= 3)
    (alert,) = alerts()
    assert (alert["rule"], alert["state"]) == ("latency", "firing")
    assert alert["evidence"]["p95"] > 0.01
    done = httpx.post(f"{server.url}/alerts/{alert['alert_id']}/ack", json={"reason": "it is a test"})
    assert done.status_code == 200, done.text
    assert alerts()[0]["state"] == "acknowledged"
    health = httpx.get(f"{server.url}/health").json()
    assert health["status"] == "degraded"
    assert health["alerts"]["open"] == 1
    assert any(" ms" in reason for reason in health["reasons"])


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A real Prometheus that scrapes *target* every second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: recipes\n  metrics_path: /metrics\n"
        f"  static_configs: [{{targets: ['{target.removeprefix('http://')}']}}]\n"
    )
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: prometheus)")
def test_a_real_prometheus_scrapes_the_service(server: Any, tmp_path: Path) -> None:
    ask(server, 10)

    def value(url: str, query: str) -> float:
        try:
            found = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()["data"]["result"]
        except httpx.HTTPError:
            return -1.0
        return float(found[0]["value"][1]) if found else -1.0

    def expected() -> float:
        # Asked each time: a worker may not yet have written the last points when the first question comes.
        return float(httpx.get(f"{server.url}/metrics").json()["metrics"]["api_latency_ms"]["count"])

    with prometheus(tmp_path, server.url) as url:
        wait_until(lambda: value(url, "up") == 1)
        wait_until(lambda: value(url, "sum(api_latency_ms_count)") == expected())
        assert value(url, 'sum(request_count_total{route="/recommend"})') >= expected()
        assert value(url, "histogram_quantile(0.95, sum by (le) (api_latency_ms_bucket))") > 0
