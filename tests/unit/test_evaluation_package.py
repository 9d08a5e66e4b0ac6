"""The public face of ``mlops.evaluation``: its names exist, and importing it stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mlops.evaluation
import mlops.validation


def test_every_public_name_exists_and_is_listed_in_order() -> None:
    names = mlops.evaluation.__all__
    assert all(getattr(mlops.evaluation, name) is not None for name in names)
    assert names == sorted(names)


def test_the_validator_is_found_here_too_and_is_the_same() -> None:
    from mlops.evaluation import ModelValidator

    assert ModelValidator is mlops.validation.ModelValidator
    assert ModelValidator().validate_model_output([0.5], expected_shape=(1,)) == {"valid": True, "issues": []}


def test_importing_it_does_not_load_the_validator() -> None:
    code = "import sys, mlops.evaluation; print('mlops.validation' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_root())
    assert printed.stdout.strip() == "False"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mlops.evaluation.nothing  # type: ignore[attr-defined]


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ["scipy", "sklearn", "pandas", "pyarrow", "sqlalchemy", "alembic", "jinja2", "fastapi", "recipes"]
    code = f"import sys, mlops.evaluation; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_root())
    assert printed.stdout.strip() == "[]"


def _root() -> str:
    return mlops.evaluation.__path__[0].removesuffix("/mlops/evaluation")
