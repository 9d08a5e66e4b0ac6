"""Embeddings from an OpenAI-compatible endpoint (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlops.sentences import say
from recipes.encoder.base import Vectors, unit_length
from recipes.errors import EncoderUnavailable
from recipes.openai_client import EndpointError, OpenAIClient

_BATCH = 256


class OpenAIEncoder:
    """``POST {base_url}/embeddings``. The number of dimensions is asked of the endpoint once."""

    def __init__(self, client: OpenAIClient, *, model: str) -> None:
        self._client = client
        self._model = model
        self._dimensions: int | None = None

    @property
    def name(self) -> str:
        """See :class:`~recipes.encoder.base.Encoder`."""
        return f"openai-{self._model}"

    @property
    def dimensions(self) -> int:
        """See :class:`~recipes.encoder.base.Encoder`."""
        if self._dimensions is None:
            self._dimensions = int(self.encode(["dimensiones"]).shape[1])
        return self._dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~recipes.encoder.base.Encoder`."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        batches = [self._encode(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return unit_length(np.concatenate(batches))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _encode(self, texts: Sequence[str]) -> Vectors:
        try:
            # The endpoint refuses an empty text.
            answer = self._client.post("embeddings", {"model": self._model, "input": [text or " " for text in texts]})
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors = np.asarray([row["embedding"] for row in rows], dtype=np.float32)
            places = [row["index"] for row in rows]
        except (EndpointError, KeyError, TypeError, ValueError) as error:
            problem = say("the embeddings endpoint did not answer with vectors: {error}", error=error)
            raise EncoderUnavailable(problem) from error
        is_complete = places == list(range(len(texts))) and vectors.ndim == 2 and vectors.size > 0
        if not (is_complete and np.isfinite(vectors).all() and self._dimensions in {None, vectors.shape[1]}):
            raise EncoderUnavailable(
                say(
                    "the embeddings endpoint answered with shape {shape} for {n:d} texts",
                    shape=vectors.shape,
                    n=len(texts),
                )
            )
        self._dimensions = vectors.shape[1]
        return vectors
