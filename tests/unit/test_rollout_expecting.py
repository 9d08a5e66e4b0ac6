"""What is expected of a challenger, against worlds in which it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops.rollout import Expected, expected_of

PAYS = np.array([0.4, 0.25])


def logged(n: int, *, share: float, pays: Any = PAYS, differs: float = 1.0, seed: int = 4) -> dict[str, Any]:
    """Choices of two actions, the second drawn in a *share*; a challenger takes it where situations *differ*."""
    rng = np.random.default_rng(seed)
    action = (rng.random(n) < share).astype(int)
    wants_second = rng.random(n) < differs
    return {
        "rewards": (rng.random(n) < np.asarray(pays)[action]).astype(float),
        "propensities": np.array([1 - share, share])[action],
        "champion": (action == 0).astype(float),
        "challenger": np.where(wants_second, action == 1, action == 0).astype(float),
        "predicted_logged": np.asarray(pays)[action] + 0.05,
        "predicted_challenger": np.asarray(pays)[wants_second.astype(int)] + 0.05,
        "what": "clicks",
    }


def test_a_worse_challenger_is_called_so_with_all_that_is_needed_to_believe_it() -> None:
    found = expected_of(**logged(6_000, share=0.1))
    assert found.verdict == "clearly worse"
    for name, truth in (("snips", 0.25), ("dr", 0.25), ("champion", 0.4)):
        assert found.figures[name]["low"] < truth < found.figures[name]["high"], name
    assert found.figures["difference"]["low"] < -0.15 < found.figures["difference"]["high"] < 0
    assert found.figures["difference"]["effective_sample_size"] == pytest.approx(600, rel=0.15)
    assert "clearly worse: clicks, 2" in found.sentence
    for word in ("SNIPS", "DR", "clipped", "effective sample size"):
        assert word in found.sentence
    # Weights of 10 are below the clip; with a smaller share they are not.
    assert found.figures["clipped"]["n_clipped"] == 0
    assert expected_of(**logged(20_000, share=0.02)).figures["clipped"]["n_clipped"] > 0


def test_a_better_challenger_is_not() -> None:
    assert expected_of(**logged(6_000, share=0.1, pays=PAYS[::-1])).verdict == "not clearly worse"


def test_a_version_that_would_choose_alike_is_expected_to_earn_exactly_the_same() -> None:
    found = expected_of(**logged(2_000, share=0.1, differs=0.0))
    assert found.verdict == "not clearly worse"
    assert {name: found.figures["difference"][name] for name in ("value", "low", "high")} == pytest.approx(
        {"value": 0, "low": 0, "high": 0}
    )


def test_where_few_choices_tell_nothing_is_said_of_it() -> None:
    refused = expected_of(**logged(300, share=0.05))
    assert (refused.verdict, refused.figures) == ("cannot tell", {})
    assert refused.sentence.startswith("Off-policy: refused, since the logged choices say as much about this policy as")
    # Enough choices in all, and hardly one where the two differ: an interval that looks sure rests on a handful.
    few = expected_of(**logged(5_000, share=0.01, pays=[0.9, 0.0], differs=0.3))
    assert few.figures["difference"]["effective_sample_size"] < 30
    assert few.verdict == "cannot tell"


def test_a_version_that_is_as_good_is_seldom_called_worse() -> None:
    verdicts = [expected_of(**logged(2_000, share=0.05, pays=[0.3, 0.3], seed=seed)).verdict for seed in range(300)]
    assert verdicts.count("clearly worse") / len(verdicts) <= 0.05


def test_it_is_kept_as_plain_values() -> None:
    assert Expected("cannot tell", "no data").to_dict() == {
        "verdict": "cannot tell", "sentence": "no data", "figures": {},
    }  # fmt: skip
