"""``mlops alerts …``: what is wrong, who looks after it, and what nobody is to be told of for a while."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from mlops.cli.exits import epilogue
from mlops.cli.output import ago, moment, print_json, print_line, print_table
from mlops.clock import utc_now
from mlops.people import system_user

if TYPE_CHECKING:
    from mlops.monitoring.alerts import Alert, AlertBook

app = typer.Typer(no_args_is_help=True, help="Alerts: what is wrong, and who looks after it.", epilog=epilogue())

_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def _not_blank(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("say why: it is kept with the alert")
    return value


AlertId = Annotated[int, typer.Argument(metavar="ID", help="Number of an alert.", show_default=False)]
Scope = Annotated[
    str,
    typer.Argument(metavar="KEY", help="Key of an alert, or name of a rule.", show_default=False, callback=_not_blank),
]
Because = Annotated[str, typer.Option("--because", help="Why; kept for good.", callback=_not_blank)]
Actor = Annotated[str | None, typer.Option("--actor", help="Who does it. Default: the user of this system.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("list")
def list_alerts(
    state: Annotated[
        str | None,
        typer.Option(metavar="open|firing|acknowledged|resolved|all", help="Default: those that are not resolved."),
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Only alerts of this rule.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first, and what is muted."""
    with _opened() as book:
        found = _found(book, state or "open", rule, limit)
        mutes = book.mutes()
    if as_json:
        print_json({"alerts": [alert.to_dict() for alert in found], "mutes": [mute.to_dict() for mute in mutes]})
        return
    if found:
        _print_alerts(found)
    else:
        print_line("there is no such alert" if state else "nothing is wrong that anybody knows of")
    for mute in mutes:
        print_line(f"{mute.scope} is muted until {moment(mute.until)} by {mute.muted_by}: {mute.because}")


def _found(book: AlertBook, state: str, rule: str | None, limit: int) -> list[Alert]:
    from mlops.monitoring.alert_records import State

    if state == "open":
        return [alert for alert in book.open_alerts() if rule in (None, alert.rule)][:limit]
    states: dict[str, Any] = {"all": None, **{name: name for name in get_args(State)}}
    if state not in states:
        raise typer.BadParameter(f"must be open, {', '.join(states)}, got {state!r}", param_hint="--state")
    return list(book.list(state=states[state], rule=rule, limit=limit))


def _print_alerts(found: list[Alert]) -> None:
    now = utc_now()
    rows = [
        (
            alert.alert_id,
            alert.severity,
            alert.state,
            alert.key,
            ago(alert.fired_at, now=now),
            alert.count,
            alert.sentence,
        )
        for alert in found
    ]
    print_table(("id", "severity", "state", "key", "since", "seen", "what"), rows, numbers=["id", "seen"])


@app.command()
def show(alert_id: AlertId, as_json: AsJson = False) -> None:
    """One alert with its evidence."""
    with _opened() as book:
        alert = book.get(alert_id)
    _say(alert, as_json=as_json, whole=True)


@app.command()
def ack(alert_id: AlertId, because: Because, actor: Actor = None, as_json: AsJson = False) -> None:
    """Say that you look after it."""
    with _opened() as book:
        alert = book.acknowledge(alert_id, because=because, actor=actor or system_user())
    _say(alert, as_json=as_json)


@app.command()
def resolve(alert_id: AlertId, because: Because, actor: Actor = None, as_json: AsJson = False) -> None:
    """Say that it is over; seen again it is opened again."""
    with _opened() as book:
        alert = book.resolve(alert_id, because=because, actor=actor or system_user())
    _say(alert, as_json=as_json)


@app.command()
def mute(
    scope: Scope,
    because: Because,
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="Such as 30m, 2h, 3d or 1w.")] = "2h",
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Tell nobody of alerts of a key or a rule for a while; they are kept all the same."""
    until = utc_now() + parsed_span(span)
    with _opened() as book:
        made = book.mute(scope, until=until, because=because, actor=actor or system_user())
    if as_json:
        print_json(made.to_dict())
    else:
        print_line(f"{made.scope} is muted until {moment(made.until)}")


@app.command()
def unmute(scope: Scope, because: Because, actor: Actor = None, as_json: AsJson = False) -> None:
    """Lift the mutes of a key or a rule."""
    with _opened() as book:
        lifted = book.unmute(scope, because=because, actor=actor or system_user())
    if as_json:
        print_json([each.to_dict() for each in lifted])
    else:
        print_line(f"{scope} is muted no more" if lifted else f"{scope} was not muted")


def parsed_span(text: str) -> timedelta:
    """A span such as ``30m``, ``2h``, ``3d`` or ``1w``.

    Raises:
        typer.BadParameter: it is none.
    """
    span = _SPAN.fullmatch(text)
    if span is None:
        raise typer.BadParameter(f"must be a span such as 30m, 2h, 3d or 1w, got {text!r}", param_hint="--for")
    return int(span[1]) * _UNITS[span[2]]


@contextmanager
def _opened() -> Iterator[AlertBook]:
    from mlops.monitoring.alerts import open_alert_book

    book = open_alert_book()
    try:
        yield book
    finally:
        book.database.close()


def _say(alert: Alert, *, as_json: bool, whole: bool = False) -> None:
    if as_json:
        print_json(alert.to_dict())
        return
    print_line(f"alert {alert.alert_id} ({alert.key}, {alert.severity}) is {alert.state}: {alert.sentence}")
    if whole:
        print_table(("", ""), list(_facts(alert)))


def _facts(alert: Alert) -> Iterator[tuple[str, object]]:
    yield "fired", moment(alert.fired_at)
    yield "last seen", f"{moment(alert.last_seen_at)}, {alert.count} times, opened {alert.opening} times"
    if alert.acknowledged_at is not None:
        by = f"by {alert.acknowledged_by}: {alert.acknowledged_because}"
        yield "acknowledged", f"{moment(alert.acknowledged_at)} {by}"
    if alert.resolved_at is not None:
        yield "resolved", f"{moment(alert.resolved_at)} by {alert.resolved_by}: {alert.resolved_because}"
    yield from alert.evidence.items()
