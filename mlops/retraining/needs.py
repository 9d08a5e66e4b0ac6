"""Does a model need to be trained anew? Each reason with its figure, one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from typing import Any, Protocol

from mlops.errors import UnknownTrainer
from mlops.model_registry.reading import RegistryReader
from mlops.model_registry.records import ModelVersion
from mlops.retraining.book import JobBook
from mlops.retraining.config import RetrainingConfig
from mlops.retraining.jobs import RetrainingJob
from mlops.retraining.trainers import Trainers
from mlops.sentences import listed, say

# The group of entry points by which installed packages tell what they know of their models.
SIGNALS = "mlops.signals"

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Degradation:
    """How much worse a model is than it was.

    Attributes:
        metric: such as ``click_ratio``.
        before, now: its mean in both windows.
        low, high: interval of now - before.
        degraded: whether whoever measured it calls it worse.
    """

    metric: str
    before: float
    now: float
    low: float
    high: float
    degraded: bool


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far one column has moved from what the model was trained on; *threshold* is the least *score* that counts."""

    column: str
    score: float
    threshold: float
    drifted: bool


class Signals(Protocol):
    """What an application knows of a model. Each answers None where it was not measured."""

    def labelled_since(self, model_id: str, at: datetime) -> int | None:
        """How many labelled samples have come since *at*."""

    def degradation(self, model_id: str) -> Degradation | None:
        """How much worse the version in production is than it was."""

    def drift(self, model_id: str) -> Sequence[ColumnDrift] | None:
        """How far the columns of its data have moved."""


class NoSignals:
    """Nothing was measured."""

    def labelled_since(self, _model_id: str, _at: datetime) -> int | None:
        """None: it was not counted."""
        return None

    def degradation(self, _model_id: str) -> Degradation | None:
        """None: it was not measured."""
        return None

    def drift(self, _model_id: str) -> Sequence[ColumnDrift] | None:
        """None: it was not measured."""
        return None


class InstalledSignals:
    """What installed packages know: an entry point of the group ``mlops.signals``, named after the model.

    It leads to a function without arguments that makes a :class:`Signals` of the environment's settings.
    """

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self._made: dict[str, Signals] = {}

    def labelled_since(self, model_id: str, at: datetime) -> int | None:
        """See :class:`Signals`."""
        return self._of(model_id).labelled_since(model_id, at)

    def degradation(self, model_id: str) -> Degradation | None:
        """See :class:`Signals`."""
        return self._of(model_id).degradation(model_id)

    def drift(self, model_id: str) -> Sequence[ColumnDrift] | None:
        """See :class:`Signals`."""
        return self._of(model_id).drift(model_id)

    def _of(self, model_id: str) -> Signals:
        if model_id not in self._made:
            found = next((each for each in entry_points(group=SIGNALS) if each.name == model_id), None)
            self._made[model_id] = NoSignals() if found is None else found.load()()
        return self._made[model_id]


@dataclass(frozen=True, slots=True)
class Need:
    """Whether a model needs training, and why.

    Attributes:
        reasons: why it does, one sentence each; empty where it does not.
        hindrances: why no program may start one now all the same, one sentence each.
        remarks: what speaks neither for it nor against, one sentence each.
        figures: what the sentences rest on; None for what was not measured.
    """

    model_id: str
    reasons: tuple[str, ...]
    hindrances: tuple[str, ...]
    remarks: tuple[str, ...]
    figures: dict[str, Any]

    @property
    def is_needed(self) -> bool:
        """Whether there is a reason."""
        return bool(self.reasons)

    @property
    def may_start(self) -> bool:
        """Whether there is a reason and nothing in the way."""
        return self.is_needed and not self.hindrances

    @property
    def sentences(self) -> list[str]:
        """All of it."""
        return [*self.reasons, *self.hindrances, *self.remarks]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model_id": self.model_id,
            "needed": self.is_needed,
            "may_start": self.may_start,
            "reasons": list(self.reasons),
            "hindrances": list(self.hindrances),
            "remarks": list(self.remarks),
            "figures": self.figures,
        }


class NeedCheck:
    """Asks everything that speaks for a training, and everything that speaks against one now. Changes nothing."""

    def __init__(
        self,
        registry: RegistryReader,
        book: JobBook,
        trainers: Trainers,
        config: RetrainingConfig,
        *,
        signals: Signals,
    ) -> None:
        self._registry = registry
        self._book = book
        self._trainers = trainers
        self._config = config
        self._signals = signals

    def need(self, model_id: str) -> Need:
        """Whether *model_id* needs training now, and why.

        Raises:
            StoreUnavailable: the state database does not answer.
        """
        found = _Sentences()
        champion = self._registry.get_production_model(model_id)
        last = next(iter(self._book.listed(model_id, states=["completed", "skipped"], limit=1)), None)
        if champion is None:
            found.hindrances.append(
                say("No version of {model!s} is in production, so there is nothing to compare with.", model=model_id)
            )
        else:
            self._ask_age_and_volume(found, champion, last)
            self._ask_degradation(found, model_id)
            self._ask_drift(found, model_id)
        self._ask_hindrances(found, model_id)
        return Need(model_id, tuple(found.reasons), tuple(found.hindrances), tuple(found.remarks), found.figures)

    def _ask_age_and_volume(self, found: _Sentences, champion: ModelVersion, last: RetrainingJob | None) -> None:
        trained_at = champion.registered_at if last is None else max(champion.registered_at, last.requested_at)
        age, limit = (self._book.clock() - trained_at) / _DAY, self._config.interval_days
        found.figures |= {"trained_at": trained_at.isoformat(), "age_days": round(age, 3), "interval_days": limit}
        old = say("The last training is {age:.1f} days old; the limit is {limit:g}.", age=age, limit=limit)
        (found.reasons if age >= limit else found.remarks).append(old)

        n_new, wanted = self._signals.labelled_since(champion.model_id, trained_at), self._config.data_threshold
        found.figures |= {"new_samples": n_new, "data_threshold": wanted}
        if n_new is None:
            found.remarks.append(say("New labelled samples were not measured."))
        else:
            new = say("{n:,} labelled samples are new; {wanted:,} are a reason.", n=n_new, wanted=wanted)
            (found.reasons if n_new >= wanted else found.remarks).append(new)

    def _ask_degradation(self, found: _Sentences, model_id: str) -> None:
        seen = self._signals.degradation(model_id)
        found.figures["degradation"] = None if seen is None else {name: getattr(seen, name) for name in seen.__slots__}
        if seen is None:
            found.remarks.append(say("Degradation was not measured."))
            return
        figures = say(
            "{before:.4g} → {now:.4g}, {change:+.4g} ({low:+.4g} to {high:+.4g})",
            before=seen.before,
            now=seen.now,
            change=seen.now - seen.before,
            low=seen.low,
            high=seen.high,
        )
        if seen.degraded:
            found.reasons.append(
                say("{metric!s} is worse than it was: {figures}.", metric=seen.metric, figures=figures)
            )
        else:
            found.remarks.append(
                say("{metric!s} is not shown to be worse: {figures}.", metric=seen.metric, figures=figures)
            )

    def _ask_drift(self, found: _Sentences, model_id: str) -> None:
        seen = self._signals.drift(model_id)
        found.figures["drift"] = (
            None if seen is None else [{name: getattr(each, name) for name in each.__slots__} for each in seen]
        )
        if seen is None:
            found.remarks.append(say("Drift was not measured."))
            return
        drifted = [each for each in seen if each.drifted]
        if drifted:
            columns = listed(
                say(
                    "{column!s} {score:.3g} (limit {limit:.3g})",
                    column=each.column,
                    score=each.score,
                    limit=each.threshold,
                )
                for each in drifted[:5]
            )
            found.reasons.append(
                say("{n:d} of {of:d} columns have drifted: {columns}.", n=len(drifted), of=len(seen), columns=columns)
            )
        else:
            found.remarks.append(say("None of {n:d} columns has drifted.", n=len(seen)))

    def _ask_hindrances(self, found: _Sentences, model_id: str) -> None:
        if not self._config.enabled:
            found.hindrances.append(say("RETRAIN_ENABLED is off, so that only people start trainings."))
        freezes = self._registry.freezes()
        freeze = freezes.get("*") or freezes.get(model_id)
        found.figures["is_frozen"] = freeze is not None
        if freeze is not None:
            found.hindrances.append(say("Automatic moves are frozen: {because}.", because=freeze.because))
        try:
            self._trainers.get(model_id)
        except UnknownTrainer as error:
            found.hindrances.append(f"{error}.")
        job = next(iter(self._book.listed(model_id, limit=1)), None)
        if job is None:
            return
        if job.is_open:
            found.hindrances.append(say("Job {job:d} is {state}.", job=job.job_id, state=job.state.replace("_", " ")))
        elif job.finished_at is not None and self._book.clock() - job.finished_at < self._config.cooldown:
            until = job.finished_at + self._config.cooldown
            found.figures["cooldown_until"] = until.isoformat()
            found.hindrances.append(
                say(
                    "Job {job:d} ended at {at:%Y-%m-%d %H:%M} UTC ({outcome}); the next begins by itself {hours:g} "
                    "hours later at the earliest.",
                    job=job.job_id,
                    at=job.finished_at,
                    outcome=job.outcome,
                    hours=self._config.cooldown_hours,
                )
            )


class _Sentences:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.hindrances: list[str] = []
        self.remarks: list[str] = []
        self.figures: dict[str, Any] = {}
