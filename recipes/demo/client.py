"""A cook's and an operator's way to the service: JSON over HTTP, one connection."""

from __future__ import annotations

import http.client
import json
from http import HTTPStatus
from typing import Any

from recipes.demo.errors import DemoFailed, Refused

_SECONDS = 60.0


class Client:
    """Asks the service at *host* and *port*."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)

    def get(self, path: str) -> Any:
        """What the service answers.

        Raises:
            DemoFailed: it answers with an error, or not at all; :class:`Refused` where it answers 409.
        """
        status, found = self._asked("GET", path, None)
        return _checked(path, status, found)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The same for a change or a question.

        Raises:
            DemoFailed: as for :meth:`get`.
        """
        status, found = self._asked("POST", path, body)
        return _checked(path, status, found)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _asked(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        sent = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, sent, {"content-type": "application/json"} if sent else {})
            answer = self._connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content)
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            self._connection.close()
            raise DemoFailed(f"{method} {path}: {type(error).__name__}: {error}") from error


def _checked(path: str, status: int, found: Any) -> Any:
    if status >= 400:
        detail = found.get("detail") if isinstance(found, dict) else None
        kind = Refused if status == HTTPStatus.CONFLICT else DemoFailed
        raise kind(f"{path} answered {status}: {detail or found}")
    return found
