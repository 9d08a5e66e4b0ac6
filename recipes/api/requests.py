"""What the HTTP service accepts. Names are Spanish, as the product's specification has them; English ones work too."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from recipes.answer import Ask
from recipes.constraints import Filters
from recipes.feedback import Event, Feedback
from recipes.text import Language, tokens

MAX_QUERY_LENGTH = 500
MAX_RECIPES = 20

DIET_NAMES = {
    "vegano": "vegan", "vegana": "vegan", "vegan": "vegan", "vegetariano": "vegetarian", "vegetariana": "vegetarian",
    "vegetarian": "vegetarian", "pescetariano": "pescatarian", "pescetariana": "pescatarian",
    "pescatarian": "pescatarian", "sin_gluten": "gluten_free", "gluten_free": "gluten_free",
    "sin_lacteos": "dairy_free", "dairy_free": "dairy_free", "sin_huevo": "egg_free", "egg_free": "egg_free",
    "sin_frutos_secos": "nut_free", "nut_free": "nut_free",
}  # fmt: skip
MEAL_NAMES = {
    "desayuno": "breakfast", "breakfast": "breakfast", "almuerzo": "lunch", "comida": "lunch", "lunch": "lunch",
    "cena": "dinner", "dinner": "dinner", "merienda": "snack", "snack": "snack", "postre": "dessert",
    "dessert": "dessert", "bebida": "drink", "drink": "drink", "entrante": "starter", "aperitivo": "starter",
    "starter": "starter", "guarnicion": "side", "side": "side",
}  # fmt: skip


def _a_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _named(names: dict[str, str], what: str) -> AfterValidator:
    def translate(values: list[str]) -> list[str]:
        known = {_plain(name): name for name in names}
        for value in values:
            if _plain(value) not in known:
                raise ValueError(f"{value[:40]!r} is not {what}; use one of {', '.join(names)}")
        return list(dict.fromkeys(names[known[_plain(value)]] for value in values))

    return AfterValidator(translate)


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.strip().lower())
    return "".join(letter for letter in folded if not unicodedata.combining(letter)).replace(" ", "_").replace("-", "_")


def _without_controls(value: str) -> str:
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Co"} for letter in value):
        raise ValueError("must not hold control characters")
    return value


def _clean_text(value: str) -> str:
    return _without_controls(value.replace("\n", " ").replace("\t", " ")).strip()


def _searchable(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    if not any(letter.isalnum() for letter in value):
        raise ValueError("must hold at least one letter or number")
    return value


def _readable(value: str) -> str:
    # Passed over in silence, an exclusion that cannot be read would reach a plate.
    if not tokens(value):
        raise ValueError("must hold a word in Latin letters")
    return value


Words = Annotated[
    list[Annotated[StrictStr, AfterValidator(_clean_text), AfterValidator(_readable), Field(max_length=80)]],
    BeforeValidator(_a_list),
    Field(max_length=20),
]
Diets = Annotated[list[StrictStr], BeforeValidator(_a_list), Field(max_length=10), _named(DIET_NAMES, "a diet")]
Meals = Annotated[list[StrictStr], BeforeValidator(_a_list), Field(max_length=10), _named(MEAL_NAMES, "a meal")]
Query = Annotated[
    StrictStr, Field(max_length=MAX_QUERY_LENGTH), AfterValidator(_clean_text), AfterValidator(_searchable)
]
Shown = Annotated[StrictStr, AfterValidator(_without_controls)]
Identity = Annotated[StrictStr, Field(min_length=1, max_length=128, pattern=r"^[\w.@:+-]+$")]


class FilterFields(BaseModel):
    """Constraints stated outright, beside those in the query."""

    model_config = ConfigDict(extra="forbid")

    tiempo: Annotated[StrictInt, Field(ge=1, le=10_080)] | None = Field(
        None, validation_alias=AliasChoices("tiempo", "time"), description="Most minutes from start to table."
    )
    dieta: Diets = Field([], validation_alias=AliasChoices("dieta", "diet"), description="One diet, or several.")
    incluir: Words = Field([], validation_alias=AliasChoices("incluir", "include"), description="Must be in it.")
    excluir: Words = Field([], validation_alias=AliasChoices("excluir", "exclude"), description="Must not be in it.")
    comida: Meals = Field([], validation_alias=AliasChoices("comida", "meal"), description="The meal it is for.")

    def filters(self) -> Filters:
        """As the recommender has them."""
        return Filters(
            max_minutes=self.tiempo,
            diets=tuple(self.dieta),
            include=tuple(self.incluir),
            exclude=tuple(self.excluir),
            meals=tuple(self.comida),
        )


class RecommendRequest(BaseModel):
    """The body of ``POST /recommend``."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"query": "desayuno saludable sin huevo"}]}
    )

    query: Query = Field(description="What the cook wants, in Spanish or English, 1 to 500 characters.")
    n: Annotated[StrictInt, Field(ge=1, le=MAX_RECIPES)] = Field(3, description="How many recipes, at most.")
    usuario: Identity | None = Field(
        None, validation_alias=AliasChoices("usuario", "user_id"), description="Who asks, if you know."
    )
    idioma: Language = Field(
        "es", validation_alias=AliasChoices("idioma", "language"), description="Language of the answer."
    )
    filtros: FilterFields = Field(
        default_factory=lambda: FilterFields.model_validate({}), validation_alias=AliasChoices("filtros", "filters")
    )
    explica: StrictBool = Field(
        False,
        validation_alias=AliasChoices("explica", "explain"),
        description="Say of each recipe why it was chosen.",
    )

    def ask(self) -> Ask:
        """As the recommender has it."""
        return Ask(self.query, n=self.n, language=self.idioma, user_id=self.usuario, filters=self.filtros.filters())


class FeedbackRequest(BaseModel):
    """The body of ``POST /feedback``."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[Shown, Field(min_length=1, max_length=64)] = Field(description="From the answer.")
    recipe_id: Annotated[Shown, Field(min_length=1, max_length=128)] = Field(description="`id` of a shown recipe.")
    evento: Event
    valor: Annotated[float, Field(strict=True, ge=1, le=5, allow_inf_nan=False)] | None = Field(
        None, description="Stars, 1 to 5; needed for `rating`, and for nothing else."
    )
    event_id: Identity | None = Field(None, description="Yours, so that a repeated event counts once.")

    @model_validator(mode="after")
    def _value_belongs_to_ratings(self) -> FeedbackRequest:
        if (self.evento == "rating") != (self.valor is not None):
            raise ValueError("valor goes with the event rating, and only with it")
        return self

    def feedback(self) -> Feedback:
        """As the feedback book has it."""
        return Feedback(self.request_id, self.recipe_id, self.evento, self.valor, self.event_id)
