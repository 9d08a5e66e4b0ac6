"""What a model brings so that it can be trained anew: four functions, whatever the model is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mlops.evaluation import Gate
from mlops.evaluation.results import Evaluation

if TYPE_CHECKING:
    from mlops.drift import ReferenceProfile

# Told how far the training is, 0 to 1, and what it does now. Raises where the job is to stop.
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Trained:
    """What a training made.

    Attributes:
        files: the artefact, content by relative path; the same inputs give the same bytes.
        metrics: finite figures of the training itself, by name.
        parameters: what was trained with, chosen values included.
        curves: figures by step, such as the loss of each round, by name.
        profile: of the data that it was trained on, for drift checks; None where there is none.
    """

    files: Mapping[str, bytes]
    metrics: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    profile: ReferenceProfile | None = None


Data = TypeVar("Data")


class Trainer(Protocol[Data]):
    """How a model is trained and evaluated. Registered once, by model id.

    A job runs in a process of its own: what is registered is a function that makes the trainer there, named as
    ``package.module:function``.

    Whatever a function raises ends the job with its message: :class:`~mlops.errors.TooLittleData` as ``skipped``,
    others as ``failed``. For what may pass, such as a source that does not answer, there is
    :class:`~mlops.errors.TrainingInterrupted`: it is tried again.

    A trainer may have an attribute ``code_version``, text for the lineage; else it is the SHA-256 of its module.
    """

    def load(self) -> Data:
        """Gather the data as of now, the newest part set aside as the holdout.

        Raises:
            TooLittleData: there is not enough to learn from; the message says how much there is, and how much it takes.
        """

    def take(self, training_data: Any, validation_data: Any = None) -> Data:
        """The data that a caller brings instead; without *validation_data* the newest part of it is set aside.

        Args:
            training_data, validation_data: as pandas has them, or Arrow tables where pandas is not installed.

        Raises:
            TooLittleData: as for :meth:`load`.
            UnreadableData, ValueError: it is not laid out as the model's schema has it; the message names the column.
        """

    def fingerprint(self, data: Data) -> str:
        """SHA-256 of *data* in hexadecimal: the same data, the same fingerprint."""

    def train(self, data: Data, parameters: Mapping[str, Any], seed: int, progress: Progress) -> Trained:
        """Learn from the training part of *data*; never look at the holdout.

        Raises:
            TooLittleData: as for :meth:`load`.
        """

    def evaluate(self, files: Mapping[str, bytes], data: Data) -> Evaluation:
        """The values of the artefact *files* for each unit of the holdout of *data*.

        Called for the challenger and for the champion, on the same data.
        """

    def gates(self) -> Sequence[Gate]:
        """What a challenger has to pass before it may take the champion's place."""
