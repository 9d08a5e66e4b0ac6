"""Alertas: what an alert rests on is told in rows and tables, whatever a rule has put into its evidence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops.monitoring.alerts import WATCH, Firing
from tests.console_world import MODEL, World


@pytest.fixture
def world(lived_world: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(lived_world, tmp_path / "world")
    world = World(tmp_path / "world")
    yield world
    world.close()


def shown(world: World, evidence: dict[str, Any], **params: str) -> Any:
    """The page of an alert with *evidence*."""
    alert = world.alerts.fire(Firing("data_drift", "It has drifted.", labels={"model_id": MODEL}, evidence=evidence))
    return world.send("GET", f"/consola/alertas/{alert.alert_id}", params=params)


def tables(world: World, evidence: dict[str, Any]) -> list[dict[str, Any]]:
    panels = shown(world, evidence, formato="json").json()["panels"]
    found: list[dict[str, Any]] = next(panel for panel in panels if panel["name"] == "evidence")["tables"]
    return found


def test_a_list_of_columns_is_a_table_of_its_own(world: World) -> None:
    columns = [
        {"column": "language", "score": 0.0323174, "threshold": 0.2, "drifted": False},
        {"column": "query_length", "score": 0.3141592, "threshold": 0.2, "drifted": True},
    ]
    assert tables(world, {"columns": columns}) == [{"caption": "columns", "rows": columns}]
    page = shown(world, {"columns": columns}).text
    assert "0,03232</td>" in page
    assert 'data-label="con deriva">sí</td>' in page
    assert "0.0323174" not in page
    assert "&#39;column&#39;" not in page


def test_times_are_shown_as_everywhere_else(world: World) -> None:
    evidence = {"began": "2026-11-13T21:00:00.492459+00:00", "day": "2026-11-13"}
    (table,) = tables(world, evidence)
    assert [row["value"] for row in table["rows"]] == ["2026-11-13T21:00:00.492459+00:00", "2026-11-13"]
    assert ">2026-11-13 21:00 UTC</time>" in shown(world, evidence).text


def test_what_lies_deeper_is_told_in_rows_and_nothing_looks_like_a_program(world: World) -> None:
    evidence = {
        "by": {"events": 3, "metrics": 1},
        "rollout": {"plan": {"shares": [0.05, 0.25], "target": None}},
        "jobs": [12, 13],
        "nothing": [],
    }
    (table,) = tables(world, evidence)
    assert {row["name"]: row["value"] for row in table["rows"]} == {
        "by.events": 3, "by.metrics": 1, "rollout.plan.shares": "0,05; 0,25", "rollout.plan.target": None,
        "jobs": "12, 13", "nothing": None,
    }  # fmt: skip


def test_why_an_alert_was_resolved_is_told_in_the_language_of_the_page(world: World) -> None:
    alert = world.alerts.fire(Firing("data_drift", "It has drifted."))
    world.alerts.resolve(alert.alert_id, because="3 looks in a row found nothing", actor=WATCH)
    shown = world.send("GET", f"/consola/alertas/{alert.alert_id}").text
    assert '<span lang="es">3 comprobaciones seguidas no encontraron nada</span>' in shown
