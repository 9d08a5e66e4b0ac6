"""Rollouts that begin by themselves: how, and whether at all, from the settings."""

from __future__ import annotations

from mlops.config import Settings
from mlops.errors import InvalidSettings, RolloutError
from mlops.rollout.plan import INTERLEAVE_SHARE, RolloutPlan, interleave_from, seconds_from, shares_from


def plan_from_settings(settings: Settings) -> RolloutPlan:
    """The plan that ``ROLLOUT_SHADOW``, ``ROLLOUT_CANARY`` and their like name.

    Raises:
        InvalidSettings: one of them cannot be used.
    """
    try:
        seconds, share = interleave_from(settings.rollout_interleave, field="ROLLOUT_INTERLEAVE")
        return RolloutPlan(
            shadow_seconds=seconds_from(settings.rollout_shadow, field="ROLLOUT_SHADOW"),
            interleave_seconds=seconds,
            interleave_share=INTERLEAVE_SHARE if share is None else share,
            shares=shares_from(settings.rollout_canary, field="ROLLOUT_CANARY"),
            hold_seconds=seconds_from(settings.rollout_hold, field="ROLLOUT_HOLD"),
            guards=tuple(name.strip() for name in settings.rollout_guards.split(",") if name.strip()),
            max_seconds=settings.rollout_max_hours * 3_600,
            watch_seconds=seconds_from(settings.rollout_watch, field="ROLLOUT_WATCH"),
            least_requests=settings.rollout_least_requests,
        )
    except RolloutError as error:
        raise InvalidSettings(f"the ROLLOUT_ settings cannot be used: {error}") from error


def policy_from_settings(settings: Settings) -> RolloutPlan | None:
    """The plan by which a challenger that passed its gate is rolled out; None where ``ROLLOUT_POLICY`` is ``off``.

    Raises:
        InvalidSettings: see :func:`plan_from_settings`.
    """
    return plan_from_settings(settings) if settings.rollout_policy == "canary" else None
