"""Queries are not kept: what stands for them."""

from __future__ import annotations

import hashlib
import hmac
import secrets


class QueryHasher:
    """Keyed hashes of queries: equal for equal queries of one installation, of no use to guess one from."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def __call__(self, query: str) -> str:
        folded = " ".join(query.lower().split())
        return hmac.new(self._key, folded.encode(), hashlib.sha256).hexdigest()[:32]
