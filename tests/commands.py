"""Typing commands in this process: a new one each time would take most of a test's time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


def typed(
    main: Callable[[], None],
    *words: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    **environment: str,
) -> Ended:
    """Run *main* as if *words* had been typed, in the environment as it is and *environment*; never with a trace."""
    with monkeypatch.context() as scope:
        for name, value in environment.items():
            scope.setenv(name, value)
        scope.setattr(sys, "argv", [*map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return Ended(int(ended.value.code or 0), printed.out, printed.err)
