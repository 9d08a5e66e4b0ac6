"""What happened to rollouts, versions and their files, as an operator reads it in Spanish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops.artefacts import Digest, DiskArtefacts
from mlops.errors import ArtefactError, Barred, Conflict, IllegalMove, MlopsError, RolloutRefused
from mlops.live_model import LiveModel
from mlops.model_registry import ApprovalPolicy
from mlops.rollout import Expected
from mlops.rollout.guards import STREAK
from mlops.rollout.sample_ratio import SampleRatio
from mlops.store import Database
from tests.rollout_traffic import PLAN, Traffic
from tests.unit.test_sentences import ALL

PER_CENT = "\N{NO-BREAK SPACE}%"
BAD = {"challenger": {"failed": 3}, "champion": {"failed": 50}}


@pytest.fixture
def traffic(sqlite_database: Database) -> Traffic:
    return Traffic(sqlite_database)


def sentences(traffic: Traffic) -> list[str | None]:
    """What happened to the last rollout, in Spanish."""
    last = traffic.controller.history("ranker", limit=1)[0]
    return [ALL(event.sentence) for event in traffic.controller.events(last.rollout_id)]


def refusal(kind: type[MlopsError], done: Callable[..., Any], *values: Any, **named: Any) -> str | None:
    """Why something cannot be done, in Spanish."""
    with pytest.raises(kind) as refused:
        done(*values, **named)
    return ALL(str(refused.value))


def test_a_way_into_production(traffic: Traffic) -> None:
    traffic.start(because="Nicer. Twice")
    traffic.go_on(2)
    traffic.step(hours=1.1)
    traffic.go_on(2)
    traffic.step(hours=1.1)
    traffic.go_on(2)
    traffic.step(hours=1.1)
    assert sentences(traffic) == [
        "el despliegue 1 de ranker 1.1.0 empieza frente a 1.0.0: Nicer. Twice",
        "ranker 1.1.0 responde al 50\N{NO-BREAK SPACE}% de los usuarios: ningún guardián ha saltado.",
        "ranker 1.1.0 se promueve: ningún guardián ha saltado en ninguna etapa.",
        "ranker 1.1.0 se queda en producción: ningún guardián ha saltado mientras se vigilaba.",
    ]


def test_a_challenger_that_is_taken_back(traffic: Traffic) -> None:
    traffic.start()
    rollout = traffic.go_on(12, every=BAD)
    because = (
        f"ranker 1.1.0 se retira. error_rate: peticiones fallidas: 33,33{PER_CENT} (14 de 42) del aspirante, "
        f"1,90{PER_CENT} (3 de 158) del campeón; razón de odds de 2,51 a ∞; evidencia 16.700 (hacen falta 80)."
    )
    assert ALL(rollout.because) == because
    assert sentences(traffic)[1:] == [because, "1.1.0 queda archivada, y vetada hasta que alguien levante el veto"]
    assert ALL(traffic.registry.moves("ranker", "1.1.0")[-1].because) == because
    traffic.register("1.1.1", content='"1.1.0"')
    assert refusal(Barred, traffic.controller.start, "ranker", "1.1.1") == (
        f"ranker 1.1.1 tiene los ficheros de 1.1.0, que está vetada ({because}); mlops rollout unbar ranker 1.1.0"
    )


def test_a_challenger_that_is_down(traffic: Traffic) -> None:
    traffic.start()
    traffic.router.cannot_load("RuntimeError")
    traffic.router.flush()
    assert ALL(traffic.step().because) == (
        f"ranker 1.1.0 se retira. crash_loop: el aspirante falló {STREAK} veces seguidas en un mismo proceso, "
        "o no se pudo cargar."
    )


def test_what_two_guards_say(traffic: Traffic) -> None:
    traffic.start()
    read = ALL(traffic.go_on(1, n=400, every={"challenger": {"failed": 3, "invalid": 2}}).because)
    assert read is not None
    assert [each.partition(":")[0] for each in read.split(". ")] == [
        "ranker 1.1.0 se retira",
        "error_rate",
        "output_valid",
    ]


def test_a_version_that_cannot_be_taken_out_of_production_in_a_freeze(traffic: Traffic) -> None:
    traffic.start()
    traffic.controller.promote_now("ranker", because="sure", actor="ana")
    traffic.router.refresh()
    traffic.registry.freeze(because="Christmas. Nobody is here.")
    traffic.go_on(1, every={"watch": {"failed": 2}})
    assert [ALL(alarm) for alarm in traffic.alarms] == [
        f"ranker 1.1.0 se retira. error_rate: peticiones fallidas: 50,00{PER_CENT} (100 de 200) del aspirante; "
        "evidencia más de 10⁸ (hacen falta 80). No se pudo dar marcha atrás: los movimientos automáticos de "
        "todos los modelos están parados (Christmas. Nobody is here.) hasta `mlops models unfreeze`"
    ]


def test_what_was_changed_by_others(traffic: Traffic) -> None:
    traffic.start()
    traffic.registry.promote("ranker", "1.1.0", because="mine")
    traffic.step()
    traffic.registry.rollback("ranker", because="yours")
    traffic.step()
    assert sentences(traffic)[1:] == [
        "1.1.0 fue puesta en producción",
        "1.1.0 fue retirada de producción; responde 1.0.0",
    ]


@pytest.mark.parametrize(
    ("default", "because"),
    [
        (
            "keep_champion",
            "1.0.0 se queda en producción por defecto: se acabó el tiempo del despliegue 1 de ranker 1.1.0 "
            "sin promoción.",
        ),
        (
            "promote",
            "ranker 1.1.0 se promueve por defecto: se acabó el tiempo del despliegue 1 de ranker 1.1.0, y ningún "
            "guardián ha saltado.",
        ),
    ],
)
def test_a_rollout_whose_time_is_over(traffic: Traffic, default: Any, because: str) -> None:
    traffic.start(replace(PLAN, default=default))
    traffic.step(hours=30)
    assert sentences(traffic)[-1] == because


def test_a_comparison_that_is_void(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    uneven = SampleRatio(10, 990, expected_challenger=200.0, p_value=3.2e-9, mismatch=True)
    monkeypatch.setattr("mlops.rollout.judging.check_sample_ratio", lambda splits: uneven)
    traffic.start()
    assert ALL(traffic.step().because) == (
        "el despliegue 1 de ranker 1.1.0 no vale: los usuarios no se repartieron como se prometió. "
        "Usuarios del aspirante: 10; se esperaban 200 de 1000 (p = 3,2e-09)."
    )


def test_what_answers_after_a_rollback(sqlite_database: Database) -> None:
    traffic = Traffic(sqlite_database, serving=lambda model_id: "1.0.0")
    traffic.start()
    traffic.go_on(12, every=BAD)
    assert sentences(traffic)[-1] == "1.0.0 responde, como dice el registro"


def test_why_a_rollout_does_not_begin(sqlite_database: Database) -> None:
    worse = Expected("clearly worse", "It is expected to be worse.")
    traffic = Traffic(sqlite_database, expect=lambda model_id, champion, challenger: worse)
    start = traffic.controller.start
    with pytest.raises(RolloutRefused) as refused:
        start("ranker", "1.1.0")
    assert ALL(str(refused.value).partition(". ")[0]) == "ranker 1.1.0 no se despliega a menos que se fuerce"
    assert refusal(RolloutRefused, start, "ranker", "1.0.0") == (
        "ranker 1.0.0 está en producción; un aspirante está en entrenamiento o en validación"
    )


def test_what_cannot_be_done_with_a_rollout(traffic: Traffic) -> None:
    traffic.start()
    hand = {"because": "x", "actor": "ana"}
    assert refusal(RolloutRefused, traffic.controller.resume, "ranker", **hand) == (
        "el despliegue 1 de ranker 1.1.0 no está en pausa"
    )
    assert refusal(RolloutRefused, traffic.controller.abort, "ranker", expected=7, **hand) == (
        "el despliegue 7 ha terminado: ahora está en marcha el despliegue 1 de ranker 1.1.0; mira de nuevo"
    )


def test_why_versions_do_not_move(traffic: Traffic) -> None:
    registry = traffic.registry
    assert refusal(Conflict, registry.promote, "ranker", "1.1.0", because="x", expected="0.9.0") == (
        "ranker 1.0.0 está en producción, y el cambio se decidió cuando estaba 0.9.0: alguien se adelantó; "
        "mira de nuevo"
    )
    assert refusal(IllegalMove, registry.validate, "ranker", "1.0.0", because="x") == (
        "ranker_1.0.0 no puede pasar de producción a validación: de producción pasa a archivada"
    )
    assert refusal(MlopsError, registry.promote, "ranker", "2.0.0", because="x") == (
        "ranker no tiene ninguna versión 2.0.0; las más nuevas: 1.1.0, 1.0.0"
    )


def test_a_promotion_that_a_person_has_to_approve(traffic: Traffic) -> None:
    traffic.registry.approval = ApprovalPolicy(None)
    traffic.start(replace(PLAN, default="promote"))
    traffic.step(hours=30)
    traffic.registry.reject("ranker", "1.1.0", because="no")
    traffic.step()
    assert sentences(traffic)[1:] == [
        "la promoción de ranker 1.1.0 espera aprobación (petición 1): mlops models approve ranker 1.1.0",
        "la promoción de 1.1.0 no se aprobó",
    ]


def test_a_version_that_cannot_serve(traffic: Traffic) -> None:
    def load(version: Any, files: Any) -> Any:
        raise RuntimeError("no voice")

    traffic.registry.promote("ranker", "1.1.0", because="x")
    live = LiveModel[Any](traffic.registry, "ranker", load=load, try_out=lambda model: None)
    live.refresh()
    refused = [each for each in traffic.registry.moves("ranker", "1.1.0") if each.outcome == "failed"]
    assert [ALL(each.because) for each in refused] == ["ranker_1.1.0 no puede servir: RuntimeError: no voice"]
    traffic.registry.archive("ranker", "1.0.0", because="x")
    live.refresh()
    assert ALL(live.problem or "") == (
        "ranker no tiene ninguna versión en producción: mlops models promote, o rollback"
    )


# --- Files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> DiskArtefacts:
    return DiskArtefacts(tmp_path / "artifacts")


def emptied(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"")


def changed(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"[]")


def added(folder: Path) -> None:
    (folder / "more.json").write_bytes(b"{}")


def linked(folder: Path) -> None:
    (folder / "more.json").symlink_to(folder / "model.json")


def without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def with_an_evil_manifest(folder: Path) -> None:
    evil = '{"format": 1, "files": [{"path": "../x", "size": 1, "sha256": ""}]}'
    (folder / "manifest.json").write_text(evil, "utf-8")


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        (emptied, "el fichero model.json tiene 0 bytes, y se escribió con 2"),
        (changed, "el fichero model.json ha cambiado: su SHA-256 es otro"),
        (added, "el fichero more.json no está en el manifiesto"),
        (linked, "more.json es un enlace o no es un fichero normal"),
        (without_manifest, "el manifiesto no se puede leer: no existe el fichero o la carpeta"),
        (
            with_an_evil_manifest,
            "el manifiesto no se puede leer: '../x' no puede ser la ruta de un fichero de un artefacto",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_artefact_that_is_damaged(store: DiskArtefacts, damage: Callable[[Path], None], read: str) -> None:
    digest: Digest = store.put({"model.json": b"{}"})
    damage(store.folder / digest)
    assert refusal(ArtefactError, store.get, digest) == f"artefacto {digest[:12]}: {read}"


def test_an_artefact_that_is_not_there_or_not_ours(store: DiskArtefacts) -> None:
    missing = "0" * 64
    assert refusal(ArtefactError, store.manifest, missing) == f"no existe la carpeta {store.folder / missing}"
    digest = store.put({"model.json": b"{}"})
    assert refusal(ArtefactError, DiskArtefacts(store.folder, signing_key=b"ours").get, digest) == (
        f"artefacto {digest[:12]}: no está firmado, y ARTIFACT_SIGNING_KEY está puesta"
    )


def test_a_file_that_no_version_may_have(store: DiskArtefacts) -> None:
    assert refusal(ArtefactError, store.put, {"model.json": b"\x80\x04"}) == (
        "model.json es un pickle, que puede ejecutar código al cargarse"
    )
