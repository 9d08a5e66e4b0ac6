"""``recipes …`` as whoever runs the recommender types it: what it prints, where, and with which exit code."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recipes import cli
from tests.commands import Ended, Run, typed

REPOSITORY = Path(__file__).parent.parent.parent
RECIPES = (
    "name,id,minutes,steps,ingredients\n"
    "soup,1,30,\"['cook']\",\"['water']\"\n"
    ",2,30,\"['cook']\",\"['water']\"\n"
    "stew,3,0,\"['cook']\",\"['meat']\"\n"
)
RATINGS = "user_id,recipe_id,date,rating\n5,1,2005-01-01,4\n6,1,,0\n7,99,,5\n"


@pytest.fixture(scope="session")
def shared_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shared_data_dir: Path) -> Run:
    """Runs a command, by default over a data folder that commands which change nothing share."""

    def run(*arguments: str, data_dir: Path = shared_data_dir, **environment: str) -> Ended:
        for name, value in {"DATA_DIR": str(data_dir), **environment}.items():
            monkeypatch.setenv(name, value)
        return typed(cli.main, "recipes", *arguments, monkeypatch=monkeypatch, capsys=capsys)

    return run


def assert_one_line(ended: Ended, *parts: str) -> None:
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    for part in parts:
        assert part in ended.err


# ---- show


def test_show_prints_a_recipe_in_spanish_with_its_facts_and_what_is_read_in_it(run: Run) -> None:
    ended = run("show", "gazpacho-andaluz")
    assert ended.code == 0
    for part in ("Gazpacho andaluz", "• 1 diente de ajo", "minutes: 140", "no ratings", "contains: ", "garlic"):
        assert part in ended.out
    assert ended.err == ""


def test_show_speaks_english_when_asked(run: Run) -> None:
    shown = run("show", "gazpacho-andaluz", "--idioma", "en", "--json").json
    assert (shown["language"], shown["id"], shown["mean_rating"], shown["n_ratings"]) == (
        "en",
        "gazpacho-andaluz",
        None,
        0,
    )
    assert any("garlic" in line for line in shown["ingredients"])
    assert "garlic" in shown["contains"]


def test_show_says_in_which_language_a_recipe_is_that_nobody_translated(run: Run, tmp_path: Path) -> None:
    (tmp_path / "RAW_recipes.csv").write_text(RECIPES)
    run("import", "foodcom", "RAW_recipes.csv", data_dir=tmp_path)
    assert run("show", "foodcom-1", "--json", data_dir=tmp_path).json["language"] == "en"


def test_an_unknown_id_is_one_line(run: Run) -> None:
    assert_one_line(run("show", "nothing"), "no recipe has the id 'nothing'")


# ---- config


def test_config_lists_every_setting_and_hides_secrets(run: Run) -> None:
    ended = run("config", OPENAI_API_KEY="pepper", DATABASE_URL="postgresql://cook:pepper@host/recipes", PORT="9000")
    assert ended.code == 0
    assert "pepper" not in ended.out
    lines = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert (lines["PORT"], lines["OPENAI_API_KEY"].strip("*"), lines["QDRANT_HOST"]) == ("9000", "", "not set")


def test_a_long_value_stays_on_its_line(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    assert str(folder) in run("config", data_dir=folder).out
    assert run("config", "--json", data_dir=folder).json["DATA_DIR"] == str(folder)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "eighty"), ("LOG_LEVEL", "loud"), ("DATABASE_URL", "mysql://cook:pepper@host/x"), ("DATA_DIR", __file__)],
)
@pytest.mark.parametrize("command", ["config", "show", "index", "translate"])
def test_a_wrong_setting_stops_any_command_with_one_line_that_names_it(
    command: str, variable: str, value: str, run: Run
) -> None:
    arguments = [command, "gazpacho-andaluz"] if command == "show" else [command]
    ended = run(*arguments, **{variable: value})
    assert_one_line(ended, f"{variable} cannot be ")
    assert "pepper" not in ended.err


def test_a_database_that_does_not_answer_is_one_line_without_the_password(run: Run) -> None:
    ended = run("show", "gazpacho-andaluz", DATABASE_URL="postgresql://cook:pepper@127.0.0.1:1/recipes")
    assert_one_line(ended, "the state database does not answer")
    assert "pepper" not in ended.err


def test_a_data_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_one_line(run("show", "gazpacho-andaluz", data_dir=tmp_path / "file" / "data"), "file")


# ---- translate


def test_translating_without_a_key_says_which_variable_is_missing(run: Run) -> None:
    assert_one_line(run("translate"), "OPENAI_API_KEY is not set")


# ---- import


@pytest.fixture
def foodcom(tmp_path: Path) -> Path:
    (tmp_path / "RAW_recipes.csv").write_text(RECIPES)
    (tmp_path / "RAW_interactions.csv").write_text(RATINGS)
    return tmp_path


def test_the_summary_of_an_import_counts_everything_and_says_where_the_rejected_rows_are(
    run: Run, foodcom: Path
) -> None:
    ended = run("import", "foodcom", "RAW_recipes.csv", "--interactions", "RAW_interactions.csv", data_dir=foodcom)
    assert ended.code == 0
    first, why, second, why_too, _ = ended.out.splitlines()
    assert first == "RAW_recipes.csv: 3 rows read, 2 new, 0 changed, 0 unchanged, 1 rejected"
    assert second == "RAW_interactions.csv: 3 rows read, 2 ratings kept, 1 rejected"
    for line, field in ((why, "name"), (why_too, "recipe_id")):
        path = Path(line.removeprefix("  why: "))
        assert path.is_relative_to(foodcom / "var")
        assert json.loads(path.read_text())["field"] == field


def test_the_summary_comes_as_json_too_and_a_repetition_changes_nothing(run: Run, foodcom: Path) -> None:
    arguments = ("import", "foodcom", "RAW_recipes.csv", "--interactions", "RAW_interactions.csv", "--json")
    first, second = (run(*arguments, data_dir=foodcom).json for _ in range(2))
    counts = ("read", "read_before", "new", "changed", "unchanged", "ratings", "rejected")
    assert [[report[name] for name in counts] for report in first] == [[3, 0, 2, 0, 0, 0, 1], [3, 0, 0, 0, 0, 2, 1]]
    assert [[report[name] for name in counts] for report in second] == [[3, 0, 0, 0, 2, 0, 1], [3, 0, 0, 0, 0, 2, 1]]
    shown = run("show", "foodcom-1", "--json", data_dir=foodcom).json
    assert (shown["n_ratings"], shown["mean_rating"], shown["minutes"]) == (1, 4.0, 30)


@pytest.mark.parametrize("name", ["[bold]soup.csv", ":pizza:.csv", "sopa ñ 🍅.csv", "-soup.csv"])
def test_a_file_may_have_any_name(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text(RECIPES)
    ended = run("import", "foodcom", "--", name, data_dir=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith(f"{name}: 3 rows read")


@pytest.mark.parametrize(
    ("layout", "name", "content", "reason"),
    [
        ("foodcom", "missing.csv", None, "is not a file"),
        ("foodcom", "empty.csv", b"", "is empty"),
        ("foodcom", "RAW_recipes.pkl", b"\x80\x04N.", "is a pickle, and opening one can run code"),
        ("foodcom", "cut.csv.gz", gzip.compress(RECIPES.encode(), mtime=0)[:40], "is damaged"),
        ("foodcom", "a.zip", b"PK\x03\x04 no archive", "is damaged"),
        ("foodcom", "a.xlsx", b"PK", "must end in .csv"),
        ("parquet", "a.parquet", b"PAR1", "is not a parquet file"),
        ("parquet", "a.csv", b"id\n1\n", "must end in .parquet"),
        ("schema-org", "a.json", b"{", "is not JSON"),
        ("schema-org", "a.html", b"<html></html>", "holds no object of type Recipe"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line(
    layout: str, name: str, content: bytes | None, reason: str, run: Run, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = run("import", layout, name)
    assert (ended.code, ended.out) == (1, "")
    assert [line for line in ended.err.splitlines() if line.startswith("error: ") and reason in line]


# ---- typed wrong


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["cook"], "No such command"),
        (["show"], "Missing argument"),
        (["show", "a", "--idioma", "fr"], "none of es, en"),
        (["search", "sopa", "-n", "21"], "'-n'"),
        (["search", "sopa", "-n", "0"], "'-n'"),
        (["serve", "--port", "70000"], "'--port'"),
        (["import", "pickle", "a.pkl"], "No such command"),
        (["import", "foodcom", "a.csv", "--ratings", "b.csv"], "No such option"),
    ],
)
def test_a_command_typed_wrong_ends_with_2_and_says_what_is_wrong(arguments: list[str], part: str, run: Run) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert part in " ".join(ended.err.replace("│", " ").split())


def test_help_names_every_command(run: Run) -> None:
    ended = run("--help")
    assert ended.code == 0
    for command in ("serve", "search", "show", "index", "import", "translate", "config"):
        assert command in ended.out


# ---- as a process of its own


def _recipes(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recipes.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_reports_by_exit_code_and_keeps_its_output_clean(shared_data_dir: Path) -> None:
    good = _recipes("show", "gazpacho-andaluz", "--json", DATA_DIR=str(shared_data_dir))
    wrong = _recipes("config", PORT="eighty")
    assert (good.returncode, json.loads(good.stdout)["id"]) == (0, "gazpacho-andaluz")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith('error: PORT cannot be "eighty": ')


def test_settings_may_stand_in_a_file_beside_the_command(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nOPENAI_API_KEY=pepper\n")
    ended = _recipes("config", "--json")
    assert json.loads(ended.stdout)["PORT"] == "9001"
    assert "pepper" not in ended.stdout
