"""``from mlops import …``: every name, whatever was imported first, and nothing heavy before it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlops

REPOSITORY = Path(__file__).parent.parent.parent


def _run(program: str, folder: Path, **environment: str) -> str:
    """What *program* prints, run by itself in *folder*."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_public_name_can_be_imported_and_is_listed(tmp_path: Path) -> None:
    program = """
import mlops
for name in mlops.__all__:
    scope = {}
    exec(f"from mlops import {name}", scope)
    assert scope[name] is not None, name
    assert name in dir(mlops), name
print(len(mlops.__all__))
"""
    assert int(_run(program, tmp_path)) == len(mlops.__all__) > 0


def test_the_list_of_public_names_has_no_double() -> None:
    assert len(set(mlops.__all__)) == len(mlops.__all__)
    assert {"ModelRegistry", "ModelMetadata", "model_registry", "config"} <= set(mlops.__all__)


def test_everything_can_be_imported_at_once(tmp_path: Path) -> None:
    assert _run("from mlops import *; print(type(model_registry).__name__, type(config).__name__)", tmp_path) == (
        "ModelRegistry Settings"
    )


def test_an_unknown_name_is_an_attribute_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="module 'mlops' has no attribute 'nonsense'"):
        mlops.nonsense  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="nonsense"):
        exec("from mlops import nonsense")


STATEMENTS = [
    "import mlops.model_registry",
    "import mlops.config",
    "from mlops.model_registry.registry import ModelRegistry",
    "from mlops import model_registry",
    "from mlops.model_registry import model_registry",
]
CHECK = """
import mlops
from mlops import config, model_registry
from mlops.config import Settings
from mlops.model_registry import ModelRegistry
assert isinstance(model_registry, ModelRegistry), model_registry
assert mlops.model_registry is model_registry
assert isinstance(config, Settings), config
assert mlops.config is config
from mlops.model_registry import model_registry as the_same
assert the_same is model_registry
print("good")
"""


# Each of them first, and each last.
ORDERS = [[*STATEMENTS[place:], *STATEMENTS[:place]] for place in range(len(STATEMENTS))]


@pytest.mark.parametrize("statements", ORDERS, ids=lambda statements: statements[0])
def test_the_registry_is_the_registry_whatever_was_imported_first(statements: list[str], tmp_path: Path) -> None:
    assert _run("\n".join((*statements, CHECK)), tmp_path) == "good"


def test_importing_the_package_loads_nothing_heavy_and_writes_nothing(tmp_path: Path) -> None:
    program = """
import sys
import mlops
heavy = {"numpy", "sqlalchemy", "alembic", "fastapi", "starlette", "pydantic", "recipes", "mlflow"}
heavy |= {"orjson", "structlog"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""
    assert _run(program, tmp_path) == "[]"
    assert list(tmp_path.iterdir()) == []


def test_the_registry_itself_needs_no_web_framework_and_no_recipes(tmp_path: Path) -> None:
    program = """
import sys
from mlops import ModelMetadata, model_registry
model_registry.register_model(ModelMetadata("ranker", "1.0.0"))
print(sorted({"fastapi", "starlette", "recipes", "mlflow", "pandas"} & {name.split(".")[0] for name in sys.modules}))
"""
    assert _run(program, tmp_path) == "[]"


# As printed in the owner's summary.
SNIPPET = """
from mlops import model_registry, ModelMetadata

# Registrar modelo
metadata = ModelMetadata(
    model_id="hybrid_ranker",
    version="1.0.1",
    metrics={"accuracy": 0.92}
)
model_registry.register_model(metadata)

# Promover a producción
model_registry.update_model_status("hybrid_ranker", "1.0.1", "production")
"""


def test_the_owners_first_snippet_runs_as_printed_in_an_empty_folder(tmp_path: Path) -> None:
    _run(SNIPPET, tmp_path)
    shown = _run(
        "import json; d = json.load(open('models/registry.json'))['models']['hybrid_ranker'];"
        "print(d['production'], [(m['from_status'], m['to_status']) for m in d['versions']['1.0.1']['moves']])",
        tmp_path,
    )
    assert shown == ("1.0.1 [(None, 'training'), ('training', 'validation'), ('validation', 'production')]")
    asked = "from mlops import model_registry as r; print(*map(r.get_production_model('hybrid_ranker').get, {}))"
    assert _run(asked.format(("version", "metrics")), tmp_path) == "1.0.1 {'accuracy': 0.92}"


def test_the_snippet_may_run_again_and_changes_nothing(tmp_path: Path) -> None:
    _run(SNIPPET, tmp_path)
    before = (tmp_path / "models" / "registry.json").read_bytes()
    _run(SNIPPET, tmp_path)
    assert (tmp_path / "models" / "registry.json").read_bytes() == before


# As printed in the owner's summary, but for the detector.
METRICS_SNIPPET = """
from mlops import metrics_collector

# Registrar métrica
metrics_collector.record("api_latency_ms", 145.5)

# Obtener estadísticas
stats = metrics_collector.get_stats("api_latency_ms")
"""


def test_the_owners_metrics_snippet_runs_as_printed_and_is_found_by_the_next_process(tmp_path: Path) -> None:
    _run(METRICS_SNIPPET, tmp_path)
    shown = _run(METRICS_SNIPPET + "print(*stats, stats['count'], stats['p50'])", tmp_path)
    assert shown == "count mean std min max p50 p95 p99 2 145.5"
    assert [path.name for path in tmp_path.iterdir()] == ["metrics"]


def test_everything_is_written_below_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    _run(SNIPPET, tmp_path / "here", DATA_DIR=str(tmp_path / "there"))
    assert list((tmp_path / "here").iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["models", "var"]
