"""The encoder that the settings ask for."""

from __future__ import annotations

from mlops.errors import InvalidSettings
from recipes.config import Settings
from recipes.encoder.base import Encoder
from recipes.encoder.openai import OpenAIEncoder
from recipes.encoder.use import UseEncoder
from recipes.openai_client import OpenAIClient


def encoder_for(settings: Settings, *, n_threads: int = 1) -> Encoder:
    """The encoder named by ``ENCODER``; nothing is loaded or called yet.

    Raises:
        InvalidSettings: ENCODER=openai without OPENAI_API_KEY.
    """
    if settings.encoder == "use":
        return UseEncoder(n_threads=n_threads)
    client = OpenAIClient.from_settings(settings)
    if client is None:
        raise InvalidSettings("OPENAI_API_KEY must be set where ENCODER is openai")
    return OpenAIEncoder(client, model=settings.openai_embedding_model)
