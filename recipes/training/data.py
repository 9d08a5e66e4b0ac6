"""The data of one training: three parts of time, cut by one clock for all cooks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.errors import TooLittleData
from mlops.sentences import say
from recipes.training.examination import examination
from recipes.training.examples import Examples, examples_of
from recipes.training.log import ImpressionLog
from recipes.training.options import TrainingOptions


@dataclass(frozen=True, slots=True)
class Cuts:
    """Moments, in seconds since 1970 in UTC.

    Training knows answers and events before ``train_until``; validation answers from then on and events before
    ``validation_until``; the holdout the rest, up to ``until``. In each part, answers younger than the label delay at
    its end are left out, so that there is a gap between the parts.
    """

    train_until: float
    validation_until: float
    until: float


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a training learns from, what it stops by, and what it is judged on.

    Attributes:
        looks: how likely cooks look at each position, from the training part.
        n_items: recipes in the catalogue.
        is_read: whether it was read from the database; what cooks did besides is there, too, up to the last cut.
    """

    train: Examples
    validation: Examples
    holdout: Examples
    looks: NDArray[np.float64]
    cuts: Cuts
    n_items: int
    is_read: bool = False

    def fingerprint(self) -> str:
        """SHA-256 of all values, in hexadecimal. The same answers and reactions give the same one, whenever asked."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.holdout):
            columns: tuple[NDArray[Any], ...] = (
                part.features, part.grades, part.positions, part.scores, part.propensities, part.sizes,
                part.answered_at,
            )  # fmt: skip
            for column in columns:
                digest.update(f"{column.dtype} {column.shape}".encode())
                digest.update(np.ascontiguousarray(column).tobytes())
            digest.update("\n".join(part.request_ids).encode())
        return digest.hexdigest()

    def counts(self) -> dict[str, float]:
        """How much there is of what, and how much was left out why."""
        counts: dict[str, float] = {}
        for name, part in (("train", self.train), ("validation", self.validation), ("holdout", self.holdout)):
            counts[f"{name}_impressions"] = float(len(part))
            counts[f"{name}_answers_with_reaction"] = float(part.reacted.sum())
            counts |= {f"{name}_left_out_{reason}": float(n) for reason, n in part.left_out.items()}
        return counts


def divided(log: ImpressionLog, options: TrainingOptions, *, until: float) -> TrainingData:
    """*log* in three parts by time.

    Raises:
        TooLittleData: too few answers that cooks reacted to, in the training part or in the holdout.
    """
    cuts = _cuts(log.answered_at, options, until=until)
    train = examples_of(log, options, since=-np.inf, until=cuts.train_until)
    validation = examples_of(log, options, since=cuts.train_until, until=cuts.validation_until)
    holdout = examples_of(log, options, since=cuts.validation_until, until=cuts.until)
    return checked(TrainingData(train, validation, holdout, examination(train), cuts, log.n_items), options)


def checked(data: TrainingData, options: TrainingOptions) -> TrainingData:
    """*data*, if there is enough of it.

    Raises:
        TooLittleData: with how much there is, and how much it takes.
    """
    needed: Mapping[str, tuple[Examples, int]] = {
        "training": (data.train, options.least_slates),
        "holdout": (data.holdout, options.least_holdout),
    }
    for name, (part, least) in needed.items():
        n_reacted = int(part.reacted.sum())
        if n_reacted < least:
            raise TooLittleData(_too_little(name, part, n_reacted=n_reacted, least=least))
    return data


def _too_little(name: str, part: Examples, *, n_reacted: int, least: int) -> str:
    n_answers, n_left_out = len(part.sizes), sum(part.left_out.values())
    if name == "training":
        return say(
            "the training part has {n:d} answers with recipes that cooks took to more than to others, and it takes "
            "{least}; it has {n_answers:d} answers, without {n_left_out:d} impressions left out",
            n=n_reacted, least=least, n_answers=n_answers, n_left_out=n_left_out,
        )  # fmt: skip
    return say(
        "the holdout has {n:d} answers with recipes that cooks took to more than to others, and it takes {least}; it "
        "has {n_answers:d} answers, without {n_left_out:d} impressions left out",
        n=n_reacted, least=least, n_answers=n_answers, n_left_out=n_left_out,
    )  # fmt: skip


def _cuts(answered_at: NDArray[np.float64], options: TrainingOptions, *, until: float) -> Cuts:
    """By the number of answers that are old enough to be labelled."""
    labelled = answered_at[answered_at < until - options.delay_seconds]
    if not len(labelled):
        return Cuts(-np.inf, -np.inf, until)
    shares = 1 - options.holdout_share - options.validation_share, 1 - options.holdout_share
    train_until, validation_until = np.quantile(labelled, shares, method="higher").tolist()
    return Cuts(train_until, validation_until, until)
