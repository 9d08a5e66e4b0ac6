"""Who is at the keyboard."""

from __future__ import annotations

import getpass

import pytest

from mlops.people import system_user


def test_the_user_of_the_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")
    assert system_user() == "ana"


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no such user")])
def test_a_process_without_a_user_has_one_that_is_unknown(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", fails)
    assert system_user() == "unknown"
