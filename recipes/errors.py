"""The errors of the recommender.

RecipesError
├── BadCatalogueFile        a file to import cannot be read as what it was said to be
├── BadRecipe               one row of it is not a recipe (it goes to the file of rejected rows)
├── UnknownRecipe           no recipe has this id
├── UnknownRequest          no answer with this request id was recorded
├── NotShown                that answer did not show this recipe
├── EncoderUnavailable      the text encoder cannot be loaded or does not answer
├── RankerFailed            a model of the registry cannot be loaded, or its scores are of no use
├── BadEvaluationFile       a file of queries or interactions cannot be used (also a ValueError)
├── BadInteractions         interactions cannot be learned from as they are (also a ValueError)
├── NothingToEvaluate       there is no query, answer or interaction that a version could be measured on
├── TranslatorUnavailable   the translator does not answer, or not with a recipe
└── IndexUnavailable        there is no index, it is damaged, or its server does not answer
"""

from mlops.errors import MlopsError


class RecipesError(MlopsError):
    """Any error that the recommender raises on purpose."""


class BadCatalogueFile(RecipesError):
    """A file to import cannot be read as what it was said to be."""


class BadRecipe(RecipesError, ValueError):
    """A row is not a recipe. *field* names what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class UnknownRecipe(RecipesError, LookupError):
    """No recipe has this id."""


class UnknownRequest(RecipesError, LookupError):
    """No answer with this request id was recorded."""


class NotShown(RecipesError, LookupError):
    """The answer with this request id did not show this recipe."""


class EncoderUnavailable(RecipesError):
    """The text encoder cannot be loaded or does not answer."""


class RankerFailed(RecipesError):
    """A model of the registry cannot be loaded, or its scores are of no use."""


class BadEvaluationFile(RecipesError, ValueError):
    """A file of queries or interactions cannot be used; the message names the file, the line or row, and the field."""


class BadInteractions(RecipesError, ValueError):
    """Interactions, or an option of learning from them, cannot be used; the message names the field and the value."""


class NothingToEvaluate(RecipesError):
    """There is no query, answer or interaction that a version could be measured on."""


class TranslatorUnavailable(RecipesError):
    """The translator does not answer, or not with a recipe."""


class IndexUnavailable(RecipesError):
    """There is no index, it is damaged, or its server does not answer."""
