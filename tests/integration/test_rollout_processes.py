"""Rollouts where several processes take part, and where one of them ends between two of its lines."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from mlops import ModelRegistry, schema
from mlops.errors import Conflict, RolloutError, StoreUnavailable
from mlops.model_registry import ModelVersion
from mlops.rollout import CanaryRouter, Challenger, Ranked, RolloutController, RolloutRunner, ShadowRunner
from mlops.rollout.assignment import place_of
from mlops.store import Database
from tests.rollout_traffic import PLAN, Traffic

SPAWN = multiprocessing.get_context("spawn")


def _route(url: str, said: Connection) -> None:
    """A worker: says the share that it uses and who gets the challenger, whenever the share changes."""
    router = CanaryRouter(Database(url), "ranker")
    router.ready("1.1.0")
    router.start()
    shares: list[float] = []
    while not shares or shares[-1] != 0.5:
        share = -1.0 if router.rollout is None else router.rollout.share
        if share not in shares:
            shares.append(share)
            chosen = [n for n in range(300) if router.choose(f"user-{n}").arm == "challenger"]
            said.send((share, chosen, time.monotonic()))
        time.sleep(0.01)
    router.stop()


def test_every_worker_uses_the_same_share_within_two_seconds_and_nobody_is_reshuffled(
    sqlite_database: Database,
) -> None:
    traffic = Traffic(sqlite_database)
    url = sqlite_database.url.render_as_string(hide_password=False)
    pipes = [SPAWN.Pipe(duplex=False) for _ in range(2)]
    workers = [SPAWN.Process(target=_route, args=(url, pipe[1]), daemon=True) for pipe in pipes]
    for worker in workers:
        worker.start()
    heard: list[dict[float, tuple[list[int], float]]] = [{}, {}]

    def listen(until: float) -> None:
        for pipe, shares in zip(pipes, heard, strict=True):
            while until not in shares:
                assert pipe[0].poll(30)
                share, chosen, at = pipe[0].recv()
                shares[share] = (chosen, at)

    listen(-1.0)
    traffic.start()
    listen(0.2)
    traffic.send(400)
    began = time.monotonic()
    assert traffic.step(hours=1.1).share == 0.5
    listen(0.5)
    for worker in workers:
        worker.join(timeout=30)
        assert worker.exitcode == 0
    assert heard[0][0.5][0] == heard[1][0.5][0]
    assert heard[0][0.2][0] == heard[1][0.2][0]
    assert set(heard[0][0.2][0]) < set(heard[0][0.5][0])
    assert all(shares[0.5][1] - began < 2 for shares in heard)


def _step_for_ever(folder: Path, seed: int, said: Connection) -> None:
    """Rollouts one after another: some are promoted, some rolled back, all of them in a hurry."""
    rng = random.Random(seed)
    traffic = object.__new__(Traffic)
    _open(traffic, folder)
    said.send("begun")
    while True:
        for _ in range(4):
            with suppress(Conflict, RolloutError):
                if traffic.controller.status("ranker") is None:
                    version = traffic.registry.next_version("ranker", "minor")
                    traffic.register(version, content=f'"{rng.random()}"')
                    traffic.start(replace(PLAN, hold_seconds=0, least_requests=0, watch_seconds=0), version)
                bad = {"challenger": {"failed": 1}, "watch": {"failed": 1}} if rng.random() < 0.4 else {}
                traffic.router.refresh()
                traffic.router.ready(traffic.registry.list_models("ranker")[0].version)
                traffic.send(40, every=bad)
                traffic.step()
        said.send("went round")


def _open(traffic: Traffic, folder: Path) -> None:
    from mlops.artefacts import DiskArtefacts
    from mlops.clock import utc_now

    database = Database(f"sqlite:///{folder}/state.db", tables=(schema.MIGRATIONS,))
    traffic.now, traffic.alarms, traffic._n = utc_now(), [], 0
    traffic.registry = ModelRegistry(database, artefacts=DiskArtefacts(folder / "artifacts"), actor="ana")
    traffic.controller = RolloutController(traffic.registry)
    traffic.router = CanaryRouter(database, "ranker")


def test_killed_in_the_middle_of_any_step_a_rollout_goes_on_or_ends_whole(quick_path: Path) -> None:
    traffic = object.__new__(Traffic)
    _open(traffic, quick_path)
    traffic.register("1.0.0")
    traffic.registry.promote("ranker", "1.0.0", because="first")
    rng = random.Random(5)
    for seed in range(2):
        heard, said = SPAWN.Pipe(duplex=False)
        worker = SPAWN.Process(target=_step_for_ever, args=(quick_path, seed, said), daemon=True)
        worker.start()
        assert heard.poll(60)
        heard.recv()
        while seed == 0 and not {"promoted", "rolled_back"} <= _kinds(traffic):
            assert heard.poll(60)
            heard.recv()
        time.sleep(rng.uniform(0.1, 0.6))
        worker.kill()
        worker.join()
        _see_that_all_is_whole(traffic)
    _settle_by_another_worker(traffic)


def _kinds(traffic: Traffic) -> set[str]:
    return {each.status for each in traffic.controller.history("ranker")}


def _see_that_all_is_whole(traffic: Traffic) -> None:
    rollouts = traffic.controller.history("ranker")
    assert sum(each.is_open for each in rollouts) <= 1
    assert traffic.champion is not None
    barred = {bar.version for bar in traffic.controller.bars("ranker")}
    for rollout in rollouts:
        kinds = [event.kind for event in traffic.controller.events(rollout.rollout_id)]
        assert kinds[0] == "started"
        if rollout.status == "rolled_back":
            assert rollout.challenger in barred
            assert kinds.count("rolled_back") == 1


def _settle_by_another_worker(traffic: Traffic) -> None:
    from datetime import timedelta

    from mlops.clock import utc_now

    # The lease of the one that was killed is over by then.
    later = RolloutController(traffic.registry, clock=lambda: utc_now() + timedelta(seconds=11))
    for _ in range(8):
        later.step("ranker")
    rollouts = traffic.controller.history("ranker")
    assert all(each.settled for each in rollouts if not each.is_open)
    for rollout in rollouts:
        if rollout.status == "rolled_back":
            assert traffic.status_of(rollout.challenger) == "archived"


# --- Threads of one process -----------------------------------------------------------------------------------------


@pytest.fixture
def traffic(sqlite_database: Database) -> Traffic:
    return Traffic(sqlite_database)


def test_counts_of_all_workers_and_threads_add_up_and_writing_them_twice_changes_nothing(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops.rollout.counts import read_totals

    traffic.start()
    routers = [traffic.router, CanaryRouter(traffic.registry.database, "ranker")]
    routers[1].refresh()
    routers[1].ready("1.1.0")

    def send(router: CanaryRouter, first: int) -> None:
        for n in range(first, first + 500):
            router.observe(router.choose(f"user-{n}"), failed=n % 10 == 0, seconds=0.01)

    threads = [threading.Thread(target=send, args=(routers[n % 2], 500 * n)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with monkeypatch.context() as patch:
        patch.setattr("mlops.rollout.router.write_counts", _away)
        with pytest.raises(StoreUnavailable):
            routers[0].flush()
    for router in (*routers, *routers):
        router.flush()
    with traffic.registry.database.reading() as connection:
        totals = read_totals(connection, 1)
    key = bytes.fromhex(traffic.controller.get(1).key)
    expected = {"challenger": [0, 0], "champion": [0, 0]}
    for n in range(2_000):
        arm = "challenger" if place_of(f"user-{n}", key) < 0.2 else "champion"
        expected[arm][0] += 1
        expected[arm][1] += n % 10 == 0
    for arm, (n, failed) in expected.items():
        assert (totals.of(arm, "error").n, totals.of(arm, "error").total) == (n, failed)
        assert sum(split.challenger + split.champion for worker in totals.splits() for split in worker) == 2_000


def _away(*_arguments: Any) -> None:
    raise StoreUnavailable("it does not answer")


@pytest.fixture
def followed(traffic: Traffic) -> Iterator[tuple[Traffic, Challenger[str]]]:
    def load(one: ModelVersion, files: Any) -> str:
        return str(files["model.json"].decode())

    def try_out(model: str) -> None:
        if model == '"broken"':
            raise RuntimeError("it answers nothing")

    yield traffic, Challenger(traffic.registry, traffic.router, load=load, try_out=try_out)
    traffic.router.stop()


def test_a_challenger_is_loaded_before_it_gets_users_and_dropped_after(
    followed: tuple[Traffic, Challenger[str]],
) -> None:
    traffic, challenger = followed
    traffic.controller.start("ranker", "1.1.0", plan=replace(PLAN, shares=(0.5,)))
    traffic.router.refresh()
    assert {traffic.router.choose(f"u{n}").rollout_id for n in range(20)} == {None}
    challenger.refresh()
    assert challenger.served is not None
    assert challenger.served.model == '"1.1.0"'
    assert {traffic.router.choose(f"u{n}").version for n in range(20)} == {"1.0.0", "1.1.0"}
    traffic.controller.abort("ranker", because="x", actor="ana")
    traffic.router.refresh()
    challenger.refresh()
    assert challenger.served is None


def test_a_challenger_that_cannot_be_loaded_is_taken_back(followed: tuple[Traffic, Challenger[str]]) -> None:
    traffic, challenger = followed
    traffic.register("1.2.0", content='"broken"')
    traffic.controller.start("ranker", "1.2.0", plan=PLAN)
    traffic.router.refresh()
    challenger.refresh()
    traffic.router.flush()
    rollout = traffic.step()
    assert rollout.status == "rolled_back"
    assert "could not be loaded" in rollout.because


def test_a_shadow_compares_what_it_answers_and_sheds_what_it_cannot(traffic: Traffic) -> None:
    traffic.start(replace(PLAN, shadow_seconds=600))
    go_on = threading.Event()

    def answer(request: str) -> list[str]:
        go_on.wait(10)
        if request == "5":
            raise RuntimeError("no")
        return ["b", "a"]

    shadow = ShadowRunner(
        traffic.router, answer=answer, ranked=lambda ids: Ranked(ids, [0.5] * len(ids)), most_waiting=8, rest=0.0
    )
    shadow.start()
    began = time.perf_counter()
    taken = sum(shadow.submit(str(n), ["a", "b"]) for n in range(50))
    assert time.perf_counter() - began < 0.5
    assert 8 <= taken <= 9
    go_on.set()
    deadline = time.monotonic() + 10
    while shadow.report().n_answered + shadow.report().n_failed < taken and time.monotonic() < deadline:
        time.sleep(0.01)
    shadow.stop()
    report = shadow.report()
    assert (report.n_answered, report.n_failed, report.n_shed) == (taken - 1, 1, 50 - taken)
    assert report.overlap == pytest.approx(0.9)
    assert report.overlap_at_k == 1.0
    assert report.score_mean == 0.5
    traffic.router.flush()
    look = traffic.controller.look(traffic.controller.get(1))
    assert look.figures()["shadow"]["overlap_mean"] == pytest.approx(0.9)
    assert look.figures()["shadow"]["score_champion_sd"] == pytest.approx(0, abs=1e-6)
    reading = look.readings[0]
    assert (reading.guard, reading.n_challenger, reading.challenger) == ("error_rate", taken, 1)


def test_a_runner_steps_until_it_is_stopped(traffic: Traffic) -> None:
    traffic.start(replace(PLAN, max_seconds=7_200))
    runner = RolloutRunner(traffic.controller, every_seconds=0.02)
    runner.start()
    traffic.router.start()
    for n in range(200):
        choice = traffic.router.choose(f"u{n}")
        traffic.router.observe(choice, failed=choice.arm == "challenger")
    deadline = time.monotonic() + 10
    while traffic.controller.status("ranker") is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    runner.stop()
    traffic.router.stop()
    assert traffic.controller.get(1).status == "rolled_back"


def test_an_alarm_that_fails_does_not_keep_a_rollout_from_ending(sqlite_database: Database) -> None:
    traffic = Traffic(sqlite_database)

    def alarm(model_id: str, sentence: str, figures: Any) -> None:
        raise OSError("no network")

    traffic.controller = RolloutController(traffic.registry, alarm=alarm, clock=traffic.clock)
    traffic.start()
    assert traffic.go_on(12, every={"challenger": {"failed": 2}}).settled
