"""``mlops rollout …``, ``mlops rollback``, ``mlops freeze`` and ``mlops drill`` as an operator types them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from mlops import cli
from mlops.config import Settings
from mlops.http.models import router as models_router
from mlops.model_registry import ModelMetadata, ModelRegistry, open_registry
from mlops.rollout import CanaryRouter, Expected, RolloutController
from mlops.rollout import drill as drills
from mlops.rollout.drill import DrillResult, run_drills
from tests.commands import Ended, Run, typed
from tests.conftest import REPOSITORY
from tests.models_app import Running

WHY = ("--reason", "why not", "--actor", "ana")
PLAN = ("--shadow", "0", "--canary", "20%,50%", "--hold", "1h", "--guard", "error_rate,click_rate:0.2")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs ``mlops`` over a data folder of the test's own, and a port at which nobody answers."""

    def run(*arguments: str, **environment: str) -> Ended:
        environment = {"DATA_DIR": str(tmp_path / "data"), "PORT": "1", **environment}
        return typed(cli.main, "mlops", *arguments, monkeypatch=monkeypatch, capsys=capsys, **environment)

    return run


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """ranker: 1.0.0 archived, 1.1.0 in production, 1.2.0 in training."""
    made = open_registry(Settings(_env_file=None, data_dir=tmp_path / "data"), actor="ben")  # type: ignore[call-arg]
    for version, status in (("1.0.0", "production"), ("1.1.0", "production"), ("1.2.0", "training")):
        made.register(ModelMetadata("ranker", version, status=status), artefact={"model.json": f'"{version}"'.encode()})
    made.close()
    return made


def test_a_rollout_is_started_held_resumed_and_ended_by_commands(run: Run, registry: ModelRegistry) -> None:
    begun = run("rollout", "start", "ranker", "1.2.0", *PLAN, "--actor", "ana")
    assert begun.out == (
        "rollout 1 of ranker 1.2.0 is in canary: 0.2 of the users get it; 1.1.0 is in production\n"
    )  # fmt: skip
    assert "is in canary, paused" in run("rollout", "pause", "ranker", *WHY).out
    assert run("rollout", "resume", "ranker", *WHY, "--json").json["is_paused"] is False
    status = run("rollout", "status", "ranker", "--json").json
    assert [guard["guard"] for guard in status["guards"]] == [
        "error_rate", "click_rate", "output_valid", "crash_loop",
    ]  # fmt: skip
    assert status["guards"][1]["margin"] == 0.2
    assert "no data of the challenger" in run("rollout", "status", "ranker").out
    assert run("rollout", "promote-now", "ranker", *WHY).out.startswith("rollout 1 of ranker 1.2.0 is in watch")
    assert run("rollout", "abort", "ranker", *WHY).out == (
        "rollout 1 of ranker 1.2.0 is aborted; 1.2.0 is in production\n"
    )  # fmt: skip
    assert run("rollout", "status", "ranker").out == "no rollout of ranker is under way\n"
    shown = run("rollout", "show", "1").out
    for kind in ("started", "paused", "resumed", "promoted", "aborted"):
        assert f"  {kind}  by ana" in shown


def test_shared_lists_are_asked_for_shown_and_kept(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    begun = run("rollout", "start", "ranker", "1.2.0", *PLAN, "--interleave", "1h:50%")
    assert begun.out == (
        "rollout 1 of ranker 1.2.0 is in interleave: 0.5 of the requests get a list of both; 1.1.0 is in production\n"
    )
    router, controller = CanaryRouter(registry.database, "ranker"), RolloutController(registry)
    router.refresh()
    router.ready("1.2.0")
    for n in range(200):
        asked = router.interleave(f"request-{n}")
        if asked is None:
            router.observe(router.choose(f"user-{n}"))
            continue
        router.observe(asked[0])
        router.outcome(asked[0], "preference", -1 if n % 10 else 1)
        if n == 20:
            router.flush()
            status = run("rollout", "status", "ranker", "--json").json
            assert status["interleaving"]["n_champion"] > status["interleaving"]["n_challenger"]
            assert "lists of both the challenger won" in run("rollout", "status", "ranker").out
    router.flush()
    controller.step()
    shown = run("rollout", "show", "1", "--report", str(tmp_path / "page.html")).out
    assert "ranker 1.2.0 is taken back. preference: interleaved lists won:" in shown
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "won by the champion" in page
    assert "preference: log e-value over time" in page
    assert run("rollout", "start", "ranker", "1.2.0", "--interleave", "long").code == 2


@pytest.fixture
def foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package expects 1.2.0 of ranker to be worse."""
    worse = Expected("clearly worse", "Off-policy, clearly worse: 20 % expected.")

    class Entry:
        name = "ranker"

        def load(self) -> Any:
            return lambda: lambda model_id, champion, challenger: worse if challenger == "1.2.0" else None

    monkeypatch.setattr("mlops.rollout.expecting.entry_points", lambda group: [Entry()])


@pytest.mark.usefixtures("foreseen")
def test_a_version_that_is_expected_to_be_worse_is_forced_with_a_reason_or_not_begun(
    run: Run, registry: ModelRegistry
) -> None:
    refused = run("rollout", "start", "ranker", "1.2.0", *PLAN)
    assert (refused.code, refused.out) == (4, "")
    assert "not rolled out unless forced. Off-policy, clearly worse" in refused.err
    assert run("rollout", "start", "ranker", "1.2.0", *PLAN, "--force").code == 2
    forced = run("rollout", "start", "ranker", "1.2.0", *PLAN, "--force", "--reason", "the log is of last winter")
    assert forced.out.endswith("is in production\n  Off-policy, clearly worse: 20 % expected.\n")
    assert "Off-policy, clearly worse: 20 % expected." in run("rollout", "show", "1").out
    run("rollout", "abort", "ranker", *WHY)
    again = run("rollout", "start", "ranker", "1.2.0", *PLAN, "--force", "--reason", "again", "--json").json
    assert again["expected"]["verdict"] == "clearly worse"


def test_weeks_later_the_sentence_the_figures_and_the_chart_are_there(
    run: Run, registry: ModelRegistry, tmp_path: Path
) -> None:
    run("rollout", "start", "ranker", "1.2.0", *PLAN)
    router = CanaryRouter(registry.database, "ranker")
    router.refresh()
    router.ready("1.2.0")
    controller = RolloutController(registry)
    for n in range(600):
        choice = router.choose(f"user-{n}")
        router.observe(choice, failed=choice.arm == "challenger" and n % 3 == 0)
        if n % 60 == 0:
            router.flush()
            controller.step()
    history = run("rollout", "history", "--json").json
    assert [(each["status"], each["challenger"]) for each in history["rollouts"]] == [("rolled_back", "1.2.0")]
    assert [bar["version"] for bar in history["barred"]] == ["1.2.0"]
    assert "ranker 1.2.0 is barred since" in run("rollout", "history", "ranker").out
    shown = run("rollout", "show", "1", "--report", str(tmp_path / "page.html")).out
    assert "ranker 1.2.0 is taken back. error_rate: requests that failed:" in shown
    assert "█" in shown
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<svg" in page
    assert "error_rate: log e-value over time" in page
    refused = run("rollout", "start", "ranker", "1.2.0")
    assert (refused.code, "is barred" in refused.err) == (4, True)
    assert run("rollout", "unbar", "ranker", "1.2.0", *WHY).out == "ranker 1.2.0 is not barred any more\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("start", "ranker", "1.2.0", "--hold", "long"), 2, "--hold must be a duration such as 90s"),
        (("start", "ranker", "1.2.0", "--max", "1h"), 2, "max_seconds must be at least"),
        (("start", "ranker", "1.2.0", "--guard", "joy"), 2, "there is no guard 'joy'"),
        (("start", "ranker", "7.0.0"), 3, "7.0.0"),
        (("start", "ranker", "1.0.0"), 4, "1.0.0 is archived"),
        (("show", "7"), 3, "there is no rollout 7"),
        (("pause", "ranker", "--reason", "x"), 4, "no rollout of ranker is under way"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_code(
    run: Run, registry: ModelRegistry, words: tuple[str, ...], code: int, message: str
) -> None:
    ended = run("rollout", *words)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err


def test_a_rollback_says_what_the_service_answers_with_and_not_what_was_written(
    run: Run, registry: ModelRegistry
) -> None:
    from mlops.access import KeyRing
    from mlops.http.access import Access

    serves = {"ranker": "1.1.0"}
    app = FastAPI()
    app.include_router(models_router(registry, Access(KeyRing(registry.database)), serving=serves.get))
    server = Running(app)
    try:
        stuck = run("rollback", "ranker", *WHY, PORT=str(server.port))
        assert stuck.out.endswith("THE SERVICE STILL ANSWERS WITH ranker 1.1.0\n")
        registry.promote("ranker", "1.2.0", because="x")
        serves["ranker"] = "1.0.0"
        began = time.monotonic()
        ended = run("rollback", "ranker", *WHY, "--json", PORT=str(server.port)).json
        assert time.monotonic() - began < 2
    finally:
        server.stop()
    assert (ended["production"], ended["serving"], ended["serving_problem"]) == ("1.0.0", "1.0.0", None)


def test_a_rollback_without_a_service_says_so(run: Run, registry: ModelRegistry) -> None:
    began = time.monotonic()
    ended = run("rollback", "ranker", *WHY)
    assert time.monotonic() - began < 2
    assert ended.out.startswith("ranker 1.0.0 is in production; 1.1.0 is archived\nwhat serves now is not known: ")
    assert "no service answered at http://127.0.0.1:1/models/ranker" in ended.out


def test_in_a_hurry_nothing_is_loaded_that_takes_long_and_is_not_needed(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    program = (
        "import sys; from mlops import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print(sorted({'alembic', 'httpx', 'rich', 'numpy', 'scipy'} & sys.modules.keys()))"
    )
    environment = {**os.environ, "DATA_DIR": str(tmp_path / "data"), "PORT": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program, "rollback", "ranker", *WHY],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("ranker 1.0.0 is in production")
    assert done.stdout.endswith("[]\n"), done.stdout


def test_freezing_has_a_short_command_too(run: Run, registry: ModelRegistry) -> None:
    assert "every model is frozen" in run("freeze", *WHY).out
    assert registry.freezes()
    assert "no model is frozen" in run("unfreeze", *WHY).out


# --- Drills ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(drills._DRILLS))
def test_every_drill_is_noticed_and_heals_and_leaves_nothing(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (result,) = run_drills(name)
    assert result.healed, result
    assert result.noticed
    assert "1.0.0 answers everybody; barred: 1.1.0" in result.done
    assert list(tmp_path.iterdir()) == []


def test_a_drill_that_did_not_heal_ends_with_one_and_an_unknown_one_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = DrillResult("lost", None, "canary; 1.1.0 answers everybody", 30.0, False, 7)
    monkeypatch.setattr(drills, "drills", lambda: {"lost": lambda: lost})
    ended = run("drill", "all")
    assert ended.code == 1
    assert ended.out.startswith("NOT HEALED  lost  in 30.00 s\n  noticed: nothing\n")
    assert run("drill", "lost", "--json").json == [lost.to_dict()]
    assert "there is no drill 'fire'; there are all, lost" in run("drill", "fire").err
