"""Spanish or English? A guess from small words and endings; both languages' food words look too much alike."""

from __future__ import annotations

import re

from recipes.text import Language, tokens

_SPANISH_LETTERS = re.compile(r"[áéíóúñü¿¡]", re.IGNORECASE)
_SMALL_WORDS: dict[Language, frozenset[str]] = {
    "es": frozenset(
        """de la el los las y con sin para en un una unos unas del al por que como mas muy o u ni se lo su me mi tengo
        quiero algo receta recetas comida plato menos minutos hora horas taza tazas cucharada cucharadas cucharadita
        gusto picado picada fresco fresca gramos libra diente dientes casero casera rapido rapida facil saludable
        desayuno almuerzo cena cenar desayunar comer merienda postre bebida sopa ensalada arroz pollo carne pescado
        huevo huevos queso leche vegano vegana vegetariano vegetariana""".split()
    ),
    "en": frozenset(
        """the of and with without for in a an to from or on is are i my me want have something recipe recipes food dish
        less than under minutes hour hours cup cups tablespoon tablespoons teaspoon teaspoons taste chopped fresh
        ounce ounces pound pounds quick easy healthy breakfast lunch dinner snack dessert drink soup salad rice
        chicken beef meat fish egg eggs cheese milk not that s t style free it can using into at vegetarian
        ground sliced""".split()
    ),
}


def detect(text: str, *, default: Language = "es") -> Language:
    """The language of *text* by its small words; *default* where they do not tell."""
    words = tokens(text)
    n_spanish = sum(word in _SMALL_WORDS["es"] for word in words) + len(_SPANISH_LETTERS.findall(text))
    n_english = sum(word in _SMALL_WORDS["en"] for word in words)
    if n_spanish == n_english:
        return default
    return "es" if n_spanish > n_english else "en"
