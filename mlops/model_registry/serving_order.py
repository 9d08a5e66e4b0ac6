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
        """The versions to go back to from *champion*, the nearest first.

        What came in after it does not count: it was imported, and served elsewhere.
        """
        older = self.stack[: self.stack.index(champion)] if champion in self.stack else self.stack
        return list(reversed(older))


def serving_order(moves: Iterable[tuple[str, str, str]]) -> ServingOrder:
    """From (version, kind, to_status) of each move into or out of production, oldest first.

    A move of the kind ``refused`` says that the version could not serve, whether or not another took its place then.
    """
    # A dict keeps its order, and forgets a key at once: a model may have been promoted thousands of times.
    stack: dict[str, None] = {}
    ever: set[str] = set()
    for version, kind, to_status in moves:
        if kind == "refused":
            stack.pop(version, None)
        elif to_status == "production":
            ever.add(version)
            if kind == "rolled_back" and version in stack:
                while next(reversed(stack)) != version:
                    stack.popitem()
            else:
                stack.pop(version, None)
                stack[version] = None
    return ServingOrder(tuple(stack), frozenset(ever))


def served_last(moves: Iterable[tuple[str, str]]) -> str | None:
    """The version that is in production after *moves*, (version, to_status) of each into or out of it, oldest first.

    None where there is none. Where an import brought a second history, versions overlap: then the one that this
    registry knew first.
    """
    serving: dict[str, None] = {}
    for version, to_status in moves:
        if to_status == "production":
            serving.setdefault(version)
        else:
            serving.pop(version, None)
    return next(iter(serving), None)
