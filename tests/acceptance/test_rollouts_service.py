"""A real service of two workers in which versions come and go: canary, kill, rollback by itself and by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa

from mlops.config import Settings
from mlops.model_registry import ModelMetadata, ModelRegistry, open_registry
from mlops.rollout import RolloutController, RolloutPlan
from recipes.ranker import HybridRanker
from recipes.schema import answers, impressions
from tests.conftest import REPOSITORY
from tests.faulty_app import FAULTY

MakeServer = Callable[..., Any]
MODEL = "hybrid_ranker"
COOKS = [f"cook-{number}" for number in range(25)]


@contextmanager
def registry_in(data_dir: Path) -> Iterator[ModelRegistry]:
    registry = open_registry(Settings(_env_file=None, data_dir=data_dir), actor="ana")  # type: ignore[call-arg]
    yield registry
    registry.close()
    registry.database.close()


def register(registry: ModelRegistry, version: str, weight: float = 0.5) -> None:
    ranker = HybridRanker(version, semantic_weight=weight, popularity_weight=round(1 - weight, 6))
    registry.register(ModelMetadata(MODEL, version), artefact=ranker.files())


def mlops(server: Any, *words: str) -> str:
    """What a command prints, in a process of its own as at another terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "mlops.cli", *words],
        cwd=server.data_dir,
        env={**os.environ, "DATA_DIR": str(server.data_dir), "PORT": str(server.port), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(server: Any, cook: str) -> str:
    """The version that answers a cook; each time over a new connection, which any worker may take."""
    response = httpx.post(f"{server.url}/recommend", json={"query": "sopa de ajo", "usuario": cook}, timeout=60)
    assert response.status_code == 200, response.text
    return str(response.json()["modelo"]["version"])


def ask_all(server: Any) -> dict[str, str]:
    return {cook: ask(server, cook) for cook in COOKS}


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


class Workers:
    """What both workers say of the rollout; each answer is of one of them."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.said: dict[int, Any] = {}

    def look(self) -> None:
        for _ in range(4):
            body = httpx.get(f"{self._server.url}/health", timeout=60).json()
            self.said[body["pid"]] = body["rollout"]
        # A busy machine may have had one replaced.
        self.said = {pid: said for pid, said in self.said.items() if psutil.pid_exists(pid)}

    def all_have(self, share: float) -> bool:
        self.look()
        rollouts = list(self.said.values())
        return len(rollouts) == 2 and all(one and one["share"] == share and one["loaded"] for one in rollouts)


def test_a_canary_keeps_each_cook_to_one_version_in_all_workers_through_a_kill(
    make_server: MakeServer, starter_copy: Path
) -> None:
    with registry_in(starter_copy) as registry:
        server = make_server(starter_copy).start(workers=2)
        wait_until(lambda: httpx.get(f"{server.url}/health/ready", timeout=60).status_code == 200)
        for number, version in enumerate(("1.1.0", "1.2.0", "1.3.0")):
            register(registry, version, 0.5 + number / 10)
        said = mlops(
            server, "rollout", "start", MODEL, "1.1.0", "--shadow", "0", "--canary", "30%,60%", "--hold", "4s",
            "--least-requests", "10", "--reason", "try it",
        )  # fmt: skip
        assert "1.1.0" in said
        workers = Workers(server)
        wait_until(lambda: workers.all_have(0.3))
        first = ask_all(server)
        assert set(first.values()) == {"1.0.0", "1.1.0"}

        # The next share is taken by itself. Every worker has it within two seconds, and nobody leaves the challenger.
        controller = RolloutController(registry)
        taker = next(cook for cook in COOKS if first[cook] == "1.1.0")
        wait_until(lambda: bool(ask(server, taker)) and controller.get(1).share == 0.6)
        controller.pause(MODEL, because="until the kill is over", actor="ana")
        wait_until(lambda: workers.all_have(0.6))
        at = next(event.at for event in controller.events(1) if event.kind == "stage")
        assert (datetime.now(UTC) - at).total_seconds() < 2 + seconds_of(workers.look)
        second = ask_all(server)
        assert {cook for cook in COOKS if first[cook] == "1.1.0"} < {c for c in COOKS if second[c] == "1.1.0"}

        victim = next(iter(workers.said))
        os.kill(victim, signal.SIGKILL)
        workers.said.clear()
        wait_until(lambda: is_replaced(workers, victim))
        assert ask_all(server) == second

        wait_until(lambda: httpx.get(f"{server.url}/health", timeout=60).json()["answers"]["waiting"] == 0)
        time.sleep(1.2)  # both workers write every half second
        assert written(registry) == {
            ("champion", "1.0.0", 0.7), ("challenger", "1.1.0", 0.3),
            ("champion", "1.0.0", 0.4), ("challenger", "1.1.0", 0.6),
        }  # fmt: skip
        totals = controller.look(controller.get(1))
        assert totals.n_challenger >= 20
        controller.abort(MODEL, because="seen enough", actor="ana")
        wait_until(lambda: set(ask_all(server).values()) == {"1.0.0"})

        # By hand, in a hurry: what the service answers with is asked for.
        for version in ("1.1.0", "1.2.0", "1.3.0"):
            registry.promote(MODEL, version, because="ready")
        usual, took = seconds_of(mlops, server, "models", "list"), []
        for restored in ("1.2.0", "1.1.0", "1.0.0"):
            since = time.monotonic()
            said = mlops(server, "rollback", MODEL, "--reason", "strange answers")
            took.append(time.monotonic() - since)
            assert f"the service answers with {MODEL} {restored}" in said
        # Two seconds, on a machine that starts a command which only reads in less than one.
        assert min(took) < 2 * max(1.0, usual), (took, usual)


def seconds_of(step: Callable[..., object], *arguments: Any) -> float:
    since = time.monotonic()
    step(*arguments)
    return time.monotonic() - since


def is_replaced(workers: Workers, victim: int) -> bool:
    try:
        return workers.all_have(0.6) and victim not in workers.said
    except httpx.HTTPError:
        # A connection that the killed worker had taken.
        return False


def written(registry: ModelRegistry) -> set[tuple[str, str, float]]:
    """Arm, version and propensity of all answers of the rollout."""
    query = sa.select(answers.c.arm, answers.c.model_version, answers.c.arm_propensity).where(
        answers.c.arm.is_not(None)
    )
    with registry.database.reading() as connection:
        return {(row.arm, row.model_version, round(row.arm_propensity, 9)) for row in connection.execute(query)}


QUESTIONS = ("sopa de ajo", "tarta de manzana", "algo con garbanzos", "pollo al horno", "arroz con verduras")


class Regulars:
    """Cooks who take what the champion would have shown them, and nothing else."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.versions: set[str] = set()
        self._n = 0
        self._usual = {question: self._ask(question)[1] for question in QUESTIONS}

    def come(self) -> None:
        """One asks, and clicks; a connection that a killed worker had taken is no answer."""
        question = QUESTIONS[self._n % len(QUESTIONS)]
        try:
            request_id, shown = self._ask(question)
            for recipe_id in [one for one in shown if one in self._usual[question]]:
                body = {"request_id": request_id, "recipe_id": recipe_id, "evento": "click"}
                httpx.post(f"{self._server.url}/feedback", json=body, timeout=60)
        except httpx.TransportError:
            return

    def _ask(self, question: str) -> tuple[str, list[str]]:
        self._n += 1
        body = {"query": question, "usuario": f"cook-{self._n}"}
        answer = httpx.post(f"{self._server.url}/recommend", json=body, timeout=60).json()
        self.versions.add(answer["modelo"]["version"])
        return answer["request_id"], [one["id"] for one in answer["recetas"]]


def test_a_version_whose_recipes_nobody_takes_loses_shared_lists_and_never_gets_a_cook(
    make_server: MakeServer, starter_copy: Path
) -> None:
    with registry_in(starter_copy) as registry:
        server = make_server(starter_copy, ROLLOUT_CLICK_SECONDS="1", EXPLORATION_SHARE="0").start(workers=2)
        wait_until(lambda: httpx.get(f"{server.url}/health/ready", timeout=60).status_code == 200)
        cooks = Regulars(server)
        by_body = HybridRanker("1.1.0", semantic_weights={"body_words": 1.0})
        registry.register(ModelMetadata(MODEL, "1.1.0"), artefact=by_body.files())
        said = mlops(
            server, "rollout", "start", MODEL, "1.1.0", "--shadow", "0", "--interleave", "1h:60%", "--canary", "30%",
            "--guard", "error_rate", "--reason", "try it",
        )  # fmt: skip
        assert "is in interleave: 0.6 of the requests get a list of both; 1.0.0 is in production" in said
        workers = Workers(server)
        wait_until(lambda: workers.all_have(0.6))
        controller = RolloutController(registry)
        for _ in range(10):
            cooks.come()
        os.kill(next(iter(workers.said)), signal.SIGKILL)
        deadline = time.monotonic() + 90
        while controller.get(1).is_open:
            assert time.monotonic() < deadline, mlops(server, "rollout", "status", MODEL)
            cooks.come()
        found = controller.get(1)
        assert (found.status, cooks.versions) == ("rolled_back", {"1.0.0"})
        assert "preference: interleaved lists won" in found.because
        assert "won by the champion" in mlops_page(server)
        with registry.database.reading() as connection:
            kept = connection.execute(sa.select(answers.c.arm, answers.c.arm_propensity).distinct()).all()
            teams = connection.execute(
                sa.select(answers.c.arm, impressions.c.team)
                .join(impressions)
                .distinct()
                .where(answers.c.arm.is_not(None))
            ).all()
        assert {(row.arm, None if row.arm is None else round(row.arm_propensity, 9)) for row in kept} == {
            (None, None), ("champion", 0.4), ("interleaved", 0.6),
        }  # fmt: skip
        assert {tuple(row) for row in teams} == {
            ("champion", None), ("interleaved", "both"), ("interleaved", "champion"), ("interleaved", "challenger"),
        }  # fmt: skip


def mlops_page(server: Any) -> str:
    page = server.data_dir / "rollout.html"
    mlops(server, "rollout", "show", "1", "--report", str(page))
    return str(page.read_text("utf-8"))


def test_a_challenger_that_raises_is_taken_back_by_itself_and_no_cook_sees_it(
    make_server: MakeServer, starter_copy: Path
) -> None:
    with registry_in(starter_copy) as registry:
        server = make_server(starter_copy, PYTHONPATH=str(REPOSITORY)).start(workers=2, app="tests.faulty_app:app")
        wait_until(lambda: httpx.get(f"{server.url}/health/ready", timeout=60).status_code == 200)
        register(registry, FAULTY)
        plan = {"shadow_seconds": 0, "shares": [0.5], "hold_seconds": 60}
        seen: Counter[str] = Counter()
        stop = threading.Event()

        def keep_asking() -> None:
            while not stop.is_set():
                seen[ask(server, COOKS[seen.total() % len(COOKS)])] += 1

        clients = [threading.Thread(target=keep_asking) for _ in range(2)]
        for client in clients:
            client.start()
        controller = RolloutController(registry)
        began = time.monotonic()
        controller.start(MODEL, FAULTY, plan=RolloutPlan.from_dict(plan), because="looks good", actor="ana")
        wait_until(lambda: controller.history(MODEL)[0].settled)
        seconds = time.monotonic() - began
        stop.set()
        for client in clients:
            client.join()
        found = controller.history(MODEL)[0]
        assert (found.status, set(seen)) == ("rolled_back", {"1.0.0"})
        assert "crash_loop" in found.because
        assert seconds < 20
        one = registry.get_model(MODEL, FAULTY)
        assert one is not None
        assert one.status == "archived"
        assert registry.moves(MODEL, FAULTY)[-1].because == found.because
        page = httpx.get(f"{server.url}/models/{MODEL}/rollouts", timeout=60).json()
        assert [bar["version"] for bar in page["barred"]] == [FAULTY]
        [event] = httpx.get(f"{server.url}/rollouts/1", timeout=60).json()["events"][-1:]
        assert (event["kind"], event["sentence"]) == ("verified", "1.0.0 answers, as the registry has it")
        alerts = httpx.get(f"{server.url}/alerts?rule=rollout", timeout=60).json()["alerts"]
        assert [alert["sentence"] for alert in alerts] == [found.because]


pytestmark = pytest.mark.timeout(180)
