"""Feedback in, a version out, by evidence: the real trainer, in a process of its own, from a service's database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mlops.clock import utc_now
from mlops.model_registry import open_registry
from mlops.retraining.opening import open_orchestrator
from mlops.store import Database
from recipes.config import Settings
from recipes.operations import TRAINER
from recipes.ranker import MODEL_ID
from recipes.registration import register_initial_model
from recipes.signals import RecipeSignals
from tests.shown_worlds import World


@pytest.fixture
def settings(starter_copy: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(starter_copy, retrain_trainers=f"{MODEL_ID}={TRAINER}", exploration_share=0.05)


def test_what_cooks_did_becomes_a_version_that_its_evidence_judges(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    database = Database(settings.state_url)
    registry = open_registry(settings, database=database)
    register_initial_model(registry)
    World(n_answers=900, days=40, begin=utc_now() - timedelta(days=50)).write(database)
    orchestrator = open_orchestrator(settings, registry=registry, signals=RecipeSignals(registry, database))
    # What cooks did before 1.0.0 was registered is nothing new to it.
    assert not orchestrator.check_retrain_needed(MODEL_ID)[0]
    job = orchestrator.create_retrain_job(MODEL_ID)
    orchestrator.execute_retrain(job)
    done = orchestrator.book.get(job.job_id)
    registry.close()
    assert (done.state, done.champion, done.challenger) == ("completed", "1.0.0", "1.1.0"), done.reason
    assert done.evidence is not None
    gates = {verdict["gate"]: verdict["outcome"] for verdict in done.evidence["verdicts"]}
    assert gates["beats(ndcg@3)"] == "passed"
    # The index was there, so that golden queries could be asked; whether all were kept is theirs to say.
    assert "keeps_golden" in gates
    version = registry.get_model(MODEL_ID, "1.1.0")
    assert version is not None
    is_live = all(outcome == "passed" for outcome in gates.values())
    assert version.status == ("production" if is_live else "archived")
    assert version["lineage"]["data_fingerprint"] == done.data_fingerprint
    assert registry.reference_profile(version) is not None
    database.close()
