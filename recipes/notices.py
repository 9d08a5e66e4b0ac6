"""What an answer tells the cook about itself, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from recipes.answer import Answer, Notice
from recipes.text import Language

_WORDS: Mapping[Language, Mapping[Notice, str]] = {
    "es": {
        "nothing_left": "Ninguna receta cumple todo lo que pides. Prueba a quitar alguna condición.",
        "fewer_than_asked": "Solo estas recetas cumplen lo que pides.",
        "not_all_included": "No hay bastantes recetas con todos los ingredientes: algunas llevan solo parte de ellos.",
        "time_unknown": "De algunas de estas recetas no se conoce el tiempo total.",
        "other_meals": "Algunas de estas recetas son para otra comida del día.",
        "unknown_word": "No conozco «{words}»: he quitado las recetas que lo nombran con esas letras.",
        "words_only": "La búsqueda por significado no está disponible: he buscado solo por palabras.",
        "popular": "La búsqueda no está disponible: estas son recetas populares que cumplen tus condiciones.",
    },
    "en": {
        "nothing_left": "No recipe keeps everything you ask for. Try dropping a condition.",
        "fewer_than_asked": "Only these recipes keep what you ask for.",
        "not_all_included": "There are not enough recipes with every ingredient: some have only part of them.",
        "time_unknown": "The total time of some of these recipes is not known.",
        "other_meals": "Some of these recipes are for another meal of the day.",
        "unknown_word": "I do not know “{words}”: I left out the recipes that name it with these letters.",
        "words_only": "Search by meaning is not available: I searched by words only.",
        "popular": "Search is not available: these are popular recipes that keep your conditions.",
    },
}


def sentences(answer: Answer) -> list[str]:
    """The notices of *answer*, each as a sentence in the language that was asked for."""
    words = _WORDS[answer.ask.language]
    unknown = ", ".join(answer.understanding.unknown_exclusions)
    return [words[notice].format(words=unknown) for notice in _without_echo(answer.notices)]


def _without_echo(notices: Iterable[Notice]) -> list[Notice]:
    found = list(notices)
    # "Only these keep it" would contradict "some keep only part of it".
    relaxed = {"not_all_included", "time_unknown", "other_meals", "popular"} & set(found)
    return [notice for notice in found if not (notice == "fewer_than_asked" and relaxed)]
