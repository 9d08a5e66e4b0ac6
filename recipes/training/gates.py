"""The gate that the toolkit has not: a figure kept relative to the champion's."""

from __future__ import annotations

from mlops.evaluation import BadGate, Evaluation, Gate, GateVerdict
from mlops.sentences import say


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
            return GateVerdict(name, "cannot tell", say("{figure} is not known of both versions.", figure=figure))
        limit = at_least * old
        figures = {"champion": old, "challenger": new, "limit": limit}
        if new >= limit:
            return GateVerdict(name, "passed", _kept(figure, old, new, limit, at_least), figures)
        return GateVerdict(name, "failed", _missed(figure, old, new, limit, at_least), figures)

    return gate


def _kept(figure: str, old: float, new: float, limit: float, share: float) -> str:
    return say(
        "{figure} {old:.3g} → {new:.3g}: at least {limit:.3g}, {share:.0%} of the champion's.",
        figure=figure,
        old=old,
        new=new,
        limit=limit,
        share=share,
    )


def _missed(figure: str, old: float, new: float, limit: float, share: float) -> str:
    return say(
        "{figure} {old:.3g} → {new:.3g}: below {limit:.3g}, {share:.0%} of the champion's.",
        figure=figure,
        old=old,
        new=new,
        limit=limit,
        share=share,
    )
