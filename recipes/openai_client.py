"""The few calls we make to an OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from mlops.sentences import say
from recipes.config import Settings

_WORTH_ANOTHER_TRY = frozenset({408, 409, 429, 500, 502, 503, 504})


class EndpointError(Exception):
    """The endpoint did not answer, or not with what was asked for. The message holds no key."""


class OpenAIClient:
    """Posts JSON with the key, tries again with growing pauses where that may help."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        timeout_seconds: float = 20,
        n_tries: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # A key read from a file ends in a line break, which no header may hold.
        self._api_key = api_key.strip()
        self._http = httpx.Client(
            base_url=base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {self._api_key}"},
            timeout=httpx.Timeout(timeout_seconds, connect=5),
        )
        self._n_tries = n_tries
        self._sleep = sleep

    @classmethod
    def from_settings(cls, settings: Settings) -> OpenAIClient | None:
        """A client for the endpoint of *settings*; None where no key is set."""
        if settings.openai_api_key is None:
            return None
        return cls(base_url=settings.openai_base_url, api_key=settings.openai_api_key.get_secret_value())

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that the endpoint answers.

        Raises:
            EndpointError: it did not answer, refused, or answered with something else.
        """
        for attempt in range(1, self._n_tries + 1):
            try:
                response = self._http.post(path, json=body)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {self._shown(str(error))}"
            else:
                if response.is_success:
                    return self._json(response)
                problem = f"HTTP {response.status_code}: {self._shown(response.text)}"
                if response.status_code not in _WORTH_ANOTHER_TRY:
                    raise EndpointError(problem)
            if attempt < self._n_tries:
                self._sleep(0.5 * 2 ** (attempt - 1))
        raise EndpointError(say("{problem} (tried {n:d} times)", problem=problem, n=self._n_tries))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            shown = self._shown(response.text)
            raise EndpointError(say("the answer is not JSON: {answer!r}", answer=shown)) from error

    def _shown(self, text: str) -> str:
        """The beginning of *text*. Some endpoints repeat the key that they refuse."""
        return (text.replace(self._api_key, "…") if self._api_key else text)[:200]
