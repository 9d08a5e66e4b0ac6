"""Tells people of alerts: empties the outbox into the log and a webhook, at least once each."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from mlops import schema
from mlops.background import Repeating
from mlops.clock import Clock, utc_now
from mlops.config import Settings
from mlops.errors import StoreUnavailable
from mlops.monitoring.alert_records import Firing
from mlops.monitoring.alerts import LOG, WEBHOOK
from mlops.monitoring.webhook import Webhook
from mlops.store import Database
from mlops.tracking.outbox import delay_seconds

_log = logging.getLogger("mlops.monitoring")

# Whoever takes a message has so long to deliver it; after a crash it is taken again then.
_CLAIM = timedelta(seconds=60)
# A day of pauses of five minutes.
MOST_FAILURES = 300
_PAGE = 50
_MOST_URGENT = 100
_LONGEST_ERROR = 300

_outbox = schema.alert_deliveries
_IS_WAITING = _outbox.c.state == sa.literal_column("'waiting'")


@dataclass(frozen=True, slots=True)
class Message:
    """What is told.

    Attributes:
        message_id: the same however often it is sent, so that a receiver can drop repeats.
        event: ``firing`` or ``resolved``.
        alert: the alert as it was then, as plain values.
    """

    message_id: str
    event: str
    alert: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain values: ``id``, ``event``, ``alert``."""
        return {"id": self.message_id, "event": self.event, "alert": dict(self.alert)}


# Tells a message, or raises.
Channel = Callable[[Message], None]


def channels_of(settings: Settings, *, clock: Clock = utc_now) -> dict[str, Channel]:
    """The channels that *settings* name: the log, and the webhook where one is set."""
    if settings.alert_webhook_url is None:
        return {LOG: to_log}
    secret = settings.alert_webhook_secret
    webhook = Webhook(
        settings.alert_webhook_url.get_secret_value(),
        secret=None if secret is None else secret.get_secret_value().encode(),
        clock=clock,
    )
    return {LOG: to_log, WEBHOOK: lambda message: webhook.send(message.message_id, message.to_dict())}


def to_log(message: Message) -> None:
    """*message* as one event of the log."""
    alert = message.alert
    level = logging.INFO if message.event == "resolved" or alert["severity"] == "info" else logging.WARNING
    level = logging.ERROR if message.event == "firing" and alert["severity"] == "critical" else level
    _log.log(level, "alert %s %s (%s): %s", alert["key"], message.event, alert["severity"], alert["sentence"])


class Deliverer:
    """Empties the outbox in *database* in the background. Any number of processes may have one.

    A message is taken by a guarded update, so one process sends it; if that one dies it is sent again a minute later.
    A channel that fails is tried again after pauses that grow to five minutes; a message that failed *most_failures*
    times is given up, and that is logged.
    """

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        *,
        every_seconds: float = 1.0,
        most_failures: int = MOST_FAILURES,
        clock: Clock = utc_now,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Nothing is sent yet."""
        self._database = database
        self._channels = dict(channels)
        self._most_failures = most_failures
        self._clock = clock
        self._rng = rng or np.random.default_rng()
        self._urgent: deque[Message] = deque(maxlen=_MOST_URGENT)
        self._thread = Repeating(
            "alert-delivery",
            self._turn,
            every_seconds=every_seconds,
            log=_log,
            trouble="the delivery of alerts failed, and goes on",
        )

    def start(self) -> None:
        """Deliver in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more; what is not told goes on waiting in the database."""
        if self._thread.stop():
            # What was to be told past the database is nowhere but in memory.
            self._turn()

    def tell_soon(self, firing: Firing) -> None:
        """Tell of *firing* past the database, which is away: once, from memory, under the id that it will have."""
        now = self._clock().isoformat()
        alert = {
            "key": firing.key, "rule": firing.rule, "labels": dict(firing.labels), "state": "firing",
            "uid": firing.uid, "opening": 1, "fired_at": now, **firing.values(),
        }  # fmt: skip
        self._urgent.append(Message(_message_id(alert, "firing"), "firing", alert))
        self._thread.wake()

    def deliver_due(self) -> int:
        """Send what is due now; how many messages were delivered.

        Raises:
            StoreUnavailable: the database does not answer; whatever was sent and could not be noted is sent again.
        """
        self._tell_urgent()
        return sum(self._deliver(row) for row in self._due())

    def _tell_urgent(self) -> None:
        while self._urgent:
            message = self._urgent.popleft()
            for name, channel in self._channels.items():
                try:
                    channel(message)
                except Exception as error:
                    _log.warning("alert %s could not be told by %s: %s", message.alert["key"], name, error)

    def _due(self) -> list[sa.Row[Any]]:
        query = (
            sa.select(_outbox)
            .where(_IS_WAITING, _outbox.c.try_at <= self._clock(), _outbox.c.channel.in_(list(self._channels)))
            .order_by(_outbox.c.try_at, _outbox.c.delivery_id)
            .limit(_PAGE)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query))

    def _deliver(self, row: sa.Row[Any]) -> bool:
        if not self._claim(row):
            return False
        message = Message(_message_id(row.body, row.event), row.event, row.body)
        try:
            self._channels[row.channel](message)
        except Exception as error:
            self._note_failure(row, f"{type(error).__name__}: {error}"[:_LONGEST_ERROR])
            return False
        self._note(row, state="delivered", delivered_at=self._clock(), last_error=None)
        return True

    def _claim(self, row: sa.Row[Any]) -> bool:
        statement = (
            sa.update(_outbox)
            .where(_outbox.c.delivery_id == row.delivery_id, _IS_WAITING, _outbox.c.try_at == row.try_at)
            .values(try_at=self._clock() + _CLAIM)
        )
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1

    def _note_failure(self, row: sa.Row[Any], error: str) -> None:
        n = row.n_failures + 1
        is_over = n >= self._most_failures
        pause = timedelta(seconds=delay_seconds(n, self._rng))
        _log.log(
            logging.ERROR if is_over else logging.WARNING,
            "%s of alert %s was not told by %s (%d failures%s): %s",
            *(row.event, row.body["key"], row.channel, n, ", given up" if is_over else "", error),
        )
        state = "given_up" if is_over else "waiting"
        self._note(row, state=state, n_failures=n, try_at=self._clock() + pause, last_error=error)

    def _note(self, row: sa.Row[Any], **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.update(_outbox).where(_outbox.c.delivery_id == row.delivery_id).values(**values))

    def _turn(self) -> None:
        try:
            self.deliver_due()
        except StoreUnavailable as error:
            _log.debug("the outbox of alerts cannot be read now: %s", error)


def _message_id(alert: Mapping[str, Any], event: str) -> str:
    return f"{alert['uid']}-{alert['opening']}-{event}"
