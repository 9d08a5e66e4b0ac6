"""Two ways into the service: over HTTP, and straight to what the HTTP handlers call.

A request over HTTP costs several times what the answer does, most of it in handing it from thread to thread. Some cooks
only come that way, so that two minutes hold enough questions for a training to be judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from mlops.errors import MlopsError
from recipes.answer import Ask
from recipes.demo.client import Client
from recipes.demo.errors import DemoFailed
from recipes.feedback import Feedback
from recipes.service import Service


@dataclass(frozen=True, slots=True)
class Served:
    """What a cook sees of an answer, best first, and which version made it."""

    request_id: str
    version: str
    recipe_ids: list[str]


class Door(Protocol):
    """A cook's way to the service."""

    def ask(self, ask: Ask) -> Served:
        """The answer.

        Raises:
            DemoFailed: there is none.
        """
        ...

    def react(self, feedback: Feedback) -> None:
        """Tell what was done with it.

        Raises:
            DemoFailed: it is not kept.
        """
        ...


class HttpDoor:
    """``POST /recommend`` and ``POST /feedback``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, ask: Ask) -> Served:
        """See :class:`Door`."""
        body = {"query": ask.query, "n": ask.n, "usuario": ask.user_id, "idioma": ask.language}
        answer = self._client.post("/recommend", body)
        shown = [recipe["id"] for recipe in answer["recetas"]]
        return Served(answer["request_id"], answer["modelo"]["version"], shown)

    def react(self, feedback: Feedback) -> None:
        """See :class:`Door`."""
        body: dict[str, Any] = {
            "request_id": feedback.request_id,
            "recipe_id": feedback.recipe_id,
            "evento": feedback.event,
        }
        if feedback.value is not None:
            body |= {"valor": feedback.value}
        self._client.post("/feedback", body)


class InnerDoor:
    """The functions that those two call, in this thread: the same answers, records and rollouts, but no request."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ask(self, ask: Ask) -> Served:
        """See :class:`Door`."""
        try:
            answer = self._service.recommender.answer(ask)
        except MlopsError as error:
            raise DemoFailed(f"no answer: {error}") from error
        shown = [one.stored.recipe.recipe_id for one in answer.shown]
        return Served(answer.request_id, answer.model_version, shown)

    def react(self, feedback: Feedback) -> None:
        """See :class:`Door`."""
        try:
            self._service.feedback.record(feedback)
        except MlopsError as error:
            raise DemoFailed(f"feedback is not kept: {error}") from error
