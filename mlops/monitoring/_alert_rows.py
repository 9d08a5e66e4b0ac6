"""The statements of the alert book. Each is guarded: of several processes at once, one changes a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlops import schema
from mlops.monitoring.alert_records import Alert, Firing, Mute, is_worse
from mlops.store import insert_new

alerts, mutes, deliveries = schema.alerts, schema.alert_mutes, schema.alert_deliveries

# As the partial index says it, to the letter: databases recognise nothing else as its condition.
IS_OPEN = alerts.c.state != sa.literal_column("'resolved'")
COLUMNS = tuple(alerts.c[name] for name in Alert.__slots__)
_NOBODY_ACKNOWLEDGED = dict.fromkeys(("acknowledged_at", "acknowledged_by", "acknowledged_because"))
_NOBODY_RESOLVED = dict.fromkeys(("resolved_at", "resolved_by", "resolved_because"))
_MUTE_COLUMNS = tuple(mutes.c[name] for name in Mute.__slots__)


def repeat(connection: sa.Connection, firing: Firing, *, now: datetime) -> Alert | None:
    """Count *firing* on the open alert of its key; None where none is open, or it has just changed.

    Its severity never falls while it is open; where it rises, the alert counts as opened once more, and nobody has
    acknowledged that yet.
    """
    known = open_alert(connection, firing.key)
    if known is None:
        return None
    values = {**firing.values(), "count": alerts.c.count + firing.count, "last_seen_at": max(known.last_seen_at, now)}
    if is_worse(firing.severity, known.severity):
        values |= {"state": "firing", "opening": known.opening + 1, "quiet_until": None, **_NOBODY_ACKNOWLEDGED}
    else:
        values["severity"] = known.severity
    is_as_known = sa.and_(IS_OPEN, alerts.c.severity == known.severity)
    return move(connection, known.alert_id, among=is_as_known, **values)


def reopen(connection: sa.Connection, firing: Firing, *, now: datetime, resolved_after: datetime) -> Alert | None:
    """Open the last alert of the key again, where it was resolved after *resolved_after*; else None."""
    last = sa.select(sa.func.max(alerts.c.alert_id)).where(alerts.c.key == firing.key).scalar_subquery()
    found = connection.execute(
        sa.select(alerts.c.alert_id, alerts.c.resolved_at).where(
            alerts.c.alert_id == last, alerts.c.state == "resolved", alerts.c.resolved_at > resolved_after
        )
    ).first()
    if found is None:
        return None
    row = connection.execute(
        sa.update(alerts)
        .where(alerts.c.alert_id == found.alert_id, alerts.c.state == "resolved")
        .values(
            state="firing", opening=alerts.c.opening + 1, count=alerts.c.count + firing.count, last_seen_at=now,
            quiet_until=found.resolved_at + (now - resolved_after),
            **_NOBODY_ACKNOWLEDGED, **_NOBODY_RESOLVED, **firing.values(),
        )
        .returning(*COLUMNS)
    ).first()  # fmt: skip
    return None if row is None else Alert(*row)


def insert(connection: sa.Connection, firing: Firing, *, now: datetime) -> Alert | None:
    """A new alert; None where somebody else has just opened one of this key."""
    row = {
        "key": firing.key, "rule": firing.rule, "state": "firing", "labels": dict(firing.labels), "uid": firing.uid,
        "opening": 1, "count": firing.count, "fired_at": now, "last_seen_at": now, **firing.values(),
    }  # fmt: skip
    if not insert_new(connection, alerts, row, key=["key"], among=IS_OPEN):
        return None
    return open_alert(connection, firing.key)


def open_alert(connection: sa.Connection, key: str) -> Alert | None:
    """The open alert of *key*."""
    row = connection.execute(sa.select(*COLUMNS).where(alerts.c.key == key, IS_OPEN)).first()
    return None if row is None else Alert(*row)


def move(connection: sa.Connection, alert_id: int, *, among: sa.ColumnElement[bool], **values: Any) -> Alert | None:
    """Set *values* of an alert that is *among* those; None where it is not, or there is none."""
    row = connection.execute(
        sa.update(alerts).where(alerts.c.alert_id == alert_id, among).values(**values).returning(*COLUMNS)
    ).first()
    return None if row is None else Alert(*row)


def mutes_in_force(connection: sa.Connection, *, now: datetime, scopes: Sequence[str] | None = None) -> list[Mute]:
    """The mutes in force, of *scopes* only where they are given, oldest first."""
    query = sa.select(*_MUTE_COLUMNS).where(mutes.c.lifted_at.is_(None), mutes.c.until > now)
    if scopes is not None:
        query = query.where(mutes.c.scope.in_(list(scopes)))
    return [Mute(*row) for row in connection.execute(query.order_by(mutes.c.mute_id))]


def owe(connection: sa.Connection, alert: Alert, event: str, *, channels: Sequence[str], now: datetime) -> None:
    """Put *event* of *alert* into the outbox, once for each channel."""
    for channel in channels:
        row = {
            "alert_id": alert.alert_id, "opening": alert.opening, "event": event, "channel": channel,
            "state": "waiting", "body": alert.to_dict(), "n_failures": 0, "try_at": now,
        }  # fmt: skip
        insert_new(connection, deliveries, row, key=["alert_id", "opening", "event", "channel"])


def was_told(connection: sa.Connection, alert: Alert) -> bool:
    """Whether this opening of *alert* has been put into the outbox."""
    query = sa.select(deliveries.c.delivery_id).where(
        deliveries.c.alert_id == alert.alert_id, deliveries.c.opening == alert.opening, deliveries.c.event == "firing"
    )
    return connection.execute(query.limit(1)).first() is not None
