"""What a retraining job says of itself, in Spanish."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops.errors import JobLost, RolloutOpen, StoreUnavailable, UnknownTrainer
from mlops.model_registry import ModelMetadata
from mlops.retraining import AutomaticRetrainingScheduler, RetrainingJob, Trainers
from mlops.retraining.consequences import sentence_of
from mlops.retraining.gradual import GradualStart
from mlops.retraining.trainers import load_factory
from mlops.retraining.work import TrainingEnded, TrainingOrder, carry_out, failures_named
from mlops.sentences import say
from mlops.store import Database
from tests.retraining_app import MODEL, NOON, Loop, SetClock
from tests.tiny_trainer import TinyTrainer
from tests.unit.test_sentences import ALL


@pytest.fixture
def loop(sqlite_database: Database) -> Loop:
    return Loop(sqlite_database).begin()


def in_spanish(text: object) -> str:
    read = ALL(str(text))
    assert read is not None, text
    return read


def log_of(job: RetrainingJob) -> list[str]:
    """The lines of a job's log without their times, in Spanish where they are the toolkit's."""
    return [ALL(line[20:]) or line[20:] for line in job.log]


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        ("passed", "Puertas superadas: 1 de 1. beats(ndcg@10) pasa"),
        ("failed", "Puertas superadas: 0 de 1. beats(ndcg@10) no pasa"),
        ("cannot tell", "Puertas superadas: 0 de 1. beats(ndcg@10), no se puede saber"),
    ],
)
def test_the_gates_speak_for_a_version_and_for_its_rollout(outcome: str, counted: str) -> None:
    said = sentence_of([{"gate": "beats(ndcg@10)", "outcome": outcome, "sentence": "Muy poco. Es menos; o nada."}])
    assert in_spanish(said) == f"{counted}: Muy poco. Es menos; o nada."
    controller: Any = SimpleNamespace(history=lambda _: [SimpleNamespace(challenger="1.1.0", rollout_id=7)])
    plan: Any = None
    begun = GradualStart(controller, plan)(MODEL, "1.1.0", said)
    assert in_spanish(begun) == f"Empezó el despliegue 7 de 1.1.0: {in_spanish(said)}"


def test_a_job_on_its_way_to_production(loop: Loop) -> None:
    assert in_spanish(loop.job(noise=0.01).doing) == "espera a que alguien lo atienda"
    job = loop.run(noise=0.01)
    assert in_spanish(job.reason).startswith("Puertas superadas: 1 de 1. beats(closeness) pasa: ")
    assert (log_of(job)[0], log_of(job)[-1]) == ("reúne los datos", in_spanish(job.reason))
    assert in_spanish(loop.registry.moves(MODEL, "1.1.0")[0].because) == "entrenada por el trabajo 1"
    one = loop.registry.get_model(MODEL, "1.1.0")
    assert one is not None
    assert in_spanish(one["description"]) == "Entrenada de nuevo por el trabajo 1: se pidió"
    again = loop.run(noise=0.01)
    same = "el entrenamiento ha dado los mismos ficheros que la versión 1.1.0: no hay nada nuevo que aprender"
    assert (in_spanish(again.reason), log_of(again)[-1]) == (same, f"omitido: {same}")


@pytest.mark.usefixtures("loop")
def test_what_a_training_does() -> None:
    done: list[str] = []
    order = TrainingOrder(1, MODEL, {}, 0, None, "1.0.0", {})
    carry_out(TinyTrainer(), order, {"model.json": b"0.0"}, lambda _stage, _share, doing: done.append(doing))
    assert [ALL(each) or each for each in done] == [
        "reúne los datos",
        "entrena",
        "takes the mean",
        "evalúa el aspirante",
        "evalúa el campeón 1.0.0",
    ]


def test_the_description_of_a_version_says_why_it_was_trained(sqlite_database: Database) -> None:
    clock = SetClock()
    loop = Loop(sqlite_database, clock=clock).begin(at=NOON)
    clock.forward(days=8)
    AutomaticRetrainingScheduler(loop.orchestrator).check_and_schedule_retraining()
    loop.orchestrator.worker().run_next()
    one = loop.registry.get_model(MODEL, "1.1.0")
    assert one is not None
    assert in_spanish(one["description"]) == (
        "Entrenada de nuevo por el trabajo 1: Días desde el último entrenamiento: 8,0; el límite es 7."
    )


def test_a_version_that_waits_for_a_person(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, auto_approve=False).begin()
    job = loop.run()
    assert in_spanish(job.doing) == "espera a una persona"
    rejected = loop.orchestrator.reject(job.job_id, because="No. Hoy no; mañana", actor="ben")
    assert in_spanish(rejected.reason) == "ben la rechazó: No. Hoy no; mañana"
    with pytest.raises(JobLost) as late:
        loop.book.move(job, "completed")
    assert in_spanish(late.value) == "el trabajo 1 ya lo atiende otro proceso, o se le puso fin"


def test_a_version_that_could_not_be_rolled_out(loop: Loop) -> None:
    def is_busy(*_: str) -> str:
        raise RolloutOpen("la cocina está llena; más tarde")

    loop.orchestrator._bring_in = is_busy
    assert in_spanish(loop.run().reason) == "No se pudo desplegar: la cocina está llena; más tarde."


def test_a_version_whose_champion_is_gone(loop: Loop) -> None:
    class Overtaken(TinyTrainer):
        def fingerprint(self, data: Any) -> str:
            loop.registry.register(ModelMetadata(MODEL, "2.0.0"), artefact={"model.json": b"1.0"})
            loop.registry.promote(MODEL, "2.0.0", because="by hand")
            return super().fingerprint(data)

    loop.orchestrator._bring_in = lambda *_: "never"
    loop.trainers.register(MODEL, Overtaken)
    assert in_spanish(loop.run().reason) == ("Su campeón ya no está en producción: tiny tiene 2.0.0 en producción.")


def test_a_training_that_fails_is_told_with_what_was_raised(loop: Loop) -> None:
    job = loop.run(raises="the loss is NaN")
    assert in_spanish(job.reason) == "el entrenamiento falló: RuntimeError: the loss is NaN"
    assert log_of(job)[-1] == "fallido: el entrenamiento falló: RuntimeError: the loss is NaN"


def failed_with(work: Callable[[], object]) -> str:
    with pytest.raises(TrainingEnded) as ended, failures_named(lambda e: say("the training failed: {error}", error=e)):
        work()
    return ended.value.reason


def test_what_the_toolkit_raises_in_a_training_is_a_sentence_itself() -> None:
    assert in_spanish(failed_with(lambda: load_factory("recipes.nowhere:make"))) == (
        "el entrenamiento falló: el entrenador recipes.nowhere:make no se encuentra: "
        "ModuleNotFoundError: No module named 'recipes.nowhere'"
    )


def test_what_is_raised_without_a_word_is_told_by_its_name() -> None:
    def is_late() -> None:
        raise TimeoutError

    assert failed_with(is_late) == "the training failed: TimeoutError"


def test_a_training_that_is_tried_again(loop: Loop) -> None:
    job = loop.run(interrupted_until="flag")
    assert "el entrenamiento falló: the source does not answer; se intenta de nuevo en 0 s" in log_of(job)


def test_a_training_whose_process_is_killed(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, training=None, max_attempts=2, memory_mb=2_000).begin()
    job = loop.run(dies=int(signal.SIGKILL))
    killed = "al proceso del entrenamiento le puso fin la señal 9; tenía un límite de 2000 MiB"
    assert in_spanish(job.reason) == killed
    assert [line for line in log_of(job) if killed in line] == [
        f"{killed}; se intenta de nuevo en 0 s",
        f"fallido: {killed}",
    ]


def test_a_job_that_somebody_ends(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database)
    job = loop.orchestrator.cancel(loop.job().job_id, actor="ben")
    assert in_spanish(job.reason) == "cancelado por ben antes de empezar"
    skipped = loop.run().reason
    assert in_spanish(skipped) == "ninguna versión de tiny está en producción: no hay con qué comparar"


def test_a_model_that_nobody_trains_is_told_in_a_refusal_and_as_what_a_need_lacks() -> None:
    with pytest.raises(UnknownTrainer) as error:
        Trainers().get("ranker")
    wanted = (
        "nadie ha dicho cómo se entrena ranker: llama a register_trainer('ranker', 'paquete.módulo:función'), o pon "
        "RETRAIN_TRAINERS=ranker=paquete.módulo:función"
    )
    assert in_spanish(error.value) == wanted
    assert in_spanish(f"{error.value}.") == f"{wanted}."


def test_a_state_database_that_is_gone(sqlite_database: Database, tmp_path: Path) -> None:
    sqlite_database.check()
    path = Path(str(sqlite_database.url.database))
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    with pytest.raises(StoreUnavailable) as error:
        sqlite_database.check()
    assert in_spanish(error.value) == f"la base de datos de estado no responde: el fichero {path} ya no está"
