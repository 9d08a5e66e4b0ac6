"""``mlops models …`` as an operator types it: what it prints, what it changes, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlops import cli
from mlops.config import Settings
from mlops.model_registry import ModelMetadata, ModelRegistry, open_registry
from tests.commands import Ended, Run, typed

REPOSITORY = Path(__file__).parent.parent.parent
WHY = ("--reason", "why not", "--actor", "ana")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs ``mlops models`` over a data folder of the test's own."""

    def run(*arguments: str, **environment: str) -> Ended:
        environment = {"DATA_DIR": str(tmp_path / "data"), **environment}
        return typed(cli.main, "mlops", "models", *arguments, monkeypatch=monkeypatch, capsys=capsys, **environment)

    return run


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """ranker: 1.0.0 archived, 1.1.0 in production, 1.2.0 in training; nothing waits to be written."""
    settings = Settings(_env_file=None, data_dir=tmp_path / "data")  # type: ignore[call-arg]
    made = open_registry(settings, actor="ben")
    for version, status, ndcg in (
        ("1.0.0", "production", 0.4),
        ("1.1.0", "production", 0.5),
        ("1.2.0", "training", 0.6),
    ):
        metadata = ModelMetadata("ranker", version, status=status, metrics={"ndcg": ndcg}, parameters={"v": version})
        made.register(metadata, artefact={"weights.json": version.replace(".", "").encode()}, because=f"made {version}")
    made.close()
    return made


def assert_refused(ended: Ended, code: int, *parts: str) -> None:
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    for part in parts:
        assert part in ended.err


def statuses(registry: ModelRegistry) -> dict[str, str]:
    return {one.version: one.status for one in registry.list_models("ranker")}


AS_MADE = {"1.2.0": "training", "1.1.0": "production", "1.0.0": "archived"}

# ---- list, show, history, compare, at


def test_list_shows_each_model_in_one_line(run: Run, registry: ModelRegistry) -> None:
    heading, line = run("list").out.splitlines()
    assert heading.split() == ["model", "production", "newest", "versions", "changed"]
    assert line.split()[:4] == ["ranker", "1.1.0", "1.2.0", "3"]
    assert line.rstrip().endswith("UTC")
    registry.freeze("ranker", because="audit")
    assert run("list").out.rstrip().endswith("frozen")
    (summary,) = run("list", "--json").json
    assert (summary["model_id"], summary["production"], summary["is_frozen"]) == ("ranker", "1.1.0", True)


def test_list_of_an_empty_registry_says_so(run: Run) -> None:
    assert run("list") == Ended(0, "no model is registered\n", "")
    assert run("list", "--json").json == []


def test_list_of_a_model_shows_its_versions_newest_first(run: Run, registry: ModelRegistry) -> None:
    lines = run("list", "ranker").out.splitlines()
    assert [line.split()[1] for line in lines] == ["version", "1.2.0", "1.1.0", "1.0.0"]
    assert "ndcg=0.6" in lines[1]
    assert [one["version"] for one in run("list", "ranker", "--limit", "2", "--json").json] == ["1.2.0", "1.1.0"]
    assert [one["version"] for one in run("list", "--status", "archived", "--json").json] == ["1.0.0"]
    assert run("list", "ranker", "--status", "validation").out == "there is no such version\n"


def test_show_tells_all_of_the_champion_unless_a_version_is_named(run: Run, registry: ModelRegistry) -> None:
    shown = run("show", "ranker")
    for part in ("ranker 1.1.0 is in production", "ndcg", "0.5", "weights.json", "3 bytes", "made 1.1.0", "last moves"):
        assert part in shown.out
    told = run("show", "ranker", "1.2.0", "--json").json
    assert (told["version"], told["status"], told["metrics"]) == ("1.2.0", "training", {"ndcg": 0.6})
    assert [(file["path"], file["size"]) for file in told["files"]] == [("weights.json", 3)]
    assert [move["to_status"] for move in told["last_moves"]] == ["training"]


def test_show_tells_what_is_wrong_with_files(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "data" / "models" / "artifacts").rename(tmp_path / "away")
    told = run("show", "ranker")
    assert told.code == 0
    assert "there is no folder" in told.out
    assert "there is no folder" in run("show", "ranker", "--json").json["artefact_trouble"]


def test_show_of_a_retired_model_asks_for_a_version(run: Run, registry: ModelRegistry) -> None:
    registry.archive("ranker", "1.1.0", because="over")
    assert_refused(run("show", "ranker"), 3, "no version of ranker is in production")


def test_history_is_oldest_first_and_marks_what_failed(run: Run, registry: ModelRegistry) -> None:
    registry.refuse("ranker", "1.1.0", because="does not load")
    lines = run("history", "ranker").out.splitlines()[1:]
    assert "new → training" in lines[0]
    (failed,) = (line for line in lines if "FAILED" in line)
    for part in ("1.1.0", "validation → production", "ben (program)", "does not load"):
        assert part in failed
    told = run("history", "ranker", "--version", "1.2.0", "--json").json
    assert [(move["version"], move["to_status"], move["because"]) for move in told] == [
        ("1.2.0", "training", "made 1.2.0")
    ]


def test_compare_puts_two_versions_side_by_side(run: Run, registry: ModelRegistry) -> None:
    printed = run("compare", "ranker", "1.0.0", "1.1.0").out
    assert "ndcg      0.4    0.5        +0.1    +25.0%" in printed
    assert "differs" in printed
    told = run("compare", "ranker", "1.0.0", "1.1.0", "--json").json
    assert told["metrics"]["ndcg"]["difference"] == pytest.approx(0.1)
    assert told["parameters"]["v"] == {"a": "1.0.0", "b": "1.1.0", "same": False}


def test_at_tells_what_served_then(run: Run, registry: ModelRegistry) -> None:
    deployed = registry.moves("ranker", "1.0.0")[-2].at.isoformat()
    assert "ranker 1.0.0 was in production at" in run("at", "ranker", deployed).out
    assert run("at", "ranker", deployed).out.rstrip().endswith("today it is archived")
    assert run("at", "ranker", "2099-01-01T00:00", "--json").json["version"]["version"] == "1.1.0"
    assert (
        run("at", "ranker", "2001-01-01").out == "no version of ranker was in production at 2001-01-01 00:00:00 UTC\n"
    )
    assert run("at", "ranker", "2001-01-01", "--json").json["version"] is None


# ---- register


def test_register_keeps_all_that_is_said(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "weights.json").write_text("[9]")
    ended = run(
        "register", "ranker", "--bump", "minor", "--artefact", str(tmp_path / "files"), "--metric", "ndcg=0.7",
        "--metric", "mrr=1e-1", "--parameter", "w=[0.7, 0.3]", "--parameter", "name=blend", "--tag", "team=search",
        "--description", "Más datos", "--parent", "1.0.0", "--model-type", "linear", "--seed", "7", "--code-version",
        "1f2e", "--data-fingerprint", "abc", "--reason", "nightly", "--actor", "ana",
    )  # fmt: skip
    assert ended == Ended(0, "ranker 1.3.0 is in training; 1.1.0 is in production\n", "")
    one = registry.get_model("ranker", "1.3.0")
    assert one is not None
    assert one["metrics"] == {"ndcg": 0.7, "mrr": 0.1}
    assert one["parameters"] == {"w": [0.7, 0.3], "name": "blend"}
    assert (one["tags"], one["description"], one["parent_version"]) == ({"team": "search"}, "Más datos", "1.0.0")
    assert (one["model_type"], one["lineage"]["seed"]) == ("linear", 7)
    assert registry.files(one) == {"weights.json": b"[9]"}
    assert [(move.actor, move.because) for move in registry.moves("ranker", "1.3.0")] == [("ana", "nightly")]


@pytest.mark.parametrize(("bump", "version"), [("major", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.1.1")])
def test_each_bump_gives_its_number(run: Run, registry: ModelRegistry, bump: str, version: str) -> None:
    assert run("register", "ranker", "--bump", bump, "--json").json["version"]["version"] == version


def test_registering_the_same_again_changes_nothing_and_other_content_is_refused(run: Run) -> None:
    for _ in range(2):
        assert run("register", "new", "1.0.0", "--metric", "ndcg=0.4").code == 0
    assert_refused(run("register", "new", "1.0.0", "--metric", "ndcg=0.5"), 4, "new 1.0.0", "other content")


@pytest.mark.parametrize(
    "arguments",
    [
        ("register", "ranker"),
        ("register", "ranker", "3.0.0", "--bump", "minor"),
        ("register", "ranker", "3.0"),
        ("register", "ranker", "--bump", "huge"),
        ("register", "bad name", "1.0.0"),
        ("register", "ranker", "3.0.0", "--metric", "ndcg"),
        ("register", "ranker", "3.0.0", "--metric", "ndcg=good"),
        ("register", "ranker", "3.0.0", "--metric", "ndcg=nan"),
        ("register", "ranker", "3.0.0", "--tag", "a=1", "--tag", "a=2"),
        ("register", "ranker", "3.0.0", "--artefact", "nowhere"),
        ("promote", "ranker", "1.2.0"),
        ("promote", "ranker", "1.2.0", "--reason", "  "),
        ("list", "--status", "live"),
        ("list", "--limit", "0"),
        ("at", "ranker", "last tuesday"),
        ("freeze",),
        ("nonsense",),
    ],
)
def test_what_is_typed_wrong_ends_with_2_and_changes_nothing(
    run: Run, registry: ModelRegistry, arguments: tuple[str, ...]
) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err
    assert statuses(registry) == AS_MADE


# ---- moves


def test_promote_reads_back_both_versions(run: Run, registry: ModelRegistry) -> None:
    ended = run("promote", "ranker", "1.2.0", *WHY)
    assert ended == Ended(0, "ranker 1.2.0 is in production; 1.1.0 is archived\n", "")
    assert statuses(registry) == {"1.2.0": "production", "1.1.0": "archived", "1.0.0": "archived"}
    last = registry.moves("ranker")[-1]
    assert (last.actor, last.because, last.automatic) == ("ana", "why not", False)


def test_the_view_is_up_to_date_when_a_command_has_ended(run: Run, registry: ModelRegistry) -> None:
    for version in ("1.3.0", "1.4.0", "1.5.0"):
        run("register", "ranker", version)
        run("promote", "ranker", version, *WHY)
        assert registry.view_path is not None
        assert json.loads(registry.view_path.read_bytes())["models"]["ranker"]["production"] == version


def test_changes_as_json_tell_what_is_so_now(run: Run, registry: ModelRegistry) -> None:
    told = run("promote", "ranker", "1.2.0", *WHY, "--json").json
    assert (told["model_id"], told["production"]) == ("ranker", "1.2.0")
    assert (told["version"]["status"], told["previous"]["version"], told["previous"]["status"]) == (
        "production", "1.1.0", "archived",
    )  # fmt: skip


def test_validate_rollback_and_archive_say_what_is_so_now(run: Run, registry: ModelRegistry) -> None:
    assert run("validate", "ranker", "1.2.0", *WHY).out == "ranker 1.2.0 is in validation; 1.1.0 is in production\n"
    assert run("rollback", "ranker", *WHY).out == "ranker 1.0.0 is in production; 1.1.0 is archived\n"
    assert run("rollback", "ranker", "--to", "1.1.0", *WHY).out == "ranker 1.1.0 is in production; 1.0.0 is archived\n"
    assert run("archive", "ranker", "1.2.0", *WHY).out == "ranker 1.2.0 is archived; 1.1.0 is in production\n"


def test_retiring_a_model_has_to_be_said(run: Run, registry: ModelRegistry) -> None:
    assert_refused(run("archive", "ranker", "1.1.0", *WHY), 4, "ranker 1.1.0 is in production", "--retire")
    assert statuses(registry) == AS_MADE
    ended = run("archive", "ranker", "1.1.0", "--retire", *WHY)
    assert ended == Ended(0, "ranker 1.1.0 is archived; no version is in production\n", "")
    assert run("rollback", "ranker", *WHY).out == "ranker 1.1.0 is in production\n"


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("show", "nobody"), 3, "'nobody' was ever registered; there is ranker"),
        (("show", "ranker", "9.0.0"), 3, "ranker has no version 9.0.0; the newest are 1.2.0, 1.1.0, 1.0.0"),
        (("list", "nobody"), 3, "'nobody'"),
        (("history", "nobody"), 3, "'nobody'"),
        (("history", "ranker", "--version", "9.0.0"), 3, "9.0.0"),
        (("compare", "ranker", "1.0.0", "9.0.0"), 3, "9.0.0"),
        (("at", "nobody", "2026-01-01"), 3, "'nobody'"),
        (("requests", "nobody"), 3, "'nobody'"),
        (("promote", "ranker", "9.0.0", *WHY), 3, "9.0.0"),
        (("validate", "nobody", "1.0.0", *WHY), 3, "'nobody'"),
        (("rollback", "nobody", *WHY), 3, "'nobody'"),
        (("archive", "ranker", "9.0.0", *WHY), 3, "9.0.0"),
        (("approve", "ranker", "9.0.0", *WHY), 3, "9.0.0"),
        (("reject", "nobody", "1.0.0", *WHY), 3, "'nobody'"),
        (("freeze", "nobody", *WHY), 3, "'nobody'"),
        (("unfreeze", "nobody", *WHY), 3, "'nobody'"),
        (("export", "out", "--model", "nobody"), 3, "'nobody'"),
        (("register", "ranker", "--bump", "patch", "--parent", "9.0.0"), 3, "9.0.0"),
        (("promote", "ranker", "1.0.0", *WHY), 4, "cannot move from archived to production"),
        (("validate", "ranker", "1.0.0", *WHY), 4, "cannot move from archived to validation"),
        (("rollback", "ranker", "--to", "1.2.0", *WHY), 4, "1.2.0 is training"),
        (("approve", "ranker", "1.2.0", *WHY), 4, "no promotion of ranker 1.2.0 waits"),
        (("reject", "ranker", "1.2.0", *WHY), 4, "no promotion of ranker 1.2.0 waits"),
        (("verify", "--sign"), 4, "ARTIFACT_SIGNING_KEY is not set"),
        (("import", "nothing.json"), 4, "there is no file nothing.json"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_its_code(
    run: Run, registry: ModelRegistry, arguments: tuple[str, ...], code: int, part: str
) -> None:
    assert_refused(run(*arguments), code, part)
    assert statuses(registry) == AS_MADE


def test_a_version_whose_files_are_damaged_is_not_promoted(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    one = registry.get_model("ranker", "1.2.0")
    assert one is not None
    (tmp_path / "data" / "models" / "artifacts" / str(one.artefact) / "weights.json").unlink()
    assert_refused(run("promote", "ranker", "1.2.0", *WHY), 4, "weights.json is missing")
    assert statuses(registry) == AS_MADE


def test_who_comes_second_gets_5(run: Run, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    promote = ModelRegistry.promote

    def after_somebody_else(self: ModelRegistry, *arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(ModelRegistry, "promote", promote)
        registry.rollback("ranker", because="quicker")
        return promote(self, *arguments, **options)

    monkeypatch.setattr(ModelRegistry, "promote", after_somebody_else)
    assert_refused(run("promote", "ranker", "1.2.0", *WHY), 5, "somebody else was first")
    assert statuses(registry) == {"1.2.0": "training", "1.1.0": "archived", "1.0.0": "production"}


# ---- approval, freeze


def test_a_promotion_that_needs_approval_waits_and_is_carried_out_when_approved(
    run: Run, registry: ModelRegistry
) -> None:
    settings = {"REQUIRE_APPROVAL": "ranker", "APPROVAL_BY_ANOTHER": "true"}
    assert run("requests").out == "nothing waits for approval\n"
    waits = run("promote", "ranker", "1.2.0", *WHY, **settings)
    assert (waits.code, waits.err) == (6, "")
    assert "waits for approval as request 1" in waits.out
    assert statuses(registry) == AS_MADE
    as_json = run("promote", "ranker", "1.2.0", *WHY, "--json", **settings)
    assert (as_json.code, as_json.json["request"]["requested_by"]) == (6, "ana")

    listed = run("requests", "ranker").out.splitlines()[1]
    assert listed.split()[:5] == ["1", "ranker", "1.2.0", "1.1.0", "ana"]
    assert [one["approval_id"] for one in run("requests", "--json").json] == [1]
    assert_refused(run("approve", "ranker", "1.2.0", *WHY, **settings), 4, "somebody else has to approve")
    approved = run("approve", "ranker", "1.2.0", "--reason", "looked at it", "--actor", "ben", **settings)
    assert approved == Ended(0, "ranker 1.2.0 is in production; 1.1.0 is archived\n", "")
    assert run("requests", "--json").json == []


def test_a_rejected_promotion_leaves_the_champion(run: Run, registry: ModelRegistry) -> None:
    run("promote", "ranker", "1.2.0", *WHY, REQUIRE_APPROVAL="all")
    rejected = run("reject", "ranker", "1.2.0", *WHY)
    assert rejected.out.splitlines() == [
        "request 1, the promotion of ranker 1.2.0, is rejected", "ranker 1.2.0 is in training; 1.1.0 is in production",
    ]  # fmt: skip
    run("promote", "ranker", "1.2.0", *WHY, REQUIRE_APPROVAL="all")
    told = run("reject", "ranker", "1.2.0", *WHY, "--json").json
    assert (told["request"]["state"], told["production"]) == ("rejected", "1.1.0")


def test_freeze_and_unfreeze_tell_which_freeze_is_in_force(run: Run, registry: ModelRegistry) -> None:
    frozen = "ranker is frozen: programs move no version (why not)\n"
    assert run("freeze", "ranker", *WHY).out == frozen
    assert run("freeze", "ranker", "--reason", "another").out == frozen
    assert run("freeze", *WHY).out == "every model is frozen: programs move no version (why not)\n"
    assert run("unfreeze", "ranker", *WHY).out == "ranker is not frozen by itself, but all models are (why not)\n"
    told = run("unfreeze", *WHY, "--json").json
    assert told == {"model_id": None, "frozen": False, "freezes": []}
    assert run("unfreeze", "ranker", *WHY).out == "ranker is not frozen\n"
    run("freeze", "ranker", *WHY)
    assert run("unfreeze", *WHY).out == "not all models are frozen, but by themselves are ranker\n"
    assert run("freeze", "ranker", *WHY, "--json").json["freezes"][0]["frozen_by"] == "ana"


def test_without_actor_the_user_of_the_system_did_it(run: Run, registry: ModelRegistry) -> None:
    run("archive", "ranker", "1.2.0", "--reason", "x", LOGNAME="eva")
    assert registry.moves("ranker", "1.2.0")[-1].actor == "eva"


# ---- export, import, verify


def test_export_and_import_take_a_registry_elsewhere(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert run("export", out).out == f"1 model, 3 versions, 3 artefacts exported to {out}\n"
    assert_refused(run("export", out), 1, "name a folder that is new or empty")
    elsewhere = {"DATA_DIR": str(tmp_path / "elsewhere")}
    assert run("import", out, **elsewhere).out.splitlines() == [
        "3 imported, 0 were here already", "ranker 1.1.0 is in production",
    ]  # fmt: skip
    told = run("import", out, "--json", **elsewhere).json
    assert (told["imported"], len(told["skipped"]), told["production"]) == ([], 3, {"ranker": "1.1.0"})
    assert run("verify", **elsewhere).out == "3 versions looked at, 0 faults\n"
    assert run("export", str(tmp_path / "again"), "--model", "ranker", "--json").json["versions"] == 3


def test_an_import_says_what_did_not_come_in_as_it_was(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    run("export", str(tmp_path / "out"))
    elsewhere = {"DATA_DIR": str(tmp_path / "elsewhere")}
    run("register", "ranker", "7.0.0", **elsewhere)
    run("promote", "ranker", "7.0.0", *WHY, **elsewhere)
    assert_refused(run("import", str(tmp_path / "out"), **elsewhere), 4, "--keep-production")
    assert run("import", str(tmp_path / "out"), "--keep-production", *WHY[2:], **elsewhere).out.splitlines() == [
        "ranker 1.1.0 comes in archived: 7.0.0 stays in production here",
        "3 imported, 0 were here already",
        "ranker 7.0.0 is in production",
    ]


def test_verify_ends_with_1_where_something_is_wrong(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    key = {"ARTIFACT_SIGNING_KEY": "a secret"}
    assert run("verify") == Ended(0, "3 versions looked at, 0 faults\n", "")
    unsigned = run("verify", **key)
    assert unsigned.code == 1
    assert unsigned.out.count("fault: ranker 1.") == 3
    assert run("verify", "--sign", **key) == Ended(0, "3 artefacts signed\n3 versions looked at, 0 faults\n", "")
    assert registry.artefacts is not None
    registry.artefacts.put({"left.json": b"1"})
    noted = run("verify", "--json", **key)
    assert (noted.code, [finding["kind"] for finding in noted.json["findings"]]) == (0, ["artefact_unnamed"])


# ---- the program


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_works_from_a_shell(tmp_path: Path) -> None:
    data = {"DATA_DIR": str(tmp_path)}
    made = python("-m", "mlops.cli", "models", "register", "ranker", "--bump", "patch", **data)
    assert (made.returncode, made.stdout, made.stderr) == (
        0, "ranker 1.0.0 is in training; no version is in production\n", "",
    )  # fmt: skip
    refused = python("-m", "mlops.cli", "models", "show", "nobody", **data)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (3, "", 1)


def test_help_names_every_exit_code_and_imports_nothing_heavy() -> None:
    shown = python("-X", "importtime", "-m", "mlops.cli", "--help", COLUMNS="200")
    assert shown.returncode == 0
    for code in range(7):
        assert f"\n {code}  " in shown.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert imported.isdisjoint({"sqlalchemy", "alembic", "pydantic", "numpy", "orjson", "fastapi", "recipes"})


def test_a_setting_that_cannot_be_used_is_one_line(run: Run, tmp_path: Path) -> None:
    assert_refused(run("list", LOG_LEVEL="LOUD"), 1, "LOG_LEVEL cannot be")
    assert_refused(run("list", DATABASE_URL="mysql://x"), 1, "DATABASE_URL")
