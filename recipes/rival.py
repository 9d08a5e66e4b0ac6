"""The challenger's part in a list of both rankings: it ranks the same candidates, in the same request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from mlops.rollout import Draft, Drafter
from recipes.answer import Answer
from recipes.ordering import OrderedCandidates
from recipes.ranker import MODEL_ID, Ranker

_log = logging.getLogger("recipes.rollouts")


class AnswerBy(Protocol):
    """Makes the answer to a request by a version, or of both rankings where there is a *rival*."""

    def __call__(self, ranker: Ranker, rival: Rival | None = None) -> Answer: ...


class Rival:
    """The challenger of one request. It never raises: where it fails, the champion's list is shown.

    Attributes:
        failed: it raised.
        valid: its scores were numbers.
        seconds: what its ranking took.
        draft: what is shown, None where the champion's list is.
    """

    def __init__(self, ranker: Ranker, draft: Drafter) -> None:
        """Nothing is ranked yet."""
        self.ranker = ranker
        self._drafter = draft
        self.failed = False
        self.valid = True
        self.seconds = 0.0
        self.draft: Draft[int] | None = None

    def ordered(self, order: Callable[[Ranker], OrderedCandidates]) -> OrderedCandidates | None:
        """The candidates in its order, None where it has none that is of use."""
        began = time.perf_counter()
        try:
            found = order(self.ranker)
        except Exception:
            # Whatever a model raises is its failure; a cook must not see it.
            self.failed = True
            _log.warning("%s %s failed, and the champion's list is shown", MODEL_ID, self.ranker.version, exc_info=True)
            return None
        finally:
            self.seconds = time.perf_counter() - began
        self.valid = bool(np.isfinite(found.scores).all())
        return found if self.valid else None

    def drafted(self, champion: Sequence[int], own: Sequence[int], n: int) -> Draft[int]:
        """The list of both, of places among the candidates."""
        self.draft = self._drafter(champion, own, k=n)
        return self.draft
