"""What the recommender says to operators, made by its own code and read in Spanish."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlops import schema as mlops_schema
from mlops.artefacts import DiskArtefacts
from mlops.errors import TooLittleData, UnreadableData
from mlops.model_registry import ModelRegistry
from mlops.store import Database
from recipes.demo.run import NOTICE
from recipes.errors import IndexUnavailable, RankerFailed
from recipes.index.library import IndexLibrary
from recipes.ranker import MODEL_ID, RANKER_FILE, ranker_from
from recipes.ranker.base import checked_weight
from recipes.registration import register_initial_model
from recipes.training.data import divided
from recipes.training.fit import fit
from recipes.training.frames import log_of
from recipes.training.golden import GoldenPromises
from recipes.training.log import LogWriter
from recipes.training.options import TrainingOptions
from tests.shown_worlds import World, silent
from tests.unit.test_sentences import ALL

LITTLE = World(n_answers=700)


def read_in_spanish(error: type[Exception], what: Callable[[], object]) -> str | None:
    with pytest.raises(error) as raised:
        what()
    return ALL(str(raised.value))


def test_too_little_to_learn_from() -> None:
    def learn() -> None:
        divided(LogWriter().log(n_items=0), TrainingOptions(), until=0.0)

    assert read_in_spanish(TooLittleData, learn) == (
        "respuestas en las que unas recetas gustaron más que otras, en la parte de entrenamiento: 0, y hacen falta 50; "
        "respuestas en total: 0, sin contar las recetas mostradas que se dejaron fuera (0)"
    )


def test_what_a_training_does_and_why_it_gave_a_blend() -> None:
    data, doing = divided(LITTLE.log(), TrainingOptions(), until=LITTLE.end.timestamp()), []
    promises = GoldenPromises(lambda ranker: {})
    found = fit(data, TrainingOptions(), promises=promises, seed=1, progress=lambda share, text: doing.append(text))
    n = len(data.train.where(data.train.reacted).sizes)
    assert ALL(found.reason) == f"hay pocas respuestas con reacción para usar árboles: {n}, y hacen falta 1000"
    assert list(map(ALL, doing)) == ["ajusta los pesos de una mezcla"]
    # Parameters come from outside: what is a whole number may be written as another.
    options = dataclasses.replace(TrainingOptions(), trees_from=1e6)
    why = fit(data, options, promises=promises, seed=1, progress=silent).reason
    assert ALL(why) == f"hay pocas respuestas con reacción para usar árboles: {n}, y hacen falta 1000000,0"


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"n_rounds": "many"}, "n_rounds debe ser un número, y es 'many'"),
        ({"kind": 3}, "kind debe ser texto, y es 3"),
        ({"kind": "forest"}, "kind debe ser uno de auto, blend, lambdarank, y es 'forest'"),
        ({"half_life_days": 0}, "half_life_days debe ser mayor que 0, y es 0"),
    ],
)
def test_parameters_that_cannot_be_used(parameters: dict[str, object], says: str) -> None:
    assert read_in_spanish(ValueError, lambda: TrainingOptions().with_parameters(parameters)) == says


def test_a_table_of_no_use() -> None:
    row = {"request_id": ["a"], "recipe_id": ["b"], "position": [0], "propensity": [1.0], "shown_at": ["2026-01-01"]}
    import pyarrow as pa

    assert read_in_spanish(UnreadableData, lambda: log_of(pa.table({"x": [1]}))) == (
        "los datos de entrenamiento no tienen la columna request_id; tienen ['x']"
    )
    assert read_in_spanish(UnreadableData, lambda: log_of(pa.table({**row, "gain": [1.0]}))) == (
        "la fila 1 de los datos de entrenamiento no se puede usar: position debe estar entre 1 y 1000, y es 0"
    )


def test_a_ranker_of_no_use() -> None:
    def read(text: str) -> Callable[[], object]:
        return lambda: ranker_from({RANKER_FILE: text.encode()}, version="1.1.0")

    assert read_in_spanish(RankerFailed, lambda: ranker_from({}, version="1.1.0")) == (
        "a los ficheros de la versión les falta ranker.json"
    )
    assert read_in_spanish(RankerFailed, read("{}")) == (
        'ranker.json no tiene un "kind" que este programa conozca, uno de "linear_blend", "blend", "lambdarank"'
    )
    weights = '{"kind": "blend", "weights": {"popularity": 0.5}}'
    assert read_in_spanish(RankerFailed, read(weights)) == "los pesos deben sumar 1, y suman 0,500000"
    assert read_in_spanish(RankerFailed, lambda: checked_weight("weights.semantic", np.nan)) == (
        "weights.semantic debe ser un número de 0 a 1, y es nan"
    )


def test_an_index_of_no_use(tmp_path: Path) -> None:
    library = IndexLibrary(tmp_path)
    assert read_in_spanish(IndexUnavailable, lambda: library.open(encoder_name="use")) == (
        f"todavía no hay índice en {tmp_path}; ejecuta: recipes index"
    )
    (tmp_path / "one").mkdir()
    library.make_current("one")
    damaged = read_in_spanish(IndexUnavailable, lambda: library.open(encoder_name="use"))
    assert damaged is not None
    assert damaged.startswith(f"el índice de {tmp_path}/one está dañado: ")
    assert damaged.endswith("; ejecuta: recipes index --anew")


def test_the_version_that_comes_with_the_recommender(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.db", tables=(mlops_schema.MIGRATIONS,))
    database.upgrade(mlops_schema.MIGRATIONS)
    registry = ModelRegistry(database, artefacts=DiskArtefacts(tmp_path / "artefacts"))
    register_initial_model(registry)
    champion = registry.get_production_model(MODEL_ID)
    assert champion is not None
    assert ALL(champion["description"]) == (
        "La mezcla de la especificación: 0,7 semántica + 0,3 popularidad. Nada en ella se ha aprendido."
    )
    reasons = [ALL(move.because) for move in registry.moves(MODEL_ID)]
    assert {"el primer modelo de esta instalación", "viene con el recomendador"} <= set(reasons)
    database.close()


def test_the_notice_of_a_demonstration() -> None:
    assert ALL(NOTICE) == (
        "Demostración: los cocineros son simulados; el servicio, las mediciones y las decisiones son reales."
    )
