"""One row of somebody's file becomes one recipe, or says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog import Recipe
from recipes.catalog.importers import LAYOUTS
from recipes.catalog.importers.layouts import foodcom, plain, schema_org
from recipes.errors import BadRecipe

FOODCOM = {
    "name": "arriba  baked squash", "id": "137739", "minutes": "55", "contributor_id": "47892",
    "submitted": "2005-09-16", "tags": "['60-minutes-or-less', 'side-dishes', 'mexican']",
    "nutrition": "[51.5, 0.0, 13.0, 0.0, 2.0, 0.0, 4.0]", "n_steps": "2", "steps": "['cut the squash', \"don't burn\"]",
    "description": "autumn is my favourite time", "ingredients": "['winter squash', 'honey']", "n_ingredients": "2",
}  # fmt: skip
PLAIN = {"name": "Sopa de tomate", "ingredients": ["4 tomates", "1 cebolla"], "steps": ["Cuece todo con la cebolla."]}
PAGE = {
    "@type": "Recipe",
    "@id": "https://example.org/soup",
    "name": "Tomato soup",
    "recipeIngredient": ["4 tomatoes", "1 onion"],
    "recipeInstructions": "Chop the onion.\nCook with the tomatoes.",
}


class TestFoodcom:
    def test_a_row_becomes_a_recipe(self) -> None:
        recipe = foodcom(FOODCOM)
        assert (recipe.recipe_id, recipe.source, recipe.language) == ("foodcom-137739", "foodcom", "en")
        assert (recipe.minutes, recipe.meals, recipe.servings) == (55, ("side",), None)
        assert recipe.original.name == "arriba baked squash"
        assert recipe.original.ingredients == ("winter squash", "honey")
        assert recipe.original.steps == ("cut the squash", "don't burn")
        assert recipe.tags == ("60-minutes-or-less", "side-dishes", "mexican")

    def test_it_declares_neither_diets_nor_allergens(self) -> None:
        recipe = foodcom({**FOODCOM, "tags": "['vegan', 'gluten-free']"})
        assert (recipe.diets, recipe.allergens) == (None, None)

    @pytest.mark.parametrize("minutes", ["0", "", None, "0.4", "nan"])
    def test_no_minutes_are_unknown_minutes(self, minutes: str | None) -> None:
        assert foodcom({**FOODCOM, "minutes": minutes}).minutes is None

    @pytest.mark.parametrize("description", [None, "", " "])
    def test_a_description_may_be_missing(self, description: str | None) -> None:
        assert foodcom({**FOODCOM, "description": description}).original.description == ""

    @pytest.mark.parametrize(
        "ingredients", ['["honey", "salt"]', "['honey', 'salt']", "('honey', 'salt')", ["honey", "salt"]]
    )
    def test_lists_may_come_in_several_spellings(self, ingredients: Any) -> None:
        assert foodcom({**FOODCOM, "ingredients": ingredients}).original.ingredients == ("honey", "salt")

    def test_a_backslash_that_escapes_nothing_is_kept(self) -> None:
        assert foodcom({**FOODCOM, "steps": r"['bake at 350\F']"}).original.steps == (r"bake at 350\F",)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", None), ("id", "12a"), ("id", float("inf")), ("minutes", "soon"), ("minutes", "-5"),
            ("minutes", "inf"), ("minutes", "2147483647"), ("minutes", 10**400), ("name", ""), ("name", None),
            ("ingredients", "[]"), ("ingredients", ""), ("ingredients", "winter squash"), ("ingredients", "['a'"),
            ("ingredients", "{'a': 1}"), ("ingredients", "[" * 5_000), ("steps", "__import__('os').getcwd()"),
            ("steps", None), ("tags", "mexican"),
        ],
    )  # fmt: skip
    def test_a_bad_field_is_named(self, field: str, value: Any) -> None:
        with pytest.raises(BadRecipe) as caught:
            foodcom({**FOODCOM, field: value})
        assert caught.value.field == field


class TestPlain:
    def test_words_alone_are_enough(self) -> None:
        recipe = plain(PLAIN)
        assert (recipe.language, recipe.source, recipe.minutes) == ("es", "import", None)
        assert recipe.original.name == "Sopa de tomate"

    def test_everything_that_is_said_is_kept(self) -> None:
        said = {
            "id": "sopa-1", "source": "abuela", "language": "es-CO", "description": "Rica.", "minutes": 30.0,
            "servings": "4", "meals": ["lunch"], "cuisine": "colombian", "diets": ["vegan"], "allergens": [],
            "tags": ["rápida", "rápida "], "unknown": {"ignored": True},
        }  # fmt: skip
        recipe = plain({**PLAIN, **said})
        assert (recipe.recipe_id, recipe.source, recipe.language) == ("abuela-sopa-1", "abuela", "es")
        assert (recipe.minutes, recipe.servings, recipe.meals) == (30, 4, ("lunch",))
        assert (recipe.cuisine, recipe.diets, recipe.allergens) == ("colombian", ("vegan",), ())

    def test_what_is_not_declared_stays_unknown_and_what_is_declared_as_empty_stays_empty(self) -> None:
        assert plain(PLAIN).allergens is None
        assert plain({**PLAIN, "allergens": []}).allergens == ()

    def test_both_languages_may_be_given(self) -> None:
        english = {"name": "Soup", "ingredients": ["tomato"], "steps": ["Cook."]}
        recipe = plain({"es": PLAIN, "en": english, "language": "en"})
        assert recipe.language == "en"
        assert {language: text.name for language, text in recipe.texts.items()} == {
            "es": "Sopa de tomate",
            "en": "Soup",
        }

    def test_the_language_is_guessed_where_nobody_says(self) -> None:
        assert (
            plain({**PLAIN, "name": "Soup", "ingredients": ["2 cups of rice"], "steps": ["Cook the rice."]}).language
            == "en"
        )

    def test_an_id_that_cannot_stand_in_an_address_is_replaced_by_a_steady_one(self) -> None:
        one, other = plain({**PLAIN, "id": "sopa de tomate/1"}), plain({**PLAIN, "id": "sopa de tomate 1"})
        assert one.recipe_id != other.recipe_id
        assert one.recipe_id == plain({**PLAIN, "id": "sopa de tomate/1", "minutes": 5}).recipe_id

    def test_without_an_id_equal_words_are_the_same_recipe(self) -> None:
        assert plain(PLAIN).recipe_id == plain({**PLAIN, "minutes": 5}).recipe_id
        assert plain(PLAIN).recipe_id != plain({**PLAIN, "name": "Sopa"}).recipe_id

    @pytest.mark.parametrize("servings", [None, "", 0, "0", float("nan"), 0.5])
    def test_no_servings_are_unknown_servings(self, servings: Any) -> None:
        assert plain({**PLAIN, "servings": servings}).servings is None

    def test_tags_that_name_a_meal_tell_the_meal_where_nobody_says(self) -> None:
        assert plain({**PLAIN, "tags": ["Cena", "desayunos"]}).meals == ("breakfast", "dinner")
        assert plain({**PLAIN, "tags": ["Cena"], "meals": ["lunch"]}).meals == ("lunch",)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", None), ("ingredients", "tomate"), ("ingredients", [1]), ("steps", []), ("language", "fr"),
            ("minutes", "media hora"), ("minutes", [30]), ("servings", "many"),
            ("servings", 5_000), ("servings", float("inf")), ("meals", ["brunch"]), ("meals", "lunch"),
            ("diets", ["keto"]), ("allergens", ["corn"]), ("cuisine", 5), ("tags", {"a": 1}),
        ],
    )  # fmt: skip
    def test_a_bad_field_is_named(self, field: str, value: Any) -> None:
        with pytest.raises(BadRecipe) as caught:
            plain({**PLAIN, field: value})
        assert caught.value.field == field

    def test_a_language_without_its_text_is_refused(self) -> None:
        with pytest.raises(BadRecipe, match="language: the text in 'en' is missing"):
            plain({"es": PLAIN, "language": "en"})

    def test_a_very_long_id_becomes_a_short_one(self) -> None:
        assert len(plain({**PLAIN, "id": "x" * 10**6}).recipe_id) <= 128


class TestSchemaOrg:
    def test_an_object_becomes_a_recipe(self) -> None:
        recipe = schema_org(
            {
                **PAGE, "description": "Warm.", "inLanguage": "en-GB", "recipeYield": ["4", "4 bowls"],
                "recipeCategory": "Dinner", "recipeCuisine": ["Italian", "French"], "keywords": "quick, vegan ,quick",
            }
        )  # fmt: skip
        assert (recipe.source, recipe.language, recipe.cuisine) == ("schema-org", "en", "Italian")
        assert (recipe.servings, recipe.meals, recipe.tags) == (4, ("dinner",), ("Dinner", "quick", "vegan"))
        assert recipe.original.steps == ("Chop the onion.", "Cook with the tomatoes.")

    def test_ratings_that_others_report_are_not_taken_over(self) -> None:
        rated = {**PAGE, "aggregateRating": {"ratingValue": 5, "ratingCount": 900}}
        assert schema_org(rated) == schema_org(PAGE)

    @pytest.mark.parametrize(
        ("times", "minutes"),
        [
            ({"totalTime": "PT45M"}, 45),
            ({"totalTime": "PT1H30M"}, 90),
            ({"totalTime": "pt1h"}, 60),
            ({"totalTime": "P1DT2H"}, 1_560),
            ({"totalTime": "P0Y0M0DT0H45M0.000S"}, 45),
            ({"totalTime": "PT5400S"}, 90),
            ({"totalTime": "PT90M30S"}, 90),
            ({"prepTime": "PT10M", "cookTime": "PT1H"}, 70),
            ({"cookTime": "PT20M"}, 20),
            ({"totalTime": "PT45M", "prepTime": "PT10M", "cookTime": "PT1H"}, 45),
            ({"totalTime": "PT0M", "prepTime": "PT10M", "cookTime": "PT1H"}, 70),
            ({"totalTime": "PT0M"}, None),
            ({"totalTime": "45 minutes"}, None),
            ({"totalTime": 45}, None),
            ({"totalTime": None}, None),
            ({"totalTime": "PT"}, None),
            ({}, None),
        ],
    )
    def test_durations_are_iso_8601(self, times: dict[str, Any], minutes: int | None) -> None:
        assert schema_org({**PAGE, **times}).minutes == minutes

    @pytest.mark.parametrize(
        "instructions",
        [
            "Chop.\nCook.",
            "<ol><li>Chop.</li><li>Cook.</li></ol>",
            "<p>Chop.</p>\n<p>Cook.</p>",
            "Chop.<br/>Cook.",
            ["Chop.", "Cook."],
            [{"@type": "HowToStep", "text": "Chop."}, {"@type": "HowToStep", "text": "<b>Cook.</b>"}],
            [{"@type": "HowToStep", "name": "Chop."}, {"@type": "HowToStep", "name": "Two", "text": "Cook."}],
            {"@type": "ItemList", "itemListElement": [{"@type": "HowToStep", "text": "Chop."}, "Cook."]},
            [
                {
                    "@type": "HowToSection",
                    "name": "Before",
                    "itemListElement": [{"@type": "HowToStep", "text": "Chop."}],
                },
                {"@type": "HowToSection", "name": "Then", "itemListElement": {"@type": "HowToStep", "text": "Cook."}},
            ],
            [{"@type": "HowToStep", "itemListElement": [{"@type": "HowToDirection", "text": "Chop."}]}, None, "Cook."],
        ],
    )
    def test_instructions_come_in_many_shapes(self, instructions: Any) -> None:
        assert schema_org({**PAGE, "recipeInstructions": instructions}).original.steps == ("Chop.", "Cook.")

    @pytest.mark.parametrize(
        ("said", "servings"),
        [
            ("4", 4), (6, 6), ("4-6 servings", 4), ("Serves 8", 8), (["", "12 cookies"], 12), ("a few", None),
            (None, None), ("0", None), ("9" * 5_000, None), ({"@type": "QuantitativeValue", "value": 3}, 3),
        ],
    )  # fmt: skip
    def test_servings_are_the_first_number_of_the_yield(self, said: Any, servings: int | None) -> None:
        assert schema_org({**PAGE, "recipeYield": said}).servings == servings

    def test_the_address_tells_recipes_apart_and_survives_changes(self) -> None:
        changed = schema_org({**PAGE, "name": "Better tomato soup"})
        elsewhere = schema_org({**PAGE, "@id": "https://example.org/soup-2"})
        assert changed.recipe_id == schema_org(PAGE).recipe_id != elsewhere.recipe_id

    def test_a_relative_id_is_no_address(self) -> None:
        one = schema_org({**PAGE, "@id": "#recipe"})
        other = schema_org({**PAGE, "@id": "#recipe", "name": "Another soup"})
        paged = schema_org({**PAGE, "@id": "#recipe", "url": "https://example.org/soup"})
        assert one.recipe_id != other.recipe_id
        assert paged.recipe_id == schema_org(PAGE).recipe_id

    @pytest.mark.parametrize(
        "keywords", [None, 5, "", {"@type": "DefinedTerm"}, [None, 5, {"@type": "DefinedTerm", "name": "quick"}]]
    )
    def test_odd_keywords_do_no_harm(self, keywords: Any) -> None:
        recipe = schema_org({**PAGE, "keywords": keywords, "recipeCuisine": keywords, "recipeCategory": keywords})
        assert set(recipe.tags) <= {"quick"}

    @pytest.mark.parametrize(
        ("key", "value", "field"),
        [
            ("name", None, "name"), ("name", {"@value": "Soup"}, "name"), ("recipeIngredient", None, "ingredients"),
            ("recipeIngredient", [{"name": "salt"}], "ingredients"), ("recipeInstructions", None, "steps"),
            ("recipeInstructions", 5, "steps"), ("recipeInstructions", [True], "steps"),
            ("recipeInstructions", {"@type": "HowToStep"}, "steps"), ("inLanguage", "fr", "language"),
            ("totalTime", "PT999999H", "minutes"),
        ],
    )  # fmt: skip
    def test_a_bad_field_is_named(self, key: str, value: Any, field: str) -> None:
        with pytest.raises(BadRecipe) as caught:
            schema_org({**PAGE, key: value})
        assert caught.value.field == field


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_FIELDS = sorted(
    {*FOODCOM, *PLAIN, *PAGE, "es", "en", "language", "servings", "meals", "diets", "allergens", "cuisine", "source"}
    | {"inLanguage", "recipeYield", "recipeCategory", "recipeCuisine", "keywords", "totalTime", "prepTime", "url"}
)
_GOOD = {"foodcom": FOODCOM, "jsonl": PLAIN, "parquet": PLAIN, "schema-org": PAGE}


@given(layout=st.sampled_from(sorted(LAYOUTS)), changes=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=4))
def test_any_row_is_a_recipe_or_says_what_is_wrong(layout: str, changes: dict[str, Any]) -> None:
    row = {**_GOOD[layout], **changes}
    try:
        recipe = LAYOUTS[layout](row)
    except BadRecipe:
        return
    assert isinstance(recipe, Recipe)
    assert LAYOUTS[layout](row).content_hash == recipe.content_hash
