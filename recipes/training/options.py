"""What a training is held to: one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from mlops.sentences import listed, say

Kind = Literal["auto", "blend", "lambdarank"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """Every number that shapes what is learned.

    Attributes:
        lookback_days: answers older than this are not read.
        attribution_days: what a cook does later than this after an answer is not counted for it.
        label_delay_hours: answers younger than this are left out: what a cook makes of them is not known yet. Also the
            gap between the parts of the split.
        duplicate_minutes: the same cook, query and recipe again within it is one impression.
        most_answers_per_hour: a user with more in one hour of the clock is a program.
        most_reactions: a user who reacts to more than this share of at least 100 recipes shown is a program.
        largest_weight: inverse propensities, and inverse shares of cooks who look so far down, are cut here.
        validation_share, holdout_share: of the answers, the newest last.
        least_slates: with fewer answers that cooks reacted to in the training part, nothing is learned.
        least_holdout: with fewer of them in the holdout, nothing can be judged.
        trees_from: with as many of them, trees are tried.
        kind: ``auto`` tries trees where there is enough, and takes them where they are better on the validation part.
        half_life_days: an answer so much older than the newest one counts half: what is learned between trainings was
            worth less when less was known, and cooks change.
        l2: pull of the weights of a blend towards those of 1.0.0; 0 or more.
        n_rounds, learning_rate, n_leaves, least_in_leaf, patience: of LightGBM; *patience* is how many rounds without
            a gain on the validation part end it.
        position_regularisation: of LightGBM's position bias, ``lambdarank_position_bias_regularization``.
    """

    lookback_days: float = 180.0
    attribution_days: float = 7.0
    label_delay_hours: float = 24.0
    duplicate_minutes: float = 10.0
    most_answers_per_hour: int = 60
    most_reactions: float = 0.95
    largest_weight: float = 10.0
    validation_share: float = 0.15
    holdout_share: float = 0.2
    least_slates: int = 50
    least_holdout: int = 20
    trees_from: int = 1_000
    kind: Kind = "auto"
    half_life_days: float = 21.0
    l2: float = 1.0
    n_rounds: int = 150
    learning_rate: float = 0.08
    n_leaves: int = 12
    least_in_leaf: int = 30
    patience: int = 20
    position_regularisation: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(
                say("kind must be one of {known:s}, got {kind!r}", known=listed(get_args(Kind)), kind=self.kind)
            )
        for name in (
            "attribution_days",
            "lookback_days",
            "largest_weight",
            "learning_rate",
            "n_rounds",
            "trees_from",
            "half_life_days",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(say("{field} must be above 0, got {value}", field=name, value=getattr(self, name)))
        if not (
            self.validation_share > 0 and self.holdout_share > 0 and self.validation_share + self.holdout_share < 1
        ):
            raise ValueError(
                say(
                    "validation_share and holdout_share must be above 0 and below 1 together, got {validation} and "
                    "{holdout}",
                    validation=self.validation_share,
                    holdout=self.holdout_share,
                )
            )

    def with_parameters(self, parameters: Mapping[str, Any]) -> TrainingOptions:
        """These, but for *parameters*.

        Raises:
            ValueError: there is no such option, or its value is of no use; the message names it.
        """
        known = [one.name for one in fields(self)]
        unknown = next((name for name in parameters if name not in known), None)
        if unknown is not None:
            raise ValueError(
                say("there is no parameter {name!r}; there are {known:s}", name=unknown, known=listed(known))
            )
        for name, value in parameters.items():
            expected = str if name == "kind" else int | float
            if isinstance(value, bool) or not isinstance(value, expected):
                raise ValueError(
                    say("{field} must be text, got {value!r}", field=name, value=value)
                    if expected is str
                    else say("{field} must be a number, got {value!r}", field=name, value=value)
                )
        return replace(self, **parameters)

    @property
    def attribution_seconds(self) -> float:
        """The attribution window."""
        return self.attribution_days * 86_400

    @property
    def delay_seconds(self) -> float:
        """The label delay, and the gap between parts."""
        return self.label_delay_hours * 3_600
