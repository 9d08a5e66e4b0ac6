"""The application under uvicorn, in a thread of this process, on a port that is free."""

from __future__ import annotations

import errno
import socket
import threading
import time
from types import TracebackType

import uvicorn
from fastapi import FastAPI

from recipes.demo.errors import DemoFailed

HOST = "127.0.0.1"
_PORTS_TRIED = 20
_SECONDS_TO_START = 120.0
# Pages that follow the service live hold their connections open.
_SECONDS_TO_END = 3


def listening(port: int) -> socket.socket:
    """A socket that is bound to *port* or, where that is taken, to the next free one of the twenty from there.

    Raises:
        DemoFailed: all of them are taken.
    """
    last = min(port + _PORTS_TRIED - 1, 65_535)
    for each in range(port, last + 1):
        # With the protocol named: only then does asyncio send each answer at once, without waiting for more to send.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Connections of an earlier run, which the system lets rest for a minute, do not keep a port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, each))
            bound.listen()
        except OSError as error:
            bound.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        else:
            return bound
    raise DemoFailed(f"ports {port} to {last} are taken; name another one with --port")


class Server:
    """Serves *app* through *bound* as long as the block lasts. A context manager."""

    def __init__(self, app: FastAPI, bound: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_keep_alive=3_600,
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )
        self._server = uvicorn.Server(config)
        self._bound = bound
        self._thread = threading.Thread(target=self._server.run, args=([bound],), name="server")

    def __enter__(self) -> Server:
        self._thread.start()
        deadline = time.monotonic() + _SECONDS_TO_START
        try:
            while not self._server.started:
                if not self._thread.is_alive() or time.monotonic() > deadline:
                    raise DemoFailed("the service did not start; its log tells why")
                time.sleep(0.02)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._bound.close()
