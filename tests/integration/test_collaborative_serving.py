"""The collaborative model on its way: from the database, through a training, to a service that runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from mlops.files import write_whole
from mlops.store import Database
from recipes import schema
from recipes.answer import Ask
from recipes.catalog import Catalogue, Rating, Recipe
from recipes.collaborative import COLLABORATIVE_FILE, CollaborativeModel, Interactions, Options
from recipes.collaborative.reactions import WORTH, read_interactions
from recipes.config import Settings
from recipes.encoder import UseEncoder
from recipes.ranker import MODEL_ID
from recipes.service import Service
from recipes.training import HybridRankerTrainer
from tests.shown_worlds import World, silent

NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)
WORLD = World(n_answers=1_400)
MakeRecipe = Callable[..., Recipe]


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def note(database: Database, recipe_id: str, event: str, *, days: float, user: str | None, value: float | None) -> None:
    """One answer that showed one recipe, and what was done with it at once."""
    request_id, at = f"{user}-{recipe_id}-{event}-{days}", days_ago(days)
    answer: dict[str, Any] = {
        "request_id": request_id, "answered_at": at, "user_id": user, "query_hash": "q", "language": "es",
        "constraints": {}, "mode": "full", "model_id": MODEL_ID, "model_version": "1.0.0", "n_candidates": 4,
        "latency_ms": 1.0,
    }  # fmt: skip
    shown = {"request_id": request_id, "recipe_id": recipe_id}
    with database.writing() as connection:
        connection.execute(schema.answers.insert(), answer)
        impression = {**shown, "position": 1, "score": 1, "features": {}, "propensity": 1}
        connection.execute(schema.impressions.insert(), impression)
        happened = {**shown, "event_id": request_id, "event": event, "value": value, "received_at": at}
        connection.execute(schema.feedback_events.insert(), happened)


def found(interactions: Interactions, names: dict[int, str]) -> set[tuple[str, str, float, float | None]]:
    """Cook, recipe, weight, days ago."""
    ages = [None] * len(interactions) if interactions.at is None else (NOW.timestamp() - interactions.at) / 86_400
    columns = (interactions.users, interactions.recipes.tolist(), interactions.weights.tolist(), ages)
    return {
        (user, names[number], weight, age if age is None else round(float(age), 6))
        for user, number, weight, age in zip(*columns, strict=True)
    }


def test_what_is_learned_from_are_ratings_and_reactions_of_cooks_who_can_be_told_apart(
    emptied_database: Database, make_recipe: MakeRecipe
) -> None:
    catalogue = Catalogue(emptied_database)
    catalogue.save([make_recipe(name, recipe_id=name) for name in ("soup", "salad", "stew")])
    names = {catalogue.get(name).recipe_no: name for name in ("soup", "salad", "stew")}
    assert found(read_interactions(emptied_database, until=NOW), names) == set()
    catalogue.rate([Rating("import-7", "stew", 4.0, None), Rating("import-7", "soup", 2.0, None)])
    assert found(read_interactions(emptied_database, until=NOW), names) == {("import-7", "stew", 1.0, None)}
    catalogue.rate([Rating("request-9", "soup", 5.0, days_ago(2)), Rating("user-ana", "salad", 5.0, days_ago(4))])
    for recipe, event, days, user, value in [
        ("soup", "cook", 9, "ana", None),
        ("soup", "click", 8, None, None),
        ("soup", "dismiss", 8, "ben", None),
        ("salad", "click", 5, "ben", None),
        ("salad", "rating", 20, "ana", 1.0),  # The later 5 counts.
        ("stew", "rating", 7, "ben", 5.0),
        ("stew", "rating", 6, "ben", 2.0),  # Disliked by now, though liked before.
        ("stew", "cook", 6.5, "ben", None),
    ]:
        note(emptied_database, recipe, event, days=days, user=user, value=value)
    expected = {
        ("import-7", "stew", 1.0, 9.0),  # Without a date: as old as the oldest that counts.
        ("user-ana", "soup", 1.0, 9.0),
        ("user-ana", "salad", 1.0, 4.0),
        ("user-ben", "salad", WORTH["click"], 5.0),
    }
    assert found(read_interactions(emptied_database, until=NOW), names) == expected
    # At the end of an earlier moment nothing of later is known: Ben liked the stew then.
    then = found(read_interactions(emptied_database, until=days_ago(6.75)), names)
    assert ("user-ben", "stew", 1.0, 7.0) in then
    assert min(age for _, _, _, age in then if age is not None) >= 6.75


@pytest.fixture
def trained_world(sqlite_database: Database, make_recipe: MakeRecipe) -> Database:
    ids = [f"recipe-{number}" for number in range(WORLD.n_recipes)]
    Catalogue(sqlite_database).save([make_recipe(name, recipe_id=name) for name in ids])
    WORLD.write(sqlite_database)
    return sqlite_database


def test_a_training_puts_down_a_model_that_knows_nothing_of_later_and_does_not_touch_what_it_learns_from(
    trained_world: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.collaborative.serving.FEWEST_INTERACTIONS", 300)
    path = tmp_path / "together" / COLLABORATIVE_FILE
    alone = HybridRankerTrainer(trained_world, clock=lambda: WORLD.end)
    trainer = HybridRankerTrainer(trained_world, collaborative=path.parent, clock=lambda: WORLD.end)
    before = alone.load()
    expected = alone.train(before, {"kind": "blend"}, 1, silent)
    trained = trainer.train(trainer.load(), {"kind": "blend"}, 1, silent)
    content = path.read_bytes()
    model = CollaborativeModel.load({COLLABORATIVE_FILE: content})
    assert trained.files == expected.files
    assert trained.metrics["collaborative_cooks"] == len(model.histories.users) > 90
    assert model.fingerprint == read_interactions(trained_world, until=WORLD.end).fingerprint()
    # What comes at or after the end of the training's data changes neither the model nor the examples.
    with trained_world.writing() as connection:
        events = connection.execute(sa.select(schema.feedback_events)).mappings().all()
        later = [
            {
                **row,
                "event_id": f"later-{row['event_id']}",
                "event": "cook",
                "received_at": WORLD.end + timedelta(hours=n),
            }
            for n, row in enumerate(events)
        ]
        connection.execute(schema.feedback_events.insert(), later)
    path.unlink()
    again = trainer.load()
    assert again.fingerprint() == before.fingerprint()
    trainer.train(again, {"kind": "blend"}, 1, silent)
    assert path.read_bytes() == content


def test_too_little_in_common_or_data_from_elsewhere_make_no_file(trained_world: Database, tmp_path: Path) -> None:
    trainer = HybridRankerTrainer(trained_world, collaborative=tmp_path / "together", clock=lambda: WORLD.end)
    with trained_world.writing() as connection:
        connection.execute(sa.update(schema.answers).values(user_id=None))
    data = trainer.load()
    assert trainer.train(data, {"kind": "blend"}, 1, silent).metrics["collaborative_cooks"] == 0
    brought = trainer.train(replace(data, is_read=False), {"kind": "blend"}, 1, silent)
    assert "collaborative_cooks" not in brought.metrics
    assert not (tmp_path / "together").exists()


def fitted(numbers: np.ndarray, liked: np.ndarray) -> CollaborativeModel:
    """Ana met the first of *liked*; others met all of them, and each recipe was met by somebody."""
    users = ["user-ana", *(f"user-{n}" for n in range(20) for _ in liked), *(f"import-{n}" for n in numbers)]
    recipes = np.concatenate([liked[:1], np.tile(liked, 20), numbers])
    options = Options(1.0, 0.01, None)
    return CollaborativeModel.fit(Interactions.of(users, recipes), seed=1, as_of=None, options=options)


def test_a_running_service_takes_a_newer_model_over_and_leaves_a_damaged_one_aside(
    starter_copy: Path,
    make_settings: Callable[..., Settings],
    use_encoder: UseEncoder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("recipes.service.WATCH_SECONDS", 0.05)
    service = Service(make_settings(starter_copy), encoder=use_encoder, records=False)
    path = service.settings.var_dir / "collaborative" / COLLABORATIVE_FILE

    def known(user_id: str) -> dict[int, float]:
        shown = service.recommender.answer(Ask("sopa de verduras", n=10, user_id=user_id)).shown
        return {one.stored.recipe_no: one.features["collaborative"] for one in shown}

    def serves(model: CollaborativeModel, user_id: str = "ana") -> bool:
        now = known(user_id)
        return list(now.values()) == model.scores(np.array(list(now)), user_id=f"user-{user_id}").tolist()

    def wait(condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < until, "it never happened"
            time.sleep(0.02)

    service.start()
    try:
        before = known("ana")
        assert set(before.values()) == {0.0}
        numbers = np.array(sorted(before), np.int64)
        first, second = fitted(numbers, numbers[:4]), fitted(numbers, numbers[::2])
        write_whole(path, first.files()[COLLABORATIVE_FILE])
        wait(lambda: serves(first))
        assert max(known("ana").values()) > 0.3
        assert set(known("somebody else").values()) == {0.0}
        damaged = second.files()[COLLABORATIVE_FILE]
        with caplog.at_level(logging.WARNING, logger="recipes.collaborative"):
            write_whole(path, damaged[: len(damaged) // 2])
            wait(lambda: bool(caplog.records))
            time.sleep(0.3)  # Several looks of the watch.
        assert serves(first)
        assert [record.getMessage().count(COLLABORATIVE_FILE) for record in caplog.records] == [2]
        write_whole(path, damaged)
        wait(lambda: serves(second))
        path.unlink()
        time.sleep(0.15)
        assert serves(second)
    finally:
        service.stop()
