"""Query sets: what a file may say, and that a fault is named by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recipes.catalog import starter_recipes
from recipes.errors import BadEvaluationFile
from recipes.evaluation.query_sets import NO_LABEL, QuerySet, golden_queries, read_query_set
from recipes.lexicon import Lexicon

STARTERS = {recipe.recipe_id: recipe for recipe in starter_recipes()}
SOUP: dict[str, Any] = {"query": "sopa de ajo", "relevant": ["sopa-de-ajo"]}


@pytest.fixture
def read(tmp_path: Path, lexicon: Lexicon):
    """Reads rows as a JSON Lines file; a text is a line as it is."""

    def read(*rows: Any) -> QuerySet:
        path = tmp_path / "queries.jsonl"
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
        return read_query_set(path, lexicon, recipe_ids=STARTERS)

    return read


def test_a_list_of_ids_means_a_gain_of_one_each(read) -> None:
    [judged] = read({**SOUP, "relevant": ["sopa-de-ajo", "gazpacho-andaluz"]}).queries
    assert judged.relevant == {"sopa-de-ajo": 1.0, "gazpacho-andaluz": 1.0}


def test_a_mapping_has_gains_and_those_of_zero_are_not_relevant(read) -> None:
    [judged] = read({**SOUP, "relevant": {"sopa-de-ajo": 3, "gazpacho-andaluz": 0}}).queries
    assert judged.relevant == {"sopa-de-ajo": 3.0}


def test_the_language_is_the_one_stated_or_else_that_of_the_query(read) -> None:
    rows = ({**SOUP, "idioma": "en"}, SOUP, {**SOUP, "query": "garlic soup without bread"})
    assert [judged.language for judged in read(*rows).queries] == ["en", "es", "en"]


def test_other_fields_become_columns_for_slices(read) -> None:
    query_set = read({**SOUP, "canal": "voz", "n": 3}, {**SOUP, "query": "sopa", "canal": None}, "")
    assert query_set.columns == ["canal", "n"]
    assert [dict(judged.columns) for judged in query_set.queries] == [{"canal": "voz", "n": "3"}, {"canal": NO_LABEL}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "line 2: no JSON"),
        ("[]", "line 2: query: each line must be an object"),
        ({"relevant": ["sopa-de-ajo"]}, "line 2: query: must be text, got None"),
        ({**SOUP, "query": "  "}, "line 2: query: must be text"),
        ({"query": "sopa"}, "line 2: relevant: must be a list of recipe ids"),
        ({"query": "sopa", "relevant": []}, "line 2: relevant: must name a recipe"),
        ({"query": "sopa", "relevant": {"sopa-de-ajo": 0}}, "line 2: relevant: must name a recipe"),
        ({"query": "sopa", "relevant": [7]}, "line 2: relevant: recipe ids must be text, got 7"),
        ({"query": "sopa", "relevant": {"sopa-de-ajo": -1}}, "line 2: relevant: a gain must be a number of 0 or more"),
        ({"query": "sopa", "relevant": {"sopa-de-ajo": "x"}}, "line 2: relevant: a gain must be"),
        ('{"query": "sopa", "relevant": {"sopa-de-ajo": NaN}}', "line 2: relevant: a gain must be"),
        ({"query": "sopa", "relevant": ["nada"]}, "line 2: relevant: no recipe of the catalogue has the id 'nada'"),
        ({**SOUP, "query": "sopa", "idioma": "fr"}, "line 2: idioma: must be one of es, en, got 'fr'"),
        ({**SOUP, "query": "sopa", "without": ["xyz"]}, "line 2: without: the lexicon has no concept 'xyz'"),
        ({**SOUP, "query": "sopa", "without": "egg"}, "line 2: without: must be a list"),
        ({**SOUP, "query": "sopa", "max_minutes": 0}, "line 2: max_minutes: must be a whole number from 1"),
        ({**SOUP, "query": "sopa", "max_minutes": True}, "line 2: max_minutes: must be a whole number from 1"),
        (SOUP, "line 2: query: 'sopa de ajo' stands in the file before"),
    ],
)
def test_a_fault_is_named_with_file_line_and_field(read, row, said) -> None:
    with pytest.raises(BadEvaluationFile) as raised:
        read(SOUP, row)
    assert str(raised.value).startswith(f"queries.jsonl, {said}")


def test_a_file_without_a_query_is_refused(read) -> None:
    with pytest.raises(BadEvaluationFile, match="holds no query"):
        read("", "")


def test_a_file_of_another_kind_is_refused(tmp_path: Path, lexicon: Lexicon) -> None:
    with pytest.raises(BadEvaluationFile, match=r"must be one of \.jsonl, \.parquet"):
        read_query_set(tmp_path / "queries.txt", lexicon, recipe_ids=STARTERS)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.string()), pa.map_(pa.string(), pa.int64()), None], ids=["list", "map", "struct"]
)
def test_parquet_holds_relevant_recipes_as_a_list_a_map_or_a_struct(kind, tmp_path: Path, lexicon: Lexicon) -> None:
    soup, cold = "sopa-de-ajo", "gazpacho-andaluz"
    values: list[Any] = [[soup], [cold]] if kind == pa.list_(pa.string()) else [{soup: 1}, {cold: 1}]
    if kind == pa.map_(pa.string(), pa.int64()):
        values = [list(value.items()) for value in values]
    table = pa.table({"query": ["sopa", "frío"], "relevant": pa.array(values, kind), "canal": [None, "voz"]})
    pq.write_table(table, tmp_path / "queries.parquet")
    query_set = read_query_set(tmp_path / "queries.parquet", lexicon, recipe_ids=STARTERS)
    assert [dict(judged.relevant) for judged in query_set.queries] == [{soup: 1.0}, {cold: 1.0}]
    assert query_set.columns == ["canal"]


def test_what_is_no_parquet_is_said_so_and_a_row_is_counted_from_one(tmp_path: Path, lexicon: Lexicon) -> None:
    path = tmp_path / "queries.parquet"
    path.write_bytes(b"PAR?")
    with pytest.raises(BadEvaluationFile, match=r"queries\.parquet is no Parquet file"):
        read_query_set(path, lexicon, recipe_ids=STARTERS)
    pq.write_table(pa.table({"query": ["sopa", "pan"], "relevant": [["sopa-de-ajo"], ["nada"]]}), path)
    with pytest.raises(BadEvaluationFile, match=r"queries\.parquet, row 2: relevant: no recipe"):
        read_query_set(path, lexicon, recipe_ids=STARTERS)


def test_the_golden_queries_are_of_both_languages_and_name_starter_recipes(lexicon: Lexicon) -> None:
    golden = golden_queries(lexicon, recipe_ids=STARTERS)
    assert golden.caveat == ""
    languages = [judged.language for judged in golden.queries]
    assert min(languages.count("es"), languages.count("en")) >= 15
    assert sum(bool(judged.without) for judged in golden.queries) >= 8
    assert all(len(judged.relevant) <= 3 for judged in golden.queries)


def test_golden_queries_contradict_no_recipe_that_they_ask_for(lexicon: Lexicon) -> None:
    from recipes.contents import contents_of

    for judged in golden_queries(lexicon, recipe_ids=STARTERS).queries:
        for recipe_id in judged.relevant:
            recipe = STARTERS[recipe_id]
            assert not contents_of(recipe, lexicon).breaks(judged.without), (judged.query, recipe_id)
            assert judged.max_minutes is None or (recipe.minutes or 0) <= judged.max_minutes, judged.query


def test_golden_queries_whose_recipes_are_not_in_the_catalogue_are_left_out_and_counted(lexicon: Lexicon) -> None:
    some = golden_queries(lexicon, recipe_ids={"sopa-de-lentejas-alemana"})
    assert [judged.query for judged in some.queries] == ["sopa de lentejas"]
    n_others = len(golden_queries(lexicon, recipe_ids=STARTERS).queries) - 1
    assert some.caveat == f"{n_others} left out since their recipes are not in the catalogue"


def test_golden_queries_say_that_imported_recipes_count_as_not_relevant(lexicon: Lexicon) -> None:
    assert "7 imported recipes" in golden_queries(lexicon, recipe_ids=STARTERS, n_imported=7).caveat


def test_the_guide_says_how_many_golden_queries_there_are(lexicon: Lexicon) -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "evaluation.md").read_text("utf-8")
    assert f"answers to {len(golden_queries(lexicon, recipe_ids=STARTERS).queries)} queries" in guide
