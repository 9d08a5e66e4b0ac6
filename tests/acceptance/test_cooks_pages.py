"""The cook's pages in a real browser, at the width of a phone and of a desk, against a real service process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from recipes.catalog import Recipe, starter_recipes
from tests.browser import WIDTHS, Watched

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

CARD_LINKS = ".cards h3 a[data-recipe-id]"
STATUS = "[data-status]"


@dataclass
class Cook(Watched):
    """Somebody at a page, and what was sent of it."""

    feedback: list[dict[str, Any]] = field(default_factory=list)

    def open(self, path: str) -> Any:
        """Open *path*; gives the response."""
        return self.page.goto(self.base + path)

    def search(self, query: str, extra: str = "") -> None:
        self.open(f"/buscar?q={quote_plus(query)}{extra}")

    def open_first_card(self) -> str:
        """Open the first result; gives its recipe id."""
        link = self.page.locator(CARD_LINKS).first
        recipe_id: str = link.get_attribute("data-recipe-id")
        link.click()
        self.page.wait_for_url(f"**/receta/{recipe_id}?*")
        return recipe_id

    def rate(self, stars: int) -> None:
        self.page.locator(".star").nth(stars - 1).click()
        expect(self.page.locator(STATUS)).to_contain_text(f"{stars} estrella")

    def rating(self) -> tuple[float, int]:
        """Average and number of ratings as the page shows them; (0, 0) without any."""
        shown = self.page.locator(".recipe-facts").inner_text()
        if "Sin valoraciones" in shown:
            return 0.0, 0
        found = re.search(r"(\d,\d) de 5 \((\d+) valoraci", shown)
        assert found, shown
        return float(found[1].replace(",", ".")), int(found[2])

    def recipe_ids(self) -> list[str]:
        return [link.get_attribute("data-recipe-id") for link in self.page.locator(CARD_LINKS).all()]

    def tab_to(self, selector: str, *, at_most: int = 60) -> None:
        """Press Tab until *selector* has the focus."""
        for _ in range(at_most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"{selector} cannot be reached with {at_most} presses of Tab")

    def on_request(self, request: Any) -> None:
        super().on_request(request)
        if request.method == "POST":
            self.feedback.append(json.loads(request.post_data))


@pytest.fixture(params=WIDTHS)
def cook(request: pytest.FixtureRequest, browser: Any, live_server: str) -> Iterator[Cook]:
    """Someone with a fresh browser, on a phone and at a desk. No test may leave an error or leave our host."""
    width, height = WIDTHS[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    cook = Cook(context.new_page(), live_server)
    cook.watch()
    yield cook
    context.close()
    assert cook.errors == []
    assert cook.strange_hosts == []


@pytest.fixture(scope="module")
def starter() -> dict[str, Recipe]:
    """The recipes of the starter catalogue, by id."""
    return {recipe.recipe_id: recipe for recipe in starter_recipes()}


def test_a_cook_searches_with_an_exclusion_opens_a_recipe_rates_it_and_cooks_it(
    cook: Cook, starter: dict[str, Recipe]
) -> None:
    cook.open("/")
    cook.page.get_by_role("searchbox").fill("desayuno saludable sin huevo")
    cook.follow(cook.page.get_by_role("button", name="Buscar"))

    expect(cook.page.locator(".understood")).to_contain_text("Sin huevo")
    assert len(cook.recipe_ids()) == 3
    assert all("egg" not in (starter[recipe_id].allergens or ()) for recipe_id in cook.recipe_ids())

    recipe_id = cook.open_first_card()
    expect(cook.page.get_by_role("heading", level=1)).to_have_text(starter[recipe_id].original.name)
    _, n_before = cook.rating()
    cook.rate(4)
    cook.page.get_by_role("button", name="La cociné").click()
    expect(cook.page.locator(STATUS)).to_contain_text("la cocinaste")

    cook.page.reload()
    mean, n_after = cook.rating()
    assert n_after == n_before + 1
    assert mean == 4.0 if n_before == 0 else mean > 0
    assert [event["evento"] for event in cook.feedback] == ["click", "rating", "cook"]
    assert len({(event["request_id"], event["recipe_id"]) for event in cook.feedback}) == 1


def test_without_the_exclusion_eggs_do_show(cook: Cook, starter: dict[str, Recipe]) -> None:
    cook.search("desayuno con huevo")
    assert any("egg" in (starter[recipe_id].allergens or ()) for recipe_id in cook.recipe_ids())


def test_every_filter_of_the_form_is_kept(cook: Cook, starter: dict[str, Recipe]) -> None:
    cook.search("algo rico")
    cook.page.locator("summary").click()
    cook.page.get_by_role("checkbox", name="Vegana").check()
    cook.page.get_by_label("Tiempo máximo").select_option("30")
    cook.page.get_by_label("Sin", exact=True).fill("garbanzos")
    cook.follow(cook.page.get_by_role("button", name="Aplicar filtros"))

    shown = [starter[recipe_id] for recipe_id in cook.recipe_ids()]
    assert shown
    for recipe in shown:
        assert "vegan" in (recipe.diets or ())
        assert (recipe.minutes or 0) <= 30
        assert "garbanzo" not in " ".join(recipe.original.ingredients).lower()
    for understood in ("Vegana", "Hasta 30 min", "Sin garbanzo"):
        expect(
            cook.page.locator(".understood").get_by_text(understood.replace(" min", "\N{NO-BREAK SPACE}min"))
        ).to_be_visible()
    cook.follow(cook.page.get_by_role("link", name="Quitar filtros"))
    expect(cook.page.locator(".understood")).to_have_count(0)


def test_more_recipes_are_shown_on_request_up_to_twenty(cook: Cook) -> None:
    cook.search("comida sencilla")
    counts = [len(cook.recipe_ids())]
    while (more := cook.page.get_by_role("link", name="Ver más recetas")).count():
        cook.follow(more)
        counts.append(len(cook.recipe_ids()))
    assert counts == [3, 6, 12, 20]


def test_another_star_replaces_the_first_even_on_another_visit(cook: Cook) -> None:
    cook.search("sopa de verduras", "&n=6")
    cook.open_first_card()
    _, n_before = cook.rating()
    cook.rate(5)
    cook.rate(2)
    cook.page.goto(cook.page.url.split("?")[0])
    assert cook.rating()[1] == n_before + 1
    expect(cook.page.locator("input[name=valor][value='2']")).to_be_checked()
    cook.rate(1)
    cook.page.reload()
    assert cook.rating()[1] == n_before + 1


def test_a_failed_rating_says_so_and_is_sent_again_under_the_same_id(cook: Cook) -> None:
    cook.search("ensalada fresca")
    cook.open_first_card()
    cook.page.route("**/feedback", lambda route: route.fulfill(status=503, body="{}"))
    cook.page.locator(".star").nth(2).click()
    expect(cook.page.locator(STATUS)).to_contain_text("No se ha podido enviar")
    cook.page.unroute("**/feedback")
    cook.page.get_by_role("button", name="Reintentar").click()
    expect(cook.page.locator(STATUS)).to_contain_text("Guardado: 3 estrellas")

    first, second = (event for event in cook.feedback if event["evento"] == "rating")
    assert first == second
    cook.errors = [error for error in cook.errors if "503" not in error]


def test_a_double_click_on_cooked_counts_once(cook: Cook) -> None:
    cook.search("arroz")
    cook.open_first_card()
    cook.page.locator("[data-event=cook]").dblclick()
    expect(cook.page.locator("[data-event=cook]")).to_have_text("Cocinada")
    assert [event["evento"] for event in cook.feedback] == ["click", "cook"]


def test_a_saved_recipe_waits_on_the_home_page(cook: Cook, starter: dict[str, Recipe]) -> None:
    cook.search("postre de chocolate")
    name = starter[cook.open_first_card()].original.name
    cook.page.get_by_role("button", name="Guardar").click()
    expect(cook.page.locator(STATUS)).to_contain_text("página de inicio")
    cook.open("/")
    cook.follow(cook.page.locator("[data-saved]").get_by_role("link", name=name))
    cook.page.get_by_role("button", name="Guardada").click()
    cook.open("/")
    expect(cook.page.locator("[data-saved]")).to_be_hidden()


def test_everything_can_be_done_with_the_keyboard_alone(cook: Cook) -> None:
    cook.open("/")
    cook.page.keyboard.press("Tab")
    expect(cook.page.locator(".skip")).to_be_focused()
    cook.page.keyboard.press("Enter")
    cook.tab_to("input[type=search]")
    cook.page.keyboard.type("cena vegana")
    cook.page.keyboard.press("Enter")
    cook.page.wait_for_url("**/buscar?*")

    cook.tab_to("summary")
    cook.page.keyboard.press("Enter")
    expect(cook.page.locator("details")).to_have_attribute("open", "")
    cook.tab_to(CARD_LINKS)
    cook.page.keyboard.press("Enter")
    cook.page.wait_for_url("**/receta/**")

    cook.tab_to(".ingredient input")
    cook.page.keyboard.press("Space")
    expect(cook.page.locator(".ingredient input").first).to_be_checked()
    cook.tab_to("input[name=valor]")
    for _ in range(3):
        cook.page.keyboard.press("ArrowRight")
    expect(cook.page.locator(STATUS)).to_contain_text("4 estrellas")
    cook.tab_to("[data-event=cook]")
    cook.page.keyboard.press("Enter")
    expect(cook.page.locator(STATUS)).to_contain_text("la cocinaste")
    # Arrow keys pass over two and three stars: only the four are sent.
    assert [event.get("valor") for event in cook.feedback if event["evento"] == "rating"] == [4]


def test_the_focus_is_always_visible(cook: Cook) -> None:
    cook.search("pan", "&dieta=vegan")
    cook.page.locator("summary").click()
    for _ in range(25):
        cook.page.keyboard.press("Tab")
        is_marked = cook.page.evaluate(
            """() => {
                const own = document.activeElement;
                const marks = [own, own.nextElementSibling, own.closest('.field, .card, .star')].filter(Boolean);
                return own === document.body || marks.some((e) => parseFloat(getComputedStyle(e).outlineWidth) >= 2
                    && getComputedStyle(e).outlineStyle !== 'none');
            }"""
        )
        assert is_marked, cook.page.evaluate("document.activeElement.outerHTML")


def test_english_is_kept_from_link_to_link(cook: Cook, starter: dict[str, Recipe]) -> None:
    cook.search("sopa sin queso")
    cook.follow(cook.page.get_by_role("link", name="English"))
    expect(cook.page.locator("html")).to_have_attribute("lang", "en")
    assert parse_qs(urlsplit(cook.page.url).query) == {"q": ["sopa sin queso"], "idioma": ["en"]}
    expect(cook.page.locator(".understood")).to_contain_text("No cheese")

    recipe = starter[cook.open_first_card()]
    expect(cook.page.get_by_role("heading", level=1)).to_have_text(recipe.texts["en"].name)
    expect(cook.page.locator("html")).to_have_attribute("lang", "en")
    cook.follow(cook.page.locator(".brand"))
    cook.page.get_by_role("searchbox").fill("soup")
    cook.follow(cook.page.get_by_role("button", name="Search"))
    expect(cook.page.locator("html")).to_have_attribute("lang", "en")
    cook.follow(cook.page.get_by_role("link", name="Español"))
    expect(cook.page.locator("html")).to_have_attribute("lang", "es")
    expect(cook.page.get_by_role("button", name="Buscar")).to_be_visible()


def test_a_recipe_leads_back_to_its_results(cook: Cook) -> None:
    cook.search("tortilla & más", "&n=6")
    results = cook.page.url
    cook.open_first_card()
    cook.follow(cook.page.get_by_role("link", name="Volver a los resultados"))
    assert parse_qs(urlsplit(cook.page.url).query) == parse_qs(urlsplit(results).query)


def test_where_nothing_is_left_the_page_says_so_and_how_to_loosen(cook: Cook) -> None:
    cook.search("cena", "&tiempo=1")
    expect(cook.page.get_by_role("heading", name="Ninguna receta cumple todo lo que pides")).to_be_visible()
    assert cook.recipe_ids() == []
    cook.follow(cook.page.get_by_role("link", name="Buscar sin el límite de tiempo"))
    assert len(cook.recipe_ids()) == 3


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/receta/no-existe", 404, "No encontramos esta receta"),
        ("/no/existe", 404, "No encontramos esta página"),
        ("/buscar?q=+", 400, "Escribe qué te apetece cocinar"),
        ("/buscar?q=" + "a" * 501, 422, "tiene 501 caracteres y el máximo es 500"),
        ("/buscar?q=cena&tiempo=pronto", 422, "número entero de minutos"),
        ("/buscar?q=cena&dieta=crudivegana", 422, "No conocemos la dieta «crudivegana»"),
    ],
)
def test_what_cannot_be_answered_gets_a_friendly_page(cook: Cook, address: str, status: int, words: str) -> None:
    response = cook.open(address)
    assert response.status == status
    expect(cook.page.locator("main")).to_contain_text(words)
    expect(cook.page.get_by_role("searchbox")).to_be_visible()
    assert cook.errors == [
        f"Failed to load resource: the server responded with a status of {status} ({response.status_text})"
    ]
    cook.errors.clear()


def test_what_a_cook_types_is_shown_as_text(cook: Cook) -> None:
    cook.search('"><img src=x onerror=alert(1)> sin <b>huevo</b>')
    assert cook.page.locator("main img, main b").count() == 0
    expect(cook.page.get_by_role("heading", level=1)).to_contain_text("<img src=x onerror=alert(1)>")


@pytest.mark.parametrize("address", ["/", "/buscar?q=cena+vegana&n=6", "/receta/macarrones-con-queso", "/?idioma=en"])
def test_pages_are_closed_to_foreign_code_and_fit_the_narrowest_phone(cook: Cook, address: str) -> None:
    cook.page.set_viewport_size({"width": 320, "height": 640})
    headers = cook.open(address).headers
    policy = {
        directive.split()[0]: directive.split()[1:] for directive in headers["content-security-policy"].split(";")
    }
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert cook.page.locator("[style], style, script:not([src])").count() == 0
    assert cook.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_search_and_recipes_work_without_javascript(browser: Any, live_server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    cook = Cook(context.new_page(), live_server)
    cook.open("/")
    cook.page.get_by_role("searchbox").fill("cena vegana en menos de 30 minutos")
    cook.follow(cook.page.get_by_role("button", name="Buscar"))
    cook.open_first_card()
    expect(cook.page.locator(".steps li").first).to_be_visible()
    expect(cook.page.locator("[data-controls]")).to_be_hidden()
    expect(cook.page.locator(".feedback")).to_contain_text("activa JavaScript")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "address", ["/", "/buscar?q=cena+con+garbanzos&dieta=vegan&n=6", "/receta/macarrones-con-queso"]
)
def test_text_stands_out_from_what_is_behind_it(browser: Any, live_server: str, scheme: str, address: str) -> None:
    """WCAG AA: 4.5 to 1, measured on what the browser paints."""
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(live_server + address)
    for details in page.locator("details").all():
        details.evaluate("details => { details.open = true; }")
    weak, n_texts = page.evaluate(_CONTRASTS)
    context.close()
    assert n_texts > 20
    assert weak == []


_CONTRASTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((numbers(colour)[3] ?? 1) === 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const weak = [];
  let n = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    n += 1;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${node.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return [weak, n];
}"""
