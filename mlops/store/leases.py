"""Leases: what only one process may do at a time, for a limited time, kept in the state database."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from mlops.clock import Clock, utc_now
from mlops.errors import StoreError
from mlops.schema import leases
from mlops.store.database import Database, insert_new

_log = logging.getLogger("mlops.store")

_KEPT = (leases.c.holder, leases.c.token, leases.c.expires_at)


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken.

    Attributes:
        token: grows with each holder of this name. Who writes somewhere under a lease writes it down too, and whoever
            comes with a smaller one than is there already has lost the lease without noticing.
        expires_at: until when it holds unless it is renewed.
        seconds: for how long it was taken, and is renewed.
    """

    name: str
    holder: str
    token: int
    expires_at: datetime
    seconds: float


class Leases:
    """The leases of a database. Of any number of processes that take one at once, one gets it.

    Times are those of *clock*: machines that share a database should agree on the time to well within the length of a
    lease.
    """

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def take(self, name: str, holder: str, seconds: float) -> Lease | None:
        """The lease *name* for *holder*; None where somebody has it, be it the same holder.

        Args:
            holder: tells apart whoever might take it, so that a person can see who has it.
            seconds: for how long, unless it is renewed or released. More than 0.

        Raises:
            ValueError: *seconds* is not more than 0.
        """
        if seconds <= 0:
            raise ValueError(f"seconds must be more than 0, got {seconds}")
        now = self._clock()
        until = now + timedelta(seconds=seconds)
        with self._database.writing() as connection:
            token = _take_over(connection, name, holder, now=now, until=until)
            if token is None and _make(connection, name, holder, until=until):
                token = 1
        return None if token is None else Lease(name, holder, token, until, seconds)

    def renew(self, lease: Lease) -> bool:
        """Hold *lease* for its whole length again, from now. False where it is lost: it expired, or was released.

        An expired lease is lost even if nobody has taken it: its holder was away for longer than it had promised.
        """
        now = self._clock()
        until = now + timedelta(seconds=lease.seconds)
        return self._expire_at(lease, until, only_before=now)

    def release(self, lease: Lease) -> bool:
        """Give *lease* back, so that others need not wait. False where it was lost already."""
        now = self._clock()
        return self._expire_at(lease, now, only_before=now)

    def held(self, name: str) -> Lease | None:
        """Who has the lease *name* now; None where it is free. Takes nothing, and is cheap to ask."""
        now = self._clock()
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*_KEPT).where(leases.c.name == name, leases.c.expires_at > now)).first()
        if row is None:
            return None
        return Lease(name, row.holder, row.token, row.expires_at, (row.expires_at - now).total_seconds())

    @contextmanager
    def holding(self, name: str, holder: str, seconds: float) -> Iterator[HeldLease | None]:
        """Take the lease *name* and renew it until the end of the block; None where somebody has it.

        Args:
            seconds: how long it stays taken after this process dies.
        """
        try:
            lease = self.take(name, holder, seconds)
            held = None if lease is None else HeldLease(self, lease, clock=self._clock)
        except (SystemExit, KeyboardInterrupt):
            # Asked to end just after it was taken, the process does not know yet that it holds it.
            with contextlib.suppress(StoreError):
                self._release_of(name, holder)
            raise
        try:
            yield held
        finally:
            if held is not None:
                held.end()

    def _release_of(self, name: str, holder: str) -> None:
        now = self._clock()
        mine = (leases.c.name == name, leases.c.holder == holder, leases.c.expires_at > now)
        with self._database.writing() as connection:
            connection.execute(sa.update(leases).where(*mine).values(expires_at=now))

    def _expire_at(self, lease: Lease, until: datetime, *, only_before: datetime) -> bool:
        statement = (
            sa.update(leases)
            .where(leases.c.name == lease.name, leases.c.token == lease.token, leases.c.expires_at > only_before)
            .values(expires_at=until)
        )
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1


def _take_over(connection: sa.Connection, name: str, holder: str, *, now: datetime, until: datetime) -> int | None:
    # One guarded statement, and the row stays when a lease is given back: the token must never start anew.
    row = connection.execute(
        sa.update(leases)
        .where(leases.c.name == name, leases.c.expires_at <= now)
        .values(holder=holder, token=leases.c.token + 1, expires_at=until)
        .returning(leases.c.token)
    ).first()
    return None if row is None else int(row.token)


def _make(connection: sa.Connection, name: str, holder: str, *, until: datetime) -> bool:
    row = {"name": name, "holder": holder, "token": 1, "expires_at": until}
    return insert_new(connection, leases, row, key=["name"])


class HeldLease:
    """A lease that a thread renews for as long as the work lasts."""

    def __init__(self, leases: Leases, lease: Lease, *, clock: Clock) -> None:
        self.lease = lease
        self._leases = leases
        self._clock = clock
        self._until = lease.expires_at
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{lease.name}", daemon=True)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Whether somebody else may have it by now. To be asked before each step that two must not take at once."""
        return self._clock() >= self._until

    def end(self) -> None:
        """Stop renewing it, and give it back."""
        self._ended.set()
        self._thread.join()
        self._leases.release(self.lease)

    def _keep(self) -> None:
        while not self._ended.wait(self.lease.seconds / 3):
            renewed_at = self._clock()
            try:
                if not self._leases.renew(self.lease):
                    return
            except StoreError as error:
                # It may well answer before the lease expires.
                _log.warning("the lease %s cannot be renewed now: %s", self.lease.name, error)
            else:
                self._until = renewed_at + timedelta(seconds=self.lease.seconds)
