"""Alerts over HTTP: reading them, looking after them, and muting."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import AfterValidator, Field, StrictStr

from mlops.clock import Clock, utc_now
from mlops.errors import AlertClosed, NotAllowed, NotAuthenticated, StoreUnavailable, UnknownAlert
from mlops.http import problems
from mlops.http.access import Access
from mlops.http.answers import json_response
from mlops.http.fields import BeforeNumber, Change, Limit
from mlops.monitoring.alert_records import State
from mlops.monitoring.alerts import AlertBook
from mlops.sentences import say

# The HTTP status of each error that these endpoints let through: for `problems.install`.
STATUSES: dict[type[Exception], int] = {
    NotAuthenticated: 401,
    NotAllowed: 403,
    UnknownAlert: 404,
    AlertClosed: 409,
    StoreUnavailable: 503,
}

_PAGE = 100
_HIGHEST = 2**31 - 1
_A_YEAR = 525_600
_READING = problems.documented(401, 403, 404, 422, 503)
_CHANGING = problems.documented(400, 401, 403, 404, 409, 413, 415, 422, 503)

AlertId = Annotated[int, Path(ge=1, le=_HIGHEST, description="Number of an alert.")]


def _a_scope(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(say("must be a key or a rule"))
    return value


Scope = Annotated[StrictStr, Field(min_length=1, max_length=300), AfterValidator(_a_scope)]


class Unmuting(Change):
    """The body of ``unmute``."""

    scope: Scope = Field(description="Key of an alert, or name of a rule.")


class Muting(Unmuting):
    """The body of ``mute``."""

    minutes: Annotated[float, Field(gt=0, le=_A_YEAR)] = Field(120, description="For how long.")


def router(book: AlertBook, access: Access, *, clock: Clock = utc_now) -> APIRouter:
    """The endpoints over *book*. The application has to know :data:`STATUSES`."""
    routes = APIRouter(tags=["alerts"])
    reading = APIRouter(dependencies=[Depends(access.reads)], responses=_READING)
    _add_reading(reading, book)
    routes.include_router(reading)
    changing = APIRouter(responses=_CHANGING)
    _add_mutes(changing, book, access, clock)
    _add_changes(changing, book, access)
    routes.include_router(changing)
    return routes


def _add_reading(routes: APIRouter, book: AlertBook) -> None:
    @routes.get("/alerts", summary="Alerts, newest first")
    def alerts(
        state: State | None = None, rule: StrictStr | None = None, limit: Limit = _PAGE, before: BeforeNumber = None
    ) -> Response:
        """Up to `limit` alerts, and the mutes in force; `next` is the `before` of the page after, null on the last."""
        found = book.list(state=state, rule=rule, limit=limit + 1, before=before)
        page = found[:limit]
        return json_response(
            {
                "alerts": [alert.to_dict() for alert in page],
                "mutes": [mute.to_dict() for mute in book.mutes()],
                "next": page[-1].alert_id if len(found) > limit else None,
            }
        )

    @routes.get("/alerts/{alert_id}", summary="One alert")
    def alert(alert_id: AlertId) -> Response:
        """With its evidence, and who did what."""
        return json_response(book.get(alert_id).to_dict())


def _add_changes(routes: APIRouter, book: AlertBook, access: Access) -> None:
    @routes.post("/alerts/{alert_id}/ack", summary="Say that you look after it")
    def ack(alert_id: AlertId, body: Change, actor: str = Depends(access.operates)) -> Response:
        """409 where it is resolved."""
        return json_response(book.acknowledge(alert_id, because=body.reason, actor=actor).to_dict())

    @routes.post("/alerts/{alert_id}/resolve", summary="Say that it is over")
    def resolve(alert_id: AlertId, body: Change, actor: str = Depends(access.operates)) -> Response:
        """409 where it is resolved already. Seen again it is opened again."""
        return json_response(book.resolve(alert_id, because=body.reason, actor=actor).to_dict())


def _add_mutes(routes: APIRouter, book: AlertBook, access: Access, clock: Clock) -> None:
    @routes.post("/alerts/mute", summary="Tell nobody for a while")
    def mute(body: Muting, actor: str = Depends(access.operates)) -> Response:
        """Of alerts of a key or a rule. They are kept all the same."""
        until = clock() + timedelta(minutes=body.minutes)
        made = book.mute(body.scope, until=until, because=body.reason, actor=actor)
        return json_response(_muted(book, body.scope, mute=made.to_dict()))

    @routes.post("/alerts/unmute", summary="Tell people again")
    def unmute(body: Unmuting, actor: str = Depends(access.operates)) -> Response:
        """`lifted` is empty where nothing was muted."""
        lifted = book.unmute(body.scope, because=body.reason, actor=actor)
        return json_response(_muted(book, body.scope, lifted=[each.to_dict() for each in lifted]))


def _muted(book: AlertBook, scope: str, **what: Any) -> dict[str, Any]:
    """What is so now, read back."""
    return {"scope": scope, "is_muted": any(mute.scope == scope for mute in book.mutes()), **what}
