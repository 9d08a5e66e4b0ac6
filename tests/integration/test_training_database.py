"""Training from a database, as a retraining job does it: what the service wrote is what is learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from mlops.errors import TooLittleData
from mlops.evaluation import run_gates
from mlops.store import Database
from recipes import schema
from recipes.answer import Ask
from recipes.encoder import UseEncoder
from recipes.exploration import Exploration
from recipes.feedback import AnswerLog, Feedback, FeedbackBook
from recipes.query_hash import QueryHasher
from recipes.ranker import FEATURE_DEFAULTS, FEATURES, HybridRanker, LearnedBlend, Ranker, ranker_from
from recipes.recommender import Recommender
from recipes.service import Service
from recipes.training import HybridRankerTrainer, hybrid_ranker_trainer, labelled_since, read_log
from recipes.training.golden import GoldenAnswer, ask_golden
from tests.shown_worlds import BEGIN, World, silent

WORLD = World(n_answers=1_400)


def test_what_is_read_is_what_was_shown_and_done(emptied_database: Database) -> None:
    WORLD.write(emptied_database)
    expected = WORLD.log()
    read = read_log(emptied_database, since=BEGIN, until=WORLD.end)
    assert read.request_ids == expected.request_ids
    for name in ("slates", "positions", "scores", "propensities", "features", "answered_at", "users", "queries"):
        np.testing.assert_allclose(getattr(read, name), getattr(expected, name), err_msg=name)
    for name in ("rows", "kinds", "times"):
        np.testing.assert_array_equal(getattr(read.events, name), getattr(expected.events, name), err_msg=name)
    in_time = expected.events.times >= (BEGIN + timedelta(days=10)).timestamp()
    assert labelled_since(emptied_database, BEGIN) == len(np.unique(expected.events.rows))
    earlier = np.unique(expected.events.rows[~in_time])
    newly = np.setdiff1d(expected.events.rows[in_time], earlier)
    assert labelled_since(emptied_database, BEGIN + timedelta(days=10)) == len(newly)
    # A later `until` knows more, an earlier one less, and never an event of then.
    early = read_log(emptied_database, since=BEGIN, until=BEGIN + timedelta(days=10))
    assert early.answered_at.max() < (BEGIN + timedelta(days=10)).timestamp()
    assert early.events.times.max() < (BEGIN + timedelta(days=10)).timestamp()


def test_a_job_learns_from_the_database_and_says_what_it_lacks(sqlite_database: Database) -> None:
    trainer = HybridRankerTrainer(sqlite_database, clock=lambda: WORLD.end)
    with pytest.raises(TooLittleData, match="the training part has 0 answers"):
        trainer.load()
    WORLD.write(sqlite_database)
    data = trainer.load()
    trained = trainer.train(data, {}, 1, silent)
    challenger, champion = (trainer.evaluate(one, data) for one in (trained.files, HybridRanker().files()))
    outcomes = {verdict.gate: verdict.outcome for verdict in run_gates(trainer.gates(), challenger, champion)}
    assert outcomes["beats(ndcg@3)"] == "passed"
    assert trained.profile is not None
    assert set(trained.profile.columns) == set(FEATURES)
    assert trainer.fingerprint(trainer.load()) == trainer.fingerprint(data)


def test_answers_of_an_older_release_are_learned_from_with_defaults(sqlite_database: Database) -> None:
    WORLD.write(sqlite_database)
    old = {"name_similarity": 0.5, "popularity": 0.25}
    with sqlite_database.writing() as connection:
        table = schema.impressions
        first = sa.select(schema.answers.c.request_id).order_by(schema.answers.c.answered_at).limit(1).scalar_subquery()
        connection.execute(table.update().where(table.c.request_id == first).values(features=old))
    log = read_log(sqlite_database, since=BEGIN, until=WORLD.end)
    assert log.features[0] == pytest.approx(list({**FEATURE_DEFAULTS, **old}.values()))


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, copy_starter: Callable[[Path], Path], use_encoder: UseEncoder,
    make_settings: Any,
) -> Any:  # fmt: skip
    folder = copy_starter(tmp_path_factory.mktemp("training") / "data")
    service = Service(make_settings(folder), encoder=use_encoder, records=False)
    service.prepare()
    yield service
    service.close()


def test_the_service_writes_down_what_its_exploration_did_and_the_trainer_reads_it(service: Service) -> None:
    ids = iter(range(10_000))
    answers = AnswerLog(service.database, hash_query=QueryHasher(b"key"))
    explorer = Recommender(
        catalogue=service.catalogue, encoder=service.encoder, lexicon=service.lexicon,
        index=service.recommender.index, exploration=Exploration(0.4, seed=1), on_answer=answers.record,
        new_id=lambda: f"explored-{next(ids):04d}",
    )  # fmt: skip
    given = [explorer.answer(Ask("sopa de verduras sin huevo", user_id="ana")) for _ in range(60)]
    answers.flush()
    usual = [shown.stored.recipe_no for shown in explorer.answer_with(explorer.ranker, given[0].ask).shown]
    orders = {tuple(shown.stored.recipe_no for shown in answer.shown) for answer in given}
    assert tuple(usual) in orders
    assert 3 <= len(orders) <= 8
    log = read_log(service.database, since=given[0].answered_at, until=given[-1].answered_at + timedelta(seconds=1))
    assert log.propensities.reshape(-1, 3).tolist() == [
        pytest.approx([shown.propensity for shown in answer.shown]) for answer in given
    ]
    book = FeedbackBook(service.database, service.catalogue, answers)
    shown = given[0].shown[1].stored.recipe
    book.record(Feedback(given[0].request_id, shown.recipe_id, "cook"))
    until = given[-1].answered_at + timedelta(minutes=5)
    assert read_log(service.database, since=given[0].answered_at, until=until).events.rows.tolist() == [1]


def test_a_version_answers_the_golden_queries_before_it_may_serve(service: Service) -> None:
    known = ask_golden(service.recommender, HybridRanker())
    assert len(known) >= 10
    assert n_right(known) >= 0.9 * len(known)
    # Who looks at popularity alone loses what was asked for.
    lost = ask_golden(service.recommender, LearnedBlend("1.1.0", {"popularity": 1.0}))
    assert lost.keys() == known.keys()
    assert n_right(lost) < n_right(known)


def n_right(answers: Mapping[str, GoldenAnswer]) -> int:
    return sum(answer.is_right for answer in answers.values())


def test_cooks_who_like_what_is_quick_do_not_teach_it_to_lose_golden_queries(
    service: Service, sqlite_database: Database
) -> None:
    world = World(likes={"quickness": 1.0}, n_answers=1_400)
    world.write(sqlite_database)

    def asked(ranker: Ranker) -> dict[str, GoldenAnswer]:
        return ask_golden(service.recommender, ranker)

    plain, keeping = (
        HybridRankerTrainer(sqlite_database, golden=golden, clock=lambda: world.end)
        for golden in (lambda ranker: {}, asked)
    )
    data = plain.load()
    known, lossy, kept = (
        {query for query, answer in asked(ranker).items() if answer.is_right}
        for ranker in (
            HybridRanker(),
            *(
                ranker_from(one.train(data, {"kind": "blend"}, 1, silent).files, version="1.1.0")
                for one in (plain, keeping)
            ),
        )
    )
    assert not known <= lossy
    assert known <= kept


def test_the_factory_opens_what_the_environment_names(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(service.settings.data_dir))
    trainer = hybrid_ranker_trainer()
    with pytest.raises(TooLittleData):
        trainer.load()
    assert ranker_from(HybridRanker().files(), version="1.0.0") == HybridRanker()
