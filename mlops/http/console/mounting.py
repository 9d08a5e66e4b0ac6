"""The routes of the console: pages, what is kept of them, what is live, signing in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode

import orjson
from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mlops.errors import MlopsError, NotAllowed, NotAuthenticated
from mlops.http import problems
from mlops.http.access import COOKIE, Access, Visitor, is_from_our_pages
from mlops.http.console import assets, exports
from mlops.http.console.ask import FORMAT, ROOT, TABLE, Ask, language_of
from mlops.http.console.live import Live, LiveResponse, TooManyListeners, look_at
from mlops.http.console.pages import PAGES, Page
from mlops.http.console.parts import Parts
from mlops.http.console.rendering import SECURITY_HEADERS, Renderer, load_words
from mlops.http.console.view import View
from mlops.reports import Said, Table
from mlops.sentences import say

_log = logging.getLogger("mlops.http.console")

SIGN_IN, SIGN_OUT, LIVE = f"{ROOT}/entrar", f"{ROOT}/salir", f"{ROOT}/vivo"
_SIGNED_IN_SECONDS = 12 * 3600
# Of what a client sent, no more than this comes back in an error.
_LONGEST_NAME = 80
_NOBODY = Visitor("", "read")
_NO_PAGE = Page("", "", lambda _parts, _ask: View(""), ())


def mount(app: FastAPI, parts: Parts, access: Access) -> Live:
    """Add the console to *app* under ``/consola``; gives what tells its open pages of changes.

    Args:
        access: that of the API's routers: who may not read there does not get in here.
    """
    live = Live(look_at(parts))
    console = _Console(parts, access, live, _statuses(app))
    routes = APIRouter()
    for path, route, methods in (
        (f"{assets.ADDRESS}/{{name}}", console.asset, ["GET"]),
        (LIVE, console.listen, ["GET"]),
        (SIGN_IN, console.sign_in, ["GET", "POST"]),
        (SIGN_OUT, console.sign_out, ["POST"]),
        *((f"{ROOT}{page.route}", console.page(page), ["GET"]) for page in PAGES),
        (f"{ROOT}/", console.first, ["GET"]),
        # The last one: whatever no other route has taken.
        (f"{ROOT}/{{rest:path}}", console.missing, ["GET"]),
    ):
        routes.add_api_route(path, route, methods=methods, include_in_schema=False)
    app.include_router(routes)
    return live


class _Console:
    def __init__(self, parts: Parts, access: Access, live: Live, status_of: Callable[[Exception], int]) -> None:
        self._parts = parts
        self._access = access
        self._live = live
        self._status_of = status_of
        self._words = load_words(*parts.sentences)
        self._assets = assets.load_assets()
        menu = [page for page in PAGES if page.is_in_menu]
        self._render = Renderer(menu, assets=self._assets, notice=parts.notice)

    def page(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """The route of *page*."""

        async def shown(request: Request) -> Response:
            return await run_in_threadpool(self._shown, request, page)

        return shown

    async def asset(self, request: Request) -> Response:
        """A file of the console, for anybody: there is nothing in it."""
        found = self._assets.get(request.path_params["name"])
        return await self.missing(request) if found is None else assets.answer(found, request)

    async def first(self, request: Request) -> Response:
        """To the first page, which has no stroke at its end."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{ROOT}{query}", HTTPStatus.PERMANENT_REDIRECT)

    async def missing(self, request: Request) -> Response:
        """What is answered where there is no page."""
        ask = self._ask(request, _NOBODY)
        return self._page(ask, "problem.html", status=HTTPStatus.NOT_FOUND)

    async def listen(self, request: Request) -> Response:
        """The stream that tells an open page of changes. Raises, for a problem document, what a page does."""
        await run_in_threadpool(self._access.enters, request)
        try:
            return LiveResponse(self._live, headers={"X-Content-Type-Options": "nosniff"})
        except TooManyListeners as error:
            return problems.problem(HTTPStatus.SERVICE_UNAVAILABLE, detail=str(error), headers={"Retry-After": "30"})

    async def sign_in(self, request: Request) -> Response:
        """The form that asks for a key; sent, a cookie that holds it, and back to where the person wanted to go."""
        # Only a page of the console: an address that begins with two strokes is another host's.
        target = request.query_params.get("a", ROOT)
        target = target if target == ROOT or target.startswith((f"{ROOT}/", f"{ROOT}?")) else ROOT
        ask = self._ask(request, _NOBODY)
        if request.method != "POST":
            return self._page(ask, "sign_in.html", target=target)
        token = parse_qs((await request.body()).decode("utf-8", "replace")).get("clave", [""])[0].strip()
        try:
            if not is_from_our_pages(request):
                raise NotAllowed(say("the form was not sent by a page of this service"))
            await run_in_threadpool(self._access.holder, token)
        except MlopsError as error:
            said = Said(str(error))
            return self._page(ask, "sign_in.html", status=self._status_of(error), target=target, problem=said)
        response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            token,
            max_age=_SIGNED_IN_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """Forget the key, where a page of ours asks for it: another site could be a nuisance."""
        ask = self._ask(request, _NOBODY)
        if not is_from_our_pages(request):
            return self._page(ask, "problem.html", status=HTTPStatus.FORBIDDEN)
        return _forgetting(RedirectResponse(ask.link("entrar"), HTTPStatus.SEE_OTHER))

    def _shown(self, request: Request, page: Page) -> Response:
        try:
            visitor = self._access.enters(request)
        except NotAuthenticated:
            return _to_sign_in(request)
        except MlopsError as error:
            return self._problem(self._ask(request, _NOBODY), error)
        ask = self._ask(request, visitor)
        try:
            return self._in_form(self._with_extras(page.view(self._parts, ask), page, ask), page, ask)
        except MlopsError as error:
            return self._problem(ask, error, page)
        except Exception:
            # A person gets a page in any case; the log gets what has to be mended.
            _log.exception("the page %s failed", request.url.path)
            return self._page(ask, "problem.html", status=HTTPStatus.INTERNAL_SERVER_ERROR, page=page)

    def _with_extras(self, view: View, page: Page, ask: Ask) -> View:
        extra = self._parts.extras.get(page.name) if page.is_in_menu else None
        return view if extra is None else view.with_panels(extra(ask))

    def _in_form(self, view: View, page: Page, ask: Ask) -> Response:
        """The page in the form that its address asks for; as a page of the console where it asks for none."""
        name = f"{page.route.split('/')[1] if page.route else 'resumen'}-{ask.now:%Y%m%d-%H%M}"
        notice = ask.words.told(self._parts.notice)
        form = ask.params.get(FORMAT, "")
        if form == "html":
            return _kept(exports.as_html(view, ask, notice=notice), f"{name}.html", "text/html")
        if form == "json":
            document = orjson.dumps(exports.as_json(view, ask, notice=notice)).decode()
            return _kept(document, f"{name}.json", "application/json")
        if form == "csv":
            return _table(exports.tables_of(view), ask.params.get(TABLE), name)
        return self._page(ask, "page.html", view=view, page=page, tables=exports.titles_of(view))

    def _page(self, ask: Ask, template: str, *, status: int = HTTPStatus.OK, **context: object) -> Response:
        given = {"page": _NO_PAGE, "problem": None, **context}
        document = self._render(template, ask, status=int(status), **given)
        return HTMLResponse(document, status, headers=dict(SECURITY_HEADERS))

    def _problem(self, ask: Ask, error: MlopsError, page: Page = _NO_PAGE) -> Response:
        status = self._status_of(error)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.warning("page unavailable: %s", error)
        return self._page(ask, "problem.html", status=status, problem=Said(str(error)), page=page)

    def _ask(self, request: Request, visitor: Visitor) -> Ask:
        params = dict(request.query_params)
        words = self._words[language_of(params)]
        return Ask(request.url.path, request.path_params, params, words, visitor, self._parts.clock())


def _to_sign_in(request: Request) -> Response:
    """To the form, by way of forgetting a key that does not count any more."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if COOKIE in request.cookies:
        return _forgetting(RedirectResponse(here, HTTPStatus.SEE_OTHER))
    language = {"idioma": "en"} if language_of(request.query_params) == "en" else {}
    # Without a host: what a client says of it is not to be believed.
    return RedirectResponse(f"{SIGN_IN}?{urlencode({**language, 'a': here})}", HTTPStatus.SEE_OTHER)


def _forgetting(response: Response) -> Response:
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def _table(tables: Mapping[str, Table], wanted: str | None, page: str) -> Response:
    """The table *wanted* as CSV, the first one where none is asked for; one that is not there is a problem."""
    name = next(iter(tables), None) if wanted is None else wanted
    if name is None or name not in tables:
        known = f"the tables of this page are {', '.join(tables)}" if tables else "this page has no table"
        asked = "" if wanted is None else f"; asked for {wanted[:_LONGEST_NAME]!r}"
        return problems.problem(HTTPStatus.NOT_FOUND, detail=f"{known}{asked}", headers=SECURITY_HEADERS)
    return _kept(exports.as_csv(tables[name]), f"{page}-{name}.csv", "text/csv")


def _kept(document: str, name: str, kind: str) -> Response:
    headers = {**SECURITY_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(document, media_type=kind, headers=headers)


def _statuses(app: FastAPI) -> Callable[[Exception], int]:
    """The status of each error, as :func:`mlops.http.problems.install` was told."""

    def status_of(error: Exception) -> int:
        known = app.state.problem_statuses
        return next((known[kind] for kind in type(error).__mro__ if kind in known), HTTPStatus.INTERNAL_SERVER_ERROR)

    return status_of
