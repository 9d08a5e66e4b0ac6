"""What the HTTP service answers: plain data in the names of the product's specification."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from recipes.answer import Answer, Mode, Shown
from recipes.constraints import Constraints, labels
from recipes.feedback import Recorded
from recipes.lexicon import Lexicon
from recipes.notices import sentences
from recipes.text import Language

_MODES: dict[Mode, str] = {
    "full": "completo", "words_only": "solo_palabras", "popular": "populares", "direct": "directo",
}  # fmt: skip


def answer_body(answer: Answer, lexicon: Lexicon, *, explain: bool) -> dict[str, Any]:
    """The body of an answer to ``POST /recommend``."""
    language = answer.ask.language
    return {
        "recetas": [_recipe(shown, answer, lexicon, explain=explain) for shown in answer.shown],
        "aviso": " ".join(sentences(answer)) or None,
        "request_id": answer.request_id,
        "modelo": {"id": answer.model_id, "version": answer.model_version},
        "modo": _MODES[answer.mode],
        "entendido": understood(answer.constraints, lexicon, language),
        "ms": round(answer.latency_ms, 2),
    }


def summary_of(answer: Answer) -> dict[str, Any]:
    """What the log tells of *answer*: neither the query nor who asked."""
    return {
        "answer_id": answer.request_id,
        "version": answer.model_version,
        "language": answer.ask.language,
        "mode": answer.mode,
        "n_recipes": len(answer.shown),
        "stage_ms": {stage: round(milliseconds, 3) for stage, milliseconds in answer.stage_ms.items()},
    }


def understood(constraints: Constraints, lexicon: Lexicon, language: Language) -> dict[str, Any]:
    """What was read from query and filters, in words for a person."""
    return {
        "excluye": [*labels(constraints.exclude, lexicon, language), *sorted(constraints.exclude_words)],
        "incluye": labels(constraints.include, lexicon, language),
        "minutos_max": constraints.max_minutes,
        "comidas": list(constraints.meals),
    }


def recorded_body(recorded: Recorded) -> dict[str, Any]:
    """The body of an answer to ``POST /feedback``."""
    return {
        "event_id": recorded.event_id,
        "nuevo": recorded.is_new,
        "calificación_promedio": _rounded(recorded.mean_rating),
        "valoraciones": recorded.n_ratings,
    }


def _recipe(shown: Shown, answer: Answer, lexicon: Lexicon, *, explain: bool) -> dict[str, Any]:
    stored = shown.stored
    recipe = stored.recipe
    text, language = stored.text_in(answer.ask.language)
    body: dict[str, Any] = {
        "id": recipe.recipe_id,
        "nombre": text.name,
        "descripción": text.description,
        "ingredientes": text.ingredients,
        "instrucciones": text.steps,
        "calificación_promedio": _rounded(stored.mean_rating),
        "valoraciones": stored.n_ratings,
        "minutos": recipe.minutes,
        "porciones": recipe.servings,
        "cocina": recipe.cuisine,
        "comidas": recipe.meals,
        "dietas": recipe.diets,
        "alérgenos": recipe.allergens,
        "idioma": language,
        "traducida": language in stored.translations,
        "fuente": recipe.source,
        "posición": shown.position,
        "puntuación": round(shown.score, 4),
    }
    if explain:
        body["explicación"] = _explanation(shown, answer, lexicon)
    return body


def _explanation(shown: Shown, answer: Answer, lexicon: Lexicon) -> dict[str, Any]:
    return {
        "características": {name: round(value, 4) for name, value in shown.features.items()},
        "respeta": understood(answer.constraints, lexicon, answer.ask.language),
        "modelo": f"{answer.model_id} {answer.model_version}",
    }


def _rounded(rating: float | None) -> float | None:
    return None if rating is None else round(rating, 2)


def json_response(body: bytes, *, status: int = 200) -> Response:
    """*body*, which is JSON already."""
    return Response(body, status, media_type="application/json")
