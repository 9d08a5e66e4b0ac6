"""Which meal a dish is for, where the recipe does not say: told by the kind of dish that its name names."""

from __future__ import annotations

from collections.abc import Collection

from recipes.catalog.recipe import MEALS

# Concepts of the lexicon, by meal. A recipe whose name holds one of them is for that meal.
_DISHES_OF_MEAL = {
    "breakfast": """breakfast pancake waffle omelet frittata porridge oatmeal_dish granola granola_dish french_toast
        scrambled_egg egg_scramble eggs_benedict smoothie crepe hash_browns bagel huevos_rancheros chilaquiles muffin
        scone tofu_scramble""",
    "lunch": "salad soup sandwich wrap_dish taco quesadilla stew pasta_dish hamburger rice_dish casserole curry quiche",
    "dinner": """soup stew casserole curry roast chili_stew meatball meatloaf lasagna stir_fry pasta_dish rice_dish
        pizza enchilada taco hamburger pot_pie fajitas kebab paella risotto""",
    "dessert": """dessert cake cookie pie brownie pudding ice_cream cheesecake fudge candy_dish cupcake cobbler
        fruit_tart custard_dish flan mousse sorbet sorbet_dessert trifle frosting tiramisu crisp_dessert bar_dessert""",
    "snack": "snack dip popcorn_ball popcorn_snack cookie",
    "drink": """drink smoothie cocktail juice_drink lemonade party_punch milkshake tea_drink coffee_drink margarita
        eggnog""",
    "starter": "appetizer dip deviled_eggs bruschetta spring_roll ceviche antipasto",
    "side": "side_dish coleslaw mashed_potato stuffing_dish pilaf baked_beans_dish",
}
_MEALS_OF_DISH: dict[str, tuple[str, ...]] = {}
for _meal, _dishes in _DISHES_OF_MEAL.items():
    for _dish in _dishes.split():
        _MEALS_OF_DISH[f"c:{_dish}"] = (*_MEALS_OF_DISH.get(f"c:{_dish}", ()), _meal)


DISH_CONCEPTS = frozenset(term.removeprefix("c:") for term in _MEALS_OF_DISH)


def meals_of(name_terms: Collection[str]) -> tuple[str, ...]:
    """Meals told by the terms of a name, in the order of :data:`MEALS`; empty where it names no kind of dish."""
    found = {meal for term in name_terms for meal in _MEALS_OF_DISH.get(term, ())}
    return tuple(meal for meal in MEALS if meal in found)
