"""A new version of the ranker beside the one that serves: aside first, then in shared lists, then for some cooks.

A cook never sees a challenger fail: the version that is known to be good answers then, and the failure is counted.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mlops.clock import Clock, utc_now
from mlops.errors import StoreUnavailable
from mlops.live_model import Load
from mlops.model_registry import ModelRegistry
from mlops.rollout import CanaryRouter, Challenger, Choice, Drafter, Ranked, ShadowRunner
from recipes.answer import Answer, Ask
from recipes.errors import EncoderUnavailable, IndexUnavailable
from recipes.ranker import MODEL_ID, Ranker
from recipes.rival import AnswerBy, Rival
from recipes.rollout_clicks import ClickCounts

_log = logging.getLogger("recipes.rollouts")

# Says nothing of a ranker: no version could have answered.
_AWAY = (EncoderUnavailable, IndexUnavailable, StoreUnavailable)


class RankerRollout:
    """Follows the rollout of the ranker in this process, and lets the version answer whose turn it is.

    Attributes:
        stand_in: the version that served before the present one; it answers where one that was just promoted fails.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        *,
        load: Load[Ranker],
        try_out: Callable[[Ranker], object],
        answer_with: Callable[[Ranker, Ask], Answer],
        click_seconds: float,
        shadow_load: float = 0.01,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            load, try_out: as for :class:`~mlops.live_model.LiveModel`.
            answer_with: answers off the record, as :meth:`Recommender.answer_with
                <recipes.recommender.Recommender.answer_with>` does.
            click_seconds: how long a list has to be clicked before it counts as not clicked.
            shadow_load: share of a thread's time that the challenger in shadow may take, above 0, to 1.
        """
        self._answer_with = answer_with
        self.stand_in: Ranker | None = None
        self.router = CanaryRouter(registry.database, MODEL_ID)
        self._challenger: Challenger[Ranker] = Challenger(registry, self.router, load=load, try_out=try_out)
        self._shadow: ShadowRunner[Ask, Answer] = ShadowRunner(
            self.router, answer=self._aside, ranked=_ranked, is_valid=is_valid, rest=1 / shadow_load - 1
        )
        self._clicks = ClickCounts(
            registry.database, lambda: self.router.rollout, settled_seconds=click_seconds, clock=clock
        )

    def start(self) -> None:
        """Follow rollouts in the background."""
        self.router.start()
        self._challenger.start()
        self._shadow.start()
        self._clicks.start()

    def stop(self) -> None:
        """Follow them no more, and write what is counted."""
        self._clicks.stop()
        self._shadow.stop()
        self._challenger.stop()
        try:
            self.router.stop()
        except StoreUnavailable as error:
            _log.warning("the last half second of a rollout is not counted: %s", error)

    def refresh(self) -> None:
        """Read the rollout once, and load its challenger, for who has no threads.

        Raises:
            StoreError: the database does not answer.
        """
        self.router.refresh()
        self._challenger.refresh()

    def count_clicks(self) -> None:
        """Count the clicks of lists whose time is up, for who does not wait for the thread.

        Raises:
            StoreError: the database does not answer.
        """
        self._clicks.turn()

    def answered(self, request_id: str, user_id: str | None, champion: Ranker, answer_by: AnswerBy) -> Answer:
        """The answer to a cook or request, made by the version whose turn it is, with its arm.

        Args:
            champion: what serves everybody else.
            answer_by: makes the answer.
        """
        shared, served = self.router.interleave(request_id), self._challenger.served
        if shared is not None and served is not None:
            return self._interleaved(*shared, served.model, champion, answer_by)
        choice = self.router.choose(user_id or request_id)
        if choice.rollout_id is None:
            return answer_by(champion)
        ranker, stand_in = self._by_turn(choice, champion)
        answer = self._observed(choice, ranker, answer_by, stand_in)
        if choice.counted_as == "champion" and self._challenger.served is not None:
            self._shadow.submit(answer.ask, answer)
        return replace(answer, arm=choice.arm, arm_propensity=choice.propensity)

    def _interleaved(
        self, choice: Choice, draft: Drafter, challenger: Ranker, champion: Ranker, answer_by: AnswerBy
    ) -> Answer:
        rival = Rival(challenger, draft)
        answer = answer_by(champion, rival)
        if answer.mode != "popular":
            # A cook waits for both rankings, which is no fault of the challenger: it is held to what it takes alone.
            seconds = (answer.latency_ms - answer.stage_ms["rank"]) / 1_000 + rival.seconds
            self.router.observe(
                choice, answered_by=challenger.version, failed=rival.failed, valid=rival.valid, seconds=seconds
            )
        return replace(answer, arm=choice.arm, arm_propensity=choice.propensity)

    def to_dict(self) -> dict[str, Any] | None:
        """The rollout as this process follows it, None where none is under way."""
        rollout, served = self.router.rollout, self._challenger.served
        if rollout is None:
            return None
        return {
            "id": rollout.rollout_id,
            "challenger": rollout.challenger,
            "status": rollout.status,
            "share": rollout.share,
            "loaded": served is not None and served.version.version == rollout.challenger,
        }

    def _by_turn(self, choice: Choice, champion: Ranker) -> tuple[Ranker, Ranker | None]:
        """The ranker that is to answer, and the one that answers where it fails."""
        if choice.counted_as == "watch":
            return champion, self.stand_in
        # It may be dropped at any moment.
        served = self._challenger.served
        if choice.counted_as == "challenger" and served is not None:
            return served.model, champion
        return champion, None

    def _observed(self, choice: Choice, ranker: Ranker, answer_by: AnswerBy, stand_in: Ranker | None) -> Answer:
        try:
            answer = answer_by(ranker)
        except _AWAY:
            raise
        except Exception:
            self.router.observe(choice, answered_by=ranker.version, failed=True)
            if stand_in is None:
                raise
            _log.warning("%s %s failed, and %s answers", MODEL_ID, ranker.version, stand_in.version, exc_info=True)
            return answer_by(stand_in)
        valid = is_valid(answer)
        if answer.mode != "popular":
            self.router.observe(
                choice, answered_by=ranker.version, valid=valid, seconds=answer.latency_ms / 1_000
            )  # fmt: skip
        return answer if valid or stand_in is None else answer_by(stand_in)

    def _aside(self, ask: Ask) -> Answer:
        served = self._challenger.served
        if served is None:
            raise LookupError("the challenger was dropped meanwhile")
        return self._answer_with(served.model, ask)


def is_valid(answer: Answer) -> bool:
    """Whether all scores are numbers, and no recipe comes twice."""
    shown = answer.shown
    return all(math.isfinite(one.score) for one in shown) and len({one.stored.recipe_no for one in shown}) == len(shown)


def _ranked(answer: Answer) -> Ranked:
    return Ranked([one.stored.recipe.recipe_id for one in answer.shown], [one.score for one in answer.shown])
