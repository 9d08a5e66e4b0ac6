"""What may follow a passed gate in place of the promotion: a rollout, which promotes when it has seen enough."""

from __future__ import annotations

from mlops.rollout import RolloutController, RolloutPlan
from mlops.sentences import say

ACTOR = "retraining"


class GradualStart:
    """Begins rollouts of new versions by a plan."""

    def __init__(self, controller: RolloutController, plan: RolloutPlan) -> None:
        self._controller = controller
        self._plan = plan

    def __call__(self, model_id: str, version: str, because: str) -> str:
        """Roll *version* out, or find that this was done already; a sentence that says so.

        Raises:
            RolloutOpen, Barred, RolloutRefused, Frozen: see :meth:`RolloutController.start
                <mlops.rollout.RolloutController.start>`.
        """
        # A worker that died after it had begun one comes here again.
        begun = next((one for one in self._controller.history(model_id) if one.challenger == version), None)
        if begun is None:
            begun = self._controller.start(
                model_id, version, plan=self._plan, because=because, actor=ACTOR, automatic=True
            )
        return say(
            "Rollout {rollout:d} of {version} began: {because}",
            rollout=begun.rollout_id,
            version=version,
            because=because,
        )
