"""Alerts are told at least once: to a real HTTP server, signed, again after failures, and after a crash."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mlops import schema
from mlops.config import Settings
from mlops.errors import StoreUnavailable
from mlops.monitoring.alert_records import Firing
from mlops.monitoring.alerts import AlertBook
from mlops.monitoring.delivery import Channel, Deliverer, Message, channels_of
from mlops.monitoring.webhook import is_genuine, signature
from mlops.store import Database
from tests.plain_metrics import PlainMetrics

SECRET = "pepper"
FAILING = Firing("error_rate", "3 of 20 requests failed", "critical", evidence={"n": 20})


class Receiver:
    """A server that keeps what it gets, and answers as it is told to."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=hidden"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def events(self) -> list[str]:
        return [json.loads(body)["event"] for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def time() -> PlainMetrics:
    return PlainMetrics()


@pytest.fixture
def book(sqlite_database: Database, time: PlainMetrics) -> AlertBook:
    return AlertBook(sqlite_database, channels=("log", "webhook"), clock=time.clock)


def settings_for(url: str) -> Settings:
    return Settings(alert_webhook_url=SecretStr(url), alert_webhook_secret=SecretStr(SECRET))


def deliverer(book: AlertBook, time: PlainMetrics, channels: dict[str, Channel], **options: Any) -> Deliverer:
    return Deliverer(book.database, channels, clock=time.clock, rng=np.random.default_rng(1), **options)


def outbox(book: AlertBook) -> list[tuple[str, str, int]]:
    table = schema.alert_deliveries
    query = sa.select(table.c.channel, table.c.state, table.c.n_failures).order_by(table.c.delivery_id)
    with book.database.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


def test_an_alert_is_posted_signed_and_logged(
    book: AlertBook, time: PlainMetrics, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    telling = deliverer(book, time, channels_of(settings_for(receiver.url), clock=time.clock))
    alert = book.fire(FAILING)
    with caplog.at_level(logging.INFO, logger="mlops.monitoring"):
        assert telling.deliver_due() == 2
    ((headers, body),) = receiver.got
    assert json.loads(body) == {"id": f"{alert.uid}-1-firing", "event": "firing", "alert": alert.to_dict()}
    assert headers["X-Mlops-Delivery"] == f"{alert.uid}-1-firing"
    now = time.now.timestamp()
    assert is_genuine(SECRET.encode(), headers, body, now=now)
    assert not is_genuine(b"salt", headers, body, now=now)
    assert not is_genuine(SECRET.encode(), headers, body + b" ", now=now)
    assert not is_genuine(SECRET.encode(), headers, body, now=now + 301)
    assert caplog.messages == ["alert error_rate firing (critical): 3 of 20 requests failed"]
    assert telling.deliver_due() == 0
    book.resolve_key("error_rate", because="fine")
    assert telling.deliver_due() == 2
    assert receiver.events == ["firing", "resolved"]


def test_the_signature_is_the_one_that_openssl_makes() -> None:
    # printf '1764072000.{"id":"a"}' | openssl dgst -sha256 -hmac pepper
    expected = "sha256=0512941d9c6d15a2d58c679e0b8f6198a315b84e25de41a4c72ff41d2f07f8dc"
    assert signature(b"pepper", "1764072000", b'{"id":"a"}') == expected


def test_a_webhook_that_fails_is_tried_again_later_under_the_same_id(
    book: AlertBook, time: PlainMetrics, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    telling = deliverer(book, time, channels_of(settings_for(receiver.url), clock=time.clock))
    receiver.answers = [500, 302]
    book.fire(FAILING)
    for _ in range(3):
        telling.deliver_due()
        # Not due yet: nobody is asked twice in a row.
        telling.deliver_due()
        time.advance(hours=1)
    assert len(receiver.got) == 3
    assert len({headers["X-Mlops-Delivery"] for headers, _ in receiver.got}) == 1
    assert outbox(book) == [("log", "delivered", 0), ("webhook", "delivered", 2)]
    assert "the webhook answered with 500" in caplog.text
    assert "hidden" not in caplog.text


def test_a_webhook_that_never_answers_is_given_up_in_the_end(
    book: AlertBook, time: PlainMetrics, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.stop()
    channels = channels_of(settings_for(receiver.url), clock=time.clock)
    telling = deliverer(book, time, channels, most_failures=4)
    book.fire(FAILING)
    for _ in range(6):
        telling.deliver_due()
        time.advance(hours=2)
    assert outbox(book)[1] == ("webhook", "given_up", 4)
    assert "given up" in caplog.text
    assert "hidden" not in caplog.text


def test_what_a_crash_interrupted_is_sent_again_a_minute_later(book: AlertBook, time: PlainMetrics) -> None:
    sent: list[Message] = []

    def crash(message: Message) -> None:
        raise KeyboardInterrupt

    book.fire(FAILING)
    with pytest.raises(KeyboardInterrupt):
        deliverer(book, time, {"webhook": crash}).deliver_due()
    later = deliverer(book, time, {"webhook": sent.append})
    assert later.deliver_due() == 0
    time.advance(seconds=60)
    assert later.deliver_due() == 1
    assert [message.event for message in sent] == ["firing"]


def test_of_two_that_deliver_at_once_one_sends(book: AlertBook, time: PlainMetrics) -> None:
    sent: list[str] = []
    second = deliverer(book, time, {"webhook": lambda message: sent.append("second")})

    def first(message: Message) -> None:
        sent.append("first")
        second.deliver_due()

    book.fire(FAILING)
    deliverer(book, time, {"webhook": first}).deliver_due()
    assert sent == ["first"]


def test_while_the_database_is_away_it_is_told_from_memory_under_the_id_that_it_will_have(
    book: AlertBook, time: PlainMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("gone")

    sent: list[Message] = []
    telling = deliverer(book, time, {"webhook": sent.append})
    with monkeypatch.context() as patched:
        patched.setattr(book.database, "reading", away)
        telling.tell_soon(FAILING)
        with pytest.raises(StoreUnavailable):
            telling.deliver_due()
    book.fire(FAILING)
    telling.deliver_due()
    assert len(sent) == 2
    assert len({message.message_id for message in sent}) == 1


def test_it_delivers_in_the_background_until_it_is_stopped(book: AlertBook, time: PlainMetrics) -> None:
    heard = threading.Event()
    telling = deliverer(book, time, {"webhook": lambda message: heard.set()}, every_seconds=0.01)
    telling.start()
    book.fire(FAILING)
    assert heard.wait(10)
    telling.stop()
