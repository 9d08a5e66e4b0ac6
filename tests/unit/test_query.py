"""What is read in a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.lexicon import Lexicon, cooking_lexicon
from recipes.query import understand


@pytest.mark.parametrize(
    ("query", "excluded"),
    [
        ("desayuno saludable sin huevo", {"egg"}),
        ("sin lácteos, huevo ni frutos secos", {"dairy", "egg", "nut"}),
        ("postre sin gluten ni lactosa", {"gluten", "lactose"}),
        ("cena vegana", {"animal_product"}),
        ("algo que no lleve cerdo ni alcohol", {"pork", "alcohol"}),
        ("sopa sin cebolla cruda con pollo", {"onion"}),
        ("todo menos pescado", {"fish"}),
        ("soy alérgico al cacahuete", {"peanut"}),
        ("no me gustan los champiñones", {"mushroom"}),
        ("intolerante a la lactosa", {"lactose"}),
        ("chocolate cake no nuts", {"nut"}),
        ("pasta without onion or garlic, with tomato", {"onion", "garlic"}),
        ("dairy-free pancakes", {"dairy"}),
        ("nut free, egg free birthday cake", {"nut", "egg"}),
        ("I'm allergic to peanuts and I don't like mushrooms", {"peanut", "mushroom"}),
        ("something other than chicken", {"chicken"}),
        ("a soup that doesn't contain cream", {"cream"}),
        ("vegan and gluten-free brownies", {"animal_product", "gluten"}),
        ("sin azúcar, galletas", {"added_sugar"}),
        ("no garlic. chicken soup", {"garlic"}),
        ("sin cebolla ni ensaladas", {"onion", "salad"}),
        # The name of a food is a promise, too.
        ("helado vegano", {"animal_product"}),
        ("vegan ice cream", {"animal_product"}),
        ("pan sin gluten con queso", {"gluten"}),
        ("gluten-free bread with cheese", {"gluten"}),
        ("tarta con harina sin gluten", {"gluten"}),
        ("helado sin lácteos", {"dairy"}),
        ("coconut milk ice cream", set()),
    ],
)
def test_what_must_not_be_in_it(query: str, excluded: set[str], lexicon: Lexicon) -> None:
    assert understand(query, lexicon).constraints.exclude == excluded


@pytest.mark.parametrize(
    "query",
    [
        "tacos de pescado",
        "ensalada de pollo con mango",
        "pollo sin piel al horno",
        "no bake cookies",
        "nothing but the best chocolate cake",
        "huevos rellenos",
        "pan sin amasar",
        "receta fácil, no más de 20 minutos",
    ],
)
def test_nothing_is_excluded_that_was_not_said(query: str, lexicon: Lexicon) -> None:
    assert understand(query, lexicon).constraints.exclude == frozenset()


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ("cena en menos de 30 minutos", 30),
        ("algo rápido, 20 min", 20),
        ("listo en media hora", 30),
        ("máximo una hora", 60),
        ("dinner under 45 minutes", 45),
        ("30-minute dinner", 30),
        ("ready in less than an hour", 60),
        ("in 2 hours or less", 120),
        ("menos de quince minutos", 15),
        ("tarta de 3 leches", None),
        ("7 layer dip", None),
        ("para 4 personas", None),
    ],
)
def test_how_long_it_may_take(query: str, minutes: int | None, lexicon: Lexicon) -> None:
    assert understand(query, lexicon).constraints.max_minutes == minutes


@pytest.mark.parametrize(
    ("query", "included"),
    [
        ("algo con garbanzos y espinacas", ("chickpea", "spinach")),
        ("tengo calabacín y huevos", ("zucchini", "egg")),
        ("dinner with chicken, dairy-free", ("chicken",)),
        ("con arroz sin pollo", ("rice",)),
        ("algo con amor", ()),
    ],
)
def test_what_should_be_in_it(query: str, included: tuple[str, ...], lexicon: Lexicon) -> None:
    assert understand(query, lexicon).constraints.include == included


@pytest.mark.parametrize(
    ("query", "comes_first"),
    [
        ("algo con garbanzos", True),
        ("dinner with chicken", True),
        ("tengo calabacín", True),
        ("ensalada de pollo con mango", False),
        ("pasta with tomato", False),
    ],
)
def test_ingredients_in_the_name_of_a_dish_do_not_come_before_everything(
    query: str, comes_first: bool, lexicon: Lexicon
) -> None:
    assert understand(query, lexicon).constraints.include_first is comes_first


@pytest.mark.parametrize(
    ("query", "meals"),
    [
        ("desayuno saludable", ("breakfast",)),
        ("algo para cenar", ("dinner",)),
        ("a quick lunch", ("lunch",)),
        ("postre de limón", ("dessert",)),
        ("comida mexicana", ()),
    ],
)
def test_which_meal_it_is_for(query: str, meals: tuple[str, ...], lexicon: Lexicon) -> None:
    assert understand(query, lexicon).constraints.meals == meals


def test_the_free_text_holds_no_exclusion_and_no_time(lexicon: Lexicon) -> None:
    understanding = understand("Desayuno saludable sin huevo, con piña, en menos de 20 minutos", lexicon)
    assert understanding.free_text == "Desayuno saludable con piña"


def test_an_unknown_word_is_excluded_by_its_letters_and_reported(lexicon: Lexicon) -> None:
    understanding = understand("sopa sin azafranillo", lexicon)
    assert understanding.unknown_exclusions == ("azafranillo",)
    assert understanding.constraints.exclude_words == {"azafranillo"}


@pytest.mark.parametrize(
    ("query", "language"),
    [("sopa de tomate", "es"), ("soup with tomato", "en"), ("no picante", "es"), ("brownies", "es")],
)
def test_the_language_is_guessed_and_spanish_where_nothing_tells(query: str, language: str, lexicon: Lexicon) -> None:
    assert understand(query, lexicon).language == language


def test_words_that_do_not_tell_are_read_in_the_language_of_the_page(lexicon: Lexicon) -> None:
    assert understand("costa rican", lexicon).language == "es"
    assert understand("costa rican", lexicon, otherwise="en").language == "en"
    assert understand("sopa sin huevo", lexicon, otherwise="en").language == "es"


@given(st.text(max_size=500))
def test_any_text_is_understood_somehow(query: str) -> None:
    understanding = understand(query, cooking_lexicon())
    assert all(understanding.words)
    assert understanding.constraints.exclude <= set(cooking_lexicon().concepts)


_PARTS = st.sampled_from(
    ["sin huevo", "sin gluten", "vegano", "con arroz", "en menos de 30 minutos", "para cenar", "sopa"]
)


@given(st.lists(_PARTS, min_size=1, max_size=5, unique=True))
def test_each_part_of_a_query_is_read_whatever_stands_beside_it(parts: list[str]) -> None:
    lexicon = cooking_lexicon()
    together = understand(", ".join(parts), lexicon, language="es").constraints
    for part in parts:
        alone = understand(part, lexicon, language="es").constraints
        assert together.exclude >= alone.exclude
        assert set(together.include) >= set(alone.include)
        assert alone.max_minutes is None or together.max_minutes == alone.max_minutes
