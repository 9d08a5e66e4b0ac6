"""The recommender's settings: those of the toolkit and its own, in one frozen object."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from mlops.config import Settings as ToolkitSettings
from mlops.config import load_settings as load_settings_of


class Settings(ToolkitSettings):
    """Everything that can be set from outside. ``.env.example`` documents each variable; a test compares."""

    encoder: Literal["use", "openai"] = Field(
        "use", description="Text encoder: use (built in, multilingual) or openai (an OpenAI-compatible endpoint)."
    )
    openai_api_key: SecretStr | None = Field(
        None, description="Key of an OpenAI-compatible endpoint. Set it, and recipes are translated in the background."
    )
    openai_base_url: str = Field(
        "https://api.openai.com/v1", description="Where the OpenAI-compatible endpoint answers."
    )
    openai_embedding_model: str = Field(
        "text-embedding-3-small", description="Embedding model, used where ENCODER=openai."
    )
    openai_translation_model: str = Field("gpt-4o-mini", description="Chat model that translates recipes.")
    qdrant_host: str | None = Field(
        None, description="URL or host of a Qdrant server. Default: Qdrant's engine inside the process."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="Key of the Qdrant server.")
    max_body_bytes: Annotated[int, Field(ge=1_024)] = Field(
        65_536, description="Longest request body that is read, in bytes; a longer one is answered with 413."
    )
    impression_flush_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        0.5, description="How often recorded impressions are written to the database, in seconds."
    )
    impression_buffer_size: Annotated[int, Field(ge=1)] = Field(
        10_000, description="How many answers may wait to be recorded; beyond it the oldest are dropped and counted."
    )
    answer_check_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Share of the answers that are looked at once more after they were given, 0 to 1."
    )
    exploration_share: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.05,
        description="Share of the answers shown a little differently, so that models can learn from them; 0 is never.",
    )
    rollout_click_seconds: Annotated[float, Field(ge=1, le=86_400)] = Field(
        3600.0, description="How long a list shown during a rollout has to be clicked, in seconds; then it is counted."
    )
    rollout_shadow_load: Annotated[float, Field(gt=0, le=1)] = Field(
        0.01, description="Share of a thread's time that a challenger in shadow may take for its answers, up to 1."
    )

    console_notice: str = Field(
        "", description="A sentence over every page of the console, such as that its traffic is simulated."
    )

    @field_validator("openai_base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        return value


def load_settings() -> Settings:
    """The recommender's settings from the environment and ``.env``.

    Raises:
        InvalidSettings: a variable has a value that cannot be used.
    """
    return load_settings_of(Settings)
