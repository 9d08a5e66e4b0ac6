"""Which versions have served, and in what order one goes back through them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServingOrder:
    """The versions that have served.

    Attributes:
        stack: those that a rollback can reach, oldest first. A rollback takes away what it went back over, so that
            going back twice goes back two versions, and never to and fro.
        ever: all that were ever in production.
    """

    stack: tuple[str, ...]
    ever: frozenset[str]

    def before(self, champion: str | None) -> list[str]:
        """The versions to go back to from *champion*, the nearest first."""
        return [version for version in reversed(self.stack) if version != champion]


def serving_order(moves: Iterable[tuple[str, str, str]]) -> ServingOrder:
    """From (version, kind, to_status) of each move into or out of production, oldest first.

    A move of the kind ``refused`` says that the version could not serve, whether or not another took its place then.
    """
    stack: list[str] = []
    ever: set[str] = set()
    for version, kind, to_status in moves:
        if kind == "refused":
            stack = [each for each in stack if each != version]
        elif to_status == "production":
            ever.add(version)
            if kind == "rolled_back" and version in stack:
                del stack[stack.index(version) + 1 :]
            else:
                stack = [*(each for each in stack if each != version), version]
    return ServingOrder(tuple(stack), frozenset(ever))
