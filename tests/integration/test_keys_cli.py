"""``mlops keys …`` as an operator types it: what it prints, what it keeps, and with which exit code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from mlops import cli
from mlops.access import KeyHolder, KeyRing, open_key_ring
from mlops.cli.keys import expiry
from mlops.config import Settings
from mlops.errors import NotAuthenticated
from tests.commands import Ended, Run, typed

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs ``mlops keys`` over a data folder of the test's own."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
        return typed(cli.main, "mlops", "keys", *arguments, monkeypatch=monkeypatch, capsys=capsys)

    return run


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """The keys that the commands see."""
    return open_key_ring(Settings(_env_file=None, data_dir=tmp_path / "data"))  # type: ignore[call-arg]


def test_a_key_is_made_and_shown_once(run: Run, ring: KeyRing) -> None:
    ended = run("create", "ci", "--scope", "operate", "--actor", "ana")
    first, token = ended.out.splitlines()
    assert (ended.code, first) == (0, "ci may operate, without end; keep the key, it is not shown again:")
    assert ring.holder(token) == KeyHolder("ci", "operate")
    assert ring.list()[0].created_by == "ana"
    secret = token.split("_", 2)[2]
    assert secret not in run("list").out + run("list", "--json").out + run("revoke", "ci", "--json").out


def test_a_key_as_json(run: Run, ring: KeyRing) -> None:
    made = run("create", "ci", "--scope", "read", "--expires", "2999-01-01", "--json").json
    assert (made["name"], made["scope"], made["state"]) == ("ci", "read", "valid")
    assert made["expires_at"] == "2999-01-01T00:00:00+00:00"
    assert ring.holder(made["token"]).name == "ci"


def test_a_span_counts_from_now(run: Run, ring: KeyRing) -> None:
    assert run("create", "ci", "--scope", "read", "--expires", "90d").code == 0
    (key,) = ring.list()
    assert key.expires_at is not None
    assert timedelta(days=89, hours=23) < key.expires_at - key.created_at < timedelta(days=90, seconds=1)


def test_keys_are_listed_with_their_state(run: Run) -> None:
    run("create", "ci", "--scope", "operate")
    run("create", "board", "--scope", "read", "--expires", "1y")
    run("revoke", "ci")
    heading, first, second = run("list").out.splitlines()
    assert heading.split() == ["name", "scope", "state", "made", "by", "expires", "id"]
    assert first.split()[:3] == ["ci", "operate", "revoked"]
    assert second.split()[:3] == ["board", "read", "valid"]
    assert [(key["name"], key["state"]) for key in run("list", "--json").json] == [
        ("ci", "revoked"),
        ("board", "valid"),
    ]


def test_without_keys_the_list_says_what_that_means(run: Run) -> None:
    assert run("list").out == "there is no key: changes over HTTP are accepted from this machine only\n"
    assert run("list", "--json").json == []


def test_a_revoked_key_counts_no_more(run: Run, ring: KeyRing) -> None:
    token = run("create", "ci", "--scope", "operate", "--json").json["token"]
    run("create", "board", "--scope", "read")
    ended = run("revoke", "ci")
    assert (ended.code, ended.out.startswith("ci was revoked at 20")) == (0, True)
    assert "no key is left" not in ended.out
    with pytest.raises(NotAuthenticated, match="revoked"):
        ring.holder(token)


def test_revoking_the_last_key_says_what_that_means(run: Run) -> None:
    run("create", "ci", "--scope", "operate")
    assert run("revoke", "ci").out.endswith("; no key is left: this machine needs none now\n")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("revoke", "nobody"), 3, "there is no key 'nobody'"),
        (("create", "ci", "--scope", "write"), 4, "scope: must be one of read, operate, admin, got 'write'"),
        (("create", "a b", "--scope", "read"), 4, "name: must be 1 to 64"),
        (("create", "loopback", "--scope", "read"), 4, "stands for changes without a key"),
        (("create", "ci", "--scope", "read", "--expires", "2020-01-01"), 4, "expires_at: must be later than now"),
        (("create", "ci"), 2, "--scope"),
        (("create", "ci", "--scope", "read", "--expires", "soon"), 2, "must be a span such as 12h"),
    ],
)
def test_what_cannot_be_done_ends_with_its_code_and_makes_nothing(
    run: Run, ring: KeyRing, arguments: tuple[str, ...], code: int, part: str
) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert part in " ".join(ended.err.replace("│", " ").split())
    assert ring.list() == []


def test_a_name_that_is_taken_is_refused(run: Run) -> None:
    run("create", "ci", "--scope", "read")
    ended = run("create", "ci", "--scope", "admin")
    assert (ended.code, ended.out) == (4, "")
    assert "name: 'ci' is taken" in ended.err


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("90d", 90 * 24), ("6w", 6 * 7 * 24), ("1y", 365 * 24), ("2026-11-25T09:00", 24)]
)
def test_spans_and_times(text: str, hours: int) -> None:
    assert expiry(text, now=NOW) == NOW + timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "0d", "-1d", "90", "d", "90 d", "1m", "99999y", "tomorrow", "1.5d", "٣d"])
def test_what_is_neither_span_nor_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"or a date such as 2027-01-01, got "):
        expiry(text, now=NOW)
