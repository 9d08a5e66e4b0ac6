"""Does the service stay as it is? Cooks ask and react, three pages of the console are open, an operator acts.

A real service process over an installation of ``_installation.py`` (a twentieth of the full size unless told
otherwise). Cooks ask a distinct query every half second and click on what they get. Three pages, the overview, the
traffic and the alerts, listen to the stream of changes and fetch themselves anew at each, as the script of a page does,
every two seconds at most. Every ten seconds an operator freezes the model, acknowledges or resolves an alert, lifts the
freeze, and keeps a page as CSV. Memory, open files and threads of the service are noted every five seconds. Of memory
the resident set, and what of it is no file's: the machine drops files, such as the index, where it needs room.

Told is the slope of the memory after a warm-up (a third of the time, unless ``--warm-up`` says how many minutes), with
its 95 % interval: a line through the means of twelve equal stretches, Student's t with ten degrees of freedom, as
samples next to each other are not independent. By design, windows of metrics fill for two hours.
With ``--hurry 30`` the background work (learning tastes, drift, quality of days, rolling up of metrics) comes thirty
times as often and cooks ask ten times as often, so that an hour shows what more than a day of such work leaves behind.

At the end the pages are closed, and it is told whether what they held was given back. Overnight:
``python benchmarks/soak.py --minutes 600 --warm-up 120 --json soak.json``.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import finish, machine, parser, table
from _installation import QUIET, installation
from console import cpu_seconds, scaled
from scipy import stats
from serving import Server, distinct_queries, server

_PAGES = ("/consola", "/consola/trafico?ventana=1h", "/consola/alertas")
_MODEL = "hybrid_ranker"
_SAMPLE_SECONDS, _ACT_SECONDS, _ASK_SECONDS, _FRESH_SECONDS = 5.0, 10.0, 0.5, 2.0
_ASK_AT_MOST_SECONDS = 0.05
_STRETCHES = 12


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--warm-up", type=float, help="minutes that are left out of the slope; default: a third")
    options.add_argument("--scale", type=float, default=0.05, help="size of the installation; 1: that of console.py")
    options.add_argument("--work", type=Path, help="folder of the installation; alerts in it are resolved")
    options.add_argument("--hurry", type=float, default=1, help="how many times as often background work is done")
    chosen = options.parse_args()
    warm_up = chosen.minutes / 3 if chosen.warm_up is None else chosen.warm_up
    if not 0 <= warm_up < chosen.minutes:
        options.error(f"--warm-up must be from 0 to below --minutes, got {warm_up:g} of {chosen.minutes:g}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        work = chosen.work or Path(folder) / "installation"
        installation(work, scaled(chosen.scale))
        with hurried(work, chosen.hurry) as one:
            samples, counts, cpu, after = soak(one.port, one.process.pid, chosen.minutes * 60, hurry=chosen.hurry)
    kept = [one for one in samples if one.seconds >= warm_up * 60]
    slopes = {name: slope_per_hour(kept, name) for name in ("rss_mb", "anonymous_mb")}
    began, ended = kept[0], kept[-1]
    pace = "" if chosen.hurry == 1 else f", background work {chosen.hurry:g} times as often"
    print(f"Soak: {machine()}; {chosen.minutes:g} minutes{pace}, load {os.getloadavg()[0]:.0f} at the end\n")
    rows = [
        [name, f"{getattr(began, name):,.1f}", f"{getattr(ended, name):,.1f}", f"{getattr(after, name):,.1f}"]
        for name in ("rss_mb", "anonymous_mb", "n_files", "n_threads", "n_listeners")
    ]
    print(table(["", "after the warm-up", "at the end", "pages closed"], rows))
    print()
    for name, (slope, low, high) in slopes.items():
        print(f"{name}: {slope:+.1f} MB an hour (95 % interval {low:+.1f} to {high:+.1f})")
    print(f"CPU: {100 * cpu:.0f} % of a core")
    print(", ".join(f"{name}: {n:,}" for name, n in sorted(counts.items())))
    finish(
        {"machine": machine(), "minutes": chosen.minutes, "warm_up": warm_up, "hurry": chosen.hurry,
         "mb_per_hour": slopes, "cpu_share": cpu, "counts": counts,
         "samples": [vars(each) for each in [*samples, after]]},
        chosen.json,
    )  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """How the service's process is.

    Attributes:
        rss_mb: the resident set.
        anonymous_mb: what of it is no file's.
    """

    seconds: float
    rss_mb: float
    anonymous_mb: float
    n_files: int
    n_threads: int
    n_listeners: int


class Users:
    """Cooks, open pages and an operator, each in a thread of its own, until they are told to stop."""

    def __init__(self, port: int, *, ask_seconds: float) -> None:
        self.port = port
        self._ask_seconds = ask_seconds
        self.counts: Counter[str] = Counter()
        self.n_listeners = 0
        self._stop = threading.Event()
        self._guard = threading.Lock()
        roles: list[tuple[Callable[..., None], tuple[Any, ...]]] = [(self._cook, ()), (self._operator, ())]
        roles += [(self._page, (path,)) for path in _PAGES]
        self._threads = [threading.Thread(target=self._lives, args=role, daemon=True) for role in roles]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all of them."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _lives(self, role: Callable[..., None], args: tuple[Any, ...]) -> None:
        while not self._stop.is_set():
            try:
                role(*args)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self._count(f"error {type(error).__name__}")
                self._stop.wait(1)

    def _count(self, name: str) -> None:
        with self._guard:
            self.counts[name] += 1

    def _send(self, method: str, path: str, body: Any = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, content, {"content-type": "application/json"})
            answer = connection.getresponse()
            found = answer.read()
        finally:
            connection.close()
        self._count(
            f"{method} {path.split('?')[0] if path.startswith('/consola') else path.split('/')[1]} {answer.status}"
        )
        return found

    def _cook(self) -> None:
        for number, query in enumerate(itertools.cycle(distinct_queries(5_000))):
            found = json.loads(self._send("POST", "/recommend", query))
            shown = found["recetas"]
            if shown and number % 3 == 0:
                self._react(found, shown[0])
            if self._stop.wait(self._ask_seconds):
                return

    def _react(self, found: dict[str, Any], recipe: dict[str, Any]) -> None:
        body = {
            "request_id": found["request_id"], "recipe_id": recipe["id"], "evento": "click",
            "event_id": f"soak-{time.time_ns()}",
        }  # fmt: skip
        self._send("POST", "/feedback", body)

    def _operator(self) -> None:
        for number in itertools.count():
            if self._stop.wait(_ACT_SECONDS):
                return
            self._send("POST", "/freeze", {"model_id": _MODEL, "reason": "soak"})
            found = json.loads(self._send("GET", "/alerts?state=firing&limit=1"))["alerts"]
            if found:
                what = "ack" if number % 2 else "resolve"
                self._send("POST", f"/alerts/{found[0]['alert_id']}/{what}", {"reason": "soak"})
            self._send("POST", "/unfreeze", {"model_id": _MODEL, "reason": "soak"})
            self._send("GET", "/consola/reentrenamiento?formato=csv")

    def _page(self, path: str) -> None:
        """A page that is open: told of a change, it fetches itself anew; cut off, it connects anew."""
        self._send("GET", path)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/consola/vivo", headers={"accept": "text/event-stream"})
        stream = connection.getresponse()
        with self._guard:
            self.n_listeners += 1
        fetched = time.monotonic()
        try:
            while not self._stop.is_set():
                line = stream.readline()
                if not line:
                    return
                if line.startswith(b"event: change") and time.monotonic() - fetched >= _FRESH_SECONDS:
                    fetched = time.monotonic()
                    self._send("GET", path)
        finally:
            with self._guard:
                self.n_listeners -= 1
            connection.close()


def hurried(work: Path, hurry: float) -> AbstractContextManager[Server]:
    """The service over *work*, as it is or with its background work *hurry* times as often."""
    if hurry == 1:
        return server("app:app", work, **QUIET)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return server("hurried:app", work, **QUIET, SOAK_HURRY=str(hurry), PYTHONPATH=path)


def soak(
    port: int, pid: int, seconds: float, *, hurry: float = 1
) -> tuple[list[Sample], dict[str, int], float, Sample]:
    """Samples, what was done how often, the processor's share, and a sample after the pages were closed."""
    users = Users(port, ask_seconds=max(_ASK_SECONDS / hurry, _ASK_AT_MOST_SECONDS))
    began, cpu = time.monotonic(), cpu_seconds(pid)
    samples: list[Sample] = []
    while (passed := time.monotonic() - began) < seconds:
        samples.append(sample(pid, passed, users.n_listeners))
        if len(samples) % 12 == 1:
            print(f"{passed:6.0f} s: {samples[-1].rss_mb:.1f} MB", file=sys.stderr, flush=True)
        time.sleep(_SAMPLE_SECONDS)
    share = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    users.stop()
    # Streams notice that nobody is there when they write next: a ping every 15 s.
    time.sleep(20)
    return samples, dict(users.counts), share, sample(pid, time.monotonic() - began, users.n_listeners)


def sample(pid: int, seconds: float, n_listeners: int) -> Sample:
    """The process as it is now, from Linux."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    rss, anonymous = (int(lines[name].split()[0]) / 1_024 for name in ("VmRSS", "RssAnon"))
    return Sample(
        seconds, rss, anonymous, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(lines["Threads"]), n_listeners
    )


def slope_per_hour(samples: Sequence[Sample], name: str) -> tuple[float, float, float]:
    """Of the field *name*, an hour, with the ends of its 95 % interval."""
    stretches = [part for part in np.array_split(np.arange(len(samples)), _STRETCHES) if len(part)]
    hours = [float(np.mean([samples[n].seconds for n in part])) / 3_600 for part in stretches]
    memory = [float(np.mean([getattr(samples[n], name) for n in part])) for part in stretches]
    line = stats.linregress(hours, memory)
    half = float(stats.t.ppf(0.975, len(stretches) - 2)) * line.stderr
    return line.slope, line.slope - half, line.slope + half


if __name__ == "__main__":
    main()
