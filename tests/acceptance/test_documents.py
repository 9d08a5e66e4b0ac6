"""Documents are executed: a command that they print works as printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from mlops import ModelMetadata, ModelRegistry
from mlops import cli as mlops_cli
from mlops.cli.exits import MEANINGS
from mlops.config import Settings as MlopsSettings
from mlops.config import load_settings
from mlops.errors import ApprovalRequired, Frozen, VersionExists
from mlops.http import models
from mlops.model_registry import open_registry
from mlops.store import Database
from recipes import cli
from recipes.catalog.importers.layouts import plain
from recipes.config import Settings
from recipes.lexicon import Lexicon, read_concepts
from recipes.ranker import HybridRanker
from tests.conftest import OUR_VARIABLES
from tests.guide_files import write_runs, write_tables
from tests.models_app import ModelsApp, Running

REPOSITORY = Path(__file__).parent.parent.parent
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "MLOPS_GUIDE.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
# Their snippets follow each other and need files: tests/integration/test_evaluation_guide.py, test_data_guides.py,
# tests/acceptance/test_own_model.py, tests/integration/test_containers.py.
GUIDES_WITH_A_TEST_OF_THEIR_OWN = (
    "bring-your-own-model.md", "evaluation.md", "drift.md", "validation.md", "deploying.md",
)  # fmt: skip
KEY = "a secret"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def snippets(language: str) -> list[tuple[str, str]]:
    """(document, text) of each code block in *language*."""
    return [
        (document.name, text)
        for document in DOCUMENTS
        for kind, text in _FENCE.findall(document.read_text("utf-8"))
        if kind == language
    ]


def commands(program: str) -> list[tuple[str, str]]:
    """(document, command) of each command of *program*, continued lines joined."""
    return [
        (document, line)
        for document, text in snippets("bash")
        for line in text.replace("\\\n", " ").splitlines()
        if line.startswith(program + " ")
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text("utf-8")):
        assert (document.parent / target).exists(), target


def test_the_first_page_leads_to_every_other() -> None:
    docs = REPOSITORY / "docs"
    linked = {(docs / target).resolve() for target in _LINK.findall((docs / "README.md").read_text("utf-8"))}
    assert [page.name for page in docs.rglob("*.md") if page != docs / "README.md" and page not in linked] == []


@pytest.mark.parametrize(("document", "command"), [each for each in commands("curl") if "/recommend" in each[1]])
def test_a_printed_request_is_answered(document: str, command: str, live_server: str) -> None:
    answer = answer_to(command, live_server)
    assert answer["recetas"], document
    assert answer["modelo"] == {"id": "hybrid_ranker", "version": "1.0.0"}


def test_the_printed_requests_to_the_registry_are_answered_one_after_another(sqlite_database: Database) -> None:
    app = ModelsApp(sqlite_database, model_id="hybrid_ranker")
    key = app.keys.create("reader", "operate").token
    printed = [command for _, command in commands("curl") if not of_the_service(command)]
    server = Running(app.app)
    try:
        answers = [answer_to(command, server.url, MLOPS_KEY=key) for command in printed]
    finally:
        server.stop()
    assert len(answers) >= 14
    for command, answer in zip(printed, answers, strict=True):
        assert "status" not in answer or answer["status"] in {"training", "production"}, command
    moves = [(move.version, move.to_status, move.actor) for move in app.registry.moves("hybrid_ranker")]
    assert moves[-1] == ("1.0.2", "archived", "reader")
    assert ("1.0.1", "production", "reader") in moves
    assert app.champion == "1.0.0"
    assert app.registry.freezes() == {}


def of_the_service(command: str) -> bool:
    """Whether *command* asks what only the whole service answers."""
    return any(path in command for path in ("/recommend", "/metrics", "/health"))


def test_the_printed_requests_for_metrics_and_health_are_answered(live_server: str) -> None:
    printed = [command for _, command in commands("curl") if of_the_service(command) and "/recommend" not in command]
    assert len(printed) >= 2
    for command in printed:
        assert {"metrics", "status"} & set(answer_to(command, live_server)), command


def answer_to(command: str, url: str, **environment: str) -> Any:
    """The JSON answer to a printed request, sent to *url*."""
    done = subprocess.run(
        ["bash", "-c", command.replace("localhost:8000", url.removeprefix("http://"))],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


# A process for each of fifteen commands, of which five answer queries with the real encoder.
@pytest.mark.timeout(900)
def test_the_printed_commands_of_recipes_work(tmp_path: Path) -> None:
    (tmp_path / "RAW_recipes.csv").write_text(
        "name,id,minutes,tags,steps,description,ingredients\n"
        "lentil stew,7,40,\"['main-dish']\",\"['cook it']\",good,\"['lentils', 'water']\"\n"
    )
    (tmp_path / "RAW_interactions.csv").write_text("user_id,recipe_id,date,rating,review\n1,7,2010-01-01,5,\n")
    line = '{"name": "Soup", "ingredients": ["water"], "steps": ["Boil."], "language": "en"}'
    (tmp_path / "recipes.jsonl").write_text(line + "\n")
    (tmp_path / "recipe.html").write_text(
        '<html><script type="application/ld+json">{"@type": "Recipe", "name": "Soup", "recipeIngredient": ["water"],'
        ' "recipeInstructions": "Boil."}</script></html>'
    )
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([json.loads(line)]), tmp_path / "recipes.parquet")
    (tmp_path / "interactions.csv").write_text(
        "user_id,recipe_id,rating,date\n" + "".join(f"{n},sopa-de-ajo,{n},2011-01-0{n}\n" for n in range(1, 6))
    )
    (tmp_path / "queries.jsonl").write_text('{"query": "sopa", "relevant": ["sopa-de-ajo"], "canal": "voz"}\n')
    register_a_challenger(tmp_path)
    seen = list(dict.fromkeys(command for _, command in commands("recipes")))
    assert len(seen) >= 8
    for command in seen:
        done = subprocess.run(
            ["bash", "-c", command.replace("recipes ", f"{sys.executable} -m recipes.cli ", 1)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        if "--against" in command:
            # The exit code is the answer, and this one is no better.
            assert "against 1.0.0: not better" in done.stdout, f"{command}: {done.stderr}"
        assert done.returncode == int("--against" in command), f"{command}: {done.stderr}"


def register_a_challenger(folder: Path) -> None:
    """Beside the version that a service registers by itself, 1.1.0 with almost its weights."""
    registry = open_registry(load_settings(MlopsSettings, data_dir=folder), actor="ben")
    registry.register(ModelMetadata("hybrid_ranker", "1.1.0"), artefact=HybridRanker("1.1.0", 0.69, 0.31).files())
    registry.close()
    registry.database.close()


def test_the_printed_commands_of_the_registry_work_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_registry(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTIFACT_SIGNING_KEY", KEY)
    run_mlops("registry.md", at_least=25, monkeypatch=monkeypatch, capsys=capsys)


@pytest.mark.parametrize(("document", "at_least"), [("README.md", 4), ("MLOPS_GUIDE.md", 28)])
def test_the_commands_of_mlops_in_the_first_pages_work_one_after_another(
    document: str, at_least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = open_registry(load_settings(MlopsSettings, data_dir=tmp_path), actor="ben")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.register(ModelMetadata("hybrid_ranker", version), artefact={"weights.json": b"[0.7, 0.3]"})
    registry.promote("hybrid_ranker", "1.0.0", because="first")
    registry.close()
    registry.database.close()
    monkeypatch.chdir(tmp_path)
    write_runs()
    write_tables()
    run_mlops(document, at_least=at_least, monkeypatch=monkeypatch, capsys=capsys)


def test_the_printed_commands_of_keys_work_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_mlops("access.md", at_least=4, monkeypatch=monkeypatch, capsys=capsys)


def test_the_printed_commands_of_rollouts_work_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = open_registry(load_settings(MlopsSettings, data_dir=tmp_path), actor="ben")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.register(ModelMetadata("hybrid_ranker", version), artefact={"weights.json": b"[0.7, 0.3]"})
    for version in ("1.0.0", "1.1.0"):
        registry.promote("hybrid_ranker", version, because="first")
    registry.close()
    registry.database.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "1")
    run_mlops("rollout.md", at_least=12, monkeypatch=monkeypatch, capsys=capsys)
    assert (tmp_path / "rollout.html").exists()


def run_mlops(
    document: str, *, at_least: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run what *document* prints, in this process: thirty new ones would take most of a minute."""
    printed = [command for name, command in commands("mlops") if name == document]
    assert len(printed) >= at_least
    for command in printed:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as ended:
            mlops_cli.main()
        assert not ended.value.code, f"{command}: {capsys.readouterr()}"


def prepare_registry(folder: Path) -> None:
    """hybrid_ranker 1.0.0 in production, 2.0.0 and 2.0.1 waiting for approval, and files to register and import."""
    settings = load_settings(MlopsSettings, data_dir=folder, require_approval="all", artifact_signing_key=KEY)
    registry = open_registry(settings, actor="ben")
    unbound = ModelRegistry(registry.database, artefacts=registry.artefacts, actor="ben")
    for version in ("1.0.0", "2.0.0", "2.0.1"):
        unbound.register(ModelMetadata("hybrid_ranker", version), artefact={"weights.json": b"[0.7, 0.3]"})
    unbound.promote("hybrid_ranker", "1.0.0", because="first")
    for version in ("2.0.0", "2.0.1"):
        with pytest.raises(ApprovalRequired):
            registry.promote("hybrid_ranker", version, because="better")
    registry.close()
    registry.database.close()
    (folder / "trained").mkdir()
    (folder / "trained" / "weights.json").write_text("[0.65, 0.35]")
    old = {"model_id": "hybrid_ranker", "version": "0.9.0", "timestamp": "2024-12-01T10:00:00", "status": "archived"}
    (folder / "old").mkdir()
    (folder / "old" / "registry.json").write_text(json.dumps({"hybrid_ranker_0.9.0": old}))


@pytest.mark.parametrize(
    ("document", "code"), [each for each in snippets("python") if each[0] not in GUIDES_WITH_A_TEST_OF_THEIR_OWN]
)
def test_printed_python_runs_as_printed(document: str, code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=outside_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{document}: {done.stderr}"


def outside_environment() -> dict[str, str]:
    """The environment of a process that sees this checkout and no setting of ours."""
    clean = {name: value for name, value in os.environ.items() if name not in OUR_VARIABLES}
    return {**clean, "PYTHONPATH": str(REPOSITORY)}


def test_every_make_target_that_is_printed_exists() -> None:
    made = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    printed = {command.split()[1] for _, command in commands("make")}
    assert {"serve", "test"} <= printed <= made


def test_printed_recipes_and_concepts_are_valid(lexicon: Lexicon) -> None:
    recipes = [text for document, text in snippets("json") if document == "importing.md"]
    assert [plain(json.loads(text)).original.name for text in recipes] == ["Tomato soup"]
    for _, text in snippets("toml"):
        for concept in read_concepts(text, group="document"):
            assert concept.name in lexicon.concepts


def test_a_guide_tells_of_every_command_and_the_example_of_every_setting() -> None:
    # The reference has them anyway: tests/acceptance/test_reference.py.
    guides = [document for document in DOCUMENTS if document.parent.name != "reference"]
    text = "\n".join(document.read_text("utf-8") for document in guides)
    names = [command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback]
    names += [f"import {command.name}" for command in cli.importing.registered_commands]
    for name in names:
        assert f"recipes {name}" in text or f"recipes {name.replace('import ', 'import foodcom|')}" in text, name
    for name in commands_of(mlops_cli.app):
        assert f"mlops {name}" in text, name
    example = (REPOSITORY / ".env.example").read_text("utf-8")
    for field in Settings.model_fields:
        assert f"{field.upper()}=" in example


def commands_of(app: typer.Typer) -> list[str]:
    """The commands of *app* as they are typed, those of its groups among them."""
    found = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found += [f"{group.name} {name}" for name in commands_of(group.typer_instance)]
    return found


def test_every_exit_code_of_mlops_is_documented() -> None:
    text = (REPOSITORY / "docs" / "registry.md").read_text("utf-8")
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {meaning} |" in text


def test_every_endpoint_of_the_registry_is_documented(sqlite_database: Database) -> None:
    text = (REPOSITORY / "docs" / "http.md").read_text("utf-8")
    paths = ModelsApp(sqlite_database).get("/openapi.json")["paths"]
    assert len(paths) >= 16
    for path in paths:
        assert f"`{path}" in text, path
    for kind in models.STATUSES:
        # Nothing over HTTP moves automatically, which alone a freeze forbids, or registers.
        if kind not in {Frozen, VersionExists} and not kind.__subclasses__():
            assert f"`{kind.__name__}`" in text


def test_every_endpoint_is_documented(live_server: str) -> None:
    import httpx

    text = (REPOSITORY / "docs" / "http.md").read_text("utf-8")
    for path in httpx.get(f"{live_server}/openapi.json").json()["paths"]:
        assert path in text, path
