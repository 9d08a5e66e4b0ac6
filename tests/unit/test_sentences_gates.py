"""What gates, comparisons and expectations say, as the console's Spanish pages show it."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlops.evaluation import Evaluation, MetricResult, NothingRelevant, compare
from mlops.evaluation.gates import Gate, beats, holds, keeps_golden, output_valid, stays_above, stays_below
from mlops.sentences import Translation
from recipes.evaluation.answers import _malformed
from recipes.evaluation.off_policy import expected_in_first_place
from recipes.evaluation.query_sets import JudgedQuery
from recipes.training.gates import keeps_share
from tests.unit.test_gates import CHAMPION, _evaluation, _result
from tests.unit.test_off_policy_first_place import POPULAR, LeastPopularFirst, shown
from tests.unit.test_sentences import ALL

PER_CENT = "\N{NO-BREAK SPACE}%"


def spoken(gate: Gate, challenger: Evaluation, champion: Evaluation = CHAMPION) -> str | None:
    return ALL(gate(challenger, champion).sentence)


def test_a_comparison_is_read_with_every_figure() -> None:
    found = compare(np.zeros(200), np.full(200, 0.05), metric="ndcg@10", n_looks=3)
    assert ALL(found.sentence) == (
        f"Mejor: ndcg@10 0,0000 → 0,0500, +0,0500, intervalo al 95{PER_CENT}: de +0,0500 a +0,0500, p = 0,0001, "
        "200 unidades; es la vez número 3 que se mira esta reserva."
    )
    worse = compare(np.full(200, -0.5), np.full(200, -0.6), metric="closeness", alpha=0.02)
    assert str(ALL(worse.sentence)).startswith(
        f"Peor: closeness −0,5000 → −0,6000, −0,1000 (+20,0{PER_CENT}), intervalo al 98{PER_CENT}: de −0,1000 a "
    )


@pytest.mark.parametrize(
    ("sentence", "begins", "ends"),
    [
        (holds("ndcg@10", slack=0.02)(_evaluation(shift=1e-4), CHAMPION), "No peor: ", "; como mucho 0,02 peor."),
        (beats("ndcg@10")(_evaluation(shift=1e-4), CHAMPION), "No se puede saber: ", "se ven efectos desde 0,0120."),
        (beats("ndcg@10", by=0.06)(_evaluation(shift=0.05), CHAMPION), "ndcg@10, mejor: ndcg@10 0,", "pedido (0,06)."),
    ],
)
def test_what_stands_beside_a_comparison_is_read_too(sentence: Any, begins: str, ends: str) -> None:
    read = ALL(sentence.sentence)
    assert read is not None
    assert read.startswith(begins)
    assert read.endswith(ends)
    assert not re.search(r"\d\.\d|units|interval ", read)


def test_too_few_units_are_read() -> None:
    few = ALL(compare([0.0], [1.0]).sentence)
    assert few == "No se puede saber: muy pocas unidades (1); hacen falta 20."


def test_why_versions_cannot_be_compared_is_read() -> None:
    gate = beats("ndcg@10")
    fewer = Evaluation("m 1.1.0", {"ndcg@10": _result(0.05, n=99)})
    assert spoken(gate, fewer) == (
        "ndcg@10: no hay comparación posible: el campeón (100 unidades) y el aspirante (99) no se midieron con las "
        "mismas unidades; solo uno de los dos tiene 99."
    )
    assert spoken(gate, Evaluation("m 1.1.0", {"ndcg@10": _result(math.nan)})) == (
        "ndcg@10: no hay comparación posible: challenger[0] es nan; todos los números tienen que ser finitos."
    )
    assert spoken(gate, Evaluation("hybrid_ranker (linear)", {})) == "hybrid_ranker (linear) no tiene ndcg@10."


def test_a_metric_without_a_mean_says_why() -> None:
    with pytest.raises(NothingRelevant) as refused:
        _ = MetricResult("mrr", np.zeros(0), np.zeros(0), 7, 7, "as tested").mean
    assert ALL(str(refused.value)) == "ninguna consulta (de 7) tiene un elemento relevante: no hay mrr"


@pytest.mark.parametrize(
    ("gate", "facts", "expected"),
    [
        (stays_below("p95_ms", 80), {"figures": {"p95_ms": 91.5}}, "p95_ms es 91,5; tiene que ser menor que 80."),
        (stays_above("coverage", 0.4), {"figures": {"coverage": 0.5}}, "coverage es 0,5; tiene que ser 0,4 o más."),
        (stays_below("p95_ms", 80), {}, "m 1.1.0 no tiene p95_ms."),
        (
            holds("coverage", slack=0.02),
            {"figures": {"coverage": 0.49}},
            "coverage 0,5 → 0,49, dentro del margen de 0,02.",
        ),
        (stays_above("gain", 1e4), {"figures": {"gain": -1234.5}}, "gain es −1.234; tiene que ser 10.000 o más."),
        (holds("coverage"), {"figures": {"coverage": 0.25}}, "coverage 0,5 → 0,25, fuera del margen de 0."),
        (holds("coverage"), {"figures": {"coverage": math.nan}}, "coverage era 0,5 y ahora es nan."),
        (
            keeps_golden(),
            {"golden": {"a": True, "b": True}},
            "Consultas de referencia perdidas: 0 de 2; el máximo es 0.",
        ),
        (
            keeps_golden(),
            {"golden": {"a": False, "b": False}},
            "Consultas de referencia perdidas: 2 de 2 ('a', 'b'); el máximo es 0.",
        ),
        (
            keeps_golden(),
            {"golden": {"a": True}},
            "Consultas de referencia: no hay comparación posible: 'b' no se ha preguntado.",
        ),
        (output_valid(), {}, "Nadie ha mirado la salida del aspirante."),
        (output_valid(), {"problems": []}, "La salida es válida."),
        (output_valid(), {"problems": ["it is so", "and so"]}, "Problemas de la salida: 2; el primero: it is so."),
    ],
)
def test_what_a_gate_says_is_read(gate: Gate, facts: dict[str, Any], expected: str) -> None:
    assert spoken(gate, _evaluation(**facts)) == expected


IN_A_REASON = Translation({**ALL.templates, "{gate} ends so: {sentence}": "{gate} acaba así: {sentence}"})


@pytest.mark.parametrize(
    ("gate", "facts", "expected"),
    [
        (holds("coverage"), {"figures": {"coverage": 0.25}}, "coverage 0,5 → 0,25, fuera del margen de 0."),
        (stays_below("p95_ms", 80), {"figures": {"p95_ms": 91}}, "p95_ms es 91; tiene que ser menor que 80."),
        (stays_below("p95_ms", 80), {}, "m 1.1.0 no tiene p95_ms."),
        (keeps_golden(), {}, "Consultas de referencia: no hay comparación posible: 'a' no se ha preguntado."),
        (beats("ndcg@10", by=9), {"shift": 0.05}, "Es menos de lo pedido (9)."),
    ],
)
def test_it_is_read_where_a_sentence_leads_to_it(gate: Gate, facts: dict[str, Any], expected: str) -> None:
    read = str(IN_A_REASON(f"a gate ends so: {gate(_evaluation(**facts), CHAMPION).sentence}"))
    assert read.startswith("a gate acaba así: ")
    assert read.endswith(expected)


def test_of_many_lost_queries_some_are_named() -> None:
    asked = {f"sopa, sin {what}": True for what in "abcd"}
    lost = spoken(
        keeps_golden(at_most_lost=1), _evaluation(golden=dict.fromkeys(asked, False)), _evaluation(golden=asked)
    )
    assert lost == (
        "Consultas de referencia perdidas: 4 de 4 ('sopa, sin a', 'sopa, sin b', 'sopa, sin c' …); el máximo es 1."
    )
    none = spoken(keeps_golden(), CHAMPION, _evaluation(golden={"c": False}))
    assert none == "Consultas de referencia: no hay comparación posible: el campeón no responde bien a ninguna."


def test_a_share_of_the_champions_figure_is_read() -> None:
    gate = keeps_share("coverage", at_least=0.75)
    versions = [Evaluation("m", {}, {"coverage": value}) for value in (0.6, 0.45, 0.44)]
    assert spoken(gate, versions[1], versions[0]) == f"coverage 0,6 → 0,45: al menos 0,45, el 75{PER_CENT} del campeón."
    below = f"coverage 0,6 → 0,44: por debajo de 0,45, el 75{PER_CENT} del campeón."
    assert spoken(gate, versions[2], versions[0]) == below
    assert spoken(gate, Evaluation("m", {}), versions[0]) == "coverage no se conoce de las dos versiones."


def test_what_is_wrong_with_answers_is_read() -> None:
    recipe = SimpleNamespace(stored=SimpleNamespace(recipe=SimpleNamespace(recipe_id="sopa")), score=math.nan)
    answer: Any = SimpleNamespace(shown=[recipe, recipe], notices=())
    problems = list(_malformed(JudgedQuery("algo con ajo, rápido. Sin nueces", {}), answer))
    read = [spoken(output_valid(), _evaluation(problems=[each])) for each in problems]
    asked = "Problemas de la salida: 1; el primero: 'algo con ajo, rápido. Sin nueces' recibió"
    assert read == [
        f"{asked} dos veces una receta: sopa, sopa.",
        f"{asked} menos recetas de las pedidas (2) y ningún aviso dice por qué.",
        f"{asked} una puntuación que no es un número finito.",
    ]


def test_what_is_expected_of_a_version_is_read() -> None:
    log = shown(8_000, share=0.1)
    read = str(ALL(expected_in_first_place(POPULAR, LeastPopularFirst("1.2.0"), log).sentence))
    assert re.fullmatch(
        r"Según lo ya mostrado, claramente peor: clics en la primera receta, se espera [\d,]+\u00A0% \(de .+ a .+; "
        r"DR .+, con pesos recortados .+\), y .+ con el campeón; diferencia de −.+ a −.+; SNIPS con 8000 elecciones, "
        r"tamaño efectivo \d+, \d+ donde difieren\.",
        read,
    )
    alike = expected_in_first_place(POPULAR, POPULAR, log)
    assert str(ALL(alike.sentence)).startswith("Según lo ya mostrado, no claramente peor: clics en la primera receta, ")


def test_why_nothing_is_expected_is_read() -> None:
    few = expected_in_first_place(POPULAR, POPULAR, shown(100, share=0.03)).sentence
    assert re.fullmatch(
        r"Según lo ya mostrado no se puede dar ninguna cifra: lo ya mostrado dice de esta versión tanto como [\d,]+ "
        r"elecciones propias, y hacen falta 100: 100 filas, peso máximo [\d,]+\.",
        str(ALL(few)),
    )
    log = shown(100, share=0.1)
    log.propensities[:] = 1.0
    assert ALL(expected_in_first_place(POPULAR, POPULAR, log).sentence) == (
        "Según lo ya mostrado no se puede dar ninguna cifra: el azar no intercambió nada en las últimas cuatro semanas."
    )
