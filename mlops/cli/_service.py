"""What the running service serves, by asking it."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlops.config import Settings

_SECONDS = 1.2
_ASK_AGAIN_SECONDS = 0.05
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  asked, not listened on


@dataclass(frozen=True, slots=True)
class Asked:
    """What a service answered.

    Attributes:
        serving: the version that it serves; None where it serves none, or none answered.
        problem: why it is not known, None where it is.
    """

    serving: str | None
    problem: str | None

    def sentence(self, model_id: str, wanted: str) -> str:
        """What that means for who wants *wanted* to serve."""
        if self.problem is not None:
            return f"what serves now is not known: {self.problem}"
        if self.serving == wanted:
            return f"the service answers with {model_id} {wanted}"
        return f"THE SERVICE STILL ANSWERS WITH {model_id} {self.serving or '(no version)'}"


def ask(settings: Settings, model_id: str, *, wanted: str, seconds: float = _SECONDS) -> Asked:
    """Ask the service at HOST and PORT until it serves *wanted*, for at most *seconds*."""
    url = f"http://{_ANYWHERE.get(settings.host, settings.host)}:{settings.port}/models/{model_id}"
    deadline = time.monotonic() + seconds
    while True:
        asked = _asked_once(url, max(deadline - time.monotonic(), 0.1))
        if asked.problem is not None or asked.serving == wanted or time.monotonic() >= deadline:
            return asked
        time.sleep(_ASK_AGAIN_SECONDS)


def _asked_once(url: str, seconds: float) -> Asked:
    key = os.environ.get("MLOPS_KEY")
    try:
        status, body = _got(url, {"x-api-key": key} if key else {}, seconds)
        document: Any = json.loads(body) if 200 <= status < 300 else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Asked(None, f"no service answered at {url} ({type(error).__name__})")
    if not isinstance(document, dict) or "serving" not in document:
        advice = "; put an API key into MLOPS_KEY" if status in (401, 403) else ""
        return Asked(None, f"{url} answered {status}{advice}")
    return Asked(document["serving"], None)


def _got(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
    # By the standard library: a client that can do more takes a fifth of a second to load, in a hurry.
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=seconds)
    try:
        connection.request("GET", address.path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
