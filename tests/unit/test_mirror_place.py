"""Which MLflow the registry is mirrored to."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlops.config import Settings
from mlops.errors import InvalidSettings
from mlops.tracking import artifact_location, open_mirror, tracking_uri


@pytest.fixture(params=[True, False], ids=["installed", "not installed"])
def is_installed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    _pretend(monkeypatch, is_installed=request.param)
    return bool(request.param)


@pytest.fixture
def _mlflow_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, is_installed=True)


def _pretend(monkeypatch: pytest.MonkeyPatch, *, is_installed: bool) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if is_installed else None)


def settings_with(uri: str | None, data_dir: Path = Path()) -> Settings:
    values: dict[str, Any] = {"mlflow_tracking_uri": uri, "data_dir": data_dir}
    return Settings(_env_file=None, **values)


@pytest.mark.usefixtures("is_installed")
@pytest.mark.parametrize("value", ["off", "OFF", " off "])
def test_off_is_off_whether_mlflow_is_installed_or_not(value: str) -> None:
    assert tracking_uri(settings_with(value)) is None
    assert open_mirror(settings_with(value)) is None


def test_without_a_setting_it_is_a_file_where_mlflow_is_installed_and_off_where_not(
    is_installed: bool, tmp_path: Path
) -> None:
    uri = tracking_uri(settings_with(None, tmp_path / "data"))
    assert uri == (f"sqlite:///{tmp_path}/data/mlruns/mlflow.db" if is_installed else None)
    assert (tmp_path / "data" / "mlruns").is_dir() == is_installed


@pytest.mark.usefixtures("_mlflow_is_installed")
def test_the_default_does_not_follow_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = tracking_uri(settings_with(None))
    assert uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert artifact_location(settings_with(None), uri) == f"file://{tmp_path}/mlruns/artifacts"


@pytest.mark.usefixtures("_mlflow_is_installed")
@pytest.mark.parametrize(
    "uri", ["http://me:secret@host:5000", "sqlite:////x/y.db", "postgresql://h/d", "databricks://p"]
)
def test_a_uri_is_taken_as_it_is(uri: str) -> None:
    assert tracking_uri(settings_with(uri)) == uri


@pytest.mark.usefixtures("_mlflow_is_installed")
@pytest.mark.parametrize("uri", ["./mlruns", "mlruns", "/srv/mlruns", "file:///srv/mlruns", "FILE:/srv/mlruns"])
def test_a_plain_folder_is_refused_with_what_would_be_right(uri: str) -> None:
    with pytest.raises(InvalidSettings, match=r"MLFLOW_TRACKING_URI names a plain folder.*sqlite:///mlruns/mlflow\.db"):
        tracking_uri(settings_with(uri))


def test_a_uri_without_mlflow_is_refused_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, is_installed=False)
    with pytest.raises(InvalidSettings, match=r"pip install 'recipe-recommender\[mlflow\]'"):
        tracking_uri(settings_with("http://me:secret@host:5000"))


def test_a_folder_that_cannot_be_made_is_reported_as_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, is_installed=True)
    (tmp_path / "mlruns").touch()
    with pytest.raises(InvalidSettings, match="look at DATA_DIR"):
        tracking_uri(settings_with(None, tmp_path))


@pytest.mark.parametrize(
    ("uri", "is_ours"),
    [("sqlite:////x/y.db", True), ("postgresql+psycopg://h/d", True), ("http://h", False), ("databricks", False)],
)
def test_files_lie_in_the_data_folder_unless_a_server_keeps_them(uri: str, is_ours: bool, tmp_path: Path) -> None:
    location = artifact_location(settings_with(None, tmp_path), uri)
    assert location == (f"file://{tmp_path}/mlruns/artifacts" if is_ours else None)


def test_the_service_side_imports_no_mlflow() -> None:
    code = "import sys, mlops.tracking, mlops.cli.mirror; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
