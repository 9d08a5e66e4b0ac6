"""``mlops keys …``: the API keys of the HTTP service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli.exits import epilogue
from mlops.cli.output import moment, print_json, print_line, print_table
from mlops.clock import utc_from_text, utc_now
from mlops.people import system_user

if TYPE_CHECKING:
    from mlops.access import ApiKey, KeyRing

app = typer.Typer(
    no_args_is_help=True,
    help="API keys of the HTTP service. As long as there is none, changes come from this machine only.",
    epilog=epilogue(),
)

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdwy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who or what holds it: the actor of its changes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command()
def create(
    name: Name,
    scope: Annotated[
        str, typer.Option(metavar="read|operate|admin", help="read; operate: change the registry, too; admin.")
    ],
    expires: Annotated[
        str | None, typer.Option(metavar="SPAN|DATE", help="Such as 12h, 90d, 6w, 1y or 2027-01-01. Default: never.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Who makes it. Default: the user of this system.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it: now, and never again."""
    expires_at = None if expires is None else expiry(expires, now=utc_now())
    with _opened() as ring:
        made = ring.create(name, scope, expires_at=expires_at, created_by=actor or system_user())
    if as_json:
        print_json({**_described(made.key), "token": made.token})
    else:
        until = "without end" if expires_at is None else f"until {moment(expires_at)}"
        print_line(f"{name} may {scope}, {until}; keep the key, it is not shown again:")
        print_line(made.token)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """All keys, oldest first, those that were revoked or have expired among them."""
    with _opened() as ring:
        found = ring.list()
    if as_json:
        print_json([_described(key) for key in found])
    elif not found:
        print_line("there is no key: changes over HTTP are accepted from this machine only")
    else:
        _print_keys(found)


@app.command()
def revoke(name: Name, as_json: AsJson = False) -> None:
    """Let a key count no more, from the next request on. Its name stays taken."""
    with _opened() as ring:
        key = ring.revoke(name)
        is_last = not ring.any_exists()
    if as_json:
        print_json(_described(key))
    else:
        line = f"{key.name} was revoked at {moment(key.revoked_at)}"
        print_line(f"{line}; no key is left: this machine needs none now" if is_last else line)


def expiry(text: str, *, now: datetime) -> datetime:
    """The instant that *text* names: a span from *now*, or a date or time, in UTC.

    Raises:
        typer.BadParameter: it is neither, or lies beyond the calendar.
    """
    span = _SPAN.fullmatch(text)
    try:
        return utc_from_text(text) if span is None else now.astimezone(UTC) + int(span[1]) * _UNITS[span[2]]
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"must be a span such as 12h, 90d, 6w or 1y, or a date such as 2027-01-01, got {text!r}",
            param_hint="--expires",
        ) from None


@contextmanager
def _opened() -> Iterator[KeyRing]:
    from mlops.access import open_key_ring

    ring = open_key_ring()
    try:
        yield ring
    finally:
        ring.database.close()


def _described(key: ApiKey) -> dict[str, Any]:
    return {**key.to_dict(), "state": key.state(utc_now())}


def _print_keys(found: list[ApiKey]) -> None:
    now = utc_now()
    rows = [
        (
            key.name,
            key.scope,
            key.state(now),
            moment(key.created_at),
            key.created_by,
            moment(key.expires_at),
            key.key_id,
        )
        for key in found
    ]
    print_table(("name", "scope", "state", "made", "by", "expires", "id"), rows)
