"""Text to vectors: a narrow protocol and two implementations."""

from recipes.encoder.base import Encoder
from recipes.encoder.choice import encoder_for
from recipes.encoder.openai import OpenAIEncoder
from recipes.encoder.use import UseEncoder

__all__ = ["Encoder", "OpenAIEncoder", "UseEncoder", "encoder_for"]
