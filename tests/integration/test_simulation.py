"""A whole simulation, small: the real service and its loop in a sandbox, and nothing of the user's touched."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mlops import schema as mlops_schema
from mlops.store import Database
from recipes import cli, schema
from recipes.answer import Ask
from recipes.catalog import Catalogue, Recipe, starter_recipes
from recipes.config import Settings
from recipes.lexicon import cooking_lexicon
from recipes.service import Service
from recipes.simulate.cli import known_recipes
from recipes.simulate.clock import SimulatedClock
from recipes.simulate.options import ARMS, Options
from recipes.simulate.run import simulate
from recipes.simulate.sandbox import Found, isolated_settings, sandbox
from recipes.simulate.show import story_page, summary
from recipes.simulate.story import Promotion, Simulation
from tests.twins import HashingEncoder

pytestmark = pytest.mark.timeout(120)
RECIPES = list(starter_recipes())


def simulated(
    folder: Path, options: Options, *, recipes: Sequence[Recipe] = RECIPES, found: Found | None = None
) -> Simulation:
    return simulate(options, recipes, lexicon=cooking_lexicon(), encoder=HashingEncoder(), folder=folder, found=found)


@pytest.fixture(scope="module")
def story(make_quick_folder: Callable[[], Path]) -> Simulation:
    """Nine days: after a week the loop trains."""
    options = Options(n_days=9, n_cooks=150, drift_day=6, seed=1)
    return simulated(make_quick_folder(), options)


def test_the_loop_trains_for_real_and_says_why_and_what_came_of_it(story: Simulation) -> None:
    trained = [event for event in story.events if event.kind == "retraining"]
    assert trained
    assert "days old; the limit is 7" in trained[0].sentence
    outcomes = [event for event in story.events if event.kind in {"promotion", "refusal"}]
    assert len(outcomes) == len(trained)
    assert "gates passed" in outcomes[0].sentence


def test_every_arm_answers_the_same_questions_and_only_the_loop_may_change_its_version(story: Simulation) -> None:
    counts = {name: [day.n_answers for day in story.days[name]] for name in ARMS}
    assert counts["loop"] == counts["frozen"] == counts["oracle"]
    assert sum(counts["loop"]) > 250
    assert {day.version for day in story.days["frozen"]} == {"1.0.0"}


def test_until_the_first_training_the_loop_answers_as_the_frozen_version_does(story: Simulation) -> None:
    """Common random numbers: where the arms show the same, the cooks do the same."""
    assert story.days["loop"][:7] == story.days["frozen"][:7]


def test_the_oracle_is_better_than_what_knows_no_tastes_on_every_day(story: Simulation) -> None:
    for knowing, blind in zip(story.days["oracle"], story.days["frozen"], strict=True):
        assert knowing.ndcg > blind.ndcg
        assert 0.9 < knowing.ndcg <= 1


def test_nothing_is_lost_between_what_was_sent_and_what_is_stored(story: Simulation) -> None:
    kept = story.kept
    assert kept.sent_impressions > 700
    assert kept.sent_events > 100
    assert kept.lost == 0
    assert replace(kept, stored_events=kept.sent_events - 2).lost == 2


def test_the_story_is_called_simulated_wherever_it_shows(story: Simulation) -> None:
    page = story_page(story, made_at=datetime(2026, 1, 20, tzinfo=UTC))
    assert "Simulated" in page.split("</title>")[0]
    assert page.count("<figure") == 3
    assert "tastes drift" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert summary(story)[0].startswith("Simulated")
    assert story.to_dict()["simulated"] is True


def test_the_same_seed_gives_the_same_story_to_the_last_digit_whatever_was_found_before(quick_path: Path) -> None:
    options = Options(n_days=2, n_cooks=30, drift_day=2, seed=5)
    found: Found = {}
    one, two = (simulated(quick_path / name, options, recipes=RECIPES[:60], found=found) for name in ("one", "two"))
    alone = simulated(quick_path / "alone", options, recipes=RECIPES[:60])
    assert found
    assert replace(one, seconds=0) == replace(two, seconds=0) == replace(alone, seconds=0)


def test_the_command_reads_the_users_recipes_and_writes_nothing_but_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path}/mine/state.db")
    database.upgrade(mlops_schema.MIGRATIONS, schema.MIGRATIONS)
    Catalogue(database).save(RECIPES[:60])
    database.close()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/mine/state.db")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "mine"))
    monkeypatch.setattr("recipes.encoder.encoder_for", lambda settings: HashingEncoder())
    before = contents(tmp_path / "mine")
    report = tmp_path / "out" / "loop.html"
    done = CliRunner().invoke(
        cli.app, ["simulate", "--days", "2", "--users", "20", "--drift-day", "0", "--report", str(report), "--json"]
    )
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["recipes"] == 60
    assert told["options"]["drift_day"] is None
    assert told["kept"]["lost"] == 0
    assert "Simulated" in report.read_text("utf-8")
    assert contents(tmp_path / "mine") == before


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        # Readers of a database leave these behind, empty of anything that it holds.
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def test_no_setting_of_the_installation_reaches_a_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_URL": "postgresql://cook@elsewhere/recipes", "DATA_DIR": "/elsewhere", "REQUIRE_APPROVAL": "all",
        "QDRANT_HOST": "elsewhere", "OPENAI_API_KEY": "secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings = isolated_settings(tmp_path)
    assert settings.state_url == f"sqlite:///{tmp_path}/var/state.db"
    assert (settings.models_dir, settings.require_approval) == (tmp_path / "models", "none")
    assert settings.qdrant_host is settings.openai_api_key is None


def test_without_recipes_of_ones_own_the_starter_catalogue_is_used_and_no_database_is_made(tmp_path: Path) -> None:
    found = known_recipes(Settings(data_dir=tmp_path), seed=0)
    assert [recipe.recipe_id for recipe in found] == [recipe.recipe_id for recipe in RECIPES]
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_impossible_days_are_refused_in_words() -> None:
    done = CliRunner().invoke(cli.app, ["simulate", "--days", "5", "--drift-day", "9"])
    assert done.exit_code == 2
    assert "drift_day must be from 2 to 5" in " ".join(done.output.split())


def test_figures_of_a_story_are_those_worked_by_hand(story: Simulation) -> None:
    """Lead 0.1 for a week, lost on the drift day 8, back at 0.081 from day 11 on."""
    day = story.days["frozen"][0]
    leads = [0.1] * 7 + [0.0, 0.0, 0.05, 0.081, 0.081, 0.081]
    frozen = [replace(day, day=number, ndcg=0.5) for number in range(1, 14)]
    loop = [replace(one, ndcg=0.5 + lead) for one, lead in zip(frozen, leads, strict=True)]
    oracle = [replace(one, ndcg=0.9) for one in frozen]
    told = replace(
        story,
        options=Options(n_days=13, n_cooks=1, drift_day=8),
        days={"loop": loop, "frozen": frozen, "oracle": oracle},
        promotions=[
            Promotion(3, "1.0.0", "1.1.0", 0.02, 0.01, 0.03, 9),
            Promotion(9, "1.1.0", "1.2.0", -0.01, -1, 1, 9),
        ],
    )
    assert told.gained_share() == pytest.approx(0.081 / 0.4)
    assert told.gained_share(last_days=2) == pytest.approx(0.2025)
    assert told.gained_share(figure="click_share") is None
    assert told.lead_before_drift() == pytest.approx(0.1)
    # Days 11 to 13 are the first three whose mean is 0.08 or more; day 13 is five days after the drift day.
    assert told.days_to_recover() == 5
    assert told.to_dict()["wrong_promotions"] == 1


def test_the_service_writes_down_what_it_has_learned_with_what_it_shows(quick_path: Path) -> None:
    ids, clock = itertools.count(), SimulatedClock(datetime(2026, 1, 5, tzinfo=UTC))
    with sandbox(
        quick_path, RECIPES[:60], encoder=HashingEncoder(), clock=clock, new_id=lambda: str(next(ids)), settings={}
    ) as service:
        _check_what_is_learned(service, clock)


def _check_what_is_learned(service: Service, clock: SimulatedClock) -> None:
    ask = Ask("sopa", user_id="ana")
    blind = service.recommender.answer(ask)
    assert {one.features["taste"] for one in blind.shown} == {0.5}
    for _ in range(15):
        service.recommender.answer(ask)
    service.answers.flush()
    clock.set(clock() + timedelta(hours=1))
    service.learn_tastes()
    seeing = service.recommender.answer(ask)
    assert service.recommender.tastes is not None
    scores = service.recommender.tastes.taste("ana", np.array([one.stored.recipe_no for one in seeing.shown]))
    assert scores is not None
    assert [one.features["taste"] for one in seeing.shown] == pytest.approx(scores.tolist())
