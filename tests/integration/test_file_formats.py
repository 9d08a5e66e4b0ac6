"""The files that are written have the fields that docs/reference/file-formats.md tells, and no others."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from mlops import EvaluationReport, MetricsCollector, ModelMetadata, get_logger, setup_logging
from mlops import schema as mlops_schema
from mlops.artefacts.formats import SAFE_SUFFIXES
from mlops.clock import utc_now
from mlops.config import Settings, load_settings
from mlops.drift import ReferenceProfile
from mlops.evaluation import compare
from mlops.evaluation.gates import GateVerdict
from mlops.logging_config import tear_down_logging
from mlops.model_registry import open_registry
from mlops.model_registry.transfer import export_registry
from mlops.monitoring.compaction import compact
from mlops.monitoring.housekeeping import Ages
from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue
from recipes.catalog.importers import import_file
from recipes.index import IndexBuilder, IndexLibrary
from tests.twins import HashingEncoder, tiny_lexicon

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "file-formats.md").read_text("utf-8")


def told(header: str) -> list[str]:
    """First cells of the table whose first column is called *header*."""
    (table,) = re.findall(rf"^\| {re.escape(header)} \|.*\n\| --- .*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_metrics(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    with MetricsCollector(tmp_path) as collector:
        collector.record("api_latency_ms", 41.5, {"version": "1.0.1"})
    (segment,) = tmp_path.glob("*.jsonl")
    assert [list(line) for line in lines_of(segment)] == [told("field")]
    compact(tmp_path, clock=utc_now, ages=Ages())
    (rollup,) = tmp_path.glob("*.rollup")
    first, *others = lines_of(rollup)
    assert list(first) == told("field of the first line")
    fields = told("field of a series")
    assert {line["step"]: list(line) for line in others} == {
        **dict.fromkeys((60_000, 3_600_000, 86_400_000), fields[:-2]), 0: fields
    }  # fmt: skip
    (parquet,) = tmp_path.glob("*.parquet")
    columns = pq.read_schema(parquet).names
    assert f"has the columns {', '.join(f'`{name}`' for name in columns)}, one row" in PAGE


def test_the_registry_and_its_artefacts(tmp_path: Path) -> None:
    settings = load_settings(Settings, data_dir=tmp_path / "data", artifact_signing_key="a secret")
    registry = open_registry(settings, actor="ana")
    registry.register(ModelMetadata("ranker", "1.0.0"), artefact={"weights.json": b"[0.7, 0.3]"})
    registry.refresh_view()
    export_registry(registry, tmp_path / "export")
    registry.close()
    registry.database.close()
    for folder in (tmp_path / "data" / "models", tmp_path / "export"):
        document = json.loads((folder / "registry.json").read_text("utf-8"))
        assert list(document) == told("field of the document")
        assert f"`{document['format']}`" in PAGE
        model = document["models"]["ranker"]
        assert list(model) == told("field of a model")
        version = model["versions"]["1.0.0"]
        assert list(version) == told("field of a version")
        assert list(version["moves"][0]) == told("field of a move")
        manifest = json.loads((folder / "artifacts" / version["artefact"] / "manifest.json").read_text("utf-8"))
        assert sorted(manifest) == sorted(told("field of the manifest"))
        assert sorted(manifest["files"][0]) == sorted(told("field of a file"))
    unsigned = {"files": manifest["files"], "format": manifest["format"]}
    canonical = json.dumps(unsigned, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == version["artefact"]


def test_the_formats_of_artefacts() -> None:
    assert f"`{' '.join(sorted(SAFE_SUFFIXES))}`" in PAGE


def test_profiles() -> None:
    rng = np.random.default_rng(0)
    table = {
        "minutes": rng.normal(30, 5, 300),
        "meal": np.array(["lunch", "dinner"] * 150),
        "vector": list(rng.normal(size=(300, 4))),
    }
    profile = json.loads(ReferenceProfile.of(table).to_json())
    assert list(profile) == told("field of a profile")
    assert [list(column) for column in profile["columns"]] == [told("field of a column")] * 3
    numeric, categorical, vector = (column["summary"] for column in profile["columns"])
    assert list(numeric) == told("field of a numeric summary")
    assert list(categorical) == told("field of a categorical summary")
    assert list(vector) == told("field of a vector summary")


def test_lines_of_the_log(tmp_path: Path) -> None:
    setup_logging(load_settings(Settings, data_dir=tmp_path), console=False)
    get_logger("app").info("started")
    tear_down_logging()
    (path,) = (tmp_path / "logs").glob("app_*.log")
    assert list(lines_of(path)[-1]) == told("field of a line")


def test_evaluation_reports(tmp_path: Path) -> None:
    report = EvaluationReport("ranker", "1.1.0")
    report.add_comparison(compare({"a": 0.2, "b": 0.4}, {"a": 0.3, "b": 0.4}), label="1.0.0")
    report.add_gates([GateVerdict("beats(ndcg@10)", "passed", "it does")])
    written = json.loads(report.save(tmp_path / "report.json").read_text("utf-8"))
    assert list(written) == told("field of a report")
    assert list(written["comparisons"][0]) == told("field of a comparison")
    assert list(written["gates"][0]) == told("field of a gate")


def test_indexes_and_rejected_rows(sqlite_database: Database, tmp_path: Path) -> None:
    rows = tmp_path / "recipes.jsonl"
    soup = {"name": "Soup", "ingredients": ["water"], "steps": ["Boil."], "language": "en"}
    rows.write_text(json.dumps(soup) + "\n" + json.dumps({**soup, "name": ""}) + "\n")
    report = import_file(sqlite_database, rows, layout="jsonl", rejects_dir=tmp_path / "rejected")
    assert report.rejected_path is not None
    assert [list(line) for line in lines_of(report.rejected_path)] == [told("field of a rejected row")]
    library = IndexLibrary(tmp_path / "index")
    built = IndexBuilder(Catalogue(sqlite_database), library, HashingEncoder(), tiny_lexicon()).build()
    folder = library.folder / (library.folder / "current").read_text("utf-8").strip()
    assert folder.name == built.name
    assert {path.name for path in folder.iterdir()} == {name.rstrip("/") for name in told("file")}
    assert list(json.loads((folder / "manifest.json").read_text("utf-8"))) == told("field of the index's manifest")
    with np.load(folder / "items.npz") as arrays:
        assert list(arrays) == told("array of `items.npz`")


def test_the_state_database() -> None:
    assert told("table") == [*mlops_schema.metadata.tables, *schema.metadata.tables]
