"""The alert book: alerts with a life, in the state database. firing → acknowledged → resolved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from mlops import schema
from mlops.clock import Clock, utc_now
from mlops.config import Settings, load_settings
from mlops.errors import AlertClosed, UnknownAlert
from mlops.monitoring import _alert_rows as rows
from mlops.monitoring.alert_records import Alert, Firing, Mute, State
from mlops.sentences import say
from mlops.store import Database

__all__ = ["Alert", "AlertBook", "Firing", "Mute", "open_alert_book"]

# Who resolves what is no longer so.
WATCH = "watch"
LOG, WEBHOOK = "log", "webhook"
_MOST_TRIES = 5


class AlertBook:
    """The alerts in *database*, whose tables are there.

    One open alert of a key: what is seen again raises its count. Resolved and seen again within *cool_down* it is the
    same alert, opened again; of that nobody is told before the cool-down is over, so one that flaps is told once.
    """

    def __init__(
        self,
        database: Database,
        *,
        channels: Sequence[str] = (LOG,),
        cool_down: timedelta = timedelta(minutes=10),
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            channels: by which people are told; :class:`~mlops.monitoring.delivery.Deliverer` does the telling.
        """
        self.database = database
        self.channels = tuple(channels)
        self.cool_down = cool_down
        self._clock = clock

    def fire(self, firing: Firing) -> Alert:
        """Open an alert, or count *firing* on the one that is open, and put into the outbox what is to be told.

        Raises:
            StoreUnavailable: the database does not answer; nothing was kept.
        """
        for _ in range(_MOST_TRIES):
            try:
                with self.database.writing() as connection:
                    alert = self._fire(connection, firing)
            except IntegrityError:
                # Somebody opened one of this key while this reopened an older one: now there is one to count on.
                continue
            if alert is not None:
                return alert
        raise RuntimeError(f"{firing.key} was opened and resolved by others {_MOST_TRIES} times at the same moment")

    def _fire(self, connection: sa.Connection, firing: Firing) -> Alert | None:
        now = self._clock()
        alert = (
            rows.repeat(connection, firing, now=now)
            or rows.reopen(connection, firing, now=now, resolved_after=now - self.cool_down)
            or rows.insert(connection, firing, now=now)
        )
        if alert is not None and self._is_to_be_told(connection, alert, now=now):
            rows.owe(connection, alert, "firing", channels=self.channels, now=now)
        return alert

    def _is_to_be_told(self, connection: sa.Connection, alert: Alert, *, now: datetime) -> bool:
        if alert.state != "firing" or (alert.quiet_until is not None and now < alert.quiet_until):
            return False
        return not rows.mutes_in_force(connection, now=now, scopes=[alert.key, alert.rule])

    def acknowledge(self, alert_id: int, *, because: str, actor: str) -> Alert:
        """Somebody looks after it. One that is acknowledged is so by the newest.

        Raises:
            UnknownAlert, AlertClosed: there is none, or it is resolved.
            StoreUnavailable: the database does not answer.
        """
        by = {"acknowledged_by": actor, "acknowledged_because": because}
        with self.database.writing() as connection:
            now = self._clock()
            moved = rows.move(connection, alert_id, among=rows.IS_OPEN, state="acknowledged", acknowledged_at=now, **by)
            return moved or _refused(connection, alert_id)

    def resolve(self, alert_id: int, *, because: str, actor: str) -> Alert:
        """It is no longer so. Found again within the cool-down, it is opened again.

        Raises:
            UnknownAlert, AlertClosed: there is none, or it is resolved.
            StoreUnavailable: the database does not answer.
        """
        with self.database.writing() as connection:
            return self._resolve(connection, alert_id, because, actor) or _refused(connection, alert_id)

    def resolve_key(self, key: str, *, because: str, actor: str = WATCH) -> Alert | None:
        """Resolve the open alert of *key*; None where none is open.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with self.database.reading() as connection:
            alert = rows.open_alert(connection, key)
        if alert is None:
            return None
        with self.database.writing() as connection:
            return self._resolve(connection, alert.alert_id, because, actor)

    def _resolve(self, connection: sa.Connection, alert_id: int, because: str, actor: str) -> Alert | None:
        now = self._clock()
        by = {"resolved_at": now, "resolved_by": actor, "resolved_because": because}
        alert = rows.move(connection, alert_id, among=rows.IS_OPEN, state="resolved", **by)
        # Whoever was not told that it began need not hear that it ended.
        if alert is not None and rows.was_told(connection, alert):
            rows.owe(connection, alert, "resolved", channels=self.channels, now=now)
        return alert

    def mute(self, scope: str, *, until: datetime, because: str, actor: str) -> Mute:
        """Tell nobody of alerts of *scope* until then. They are kept all the same.

        What is still firing afterwards is told then.

        Args:
            scope: a key or a rule.

        Raises:
            ValueError: *scope* is blank, or *until* is not in the future.
            StoreUnavailable: the database does not answer.
        """
        now = self._clock()
        if not scope.strip():
            raise ValueError("scope must be a key or a rule, and is blank")
        if until <= now:
            raise ValueError(f"until must be in the future, got {until.isoformat()} at {now.isoformat()}")
        row = {"scope": scope, "muted_at": now, "until": until, "muted_by": actor, "because": because}
        with self.database.writing() as connection:
            connection.execute(sa.insert(schema.alert_mutes).values(**row))
            return rows.mutes_in_force(connection, now=now, scopes=[scope])[-1]

    def unmute(self, scope: str, *, because: str, actor: str) -> Sequence[Mute]:
        """Lift the mutes of *scope*; those that were in force.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now, mutes = self._clock(), schema.alert_mutes
        with self.database.writing() as connection:
            lifted = rows.mutes_in_force(connection, now=now, scopes=[scope])
            connection.execute(
                sa.update(mutes)
                .where(mutes.c.mute_id.in_([mute.mute_id for mute in lifted]))
                .values(lifted_at=now, lifted_by=actor, lifted_because=because)
            )
        return lifted

    def mutes(self) -> Sequence[Mute]:
        """The mutes in force, oldest first."""
        with self.database.reading() as connection:
            return rows.mutes_in_force(connection, now=self._clock())

    def get(self, alert_id: int) -> Alert:
        """One alert.

        Raises:
            UnknownAlert: there is none of this number.
            StoreUnavailable: the database does not answer.
        """
        with self.database.reading() as connection:
            return _known(connection, alert_id)

    def open_alerts(self) -> Sequence[Alert]:
        """All alerts that are not resolved, newest first."""
        with self.database.reading() as connection:
            found = [Alert(*row) for row in connection.execute(sa.select(*rows.COLUMNS).where(rows.IS_OPEN))]
        # Asked for in this order, SQLite may read the whole table from its end instead of the index of open ones.
        return sorted(found, key=lambda each: each.alert_id, reverse=True)

    def list(
        self,
        *,
        state: State | None = None,
        rule: str | None = None,
        key: str | None = None,
        limit: int | None = 100,
        before: int | None = None,
    ) -> list[Alert]:
        """Alerts, newest first.

        Args:
            before: only those with a lower number: the last of the page before.
        """
        table = schema.alerts
        query = sa.select(*rows.COLUMNS).order_by(table.c.alert_id.desc()).limit(limit)
        for column, value in ((table.c.state, state), (table.c.rule, rule), (table.c.key, key)):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(table.c.alert_id < before)
        with self.database.reading() as connection:
            return [Alert(*row) for row in connection.execute(query)]


def _known(connection: sa.Connection, alert_id: int) -> Alert:
    row = connection.execute(sa.select(*rows.COLUMNS).where(schema.alerts.c.alert_id == alert_id)).first()
    if row is None:
        raise UnknownAlert(say("there is no alert {alert:d}", alert=alert_id))
    return Alert(*row)


def _refused(connection: sa.Connection, alert_id: int) -> Alert:
    alert = _known(connection, alert_id)
    raise AlertClosed(
        say(
            "alert {alert:d} ({key!s}) is {state} since {at}",
            alert=alert_id,
            key=alert.key,
            state=alert.state,
            at=alert.resolved_at,
        )
    )


def open_alert_book(
    settings: Settings | None = None, *, database: Database | None = None, clock: Clock = utc_now
) -> AlertBook:
    """The alert book that *settings* name (default: those of the environment). Nothing is opened yet.

    Args:
        database: one whose tables are there; default: the settings' own, whose tables are made when it is first used.
    """
    settings = settings or load_settings(Settings)
    channels = (LOG,) if settings.alert_webhook_url is None else (LOG, WEBHOOK)
    return AlertBook(
        database or Database(settings.state_url, tables=(schema.MIGRATIONS,)),
        channels=channels,
        cool_down=timedelta(minutes=settings.alert_cool_down_minutes),
        clock=clock,
    )
