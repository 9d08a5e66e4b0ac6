"""What the index and the recommender ask of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts of any supported language into vectors that lie close together for close meanings."""

    @property
    def name(self) -> str:
        """Tells encoders apart whose vectors must not be mixed; part of an index's name."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of each vector.

        Raises:
            EncoderUnavailable: it takes a call to find out, and the call failed.
        """
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of *texts*, shape (n_texts, dimensions), each of length 1 (a zero vector stays zero).

        Raises:
            EncoderUnavailable: the encoder cannot be loaded or does not answer.
        """
        ...


def unit_length(vectors: Vectors) -> Vectors:
    """*vectors*, shape (n, d), each divided by its length; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)
