"""A part that the service stands on is taken away for real, in a sandbox: it is noticed, and nobody goes without."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from recipes.encoder import UseEncoder
from tests.conftest import REPOSITORY

_DECLARED = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["mlops.drills"]
_SAID = {
    "index-gone": ("index does not answer", "built anew"),
    "database-gone": ("state.db is gone", "0 answers were lost"),
    "mlflow-gone": ("127.0.0.1", "1 versions wait to be sent"),
    "disk-full": ("answers wait for the database", "0 were lost"),
}


def drill_of(target: str) -> Callable[[], Any]:
    module, _, name = target.partition(":")
    drill: Callable[[], Any] = getattr(import_module(module), name)
    return drill


@pytest.mark.parametrize("name", sorted(_DECLARED))
def test_a_part_that_goes_away_is_noticed_and_mended_and_every_cook_is_answered(
    name: str, tmp_path: Path, use_encoder: UseEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "mlflow-gone":
        pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # Loaded once for all tests: the drill itself would wait for it.
    monkeypatch.setattr("recipes.service.encoder_for", lambda settings: use_encoder)
    result = drill_of(_DECLARED[name])()
    noticed, done = _SAID[name]
    assert result.healed, result
    assert noticed in str(result.noticed)
    assert done in result.done
    assert "0 of " in result.done
    assert list(tmp_path.iterdir()) == []
