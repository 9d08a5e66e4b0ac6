"""A figure kept relative to the champion's: at the limit, below it, unknown."""

from __future__ import annotations

import pytest

from mlops.evaluation import BadGate, Evaluation
from recipes.training.gates import keeps_share


def evaluation(**figures: float) -> Evaluation:
    return Evaluation(label="a version", metrics={}, figures=figures)


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        (0.6, 0.45, "passed"),
        (0.6, 0.44, "failed"),
        # Where a holdout can cover little, a slack in points would let anything pass.
        (0.04, 0.03, "passed"),
        (0.04, 0.029, "failed"),
        (0.0, 0.0, "passed"),
        (0.5, float("nan"), "failed"),
    ],
)
def test_so_large_a_share_of_the_champions_figure_has_to_stay(old: float, new: float, outcome: str) -> None:
    verdict = keeps_share("coverage", at_least=0.75)(evaluation(coverage=new), evaluation(coverage=old))
    assert verdict.outcome == outcome
    assert "75% of the champion's" in verdict.sentence


def test_a_figure_that_a_version_lacks_cannot_be_judged() -> None:
    verdict = keeps_share("coverage", at_least=0.75)(evaluation(), evaluation(coverage=0.5))
    assert verdict.outcome == "cannot tell"


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused_with_its_value(share: float) -> None:
    with pytest.raises(BadGate, match=str(share)):
        keeps_share("coverage", at_least=share)
