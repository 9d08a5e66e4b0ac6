"""Every page of the console, in both languages and every form, where much has happened and where nothing has."""

from __future__ import annotations

import csv
import html.parser
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from mlops.errors import StoreUnavailable
from mlops.http import console, problems
from mlops.http.access import Access
from mlops.http.console.pages import PAGES
from mlops.http.console.parts import Parts
from mlops.http.console.rendering import load_words
from mlops.http.console.view import Panel
from mlops.http.words import Language
from mlops.reports import Prose
from mlops.rollout import Expected, RolloutController, RolloutPlan
from tests.console_world import NOW, STATUSES, World, addresses

WORDS = load_words()
LANGUAGES: tuple[Language, ...] = ("es", "en")
EMPTY_TABLE = re.compile(r"<tbody[^>]*>\s*</tbody>")
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "path", "rect", "line", "circle", "polyline"}


@pytest.fixture(scope="module")
def world(lived_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for tests that change nothing."""
    folder = tmp_path_factory.mktemp("pages") / "world"
    shutil.copytree(lived_world, folder)
    world = World(folder)
    yield world
    world.close()


@pytest.fixture(scope="module")
def empty_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Nothing has happened yet."""
    world = World(tmp_path_factory.mktemp("empty"), is_empty=True)
    yield world
    world.close()


def get(world: World, address: str, *, language: str = "es", **params: str) -> Any:
    """The answer to a request for a page, at *address* under the console's."""
    path, _, query = address.partition("?")
    asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    return world.send("GET", f"/consola{path}", params={**asked, "idioma": language, **params})


class Document(html.parser.HTMLParser):
    """Reads a document strictly: tags are closed in order, ids are unique, references lead somewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids)), sorted(each for each in self.ids if self.ids.count(each) > 1)
        assert set(self.references) <= set(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._note(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def _note(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.attributes.append((name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            if name in {"aria-labelledby", "aria-describedby", "for"}:
                self.references += (value or "").split()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", addresses())
def test_a_page_is_whole_and_closed_to_code_from_elsewhere(world: World, address: str, language: Language) -> None:
    answer = get(world, address, language=language)
    assert answer.status_code == 200, answer.text
    assert f'<html lang="{language}">' in answer.text
    document = Document(answer.text)
    assert answer.text.count("<h1") == 1
    assert not EMPTY_TABLE.search(answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == (
        "nosniff", "private, no-store",
    )  # fmt: skip
    names = {name for name, _ in document.attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    loaded = [value for name, value in document.attributes if name in {"src", "data-address"}]
    assert all(value.startswith("/consola/") for value in loaded)


@pytest.mark.parametrize("address", addresses())
def test_json_holds_what_every_table_and_fact_says_under_keys_that_have_words(world: World, address: str) -> None:
    answer = get(world, address, formato="json")
    found = answer.json()
    assert (found["made_at"], answer.headers["content-type"]) == (NOW.isoformat(), "application/json")
    assert re.fullmatch(r'attachment; filename="[a-z-]+-20261124-1200\.json"', answer.headers["content-disposition"])
    keys = {key for panel in found["panels"] for key in panel.get("facts", {})}
    keys |= {
        key for panel in found["panels"] for table in panel.get("tables", []) for row in table["rows"] for key in row
    }
    # Metrics and versions stand under their own names.
    keys -= {name for one in world.registry.list_models() for name in (one.version, *one["metrics"])}
    for language in LANGUAGES:
        missing = {key for key in keys if f"columns.{key}" not in WORDS[language].keys}
        assert missing == set()
    english = get(world, address, formato="json", language="en").json()
    assert [panel["name"] for panel in english["panels"]] == [panel["name"] for panel in found["panels"]]


@pytest.mark.parametrize("address", addresses())
def test_csv_has_the_rows_of_each_table_the_page_offers(world: World, address: str) -> None:
    page = get(world, address).text
    names = re.findall(r"formato=csv&amp;tabla=([a-z0-9_-]+)", page)
    for name in names:
        answer = get(world, address, formato="csv", tabla=name)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(re.fullmatch(r"[a-z0-9_@.]+", head) for head in rows[0])


def test_a_table_that_a_page_does_not_have_is_a_problem_that_names_those_it_has(world: World) -> None:
    answer = get(world, "/alertas", formato="csv", tabla="quality")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == "the tables of this page are open, alerts, mutes; asked for 'quality'"
    assert get(world, "/alertas", formato="csv", tabla="").status_code == 404
    assert get(world, "/alertas", formato="csv").status_code == 200
    assert get(world, "/alertas/1", formato="csv").json()["detail"] == "this page has no table"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", addresses())
def test_a_page_calls_its_tables_by_different_names(world: World, address: str, language: Language) -> None:
    names = re.findall(r"download>CSV(?: \(([^<]+)\))?</a>", get(world, address, language=language).text)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", addresses())
def test_a_report_is_one_file_that_needs_nothing_else(world: World, address: str, language: Language) -> None:
    answer = get(world, address, formato="html", language=language)
    assert answer.headers["content-disposition"].endswith('.html"')
    assert f'<html lang="{language}">' in answer.text
    document = Document(answer.text)
    assert not {name for name, _ in document.attributes} & {"src", "href", "action", "style"}
    assert not re.search(r"<(link|script|img|iframe|form)\b|@import|url\(", answer.text)


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_in_menu], ids=lambda page: page.name)
def test_where_nothing_has_happened_a_page_says_what_will_fill_it(empty_world: World, page: Any) -> None:
    for language in LANGUAGES:
        answer = get(empty_world, page.route, language=language)
        assert answer.status_code == 200, answer.text
        assert not EMPTY_TABLE.search(answer.text)
        Document(answer.text)


def test_every_page_is_reached_from_the_menu_and_in_the_language_it_is_read_in(world: World) -> None:
    for language in LANGUAGES:
        text = get(world, PAGES[0].route, language=language).text
        menu = text[text.index('class="menu"') : text.index("</nav>")]
        links = re.findall(r'href="([^"]+)"[^>]*>([^<]+)</a>', menu)
        in_menu = [page for page in PAGES if page.is_in_menu]
        suffix = "" if language == "es" else "?idioma=en"
        assert [href for href, _ in links] == [f"/consola{page.route}{suffix}" for page in in_menu]
        assert [words for _, words in links] == [WORDS[language](f"menu.{page.name}") for page in in_menu]


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    for language in LANGUAGES:
        broken = [
            key
            for key in WORDS[language].keys
            if re.search(r"} (s|ms|min|h|d[ií]as|days)\b", WORDS[language].get(key, ""))
        ]
        assert broken == []


def test_both_languages_fill_in_the_same_values() -> None:
    for key in WORDS["es"].keys:
        assert set(re.findall(r"{(\w+)}", WORDS["es"].get(key, ""))) == set(
            re.findall(r"{(\w+)}", WORDS["en"].get(key, ""))
        ), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("address", "status"),
    [("/nada/de/nada", 404), ("/alertas/99", 404), ("/alertas/x", 404), ("/archivos/no.css", 404)],
)
def test_where_there_is_nothing_a_person_gets_a_page_that_says_so(
    world: World, address: str, status: int, language: Language
) -> None:
    answer = get(world, address, language=language)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert WORDS[language]("problem.s404") in answer.text
    assert "content-security-policy" in answer.headers
    Document(answer.text)


def test_a_stroke_at_the_end_leads_to_the_first_page(world: World) -> None:
    answer = get(world, "/", language="en")
    assert (answer.status_code, answer.headers["location"]) == (308, "/consola?idioma=en")


def test_the_way_to_a_page_ends_in_the_page(world: World) -> None:
    trail = re.search(r'<nav class="trail".*?</nav>', get(world, "/alertas/2").text)
    assert trail is not None
    assert re.findall(r">([^<>]+)<", trail.group()) == ["Alertas", "Alerta 2"]


def test_a_page_that_fails_is_a_page_too_and_the_log_says_why(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world()

    def broken() -> None:
        raise RuntimeError("what nobody foresaw")

    monkeypatch.setattr(world.alerts, "open_alerts", broken)
    answer = get(world, "/alertas")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert WORDS["es"]("problem.s500") in answer.text
    assert "foresaw" not in answer.text
    assert "what nobody foresaw" in caplog.text


def test_while_the_database_is_away_a_page_says_so(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()

    def away() -> None:
        raise StoreUnavailable("the database does not answer")

    monkeypatch.setattr(world.alerts, "open_alerts", away)
    answer = get(world, "/alertas")
    assert answer.status_code == 503
    assert WORDS["es"]("problem.s503") in answer.text


def test_files_are_kept_for_a_year_under_their_hash_and_asked_for_anew_without(world: World) -> None:
    page = get(world, "/alertas").text
    found = set(re.findall(r'"(/consola/archivos/[^"]+)"', page))
    assert {address.split("?")[0].rsplit("/", 1)[1] for address in found} == {
        "charts.css", "console.css", "console.js", "icon.svg",
    }  # fmt: skip
    for address in found:
        answer = world.send("GET", address)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = world.send("GET", address.split("?")[0], headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
        assert world.send("GET", f"{address}0").headers["cache-control"] == "no-cache"


def test_drawings_look_the_same_in_a_report_and_on_a_page(world: World) -> None:
    style = world.send("GET", "/consola/archivos/charts.css").text
    assert style.strip() in get(world, "/alertas", formato="html").text


def test_an_application_adds_panels_to_a_page_and_a_sentence_over_all(world: World) -> None:
    def more(ask: Any) -> list[Panel]:
        return [Panel("cooks", "Cocineros", [Prose("Hoy cocinan siete.")])]

    app = FastAPI()
    problems.install(app, STATUSES)
    parts: Parts = world.parts(extras={"alerts": more}, notice="El tráfico es <simulado>.")
    console.mount(app, parts, Access(world.keys))
    before, world.app = world.app, app
    try:
        page = get(world, "/alertas").text
        assert page.index('id="alerts"') < page.index("Hoy cocinan siete.")
        assert "El tráfico es &lt;simulado&gt;." in page
        assert "siete" not in get(world, "/alertas/1").text
        assert "El tráfico es &lt;simulado&gt;." in get(world, "/alertas", formato="html").text
        assert get(world, "/alertas", formato="json").json()["notice"] == "El tráfico es <simulado>."
    finally:
        world.app = before


@pytest.mark.parametrize("language", LANGUAGES)
def test_shared_lists_and_what_was_expected_are_told_in_words(make_world: Any, language: Language) -> None:
    world = make_world()
    world.rollouts.abort("ranker", because="now with shared lists", actor="ana")
    snips = {"value": 0.31, "low": 0.29, "high": 0.33, "effective_sample_size": 412.0}
    expected = Expected("not clearly worse", "Somebody expects 31 % of it.", {"snips": snips})
    controller = RolloutController(world.registry, clock=world.clock, expect=lambda *_: expected)
    plan = RolloutPlan(shadow_seconds=0, interleave_seconds=3_600, interleave_share=1.0, least_requests=40)
    begun = controller.start("ranker", "1.4.0", plan=plan, because="again", actor="ana")
    world.router.refresh()
    world.router.ready("1.4.0")
    for n in range(12):
        asked = world.router.interleave(f"request-{n}")
        world.router.observe(asked[0], seconds=0.02)
        world.router.outcome(asked[0], "preference", 1 if n % 3 else -1)
    world.router.flush()
    text = get(world, f"/despliegues/{begun.rollout_id}", language=language).text
    Document(text)
    # Its stage, its guard, the lists that were won, how many are still needed, and what was expected.
    told = {
        "es": (
            "listas compartidas",
            "listas compartidas ganadas",
            "ganadas por el aspirante",
            "tienen que juzgarse 40",
        ),
        "en": (
            "shared lists",
            "shared lists won",
            "won by the challenger",
            "40 shared lists have to be judged; 12 are",
        ),
    }
    for words in (*told[language], expected.sentence, "SNIPS", "412"):
        assert words in text, words


def test_what_somebody_wrote_is_text_wherever_it_is_shown(make_world: Any) -> None:
    world = make_world()
    found = world.fire('<script>"rule"', "</span><img src=x onerror=alert(1)>", "critical")
    for address in ("/alertas", f"/alertas/{found.alert_id}"):
        text = get(world, address).text
        assert "<img src=x" not in text
        assert "<script>&" not in text
        Document(text)


def test_a_sentence_of_the_application_is_in_the_language_of_the_page_whoever_kept_it(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "cooks.toml").write_text(
        '"The cooks are simulated." = "Los cocineros son simulados."\n'
        '"asked for by the weekly review" = "pedido en la revisión semanal"\n'
    )
    app = FastAPI()
    problems.install(app, STATUSES)
    parts: Parts = world.parts(sentences=[tmp_path], notice="The cooks are simulated.")
    console.mount(app, parts, Access(world.keys))
    before, world.app = world.app, app
    try:
        page = get(world, "/despliegues/3").text
        assert "Los cocineros son simulados." in page
        assert '<span lang="es">pedido en la revisión semanal</span>' in page
        assert "pedido en la revisión semanal" in get(world, "").text
        assert "Los cocineros son simulados." in get(world, "/alertas", formato="html").text
        assert get(world, "/alertas", formato="json").json()["notice"] == "Los cocineros son simulados."
        english = get(world, "/despliegues/3", language="en").text
        assert "The cooks are simulated." in english
        assert "asked for by the weekly review" in english
    finally:
        world.app = before
