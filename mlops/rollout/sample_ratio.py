"""Does each arm get the users that its share promises? Where not, a comparison of the arms means nothing.

The sequential test of a sample ratio mismatch by Lindon & Malek (NeurIPS 2022), for two arms: a beta mixture around the
promised share against that share. It may be looked at after every user. Users are counted, each once and at the share
that was in force when they were first seen: requests of one user always go to the same arm, and are no evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import betaln

# A mismatch is a fault of the machinery, looked for in every rollout: it takes strong evidence.
ALPHA = 0.001
_CONCENTRATION = 100.0


@dataclass(frozen=True, slots=True)
class Split:
    """Users first seen while the challenger had *share*, by arm.

    Raises:
        ValueError: *share* does not lie between 0 and 1, both excluded, or a number is negative.
    """

    share: float
    challenger: int
    champion: int

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}")
        if self.challenger < 0 or self.champion < 0:
            raise ValueError(f"users must not be negative, got {self.challenger} and {self.champion}")


def log_evidence_mismatch(splits: Iterable[Split]) -> float:
    """Log e-value that users were not split as promised, over all shares that were in force. 0 without a user."""
    return sum(_log_evidence(split) for split in splits)


def _log_evidence(split: Split) -> float:
    a, b = _CONCENTRATION * split.share, _CONCENTRATION * (1 - split.share)
    mixture = betaln(a + split.challenger, b + split.champion) - betaln(a, b)
    null = split.challenger * math.log(split.share) + split.champion * math.log1p(-split.share)
    return float(mixture - null)


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """What the check found.

    Attributes:
        p_value: always valid, over all workers.
        mismatch: the comparison is void.
    """

    n_challenger: int
    n_champion: int
    expected_challenger: float
    p_value: float
    mismatch: bool


def check_sample_ratio(workers: Sequence[Sequence[Split]], *, alpha: float = ALPHA) -> SampleRatio:
    """Look at the users of each worker, counted apart since two workers may see the same user.

    The evidence of the worker that shows most counts, times one for each worker (Bonferroni).
    """
    splits = [split for worker in workers for split in worker]
    strongest = max((log_evidence_mismatch(worker) for worker in workers), default=0.0)
    p = min(1.0, max(len(workers), 1) * math.exp(-max(strongest, 0.0)))
    return SampleRatio(
        n_challenger=sum(split.challenger for split in splits),
        n_champion=sum(split.champion for split in splits),
        expected_challenger=sum(split.share * (split.challenger + split.champion) for split in splits),
        p_value=p,
        mismatch=p <= alpha,
    )
