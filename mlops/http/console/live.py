"""Live pages: which topics have changed, told to browsers by server-sent events.

A browser is told *that* something has changed, not what: it asks for its page again, with its own permission. So there
is one look for all of a process, and nothing to queue: to whoever is slow, changes add up to a set of topics.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Mapping

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from mlops import revisions
from mlops.errors import StoreUnavailable
from mlops.http.console.parts import Parts

Look = Callable[[], Mapping[str, Hashable]]

EVERY_SECONDS = 2.0
MOST_LISTENERS = 100
_PING_SECONDS = 15
# A client that does not take a hundred bytes for so long is gone.
_SEND_SECONDS = 10.0
# Then the browser connects anew, and its key is looked at again.
_LONGEST_SECONDS = 900.0
_RECONNECT_MS = 3_000

_log = logging.getLogger("mlops.http.console")


class TooManyListeners(Exception):
    """So many pages are open that another one is not told of changes; it can be reloaded."""


def look_at(parts: Parts) -> Look:
    """A mark of each topic, as they are now: of the state database, the metrics, and the health."""

    def look() -> Mapping[str, Hashable]:
        found: dict[str, Hashable] = {"metrics": parts.metrics.mark()}
        health = parts.health()
        found["health"] = (str(health.get("status")), *map(str, health.get("reasons", ())))
        try:
            found |= {**revisions.marks(parts.registry.database)}
            found["health"] = (found["health"], *(parts.serving(model_id) for model_id in parts.model_ids()))
        except StoreUnavailable:
            # What cannot be read has not changed, as far as anybody knows; health says why.
            return found
        return found

    return look


class Listener:
    """One open page: the topics that it has not been told of yet."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._woken = asyncio.Event()

    def tell(self, topics: set[str]) -> None:
        """Wake it."""
        self._topics |= topics
        self._woken.set()

    async def changed(self) -> set[str]:
        """The topics that have changed since the last time; waits until there is one."""
        await self._woken.wait()
        self._woken.clear()
        topics, self._topics = self._topics, set()
        return topics


class Live:
    """Tells listeners what has changed. It looks only as long as somebody listens. For one event loop.

    Attributes:
        every_seconds: between two looks.
        most_listeners: how many it tells; each takes a connection.
    """

    def __init__(self, look: Look, *, every_seconds: float = EVERY_SECONDS, most_listeners: int = MOST_LISTENERS):
        self._look = look
        self.every_seconds = every_seconds
        self.most_listeners = most_listeners
        self._listeners: set[Listener] = set()
        # Kept while nobody listens: what changes while a person goes from page to page is told on the next one.
        self._known: dict[str, Hashable] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def n_listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def is_watching(self) -> bool:
        """Whether anything is looked at."""
        return self._watch is not None and not self._watch.done()

    def join(self) -> Listener:
        """Another listener, until it leaves.

        Raises:
            TooManyListeners: it would be one too many.
        """
        if len(self._listeners) >= self.most_listeners:
            raise TooManyListeners(f"{self.most_listeners} pages are told of changes already; reload this one instead")
        listener = Listener()
        self._listeners.add(listener)
        if not self.is_watching:
            self._watch = asyncio.get_running_loop().create_task(self._watching())
        return listener

    def leave(self, listener: Listener) -> None:
        """The opposite."""
        self._listeners.discard(listener)
        if not self._listeners and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _watching(self) -> None:
        while True:
            try:
                found = await run_in_threadpool(self._look)
            except Exception:
                # Whatever it is, pages that are open must not stay as they are for ever.
                _log.exception("looking for changes goes on after an error that nobody foresaw")
            else:
                self._tell(found)
            await asyncio.sleep(self.every_seconds)

    def _tell(self, found: Mapping[str, Hashable]) -> None:
        changed = {topic for topic, mark in found.items() if self._known.get(topic, mark) != mark}
        self._known.update(found)
        if changed:
            for listener in self._listeners:
                listener.tell(changed)


class LiveResponse(EventSourceResponse):
    """The stream of one listener: ``hello``, then ``change`` with the topics, separated by spaces."""

    def __init__(self, live: Live, *, headers: Mapping[str, str] | None = None) -> None:
        """Joins *live*.

        Raises:
            TooManyListeners: nothing is streamed.
        """
        self._live = live
        self._listener = live.join()
        super().__init__(
            _events(self._listener), headers=headers, ping=_PING_SECONDS, send_timeout=_SEND_SECONDS, sep="\n"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client goes, is too slow, or the server ends."""
        try:
            await super().__call__(scope, receive, send)
            if self.active:
                # The server ends, and has cut the stream off: a whole answer is nothing to log as an error.
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except SendTimeoutError:
            _log.info("a page that took nothing for %.0f s is not told of changes any more", _SEND_SECONDS)
        finally:
            self._live.leave(self._listener)


async def _events(listener: Listener) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(event="hello", data="", retry=_RECONNECT_MS)
    until = asyncio.get_running_loop().time() + _LONGEST_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(until):
                topics = await listener.changed()
        except TimeoutError:
            return
        yield ServerSentEvent(event="change", data=" ".join(sorted(topics)))
