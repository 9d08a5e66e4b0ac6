"""The cook's pages: HTML routes over the same recommender as the API.

They work without JavaScript, save for rating and saving, and load nothing from another host.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import jinja2
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mlops.errors import StoreUnavailable
from mlops.http.security import page_headers
from recipes.answer import Answer, Ask
from recipes.catalog import StoredRecipe
from recipes.catalog.recipe import DIETS, MEALS
from recipes.errors import IndexUnavailable, UnknownRecipe
from recipes.text import Language
from recipes.web import _view
from recipes.web._search import MAX_QUERY_LENGTH, Search, read_search
from recipes.web._words import Words, load_words

if TYPE_CHECKING:
    from recipes.service import Service

_log = logging.getLogger("recipes.web")

_HERE = Path(__file__).parent
STATIC_FOLDER = _HERE / "static"
N_SIMILAR = 6

# A page holds a request id and ratings of the moment: ask again on a reload, keep it out of shared caches.
SECURITY_HEADERS = page_headers(cache_control="private, no-cache")

_Page = Callable[[Request], Awaitable[Response]]
_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


def router(service: Service) -> APIRouter:
    """The routes ``/``, ``/buscar`` and ``/receta/{recipe_id}``."""
    pages = Pages(service)
    routes = APIRouter()
    for path, page in (("/", pages.home), ("/buscar", pages.search), ("/receta/{recipe_id}", pages.recipe)):
        routes.add_api_route(path, pages.friendly(page), include_in_schema=False)
    return routes


class Pages:
    """The pages, each a function from a request to a response."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._words = load_words()
        self._templates = _templates()

    async def home(self, request: Request) -> Response:
        """The search field, examples, and what it understands."""
        return self._render(request, "home.html", search=Search())

    async def search(self, request: Request) -> Response:
        """Recipes for a query and filters; the form again with what is wrong, where something is."""
        search = read_search(request.query_params)
        problems = search.problems()
        if problems:
            return self._render(
                request, "search.html", status=problems[0].status, search=search, problems=problems, answer=None
            )
        words = self._words[_language(request)]
        shown = await run_in_threadpool(self._found, search, words)
        return self._render(request, "search.html", search=search, problems=[], **shown)

    async def recipe(self, request: Request) -> Response:
        """One recipe. Opened from an answer, its feedback belongs to that; else to an answer of its own."""
        words = self._words[_language(request)]
        request_id = request.query_params.get("r", "")
        recipe_id = request.path_params["recipe_id"]
        context = await run_in_threadpool(self._opened, recipe_id, request_id, words)
        return self._render(request, "recipe.html", search=Search(), results=_results_behind(request), **context)

    def error(self, request: Request, status: HTTPStatus, *, what: str = "page") -> Response:
        """A friendly page for *status* 404 or 503. *what* was not found: a page or a recipe."""
        response = self._render(request, "error.html", status=status, search=Search(), what=what)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = "10"
        return response

    def friendly(self, page: _Page) -> _Page:
        """*page* with our errors as pages."""

        async def guarded(request: Request) -> Response:
            try:
                return await page(request)
            except UnknownRecipe:
                return self.error(request, HTTPStatus.NOT_FOUND, what="recipe")
            except (StoreUnavailable, IndexUnavailable) as error:
                _log.warning("page unavailable: %s", error)
                return self.error(request, HTTPStatus.SERVICE_UNAVAILABLE)

        return guarded

    def _found(self, search: Search, words: Words) -> dict[str, Any]:
        ask = Ask(search.q, n=search.n, language=words.language, filters=search.filters())
        answer: Answer = self._service.recommender.answer(ask)
        lexicon = self._service.lexicon
        return {
            "answer": answer,
            "chips": _view.chips(answer, lexicon, words),
            "notices": _view.notices(answer),
            "cards": _view.cards(answer, lexicon, words),
            "ways_out": [] if answer.shown else _view.ways_out(search, answer, lexicon, words),
        }

    def _opened(self, recipe_id: str, request_id: str, words: Words) -> dict[str, Any]:
        stored: StoredRecipe = self._service.catalogue.get(recipe_id)
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = self._service.recommender.shown_directly(stored, language=words.language).request_id
        text, language = stored.text_in(words.language)
        return {
            "stored": stored,
            "recipe": stored.recipe,
            "text": text,
            "text_language": None if language == words.language else language,
            "is_translated": text is stored.translations.get(language),
            "request_id": request_id,
            "picture": _view.picture(stored),
            "meals": _view.meal_line(stored.recipe.meals, words),
            "similar": [_view.card(other, words) for other in self._service.recommender.similar(stored, N_SIMILAR)],
        }

    def _render(self, request: Request, template: str, *, status: int = HTTPStatus.OK, **context: Any) -> Response:
        language = _language(request)
        words = self._words[language]
        html = self._templates.get_template(template).render(
            {**context, "status": status},
            t=words,
            language=language,
            link=_Linker(language),
            switch=_switched(request, language),
            here=_address(request.url.path, request.query_params.multi_items()),
            diet_names=DIETS,
            meal_names=MEALS,
            longest_query=MAX_QUERY_LENGTH,
        )
        return HTMLResponse(html, status_code=status, headers=dict(SECURITY_HEADERS))


class _Linker:
    """Addresses of our pages, in the language of the page that links."""

    def __init__(self, language: Language) -> None:
        self._own = [] if language == "es" else [("idioma", language)]

    def home(self) -> str:
        return _address("/", self._own)

    def search(self, search: Search) -> str:
        return _address("/buscar", [*search.params(), *self._own])

    def query(self, text: str) -> str:
        return self.search(Search(q=text))

    def more(self, search: Search) -> str:
        more = [(name, value) for name, value in search.params() if name != "n"]
        return _address("/buscar", [*more, ("n", str(search.next_n)), *self._own]) + f"#receta-{search.n + 1}"

    def recipe(self, recipe_id: str, request_id: str = "") -> str:
        return _address(f"/receta/{quote(recipe_id)}", [*([("r", request_id)] if request_id else []), *self._own])


def _language(request: Request) -> Language:
    return "en" if request.query_params.get("idioma") == "en" else "es"


def _switched(request: Request, language: Language) -> str:
    """The address of this page in the other language."""
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "idioma"]
    path = "/" + request.url.path.lstrip("/")  # "//host" would lead to another host
    return _address(path, others if language == "en" else [*others, ("idioma", "en")])


def _results_behind(request: Request) -> str | None:
    """The results that the cook came from, by the Referer that our own pages send."""
    came_from = urlsplit(request.headers.get("referer", ""))
    if came_from.netloc != request.url.netloc or came_from.path != "/buscar" or not came_from.query:
        return None
    return f"/buscar?{came_from.query}"


def _address(path: str, params: Iterable[tuple[str, str]]) -> str:
    query = urlencode(list(params))
    return f"{path}?{query}" if query else path


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    assets = {file.name: f"/static/{file.name}?v={_hash_of(file)}" for file in STATIC_FOLDER.iterdir()}
    environment.globals["asset"] = assets.__getitem__
    return environment


def _hash_of(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest()
