"""Who goes to the challenger: the same users every time, by a keyed hash, whatever process is asked."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

Arm = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class Assigned:
    """An arm, and the probability with which users get it: to be kept with each impression."""

    arm: Arm
    propensity: float


def place_of(unit_id: str, key: bytes) -> float:
    """Where a user or request stands between 0 (included) and 1 (excluded): uniform over units, fixed for a *key*.

    Keyed BLAKE2b: whoever does not know the key cannot choose an id that gets a certain arm, and another key, that of
    another rollout, makes another order.

    Args:
        unit_id: any text.
        key: up to 64 bytes.
    """
    digest = blake2b(unit_id.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
    # 53 bits, which a float holds exactly: rounding 64 of them could give 1.
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def assign(unit_id: str, *, share: float, key: bytes) -> Assigned:
    """The arm of a unit. Whoever is with the challenger at one share is with it at every larger one.

    Args:
        share: of units that go to the challenger, 0 to 1.
        key: of the rollout; see :func:`place_of`.

    Raises:
        ValueError: *share* lies outside.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    if place_of(unit_id, key) < share:
        return Assigned("challenger", share)
    return Assigned("champion", 1 - share)
