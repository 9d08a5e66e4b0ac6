"""From data to a ranker: a blend always, trees on top of it where there is enough and they help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlops.retraining.trainer import Progress
from mlops.sentences import listed, say
from recipes.ranker import LEARNED_FEATURES, LambdaRanker, LearnedBlend, Ranker
from recipes.ranker.learned import matrix_of
from recipes.ranker.trees import booster_of
from recipes.training.blend import FittedBlend, Pairs, fit_blend, reaction_weights
from recipes.training.data import TrainingData
from recipes.training.examination import look_weights
from recipes.training.examples import Examples
from recipes.training.golden import GoldenPromises
from recipes.training.labels import gains_of
from recipes.training.measure import slate_values
from recipes.training.options import TrainingOptions
from recipes.training.trees import TreeData, fit_trees, trees_are_possible

K = 3
# A version gets its number when it is registered.
UNNUMBERED = "0.0.0"
_ROUNDS_BETWEEN_NEWS = 10
# Each time another recipe may come before one that must be shown; so many are seldom needed.
_MOST_FITS = 20
_Z = 1.959964


@dataclass(frozen=True)
class Fitted:
    """A ranker, how good it is on the validation part, and why it is what it is."""

    ranker: Ranker
    metrics: dict[str, float]
    reason: str
    curve: list[float] = field(default_factory=list)


def fit(
    data: TrainingData, options: TrainingOptions, *, promises: GoldenPromises, seed: int, progress: Progress
) -> Fitted:
    """Learn from the training part of *data*, and choose by its validation part.

    Args:
        promises: trees that break one are not taken, unless they were asked for, and a blend is held to them.
    """
    progress(0.1, say("fitting the weights of a blend"))
    train, validation = (part.where(part.reacted) for part in (data.train, data.validation))
    held = _held_blend(promises, train, data.looks, options)
    blend, ranker = held.blend, held.ranker
    judge = _Judge.of(validation, data.looks, options)
    before = _scores(ranker, validation)
    metrics = {**held.figures, "validation_ndcg@3_blend": judge(before)}
    curve: list[float] = []
    reason = _why_no_trees(train, validation, options)
    if reason is None:
        parts = [_tree_data(blend, ranker, part, options) for part in (train, validation)]
        trees = fit_trees(
            *parts, judge=judge, options=options, seed=seed, on_round=lambda number: _tell(progress, number, options)
        )
        metrics["validation_ndcg@3_trees"] = trees.best
        curve = list(trees.curve)
        corrected = LambdaRanker(ranker, blend.scale, trees.text, booster_of(trees.text))
        is_asked_for = options.kind == "lambdarank"
        if not (is_asked_for or judge.is_clearly_better(_scores(corrected, validation), before)):
            reason = say("the trees are not clearly better than the blend on the validation part")
        elif not is_asked_for and (broken := promises.broken(corrected)):
            reason = say(
                "the trees are better than the blend on the validation part, and lose {queries:s}",
                queries=listed(broken),
            )
        else:
            reason = say("the trees are better than the blend on the validation part")
            return Fitted(corrected, _finite(metrics), reason, curve)
    # Nothing is left to choose by the validation part, and it is the newest that there is to learn from.
    held = _held_blend(promises, train.then(validation), data.looks, options)
    if held.broken:
        reason += "; " + say("the blend loses {queries:s}", queries=listed(held.broken))
    return Fitted(held.ranker, _finite({**metrics, **held.figures}), reason, curve)


@dataclass(frozen=True, slots=True)
class _Held:
    """A blend held to golden queries.

    Attributes:
        n_kept: pairs of recipes that it is held to for that.
        broken: the queries that it loses all the same.
    """

    blend: FittedBlend
    n_kept: int
    broken: Sequence[str]

    @property
    def ranker(self) -> LearnedBlend:
        return LearnedBlend(UNNUMBERED, self.blend.weights)

    @property
    def figures(self) -> dict[str, float]:
        return {"pairs": float(self.blend.n_pairs), "scale": self.blend.scale, "golden_pairs": float(self.n_kept)}


def _held_blend(
    promises: GoldenPromises, examples: Examples, looks: NDArray[np.float64], options: TrainingOptions
) -> _Held:
    """What a blend breaks becomes pairs of the next fit, until it breaks none (cutting planes, Kelley 1960).

    Or until another fit would not help: a rule is broken, whatever the weights, or it was tried often enough.
    """
    pairs = _pairs_of(examples, looks, options)
    kept = np.zeros((0, len(LEARNED_FEATURES)), dtype=np.float32)
    for n_left in reversed(range(_MOST_FITS)):
        blend = fit_blend(pairs, l2=options.l2, kept=kept)
        broken = promises.broken(LearnedBlend(UNNUMBERED, blend.weights))
        more = promises.leads(broken)
        if not len(more) or not n_left:
            break
        kept = np.concatenate([kept, more])
    return _Held(blend, len(kept), list(broken))


def _pairs_of(examples: Examples, looks: NDArray[np.float64], options: TrainingOptions) -> Pairs:
    matrix = matrix_of(LearnedBlend(UNNUMBERED, {}).recalled(examples.columns))
    seen = look_weights(examples, looks, largest=options.largest_weight)
    weights = reaction_weights(examples, seen, largest=options.largest_weight)
    return Pairs.of(examples, matrix, weights * examples.newness(options.half_life_days))


def _why_no_trees(train: Examples, validation: Examples, options: TrainingOptions) -> str | None:
    n_slates = len(train.sizes)
    if options.kind == "blend":
        return say("a blend was asked for")
    if not trees_are_possible():
        return say("LightGBM is not installed")
    if not len(validation):
        return say("the validation part has no answer with a reaction")
    if options.kind == "auto" and n_slates < options.trees_from:
        return say(
            "{n:d} answers with a reaction are too few for trees, which take {needed}",
            n=n_slates,
            needed=options.trees_from,
        )
    return None


def _tree_data(blend: FittedBlend, ranker: LearnedBlend, examples: Examples, options: TrainingOptions) -> TreeData:
    matrix = matrix_of(ranker.recalled(examples.columns))
    return TreeData(
        examples=examples,
        matrix=matrix,
        margins=blend.scale * ranker.score_matrix(matrix).astype(np.float64),
        weights=np.minimum(1 / examples.propensities.astype(np.float64), options.largest_weight),
    )


def _tell(progress: Progress, number: int, options: TrainingOptions) -> None:
    if number % _ROUNDS_BETWEEN_NEWS == 0:
        doing = say("round {number:d} of at most {most:d}", number=number, most=int(options.n_rounds))
        progress(0.3 + 0.6 * number / options.n_rounds, doing)


@dataclass(frozen=True, slots=True)
class _Judge:
    """How good scores of the validation part are, with what cooks did not see made up for."""

    validation: Examples
    gains: NDArray[np.float64]
    best: float

    @classmethod
    def of(cls, validation: Examples, looks: NDArray[np.float64], options: TrainingOptions) -> _Judge:
        weights = look_weights(validation, looks, largest=options.largest_weight)
        gains = gains_of(validation.grades) * weights
        return cls(validation, gains, float(slate_values(validation, gains, gains, k=K).sum()))

    def __call__(self, scores: NDArray[np.float64]) -> float:
        """nDCG@3 as a ratio of sums, 0 to 1; NaN where nothing is relevant."""
        return float(self._values(scores).sum() / self.best) if self.best else float("nan")

    def is_clearly_better(self, scores: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
        """By more than chance, with 95 %: the best of many rounds looks better than it is.

        And here recipes that were shown compete with each other alone. Where all candidates do, blends that looked as
        good as trees were better in simulated worlds, where it can be told.
        """
        gained = self._values(scores) - self._values(before)
        return bool(gained.mean() > _Z * gained.std() / np.sqrt(len(gained)))

    def _values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return slate_values(self.validation, scores, self.gains, k=K)


def _scores(ranker: Ranker, examples: Examples) -> NDArray[np.float64]:
    return ranker.score(ranker.recalled(examples.columns)).astype(np.float64)


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
