"""What the running service serves, by asking it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

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
    import httpx

    key = os.environ.get("MLOPS_KEY")
    headers = {"x-api-key": key} if key else {}
    try:
        answer = httpx.get(url, headers=headers, timeout=seconds)
        document: Any = answer.json() if answer.is_success else None
    except (httpx.HTTPError, ValueError) as error:
        return Asked(None, f"no service answered at {url} ({type(error).__name__})")
    if not isinstance(document, dict) or "serving" not in document:
        advice = "; put an API key into MLOPS_KEY" if answer.status_code in (401, 403) else ""
        return Asked(None, f"{url} answered {answer.status_code}{advice}")
    return Asked(document["serving"], None)
