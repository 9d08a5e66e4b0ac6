"""How commands end: one table from errors to exit codes, for all of them."""

from __future__ import annotations

from mlops import errors

DONE = 0
WRONG = 1
MISTYPED = 2
UNKNOWN = 3
REFUSED = 4
CONFLICT = 5
WAITS = 6

MEANINGS = {
    DONE: "done",
    WRONG: "something is wrong; one line says what",
    MISTYPED: "the command was typed wrong",
    UNKNOWN: "there is no such model, version, rollout, key, alert or job",
    REFUSED: "a rule refuses it: an illegal move, a version that exists, a freeze, files, an export or a key that are "
    "not accepted, an approval that is refused, nothing to roll back to, an alert that is resolved, a rollout under "
    "way, a version that is barred",
    CONFLICT: "somebody else was first; nothing was changed",
    WAITS: "recorded; it waits for approval",
}

_CODES: dict[type[errors.MlopsError], int] = {
    errors.InvalidMetadata: MISTYPED,
    errors.BadSchedule: MISTYPED,
    errors.UnknownModel: UNKNOWN,
    errors.UnknownVersion: UNKNOWN,
    errors.UnknownKey: UNKNOWN,
    errors.UnknownJob: UNKNOWN,
    errors.UnknownAlert: UNKNOWN,
    errors.InvalidExport: REFUSED,
    errors.VersionExists: REFUSED,
    errors.IllegalMove: REFUSED,
    errors.NothingToRollBackTo: REFUSED,
    errors.Frozen: REFUSED,
    errors.ApprovalRefused: REFUSED,
    errors.ArtefactError: REFUSED,
    errors.InvalidKey: REFUSED,
    errors.AlertClosed: REFUSED,
    errors.BadPlan: MISTYPED,
    errors.UnknownRollout: UNKNOWN,
    errors.RolloutOpen: REFUSED,
    errors.RolloutRefused: REFUSED,
    errors.Barred: REFUSED,
    errors.TooLittleOverlap: REFUSED,
    errors.Conflict: CONFLICT,
    errors.JobConflict: CONFLICT,
    errors.JobLost: CONFLICT,
    errors.ApprovalRequired: WAITS,
}


def exit_code(error: BaseException) -> int:
    """The code of *error*: that of the nearest of its classes in the table, 1 where none is."""
    return exit_code_of(type(error))


def exit_code_of(error: type[BaseException]) -> int:
    """As :func:`exit_code`, of a kind of error."""
    return next((_CODES[kind] for kind in error.__mro__ if kind in _CODES), WRONG)


def epilogue() -> str:
    """The codes and their meanings, for the help."""
    lines = (f"{code}  {meaning}" for code, meaning in MEANINGS.items())
    return "\n\n".join(
        ["Exit codes:", *lines, "evaluate, compare, drift and validate judge: their help says how they end."]
    )
