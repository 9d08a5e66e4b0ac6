"""Asking and giving feedback. Each endpoint parses, calls one function and shapes the answer."""

from __future__ import annotations

import asyncio
import re

import orjson
from fastapi import APIRouter, Response

from mlops.http import problems
from mlops.http.request_log import describe_request
from recipes.answer import Answer
from recipes.api.requests import FeedbackRequest, RecommendRequest
from recipes.api.responses import answer_body, json_response, recorded_body, summary_of
from recipes.api.workers import Workers
from recipes.errors import UnknownRequest
from recipes.feedback import Feedback, Recorded
from recipes.service import Service

_IS_A_REQUEST_ID = re.compile("[0-9a-f]{32}")
_REFUSALS = problems.documented(400, 413, 415, 422, 503)


def router(service: Service, off_the_loop: Workers) -> APIRouter:
    """The endpoints that answer and learn, over *service*."""
    routes = APIRouter()

    async def recorded(feedback: Feedback) -> Recorded:
        try:
            return await off_the_loop(service.feedback.record, feedback)
        except UnknownRequest:
            if not _IS_A_REQUEST_ID.fullmatch(feedback.request_id):
                raise
            # Another worker process may have given that answer, and write it within its flush interval.
            await asyncio.sleep(min(1.5 * service.settings.impression_flush_seconds, 1.0))
            return await off_the_loop(service.feedback.record, feedback)

    @routes.post("/recommend", summary="Recipes for a query", responses=_REFUSALS)
    async def recommend(body: RecommendRequest) -> Response:
        """Up to `n` recipes that fit the query and break none of its rules, best first."""

        def answer() -> tuple[Answer, bytes]:
            found = service.recommender.answer(body.ask())
            return found, orjson.dumps(answer_body(found, service.lexicon, explain=body.explica))

        found, content = await off_the_loop(answer)
        describe_request(**summary_of(found))
        return json_response(content)

    @routes.post(
        "/feedback",
        summary="What a cook did with a shown recipe",
        status_code=201,
        responses={200: {"description": "This event was recorded before"}, **problems.documented(404), **_REFUSALS},
    )
    async def feedback(body: FeedbackRequest) -> Response:
        """Record a click, a cooked or saved recipe, a rating or a dismissal. The same `event_id` counts once."""
        kept = await recorded(body.feedback())
        return json_response(orjson.dumps(recorded_body(kept)), status=201 if kept.is_new else 200)

    return routes
