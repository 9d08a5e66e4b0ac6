"""The model validator of the owner's contract, and the validator of answers."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import mlops.validation
from mlops.validation import AnswerLayout, ModelValidator, validate_answer, validate_data

VALIDATOR = ModelValidator()


@pytest.mark.parametrize("make", [lambda data: data, pd.DataFrame, pa.table])
def test_data_drift_has_the_keys_of_the_contract(make):
    answer = VALIDATOR.check_data_drift(make({"a": [1.0, 1.0], "b": [5, 5]}), make({"a": [1.2, 1.2], "b": [5, 5]}))
    assert list(answer) == ["drift_detected", "columns_with_drift", "details"]
    assert (answer["drift_detected"], answer["columns_with_drift"]) == (True, ["a"])
    assert answer["details"]["a"]["method"] == "relative_mean_change"
    assert answer["details"]["a"]["change"] == pytest.approx(0.2)
    assert answer["details"]["b"]["drifted"] is False


def test_the_threshold_of_data_drift_is_third():
    assert not VALIDATOR.check_data_drift({"a": [1.0]}, {"a": [1.2]}, 0.3)["drift_detected"]


@pytest.mark.parametrize(
    ("baseline", "current", "columns"),
    [
        (np.array([1.0, 1.0]), np.array([2.0, 2.0]), ["0"]),
        ([1.0, 1.0], [2.0, 2.0], ["0"]),
        (np.array([[1.0, 5.0], [1.0, 5.0]]), np.array([[1.0, 7.0]]), ["1"]),
        ([{"a": 1, "b": 2}, {"a": 1, "b": 2}], [{"a": 1, "b": 3}], ["b"]),
    ],
)
def test_arrays_and_rows_are_tables_too(baseline, current, columns):
    assert VALIDATOR.check_data_drift(baseline, current)["columns_with_drift"] == columns


def test_the_other_method_knows_chance():
    rng = np.random.default_rng(1)
    before, now = rng.exponential(size=40), rng.exponential(1.2, size=40)
    assert VALIDATOR.check_data_drift({"a": before}, {"a": now})["drift_detected"]
    answer = VALIDATOR.check_data_drift({"a": before}, {"a": now, "b": now}, method="distribution")
    assert not answer["drift_detected"]
    assert answer["details"]["a"]["results"][0]["verdict"] == "stable"
    assert answer["details"]["b"]["findings"][0]["kind"] == "new column"
    with pytest.raises(ValueError, match="got 'psi'"):
        VALIDATOR.check_data_drift({"a": before}, {"a": now}, method="psi")


@pytest.mark.parametrize(
    ("predictions", "options", "issues"),
    [
        ([0.1, 0.9], {}, []),
        ([[0.1], [0.9]], {"expected_shape": (2, 1), "value_range": (0, 1)}, []),
        ([[0.1], [0.9]], {"expected_shape": (None, 1)}, []),
        ([[0.1], [0.9]], {"expected_shape": (-1, 1)}, []),
        ([0.1, 0.9], {"expected_shape": (3,)}, ["The shape must be (3), got (2,)."]),
        ([0.1, 0.9], {"expected_shape": (None, 1)}, ["The shape must be (any, 1), got (2,)."]),
        ([0.0, 1.0], {"value_range": (0, 1)}, []),
        ([-0.5, 0.5, 1.5], {"value_range": (0, 1)}, ["2 of 3 predictions outside 0 to 1: -0.5 to 1.5."]),
        ([np.nan, 1.0, np.inf], {}, ["1 of 3 predictions are NaN.", "1 of 3 predictions are infinite."]),
        ([], {}, ["There are no predictions."]),
        (["a"], {}, ["The predictions must be numbers, got text."]),
        ([True], {}, ["The predictions must be numbers, got truth values."]),
        ([None], {}, ["The predictions must be numbers, got objects."]),
        ([[1], [1, 2]], {}, ["The predictions have rows of different lengths."]),
    ],
)
def test_outputs_are_judged_in_sentences(predictions, options, issues):
    answer = VALIDATOR.validate_model_output(predictions, **options)
    assert answer == {"valid": not issues, "issues": issues}


def test_a_range_that_is_upside_down_is_refused():
    with pytest.raises(ValueError, match="from least to largest"):
        VALIDATOR.validate_model_output([1], value_range=(1, 0))


def test_the_validator_validates_data_too():
    assert VALIDATOR.validate_data([{"query": "sopa", "n": 99}]).violations[0].column == "n"


def test_the_public_names_are_all_there():
    assert sorted(mlops.validation.__all__) == mlops.validation.__all__
    assert all(hasattr(mlops.validation, name) for name in mlops.validation.__all__)


def item(number, **changes):
    return {
        "id": f"r{number}", "nombre": f"Sopa {number}", "descripción": "", "ingredientes": ["agua"],
        "instrucciones": ["Hervir."], "calificación_promedio": None, "valoraciones": 0, "minutos": 20 * number,
        "idioma": "es", "posición": number, "puntuación": 1 / number,
    } | changes  # fmt: skip


def answer_of(*items, notice=None):
    return {
        "recetas": list(items), "aviso": notice, "request_id": "q1",
        "modelo": {"id": "hybrid_ranker", "version": "1.0.0"},
        "modo": "completo", "entendido": {"excluye": [], "incluye": [], "minutos_max": None, "comidas": []}, "ms": 3.2,
    }  # fmt: skip


def problems(answer, **options):
    return [(one.row, one.column, one.rule) for one in validate_answer(answer, **options)]


THREE = item(1), item(2), item(3)


def test_three_different_readable_recipes_are_a_good_answer():
    assert problems(answer_of(*THREE), language="es") == []


def test_the_answer_fits_the_schema_too():
    assert validate_data([answer_of(*THREE)]).valid
    invented = answer_of(item(1, calificación_promedio=4.5))
    assert [(one.column, one.rule) for one in validate_data([invented]).violations] == [
        ("recetas[0].calificación_promedio", "type")
    ]


def test_two_recipes_need_a_notice():
    assert problems(answer_of(item(1), item(2))) == [(None, "recetas", "number")]
    assert problems(answer_of(item(1), item(2), notice="Solo hay dos.")) == []
    assert problems(answer_of(*THREE), n_items=2) == [(None, "recetas", "number")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "r1"}, (1, "id", "distinct")),
        ({"nombre": "SOPA 1 "}, (1, "nombre", "distinct")),
        ({"idioma": "en"}, (1, "idioma", "language")),
        ({"nombre": " "}, (1, "nombre", "empty")),
        ({"ingredientes": []}, (1, "ingredientes", "empty")),
        ({"instrucciones": ["Hervir.", ""]}, (1, "instrucciones", "empty")),
        ({"id": None}, (1, "id", "empty")),
        ({"posición": 3}, (1, "posición", "position")),
        ({"puntuación": float("nan")}, (1, "puntuación", "score")),
    ],
)
def test_each_thing_that_is_wrong_with_a_recipe_is_named(changes, problem):
    assert problems(answer_of(item(1), item(2, **changes), item(3)), language="es") == [problem]


def test_constraints_must_be_kept_by_each_recipe():
    constraints = {
        "45 minutes": lambda recipe: recipe["minutos"] <= 45,
        "no egg": lambda recipe: "huevo" not in recipe["ingredientes"],
    }
    found = validate_answer(answer_of(item(1), item(2, ingredientes=["huevo"]), item(3)), constraints=constraints)
    assert [(one.row, one.column, one.rule, one.value) for one in found] == [
        (1, "no egg", "constraint", "Sopa 2"),
        (2, "45 minutes", "constraint", "Sopa 3"),
    ]


def test_a_constraint_that_cannot_be_read_is_not_kept():
    unknown = item(1, minutos=None)
    found = problems(answer_of(unknown), n_items=1, constraints={"45 minutes": lambda recipe: recipe["minutos"] <= 45})
    assert found == [(0, "45 minutes", "constraint")]


@pytest.mark.parametrize("answer", [{}, {"recetas": None}, {"recetas": ["sopa"]}])
def test_an_answer_without_a_list_of_recipes_is_wrong(answer):
    assert problems(answer) == [(None, "recetas", "type")]


def test_other_recommenders_have_other_names():
    layout = AnswerLayout(items="films", item_id="key", title="title", texts=["title"], language="lang", notice="note")
    answer = {"films": [{"key": 1, "title": "Up", "lang": "en"}, {"key": "2", "title": "Heat", "lang": "en"}]}
    assert problems(answer, n_items=2, language="en", layout=layout) == [(0, "key", "empty")]


def test_no_items_cannot_be_asked_for():
    with pytest.raises(ValueError, match="n_items must be at least 1, got 0"):
        validate_answer(answer_of(*THREE), n_items=0)
