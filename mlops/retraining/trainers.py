"""Who trains which model: registered by a call, by a setting, or by the entry point of an installed package."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mlops.errors import InvalidSettings, UnknownTrainer
from mlops.model_registry.metadata import checked_model_id
from mlops.model_registry.versions import Bump
from mlops.retraining.trainer import Trainer
from mlops.sentences import say

ENTRY_POINTS = "mlops.trainers"
Factory = Callable[[], Trainer[Any]]


@dataclass(frozen=True)
class TrainerEntry:
    """How a model is trained.

    Attributes:
        model_id: the model.
        address: where a process of its own finds the function that makes the trainer: ``package.module:function``, or
            ``/path/of/script.py:function``. None where it can only be called in this process.
        factory: that function, where it is at hand.
        parameters: what is trained with unless a job says otherwise.
        seed: likewise.
        bump: which number of the version counts up.
        model_type: as in :class:`~mlops.model_registry.ModelMetadata`.
    """

    model_id: str
    address: str | None
    factory: Factory | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    bump: Bump = "minor"
    model_type: str = "hybrid"

    def make(self) -> Trainer[Any]:
        """The trainer, made in this process.

        Raises:
            UnknownTrainer: there is no such function.
        """
        return (self.factory or load_factory(self.address or ""))()


class Trainers:
    """The trainers by model. What was registered by a call wins over the setting, and that over entry points."""

    def __init__(self, text: str = "", *, registered: dict[str, TrainerEntry] | None = None) -> None:
        """Trainers as a setting has them: ``model=package.module:function`` between commas.

        Args:
            registered: those that were registered by calls, shared with whoever else has this mapping; default: none.

        Raises:
            InvalidSettings: *text* has another form.
        """
        self._set = {model_id: TrainerEntry(model_id, address) for model_id, address in _parsed(text).items()}
        self._registered = {} if registered is None else registered

    def register(
        self,
        model_id: str,
        factory: str | Factory,
        *,
        parameters: Mapping[str, Any] | None = None,
        seed: int = 0,
        bump: Bump = "minor",
        model_type: str = "hybrid",
    ) -> TrainerEntry:
        """Say how *model_id* is trained; said again, the last one counts.

        Args:
            factory: a function without arguments that makes the :class:`~mlops.retraining.Trainer`, or where to find
                it as ``package.module:function``. It is called in the process that trains.

        Raises:
            InvalidMetadata: *model_id* is no name.
            UnknownTrainer: *factory* is text of another form.
        """
        checked_model_id(model_id)
        if isinstance(factory, str):
            _split(factory)
            entry = TrainerEntry(model_id, factory, None, dict(parameters or {}), seed, bump, model_type)
        else:
            entry = TrainerEntry(model_id, address_of(factory), factory, dict(parameters or {}), seed, bump, model_type)
        self._registered[model_id] = entry
        return entry

    def get(self, model_id: str) -> TrainerEntry:
        """How *model_id* is trained.

        Raises:
            UnknownTrainer: nobody has said so.
        """
        entry = self._registered.get(model_id) or self._set.get(model_id) or _of_packages().get(model_id)
        if entry is None:
            raise UnknownTrainer(_nobody_has_said(model_id))
        return entry

    def model_ids(self) -> list[str]:
        """Models that can be trained, sorted."""
        return sorted({*self._registered, *self._set, *_of_packages()})


def address_of(function: Callable[..., Any]) -> str | None:
    """Where another process finds *function*; None where it cannot."""
    name = getattr(function, "__qualname__", "<none>")
    if "<" in name:
        return None
    module = sys.modules.get(function.__module__)
    if function.__module__ != "__main__":
        return f"{function.__module__}:{name}"
    script = getattr(module, "__file__", None)
    return None if script is None else f"{Path(script).absolute()}:{name}"


def load_factory(address: str) -> Factory:
    """The function at *address*.

    Raises:
        UnknownTrainer: there is none.
    """
    place, name = _split(address)
    try:
        # As multiprocessing does it: what a script does only where it is the main program is not done again.
        found: Any = (
            runpy.run_path(place, run_name="__mp_main__") if place.endswith(".py") else importlib.import_module(place)
        )
        for part in name.split("."):
            found = found[part] if isinstance(found, dict) else getattr(found, part)
    except (ImportError, AttributeError, KeyError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnknownTrainer(
            say("the trainer {address!s} cannot be found: {reason}", address=address, reason=reason)
        ) from error
    factory: Factory = found
    return factory


def code_version_of(trainer: Trainer[Any]) -> str:
    """What tells one program that trains from another: the trainer's own ``code_version``, else its module's SHA-256.

    Returns:
        The trainer's words, or ``package.module@`` and twelve hexadecimal digits.
    """
    said = getattr(trainer, "code_version", None)
    if isinstance(said, str):
        return said
    kind = type(trainer)
    try:
        source = Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):
        source = b""
    return f"{kind.__module__}@{hashlib.sha256(source).hexdigest()[:12]}"


def _nobody_has_said(model_id: str) -> str:
    return say(
        "nobody has said how {model!s} is trained: call register_trainer({named!r}, 'package.module:function'), or set "
        "RETRAIN_TRAINERS={key!s}=package.module:function",
        model=model_id,
        named=model_id,
        key=model_id,
    )


def _of_packages() -> dict[str, TrainerEntry]:
    return {each.name: TrainerEntry(each.name, each.value) for each in entry_points(group=ENTRY_POINTS)}


def _split(address: str) -> tuple[str, str]:
    place, colon, name = address.rpartition(":")
    if not (place and colon and name):
        raise UnknownTrainer(say("a trainer is named as package.module:function, got {address!r}", address=address))
    return place, name


def _parsed(text: str) -> dict[str, str]:
    found = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        model_id, sign, address = part.partition("=")
        if not (model_id.strip() and sign and ":" in address):
            raise InvalidSettings(f"RETRAIN_TRAINERS must be model=package.module:function, got {part!r}")
        found[model_id.strip()] = address.strip()
    return found
