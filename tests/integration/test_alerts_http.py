"""Alerts over HTTP: what is read, who may change it, and how errors are told."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mlops import errors
from mlops.access import KeyRing
from mlops.http import alerts, problems
from mlops.http.access import Access
from mlops.monitoring.alerts import AlertBook, Firing
from mlops.store import Database


class AlertsApp:
    """Three alerts, of which the first is resolved."""

    def __init__(self, database: Database) -> None:
        self.book = AlertBook(database)
        for rule in ("latency", "error_rate", "dropped"):
            self.book.fire(Firing(rule, f"{rule} is wrong", evidence={"n": 3}))
        self.book.resolve_key("latency", because="fine")
        self.first = self.book.list(rule="latency")[0].alert_id
        self.keys = KeyRing(database)
        self.app = FastAPI()
        problems.install(self.app, alerts.STATUSES)
        self.app.include_router(alerts.router(self.book, Access(self.keys)))

    def ask(self, method: str, path: str, *, status: int = 200, client: str = "127.0.0.1", **request: Any) -> Any:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(client, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as requests:
                return await requests.request(method, path, **request)

        answer = asyncio.run(run())
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def app(emptied_database: Database) -> AlertsApp:
    return AlertsApp(emptied_database)


def test_alerts_are_read_newest_first_page_by_page_and_by_state(app: AlertsApp) -> None:
    page = app.ask("GET", "/alerts", params={"limit": 2})
    assert [alert["rule"] for alert in page["alerts"]] == ["dropped", "error_rate"]
    rest = app.ask("GET", "/alerts", params={"limit": 2, "before": page["next"]})
    assert ([alert["rule"] for alert in rest["alerts"]], rest["next"]) == (["latency"], None)
    resolved = app.ask("GET", "/alerts", params={"state": "resolved"})["alerts"]
    assert resolved == [app.book.get(app.first).to_dict()] == [app.ask("GET", f"/alerts/{app.first}")]
    assert app.ask("GET", "/alerts", params={"rule": "dropped"})["alerts"][0]["evidence"] == {"n": 3}
    assert app.ask("GET", "/alerts", params={"state": "gone"}, status=422)["title"]
    assert app.ask("GET", "/alerts/999999", status=404)["error"] == "UnknownAlert"


def test_an_alert_is_acknowledged_and_resolved_by_the_holder_of_a_key(app: AlertsApp) -> None:
    app.keys.create("reader", "read")
    token = app.keys.create("pager", "operate").token
    path = f"/alerts/{app.first + 1}"
    assert app.ask("POST", f"{path}/ack", json={"reason": "I look"}, status=401)["error"] == "NotAuthenticated"
    headers = {"x-api-key": token}
    done = app.ask("POST", f"{path}/ack", json={"reason": "I look"}, headers=headers)
    assert (done["state"], done["acknowledged_by"], done["acknowledged_because"]) == ("acknowledged", "pager", "I look")
    assert app.ask("POST", f"{path}/resolve", json={"reason": "mended"}, headers=headers)["resolved_by"] == "pager"
    refused = app.ask("POST", f"{path}/resolve", json={"reason": "mended"}, headers=headers, status=409)
    assert refused["error"] == "AlertClosed"


def test_without_a_key_only_this_machine_may_change_anything(app: AlertsApp) -> None:
    body = {"scope": "latency", "minutes": 5, "reason": "known"}
    assert app.ask("POST", "/alerts/mute", json=body, client="10.0.0.7", status=403)["error"] == "NotAllowed"
    muted = app.ask("POST", "/alerts/mute", json=body)
    assert (muted["is_muted"], muted["mute"]["muted_by"]) == (True, "loopback")
    assert [mute["scope"] for mute in app.ask("GET", "/alerts")["mutes"]] == ["latency"]
    lifted = app.ask("POST", "/alerts/unmute", json={"scope": "latency", "reason": "over"})
    assert (lifted["is_muted"], [mute["scope"] for mute in lifted["lifted"]]) == (False, ["latency"])


@pytest.mark.parametrize("body", [{}, {"scope": "", "reason": "x"}, {"scope": "a", "reason": "x", "minutes": 0}])
def test_a_mute_that_makes_no_sense_is_refused(app: AlertsApp, body: dict[str, object]) -> None:
    assert app.ask("POST", "/alerts/mute", json=body, status=422)["errors"]


def test_a_database_that_is_away_is_told(app: AlertsApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise errors.StoreUnavailable("the state database does not answer: gone")

    monkeypatch.setattr(app.book.database, "reading", away)
    assert app.ask("GET", "/alerts", status=503)["error"] == "StoreUnavailable"
