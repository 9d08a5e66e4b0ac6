"""Errors as RFC 9457 problem documents (``application/problem+json``), never as a stack trace.

``title``, ``detail`` and the reasons of ``errors`` are English, or Spanish where the client would rather read that and
their sentences are known in it. ``error`` and the names of fields are for programs, and stay.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mlops.http.languages import prefers_spanish
from mlops.sentences import Translation, say, spanish

MEDIA_TYPE = "application/problem+json"
SEND_JSON = say("Send the body as JSON, with the header content-type: application/json.")

# Of what a client sent, no more than this comes back in an error.
_LONGEST_FIELD = 80
_LONGEST_DETAIL = 600
_MOST_ERRORS = 20

# RFC 9110, 15.5.2: an answer of this status says how to authenticate.
_HEADERS = {401: {"www-authenticate": 'Bearer realm="mlops"'}}

# What HTTP and pydantic say.
_SPANISH = Path(__file__).parent / "spanish"
# Reading the files takes as long as hundreds of requests, and makes the same each time.
_translation = cache(spanish)

_log = logging.getLogger("mlops.http")


def problem(
    status: int,
    *,
    detail: str,
    error: str | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document: ``type``, ``title``, ``status``, ``detail``, and ``errors`` where single fields are wrong.

    Args:
        error: name of the kind of error, such as ``Conflict``, for programs: one status has several.
    """
    return _response(_document(status, detail=detail, error=error, errors=errors), headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI is to say of answers that are problem documents, for the ``responses`` of a route."""
    content = {MEDIA_TYPE: {"schema": _SCHEMA}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}


def install(app: FastAPI, statuses: Mapping[type[Exception], int], *, sentences: Iterable[Path] = ()) -> None:
    """Answer every error of *app* with a problem document, in the language that the client prefers.

    Args:
        statuses: HTTP status of each error type that handlers may let through; its message becomes the detail.
        sentences: folders with the application's own sentences in Spanish, for :func:`mlops.sentences.spanish`.
    """
    in_spanish = _translation(_SPANISH, *sentences)

    def told(request: Request, english: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
        wanted = prefers_spanish(",".join(request.headers.getlist("accept-language")))
        read = _in_spanish(english, in_spanish) if wanted else None
        own = {"content-language": "en" if read is None else "es", "vary": "accept-language"}
        return _response(read or english, {**(headers or {}), **own})

    async def known(request: Request, error: Exception) -> Response:
        status = next(statuses[kind] for kind in type(error).__mro__ if kind in statuses)
        english = _document(status, detail=_presentable(str(error)), error=type(error).__name__)
        return told(request, english, _HEADERS.get(status))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        return told(request, _document(error.status_code, detail=_detail(request, error)), error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return told(request, _invalid_request(request, error))

    async def unknown(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        detail = say("The service failed to answer this request. The log tells more.")
        # Servers drop a connection whose request failed; say so, or the next request on it is lost.
        return told(request, _document(500, detail=detail), {"connection": "close"})

    app.state.problem_statuses = dict(statuses)
    for kind in statuses:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unknown)


def _detail(request: Request, error: HTTPException) -> str:
    if str(error.detail) != HTTPStatus(error.status_code).phrase:
        return _presentable(str(error.detail))
    if error.status_code == HTTPStatus.NOT_FOUND:
        return say("There is nothing at this address; /openapi.json lists what there is.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        method = _presentable(request.method)
        return say("{method!s} is not possible at this address; use {allowed}.", method=method, allowed=allowed)
    return str(error.detail)


def _invalid_request(request: Request, error: RequestValidationError) -> dict[str, Any]:
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        return _document(400, detail=say("The body is not valid JSON."))
    if any(_is_whole_body(detail) for detail in details) and not says_json(request):
        return _document(415, detail=SEND_JSON)
    errors = [
        {
            "field": _presentable(".".join(str(part) for part in detail["loc"][1:]) or "body", longest=_LONGEST_FIELD),
            "reason": _presentable(str(detail["msg"]).removeprefix("Value error, ")),
        }
        for detail in details[:_MOST_ERRORS]
    ]
    return _document(422, detail=_first(errors), errors=errors)


def _document(
    status: int, *, detail: str, error: str | None = None, errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if error is not None:
        document["error"] = error
    if errors:
        document["errors"] = list(errors)
    return document


def _response(document: Mapping[str, Any], headers: Mapping[str, str] | None) -> Response:
    return Response(orjson.dumps(document), document["status"], media_type=MEDIA_TYPE, headers=dict(headers or {}))


def _in_spanish(english: Mapping[str, Any], read: Translation) -> dict[str, Any] | None:
    """The document in Spanish, None where one of its sentences is not known."""
    document = {**english, "title": read(english["title"]) or english["title"]}
    if "errors" not in english:
        detail = read(english["detail"])
        return None if detail is None else {**document, "detail": detail}
    errors = [{**each, "reason": read(each["reason"])} for each in english["errors"]]
    if any(each["reason"] is None for each in errors):
        return None
    return {**document, "detail": _first(errors), "errors": errors}


def _first(errors: Sequence[Mapping[str, Any]]) -> str:
    return f"{errors[0]['field']}: {errors[0]['reason']}"


def _is_whole_body(detail: Mapping[str, Any]) -> bool:
    return tuple(detail["loc"]) == ("body",) and detail["type"] != "missing"


def says_json(request: Request) -> bool:
    """Whether the body of *request* is said to be JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _presentable(text: str, *, longest: int = _LONGEST_DETAIL) -> str:
    """*text* on one line, without control characters, and not longer than *longest*."""
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text[: longest + 1].split()))
    return line if len(text) <= longest else f"{line[: longest - 1]}…"
