"""The reference says what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import mlops
from docs.make_reference import FOLDER, OBJECTS, PAGES
from mlops.access import Scope
from mlops.evaluation.comparison import Verdict
from mlops.model_registry import STATUSES
from tests.acceptance.test_documents import REPOSITORY, outside_environment


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_follows_from_the_code_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text("utf-8")
    assert written == PAGES[name](), "run: make docs"


def test_the_pages_name_what_there_is() -> None:
    # A generator that finds nothing would agree with an empty page.
    expected = {
        "settings.md": ("`ALERT_THRESHOLD_LATENCY` | number, above 0 | `5000.0`", "`OPENAI_API_KEY` | text | – | yes"),
        "cli.md": ("### `mlops models promote`", "mlops models promote MODEL VERSION --reason TEXT", "`recipes serve`"),
        "http.md": ("`POST /recommend`", "`POST /models/{model_id}/rollback`", "| operate | 200 202 400"),
        "errors.md": ("`UnknownVersion` | No such version of this model was ever registered. | 404 | 3 |",),
        "metrics.md": ("`api_latency_ms` | distribution | ms |",),
        "python.md": ("`get_production_model(model_id: str) -> ModelVersion \\| None`", "## MetricsCollector"),
    }
    for name, lines in expected.items():
        text = (FOLDER / name).read_text("utf-8")
        for line in lines:
            assert line in text


def test_ready_made_objects_are_what_the_page_says(tmp_path: Path) -> None:
    assert set(OBJECTS) < set(mlops.__all__)
    code = "import mlops, sys\nfor name in sys.argv[1:]: print(f'`{type(getattr(mlops, name)).__name__}`')"
    command = [sys.executable, "-c", code, *OBJECTS]
    done = subprocess.run(
        command, cwd=tmp_path, env=outside_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [told.partition(":")[0] for told in OBJECTS.values()]


def test_the_glossary_has_the_words_that_programs_answer_with() -> None:
    text = (REPOSITORY / "docs" / "glossary.md").read_text("utf-8")
    for word in (*STATUSES, *get_args(Scope), *get_args(Verdict)):
        assert re.search(rf"\b{word}\b", text), word


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    figures = readme[readme.index("## How good") : readme.index("## Where to read on")]
    told = set(re.findall(r"\d[\d.,]*\d|\d", (REPOSITORY / "benchmarks" / "README.md").read_text("utf-8")))
    shown = re.findall(r"\d[\d.,]*\d|\d", figures)
    assert len(shown) > 30
    assert [figure for figure in shown if figure not in told] == []


def test_the_owners_guide_names_every_endpoint_and_every_public_name() -> None:
    guide = (REPOSITORY / "MLOPS_GUIDE.md").read_text("utf-8")
    reference = guide[guide.index("## Referencia de API") :]
    for name in mlops.__all__:
        assert re.search(rf"`{name}\b", reference), name
    told: set[str] = set()
    for row in re.findall(r"^\| `(?:GET|POST) .*$", reference, re.MULTILINE):
        path = ""
        # `…/approve` stands for the path before it with another end.
        for method, found in re.findall(r"`(GET |POST |…)(/[^`?]*)", row.split(" | ")[0]):
            path = found if method != "…" else path.rpartition("/")[0] + found
            told.add(path)
    listed = (FOLDER / "http.md").read_text("utf-8")
    assert told == set(re.findall(r"^\| `[A-Z]+ (/[^`]*)`", listed, re.MULTILINE))
