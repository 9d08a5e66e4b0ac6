"""How a challenger takes the champion's place without hurting anyone: shadow, canary, stop rules, rollback.

Pure parts: :mod:`~mlops.rollout.sequential`, :mod:`~mlops.rollout.means`, :mod:`~mlops.rollout.sample_ratio`,
:mod:`~mlops.rollout.interleaving`, :mod:`~mlops.rollout.off_policy`, :mod:`~mlops.rollout.assignment`. What is under
way is in the database; :class:`RolloutController` moves it, :class:`CanaryRouter` follows it where answers are made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops.rollout.assignment import Assigned, assign
    from mlops.rollout.challenger import Challenger
    from mlops.rollout.controller import RolloutController
    from mlops.rollout.expecting import Expect, Expected, InstalledExpectations, expected_of
    from mlops.rollout.guards import GUARDS, Guard
    from mlops.rollout.interleaving import Draft, Preference, credit, keyed_draft, preference, team_draft
    from mlops.rollout.off_policy import OffPolicyEstimate, off_policy_estimate
    from mlops.rollout.plan import RolloutPlan
    from mlops.rollout.policy import plan_from_settings, policy_from_settings
    from mlops.rollout.router import CanaryRouter, Choice, Drafter
    from mlops.rollout.runner import RolloutRunner
    from mlops.rollout.sample_ratio import SampleRatio, check_sample_ratio
    from mlops.rollout.shadow import Ranked, ShadowReport, ShadowRunner, rank_overlap
    from mlops.rollout.state import Bar, Rollout, RolloutEvent

# Where each name is defined: loaded when it is first asked for, since statistics take SciPy.
_HOMES = {
    "GUARDS": "guards",
    "Assigned": "assignment",
    "Bar": "state",
    "CanaryRouter": "router",
    "Challenger": "challenger",
    "Choice": "router",
    "Draft": "interleaving",
    "Drafter": "router",
    "Expect": "expecting",
    "Expected": "expecting",
    "Guard": "guards",
    "InstalledExpectations": "expecting",
    "OffPolicyEstimate": "off_policy",
    "Preference": "interleaving",
    "Ranked": "shadow",
    "Rollout": "state",
    "RolloutController": "controller",
    "RolloutEvent": "state",
    "RolloutPlan": "plan",
    "RolloutRunner": "runner",
    "SampleRatio": "sample_ratio",
    "ShadowReport": "shadow",
    "ShadowRunner": "shadow",
    "assign": "assignment",
    "check_sample_ratio": "sample_ratio",
    "credit": "interleaving",
    "expected_of": "expecting",
    "keyed_draft": "interleaving",
    "off_policy_estimate": "off_policy",
    "plan_from_settings": "policy",
    "policy_from_settings": "policy",
    "preference": "interleaving",
    "rank_overlap": "shadow",
    "team_draft": "interleaving",
}

__all__ = [
    "GUARDS",
    "Assigned",
    "Bar",
    "CanaryRouter",
    "Challenger",
    "Choice",
    "Draft",
    "Drafter",
    "Expect",
    "Expected",
    "Guard",
    "InstalledExpectations",
    "OffPolicyEstimate",
    "Preference",
    "Ranked",
    "Rollout",
    "RolloutController",
    "RolloutEvent",
    "RolloutPlan",
    "RolloutRunner",
    "SampleRatio",
    "ShadowReport",
    "ShadowRunner",
    "assign",
    "check_sample_ratio",
    "credit",
    "expected_of",
    "keyed_draft",
    "off_policy_estimate",
    "plan_from_settings",
    "policy_from_settings",
    "preference",
    "rank_overlap",
    "team_draft",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"mlops.rollout.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
