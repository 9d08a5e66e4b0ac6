"""Which lists of a rollout were clicked, and whose recipes in lists of both: counted when their time is up.

What was shown and what cooks did is in the database, so that is where it is counted: a restart loses nothing, and it
does not matter which worker counts. The answers of each hour are counted under a name of their own, as absolute
numbers: to count an hour again changes nothing, and hours that are over are left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from mlops.background import Repeating
from mlops.clock import Clock, utc_now
from mlops.errors import StoreError
from mlops.rollout import Rollout
from mlops.rollout.counts import Name, write_counts
from mlops.rollout.means import Sums
from mlops.schema import rollout_counts
from mlops.store import Database
from mlops.store.leases import Leases
from recipes.live_quality import OUTCOMES
from recipes.ranker import MODEL_ID
from recipes.schema import answers, feedback_events, impressions

_log = logging.getLogger("recipes.rollouts")

_HOUR_SECONDS = 3_600
_WORKER = "clicks-"
_LEASE = "rollout-clicks"
_LONGEST_PAUSE_SECONDS = 30.0
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class ClickCounts:
    """Counts for the rollout under way what cooks did with its lists, when their time to be clicked is up.

    ``click``: 1 for a list that was clicked, else 0. ``preference`` of an interleaved list: 1 where cooks took more of
    the challenger's recipes than of the champion's, -1 where fewer, else 0.
    """

    def __init__(
        self,
        database: Database,
        rollout: Callable[[], Rollout | None],
        *,
        settled_seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            rollout: the one under way.
            settled_seconds: how long a list has to be clicked, more than 0.
        """
        self._database = database
        self._rollout = rollout
        self._settled = timedelta(seconds=settled_seconds)
        self._every_seconds = min(max(settled_seconds / 4, 0.5), _LONGEST_PAUSE_SECONDS)
        self._clock = clock
        self._leases = Leases(database, clock=clock)
        self._thread = Repeating(
            "rollout-clicks",
            self._turn_if_mine,
            every_seconds=self._every_seconds,
            log=_log,
            trouble="clicks could not be counted, and are counted again",
        )

    def start(self) -> None:
        """Count in the background; of all processes, one does it."""
        self._thread.start()

    def stop(self) -> None:
        """Count no more."""
        self._thread.stop()

    def turn(self) -> None:
        """Count the lists whose time is up, from the hour that was counted last.

        Raises:
            StoreError: the database does not answer.
        """
        rollout = self._rollout()
        if rollout is None or rollout.status == "shadow":
            return
        until = self._clock() - self._settled
        for hour in self._hours(rollout, until):
            since = max(_time_of(hour), rollout.started_at)
            counted = self._counted(rollout, since, min(_time_of(hour + 1), until))
            if counted:
                with self._database.writing() as connection:
                    write_counts(connection, rollout.rollout_id, f"{_WORKER}{hour:09d}", counted)

    def _hours(self, rollout: Rollout, until: datetime) -> Iterator[int]:
        last = sa.select(sa.func.max(rollout_counts.c.worker)).where(
            rollout_counts.c.rollout_id == rollout.rollout_id, rollout_counts.c.worker.startswith(_WORKER)
        )
        with self._database.reading() as connection:
            worker = connection.execute(last).scalar()
        first = _hour_of(rollout.started_at) if worker is None else int(worker.removeprefix(_WORKER))
        yield from range(first, _hour_of(until) + 1)

    def _counted(self, rollout: Rollout, since: datetime, until: datetime) -> Mapping[Name, Sums]:
        span = (answers.c.answered_at >= since, answers.c.answered_at < until, answers.c.model_id == MODEL_ID)
        with self._database.reading() as connection:
            rows = connection.execute(_clicks(span, self._settled, _canary_began(rollout))).all()
            preferred = connection.execute(_preferences(span, self._settled, rollout)).one()
        counted = {
            (arm, "click"): Sums(row.n, row.clicked, row.clicked)
            for row in rows
            if (arm := _arm(row, rollout)) is not None
        }
        if preferred.n:
            sums = Sums(preferred.n, preferred.won - preferred.lost, preferred.won + preferred.lost)
            counted["interleaved", "preference"] = sums
        return counted

    def _turn_if_mine(self) -> None:
        try:
            # Kept until it expires: whoever asks sooner has nothing to add.
            if self._rollout() is not None and self._leases.take(_LEASE, "service", self._every_seconds * 0.9):
                self.turn()
        except StoreError as error:
            _log.debug("clicks cannot be counted now: %s", error)


Span = tuple[sa.ColumnElement[bool], ...]


def _clicked(settled: timedelta) -> sa.ColumnElement[bool]:
    """The event is a click on the answer, within *settled*."""
    # In whole seconds: SQLite has no finer difference, and no list is looked at for less.
    waited = sa.extract("epoch", feedback_events.c.received_at) - sa.extract("epoch", answers.c.answered_at)
    return sa.and_(
        feedback_events.c.request_id == answers.c.request_id,
        feedback_events.c.event.in_(OUTCOMES["click"]),
        waited <= settled.total_seconds(),
    )


def _clicks(span: Span, settled: timedelta, canary_began: datetime) -> sa.Select[Any]:
    """Lists of *span*, and how many were clicked within *settled*, by arm and version."""
    shown = sa.exists().where(impressions.c.request_id == answers.c.request_id)
    clicked = sa.exists().where(_clicked(settled))
    # Only in a canary do whole lists compete; before it, and after the promotion, everybody else has the same.
    competes = sa.or_(answers.c.arm == "challenger", answers.c.answered_at >= canary_began)
    is_drawn = sa.and_(answers.c.arm_propensity < 1, competes).label("is_drawn")
    return (
        sa.select(answers.c.arm, answers.c.model_version, is_drawn, sa.func.count().label("n"))
        .add_columns(sa.func.sum(sa.case((clicked, 1), else_=0)).label("clicked"))
        .where(
            *span,
            answers.c.mode != "popular",
            answers.c.arm.in_(("champion", "challenger")),
            shown,
        )
        .group_by(answers.c.arm, answers.c.model_version, is_drawn)
    )


def _preferences(span: Span, settled: timedelta, rollout: Rollout) -> sa.Select[Any]:
    """How many interleaved lists there are in *span*, and how many of them either ranking won."""
    clicked = sa.exists().where(_clicked(settled), feedback_events.c.recipe_id == impressions.c.recipe_id)
    side = sa.case((impressions.c.team == "challenger", 1), (impressions.c.team == "champion", -1), else_=0)
    lists = (
        sa.select(sa.func.sum(sa.case((clicked, side), else_=0)).label("ahead"))
        .select_from(answers)
        .join(impressions, impressions.c.request_id == answers.c.request_id)
        # A list to which the challenger could not contribute has no teams.
        .where(
            *span,
            answers.c.arm == "interleaved",
            answers.c.model_version == rollout.champion,
            impressions.c.team.is_not(None),
        )
        .group_by(answers.c.request_id)
        .subquery()
    )
    won, lost = (
        sa.func.coalesce(sa.func.sum(sa.case((is_so, 1), else_=0)), 0)
        for is_so in (
            lists.c.ahead > 0,
            lists.c.ahead < 0,
        )
    )
    return sa.select(sa.func.count().label("n"), won.label("won"), lost.label("lost")).select_from(lists)


def _canary_began(rollout: Rollout) -> datetime:
    """The far future where it has not begun; the start of a rollout whose canary was its first stage."""
    began = rollout.state.get("canary_began_at")
    if began is not None:
        return datetime.fromisoformat(began)
    return _NEVER if rollout.status == "interleave" else rollout.started_at


def _arm(row: Any, rollout: Rollout) -> str | None:
    """Under which arm whole lists count; None where another version answered than was chosen, or none was drawn."""
    if row.arm == "champion":
        return "champion" if row.is_drawn and row.model_version == rollout.champion else None
    if row.model_version != rollout.challenger:
        return None
    return "challenger" if row.is_drawn else "watch"


def _hour_of(time: datetime) -> int:
    return int(time.timestamp() // _HOUR_SECONDS)


def _time_of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * _HOUR_SECONDS, UTC)
