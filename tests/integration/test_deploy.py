"""What comes along for Prometheus and Grafana is valid, asks for what is recorded, and alarms when it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops.config import Settings
from recipes.measures import MEASURES

REPOSITORY = Path(__file__).parent.parent.parent
DEPLOY = REPOSITORY / "deploy"
RULES = DEPLOY / "alerts.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "recipes.json"
SUFFIXES = {"distribution": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}
# Labels and values, ranges and groupings; then the names of functions.
_NOT_METRICS = (re.compile(r"\{[^}]*\}|\[[^\]]*\]|\bby\s*\([^)]*\)"), re.compile(r"\b\w+\s*(?=\()"))
_OPERATORS = {"and", "or", "unless"}


def promtool(*arguments: str) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; Debian has it in the package prometheus")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every rule and every panel."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def metrics_in(expression: str) -> set[str]:
    for pattern in _NOT_METRICS:
        expression = pattern.sub(" ", expression)
    return set(re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*", expression)) - _OPERATORS


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('sum by (le) (rate(a_bucket{x="y"}[5m])) > 5e3 and b_total >= 30', {"a_bucket", "b_total"}),
        ("r:x:rate1h > 14.4 * 0.01 or absent(up)", {"r:x:rate1h", "up"}),
    ],
)
def test_metrics_are_found_in_an_expression(expression: str, expected: set[str]) -> None:
    assert metrics_in(expression) == expected


def test_every_metric_that_is_asked_for_is_one_that_the_service_records() -> None:
    known = {name + suffix for name, about in MEASURES.items() for suffix in SUFFIXES[about.kind]}
    known |= {rule["record"] for rule in rules() if "record" in rule} | {"up"}
    asked = [(where, metrics_in(expression)) for where, expression in expressions()]
    assert len(asked) > 40
    for where, metrics in asked:
        assert metrics, where
        assert metrics <= known, where


def test_every_measure_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]
                     for target in panel.get("targets", ()))  # fmt: skip
    assert [name for name in MEASURES if not re.search(rf"\b{name}(_bucket|_sum|_total)?\b", shown)] == []


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    for name in ("prometheus.yml", "prometheus.compose.yml"):
        promtool("check", "config", str(DEPLOY / name))
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(RULES))


def test_the_rules_alarm_when_they_should_and_not_otherwise(tmp_path: Path) -> None:
    cases = (Path(__file__).parent / "prometheus_rules.test.yml").read_text("utf-8")
    (tmp_path / "test.yml").write_text(cases.replace("{rules}", str(RULES), 2).replace(f"`{RULES}`", "`{rules}`"))
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_the_lines_are_those_of_the_settings() -> None:
    fields = Settings.model_fields
    if "slo_availability" not in fields:
        pytest.skip("this release has no thresholds to compare with")
    by_name = {rule["alert"]: rule["expr"] for rule in rules() if "alert" in rule}
    assert f"> {fields['alert_threshold_latency'].default:g}" in by_name["AnswersSlow"]
    assert f"> {fields['alert_threshold_error_rate'].default:g}" in by_name["RequestsFail"]
    budget = f"{1 - fields['slo_availability'].default:.2g}"
    assert f"14.4 * {budget}" in by_name["ErrorBudgetBurnsFast"]
    assert f"14.4 * {1 - fields['slo_latency_share'].default:.2g}" in by_name["LatencyBudgetBurnsFast"]


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_grafana_finds_its_data_source_and_its_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))
    providers = yaml.safe_load((provisioning / "dashboards" / "recipes.yml").read_text("utf-8"))
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    assert [provider["type"] for provider in providers["providers"]] == ["file"]


def test_every_alert_is_documented() -> None:
    text = (REPOSITORY / "docs" / "prometheus.md").read_text("utf-8")
    documented = re.findall(r"^\| `([A-Z]\w+)` \| .* \| (\w+) \|$", text, re.MULTILINE)
    assert documented == [(rule["alert"], rule["labels"]["severity"]) for rule in rules() if "alert" in rule]
