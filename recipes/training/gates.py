"""The gate that the toolkit has not: a figure kept relative to the champion's."""

from __future__ import annotations

from mlops.evaluation import BadGate, Evaluation, Gate, GateVerdict


def keeps_share(figure: str, *, at_least: float) -> Gate:
    """The challenger's *figure*, of which more is better, is at least this share of the champion's.

    ``cannot tell`` where either lacks the figure.

    Args:
        at_least: above 0, at most 1.
    Raises:
        BadGate: *at_least* is out of range.
    """
    if not 0 < at_least <= 1:
        raise BadGate(f"keeps_share: at_least must be above 0 and at most 1, got {at_least}")
    name = f"keeps_share({figure})"

    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        new, old = challenger.figures.get(figure), champion.figures.get(figure)
        if new is None or old is None:
            return GateVerdict(name, "cannot tell", f"{figure} is not known of both versions.")
        limit = at_least * old
        passed = new >= limit
        says = "at least" if passed else "below"
        sentence = f"{figure} {old:.3g} → {new:.3g}: {says} {limit:.3g}, {at_least:.0%} of the champion's."
        figures = {"champion": old, "challenger": new, "limit": limit}
        return GateVerdict(name, "passed" if passed else "failed", sentence, figures)

    return gate
