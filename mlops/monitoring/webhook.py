"""Posts JSON to a webhook, signed, so that its receiver can tell who sent it and when."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from mlops.clock import Clock, utc_now
from mlops.errors import DeliveryFailed

ID_HEADER = "X-Mlops-Delivery"
TIMESTAMP_HEADER = "X-Mlops-Timestamp"
SIGNATURE_HEADER = "X-Mlops-Signature"
_TIMEOUT_SECONDS = 5.0
MOST_SECONDS_OLD = 300


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """``sha256=`` and the HMAC-SHA256 (RFC 2104) of *timestamp*, a dot and *body*, in hexadecimal digits."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_genuine(secret: bytes, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """For receivers: whether *body* was signed with *secret*, at most five minutes from *now*.

    Args:
        headers: of the request, with names as they were sent or in lower case.
        now: seconds since 1970 (``time.time()``).
    """
    found = {name.lower(): value for name, value in headers.items()}
    timestamp, signed = found.get(TIMESTAMP_HEADER.lower(), ""), found.get(SIGNATURE_HEADER.lower(), "")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp)) > MOST_SECONDS_OLD:
        return False
    return hmac.compare_digest(signature(secret, timestamp, body).encode(), signed.encode())


class Webhook:
    """Posts to *url*. Follows no redirect, and waits five seconds at most."""

    def __init__(self, url: str, *, secret: bytes | None = None, clock: Clock = utc_now) -> None:
        """Nothing is sent yet.

        Args:
            secret: signs what is sent; without one, nothing is signed.
        """
        self._url = url
        self._secret = secret
        self._clock = clock

    def send(self, message_id: str, body: Mapping[str, Any]) -> None:
        """Post *body*, once.

        Raises:
            DeliveryFailed: nobody answered in time, or with another status than 2xx. The message does not name the
                address, which may hold a secret.
        """
        # Takes 0.1 s to import, and most processes never send.
        import httpx

        content = orjson.dumps(dict(body))
        timestamp = str(int(self._clock().timestamp()))
        headers = {"content-type": "application/json", ID_HEADER: message_id, TIMESTAMP_HEADER: timestamp}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = signature(self._secret, timestamp, content)
        try:
            answer = httpx.post(
                self._url, content=content, headers=headers, timeout=_TIMEOUT_SECONDS, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryFailed(f"the webhook does not answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise DeliveryFailed(f"the webhook answered with {answer.status_code}")
