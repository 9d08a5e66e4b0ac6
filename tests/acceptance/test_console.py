"""The operator's console in a real browser: what a person does there, by hand or keyboard, on a phone or at a desk."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mlops.errors import ApprovalRequired
from mlops.model_registry import ApprovalPolicy
from tests import pictures
from tests.browser import WIDTHS, Watched
from tests.console_world import MODEL, World, front_addresses
from tests.models_app import Running

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=15_000)

LIVE = "[data-live]"
NOTICE = "The cooks are simulated: nobody stands behind these figures, whatever they seem to tell of a kitchen."
SAID = "[data-said]"


class Operator(Watched):
    """Somebody at a page of the console."""

    def open(self, path: str) -> Any:
        """Open *path* under the console's address, and wait until it is live."""
        response = self.page.goto(f"{self.base}/consola{path}")
        if response.status == 200 and self.page.locator(LIVE).count():
            expect(self.page.locator(LIVE)).to_have_attribute("data-state", "true")
        return response

    def act(self, button: str, *, reason: str | None = None) -> None:
        """Press *button*, give the *reason*, and confirm."""
        self.page.get_by_role("button", name=button, exact=True).click()
        dialog = self.page.get_by_role("dialog")
        if reason is not None:
            dialog.get_by_label("¿Por qué?").fill(reason)
        dialog.get_by_role("button", name="Confirmar").click()

    def tab_to(self, selector: str, *, at_most: int = 80) -> None:
        """Press Tab until *selector* has the focus."""
        for _ in range(at_most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"{selector} cannot be reached with {at_most} presses of Tab")

    def forgive(self, status: int) -> None:
        """Forget that the browser complained of an answer of this *status*."""
        self.errors = [error for error in self.errors if f"status of {status}" not in error]


@pytest.fixture
def world(make_world: Any) -> World:
    made: World = make_world()
    made.live.every_seconds = 0.1
    return made


@pytest.fixture
def served(world: World) -> Iterator[str]:
    """The address of a server of the test's own world."""
    server = Running(world.app)
    yield server.url
    server.stop()


@pytest.fixture
def at_desk(browser: Any, served: str) -> Iterator[Operator]:
    """Somebody at a desk. No test may leave an error, or leave our host."""
    yield from _operator(browser, served, "desk")


@pytest.fixture(params=WIDTHS)
def operator(request: pytest.FixtureRequest, browser: Any, served: str) -> Iterator[Operator]:
    """Somebody on a phone, and at a desk."""
    yield from _operator(browser, served, request.param)


def _operator(browser: Any, base: str, width: str) -> Iterator[Operator]:
    x, y = WIDTHS[width]
    context = browser.new_context(viewport={"width": x, "height": y}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    operator = Operator(context.new_page(), base)
    operator.watch()
    yield operator
    context.close()
    assert operator.errors == []
    assert operator.strange_hosts == []


# ---- What a person does


def test_an_alert_is_looked_after_with_a_reason_and_the_page_shows_it_at_once(operator: Operator, world: World) -> None:
    operator.open("/alertas")
    operator.page.get_by_role("link", name="#2").first.click()
    operator.act("Atender", reason="miro la base de datos")
    expect(operator.page.locator(SAID)).to_have_text("Hecho.")
    expect(operator.page.locator("h1")).to_contain_text("atendida")
    expect(operator.page.locator("main")).to_contain_text("miro la base de datos")
    expect(operator.page.get_by_role("button", name="Atender")).to_have_count(0)
    found = world.alerts.get(2)
    assert (found.acknowledged_by, found.acknowledged_because) == ("loopback", "miro la base de datos")
    operator.page.get_by_role("link", name="Alertas", exact=True).first.click()
    expect(operator.page.locator("#open")).to_contain_text("atendida")


def test_a_model_is_rolled_back_with_a_reason(operator: Operator, world: World) -> None:
    operator.open("/modelos")
    operator.page.get_by_role("button", name="Dar marcha atrás").click()
    expect(operator.page.get_by_role("dialog")).to_contain_text("1.1.0")
    expect(operator.page.get_by_role("dialog")).to_contain_text("1.0.0")
    operator.page.keyboard.press("Escape")
    operator.act("Dar marcha atrás", reason="los cocineros se quejan")
    expect(operator.page.locator(SAID)).to_have_text("Hecho.")
    expect(operator.page.locator(".lead")).to_contain_text("1.0.0")
    expect(operator.page.locator("main")).to_contain_text("los cocineros se quejan")
    move = world.registry.moves(MODEL)[-1]
    assert (world.champion, move.actor, move.because) == ("1.0.0", "loopback", "los cocineros se quejan")


def test_what_a_retraining_made_is_approved(operator: Operator, world: World) -> None:
    operator.open("/reentrenamiento")
    operator.act("Aprobar", reason="las cifras convencen")
    expect(operator.page.locator(SAID)).to_have_text("Hecho.")
    expect(operator.page.get_by_role("button", name="Aprobar")).to_have_count(0)
    assert (world.champion, world.retraining.book.get(3).outcome) == ("1.5.0", "promoted")
    operator.open("/modelos")
    expect(operator.page.locator(".lead")).to_contain_text("1.5.0")


def test_a_training_is_watched_while_it_goes_on(at_desk: Operator, world: World) -> None:
    at_desk.open("/reentrenamiento/4")
    expect(at_desk.page.locator("main")).to_contain_text("learns from 200 values")
    world.advance(world.retraining.book.get(4), 0.9, "weighs the last values")
    expect(at_desk.page.locator("main")).to_contain_text("weighs the last values")


def test_an_old_page_promotes_nothing_else_than_it_shows(at_desk: Operator, world: World) -> None:
    at_desk.open(f"/modelos/{MODEL}/1.4.0")
    at_desk.page.get_by_role("button", name="Promover", exact=True).click()
    dialog = at_desk.page.get_by_role("dialog")
    expect(dialog).to_contain_text("1.1.0")
    dialog.get_by_label("¿Por qué?").fill("mejor que 1.1.0")
    world.registry.rollback(MODEL, because="somebody was quicker")
    dialog.get_by_role("button", name="Confirmar").click()
    expect(dialog.get_by_role("status")).to_contain_text("No se hizo nada")
    expect(dialog.get_by_role("status").locator("[lang=es]")).to_contain_text("alguien se adelantó")
    expect(dialog.get_by_role("button", name="Confirmar")).to_be_disabled()
    assert world.champion == "1.0.0"
    dialog.get_by_role("button", name="Cancelar").click()
    expect(at_desk.page.locator(".lead")).to_contain_text("1.0.0")
    at_desk.act("Promover", reason="mejor que 1.0.0")
    expect(at_desk.page.locator("h1")).to_contain_text("en producción")
    assert world.champion == "1.4.0"
    at_desk.forgive(409)


def test_a_rollout_is_paused_and_goes_on(at_desk: Operator, world: World) -> None:
    at_desk.open("/despliegues")
    at_desk.act("Pausar", reason="espero a mañana")
    expect(at_desk.page.get_by_role("button", name="Reanudar")).to_be_enabled()
    assert world.rollouts.get(3).paused_at is not None
    at_desk.act("Reanudar", reason="ya es mañana")
    expect(at_desk.page.get_by_role("button", name="Pausar")).to_be_enabled()
    assert world.rollouts.get(3).paused_at is None


def test_without_a_reason_nothing_is_sent_and_who_cancels_does_nothing(at_desk: Operator, world: World) -> None:
    at_desk.open("/alertas/2")
    at_desk.act("Atender")
    expect(at_desk.page.get_by_role("dialog")).to_be_visible()
    assert at_desk.page.evaluate("document.activeElement.matches('textarea:invalid')")
    at_desk.page.get_by_role("button", name="Cancelar").click()
    expect(at_desk.page.get_by_role("dialog")).to_have_count(0)
    assert at_desk.page.evaluate("document.activeElement.textContent") == "Atender"
    assert world.alerts.get(2).state == "firing"


def test_an_old_page_is_told_that_somebody_else_was_quicker(at_desk: Operator, world: World) -> None:
    at_desk.open("/alertas/2")
    at_desk.page.get_by_role("button", name="Dar por resuelta").click()
    dialog = at_desk.page.get_by_role("dialog")
    dialog.get_by_label("¿Por qué?").fill("ya pasó")
    world.alerts.resolve(2, because="it is over", actor="luis")
    # What a dialog speaks of does not change under who reads it.
    at_desk.page.wait_for_timeout(400)
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Confirmar").click()
    expect(dialog.get_by_role("status")).to_contain_text("No se hizo nada")
    at_desk.page.keyboard.press("Escape")
    expect(at_desk.page.locator("h1")).to_contain_text("resuelta")
    assert world.alerts.get(2).resolved_because == "it is over"
    at_desk.forgive(409)


def test_what_somebody_else_has_done_already_is_not_done_again(at_desk: Operator, world: World) -> None:
    at_desk.open("/despliegues")
    at_desk.page.get_by_role("button", name="Pausar").click()
    dialog = at_desk.page.get_by_role("dialog")
    dialog.get_by_label("¿Por qué?").fill("espero a mañana")
    world.rollouts.pause("ranker", because="until tomorrow", actor="luis")
    dialog.get_by_role("button", name="Confirmar").click()
    expect(dialog.get_by_role("status")).to_have_text(
        re.compile("^No se hizo nada: .* mira cómo está ahora: .* ya está en pausa$")
    )
    at_desk.forgive(409)


@pytest.mark.parametrize(
    ("language", "button", "confirm", "told"),
    [
        (
            "es",
            "Aprobar",
            "Confirmar",
            "No se hizo: loopback pidió la promoción de ranker 1.4.0: ",
        ),
        (
            "en",
            "Approve",
            "Confirm",
            "Not done: loopback requested the promotion of ranker 1.4.0: ",
        ),
    ],
)
def test_a_refusal_of_another_kind_gives_the_reason_of_the_api(
    at_desk: Operator, world: World, language: str, button: str, confirm: str, told: str
) -> None:
    world.registry.approval = ApprovalPolicy(None, by_another=True)
    with pytest.raises(ApprovalRequired):
        world.registry.promote(MODEL, "1.4.0", because="better", actor="loopback")
    at_desk.open(f"/modelos/ranker/1.4.0?idioma={language}")
    at_desk.page.get_by_role("button", name=button, exact=True).click()
    dialog = at_desk.page.get_by_role("dialog")
    dialog.locator("textarea").fill("I like it")
    dialog.get_by_role("button", name=confirm).click()
    expect(dialog.get_by_role("status")).to_contain_text(told)
    expect(dialog.get_by_role("status").locator("span")).to_have_attribute("lang", language)
    at_desk.forgive(409)


def test_what_happens_elsewhere_arrives_without_a_reload_and_the_focus_stays(at_desk: Operator, world: World) -> None:
    at_desk.open("/alertas")
    at_desk.page.evaluate("window.stillHere = true")
    link = at_desk.page.locator("#open a", has_text="#2")
    link.focus()
    found = world.fire("disk_full", "The disk is full.", "critical")
    expect(at_desk.page.locator("#open")).to_contain_text("The disk is full.")
    assert at_desk.page.evaluate("document.activeElement.textContent") == "#2"
    world.alerts.resolve(found.alert_id, because="freed", actor="ana")
    expect(at_desk.page.locator("#open")).not_to_contain_text("The disk is full.")
    assert at_desk.page.evaluate("document.activeElement.textContent") == "#2"
    assert at_desk.page.evaluate("window.stillHere")
    assert at_desk.page.locator(LIVE).inner_text() == "en vivo"


def test_a_page_that_nobody_sees_gives_its_connection_back(at_desk: Operator, world: World) -> None:
    at_desk.open("/alertas")
    _soon(at_desk, lambda: world.live.n_listeners == 1)
    hide = "isHidden => { Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });"
    at_desk.page.evaluate(hide + "document.dispatchEvent(new Event('visibilitychange')); }", True)
    _soon(at_desk, lambda: world.live.n_listeners == 0)
    world.fire("disk_full", "The disk is full.", "critical")
    at_desk.page.evaluate(hide + "document.dispatchEvent(new Event('visibilitychange')); }", False)
    expect(at_desk.page.locator("#open")).to_contain_text("The disk is full.")
    assert world.live.n_listeners == 1


def test_a_page_that_is_cut_off_says_so(at_desk: Operator) -> None:
    at_desk.page.route("**/consola/vivo*", lambda route: route.abort())
    at_desk.page.goto(f"{at_desk.base}/consola/alertas")
    expect(at_desk.page.locator(LIVE)).to_contain_text("sin conexión")
    # It tries again and again; the browser complains of each time.
    at_desk.page.close()
    at_desk.errors.clear()


def test_somebody_signs_in_reads_and_signs_out(operator: Operator, world: World) -> None:
    token = world.keys.create("luisa", "operate").token
    operator.open("/alertas/2?idioma=es")
    expect(operator.page).to_have_title("Entrar · Consola")
    operator.page.get_by_label("Clave de API").fill("mlops_nada")
    operator.page.get_by_role("button", name="Entrar").click()
    expect(operator.page.get_by_role("alert")).to_contain_text("no se puede entrar")
    operator.page.get_by_label("Clave de API").fill(token)
    operator.page.keyboard.press("Enter")
    expect(operator.page.locator("h1")).to_contain_text("Alerta 2")
    operator.act("Atender", reason="mía")
    expect(operator.page.locator("main")).to_contain_text("luisa")
    assert token not in operator.page.evaluate("document.cookie + JSON.stringify(localStorage)")
    operator.page.get_by_role("button", name="Salir").click()
    expect(operator.page).to_have_title("Entrar · Consola")
    operator.open("/alertas")
    expect(operator.page).to_have_title("Entrar · Consola")
    operator.forgive(401)


def test_who_may_only_read_finds_no_button(at_desk: Operator, world: World) -> None:
    token = world.keys.create("eva", "read").token
    at_desk.open("/alertas/2")
    at_desk.page.get_by_label("Clave de API").fill(token)
    at_desk.page.get_by_role("button", name="Entrar").click()
    expect(at_desk.page.locator("h1")).to_contain_text("Alerta 2")
    assert at_desk.page.locator("main button").count() == 0


def test_english_is_kept_from_page_to_page(operator: Operator) -> None:
    operator.open("/alertas?estado=firing")
    operator.page.get_by_role("link", name="English").click()
    expect(operator.page.locator("html")).to_have_attribute("lang", "en")
    expect(operator.page.locator("h1")).to_have_text("Alerts")
    assert "estado=firing" in operator.page.url
    operator.page.get_by_role("link", name="#2").first.click()
    expect(operator.page.locator("h1")).to_contain_text("Alert 2")
    expect(operator.page.get_by_role("button", name="Look after it")).to_be_enabled()
    operator.page.get_by_role("link", name="Español").click()
    expect(operator.page.locator("h1")).to_contain_text("Alerta 2")


def test_all_of_it_can_be_done_with_the_keyboard_alone(at_desk: Operator, world: World) -> None:
    at_desk.open("/alertas")
    at_desk.page.keyboard.press("Tab")
    expect(at_desk.page.locator(".skip")).to_be_focused()
    at_desk.page.keyboard.press("Enter")
    at_desk.tab_to("#open a[href$='/alertas/2']")
    at_desk.page.keyboard.press("Enter")
    at_desk.page.wait_for_url("**/alertas/2")
    expect(at_desk.page.locator(LIVE)).to_have_attribute("data-state", "true")
    at_desk.tab_to("[data-open]")
    at_desk.page.keyboard.press("Enter")
    expect(at_desk.page.locator("dialog[open] textarea")).to_be_focused()
    at_desk.page.keyboard.type("con el teclado")
    at_desk.tab_to("dialog[open] [type=submit]", at_most=2)
    at_desk.page.keyboard.press("Enter")
    expect(at_desk.page.locator("h1")).to_contain_text("atendida")
    assert world.alerts.get(2).acknowledged_because == "con el teclado"
    # Nobody is sent back to the top of the window: the focus is in what was changed.
    assert at_desk.page.evaluate("document.getElementById('contenido').contains(document.activeElement)")


def test_a_page_is_kept_as_a_file(at_desk: Operator) -> None:
    at_desk.open("/alertas?estado=firing")
    for name, ending in (("HTML", ".html"), ("JSON", ".json"), ("CSV (Todas)", ".csv")):
        with at_desk.page.expect_download() as found:
            at_desk.page.get_by_role("link", name=name, exact=True).click()
        download = found.value
        assert download.suggested_filename.endswith(ending)
        assert "latency" in Path(download.path()).read_text("utf-8")
        assert "disk_space" not in Path(download.path()).read_text("utf-8").split("mutes")[0] or ending == ".html"


def test_without_javascript_everything_can_be_read(browser: Any, served: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/consola/alertas/2")
    expect(page.locator("main")).to_contain_text("p95 of api_latency_ms is 912 ms")
    expect(page.get_by_role("button", name="Atender")).to_be_disabled()
    expect(page.locator("noscript p")).to_be_visible()
    context.close()


def _soon(operator: Operator, holds: Any) -> None:
    for _ in range(200):
        if holds():
            return
        operator.page.wait_for_timeout(50)
    pytest.fail("it never came to that")


# ---- How every page is


@pytest.fixture(scope="module")
def still_world(lived_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of a world that no test changes."""
    folder = tmp_path_factory.mktemp("still") / "world"
    shutil.copytree(lived_world, folder)
    with pictures.served(folder) as url:
        yield url


@pytest.fixture(scope="module")
def noticed_world(lived_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same with a notice over its pages."""
    folder = tmp_path_factory.mktemp("noticed") / "world"
    shutil.copytree(lived_world, folder)
    with pictures.served(folder, notice=NOTICE) as url:
        yield url


@cache
def axe() -> str:
    """The script that looks for what keeps people out."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_keeps_anybody_out_of_any_page_in_light_or_in_dark(
    browser: Any, noticed_world: str, width: str
) -> None:
    x, y = WIDTHS[width]
    context = browser.new_context(viewport={"width": x, "height": y}, reduced_motion="reduce")
    page = context.new_page()
    found = []
    for address in [*front_addresses(), "/entrar", "/no-existe", "?idioma=en"]:
        page.goto(f"{noticed_world}/consola{address}")
        page.evaluate(axe())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found += [(address, scheme, *each) for each in page.evaluate(_VIOLATIONS, _RULES[scheme])]
    context.close()
    assert found == []


# A scheme changes colours only.
_RULES: dict[str, dict[str, Any]] = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
_VIOLATIONS = """async options => (await axe.run(options)).violations
    .filter(each => each.impact !== "minor")
    .map(each => [each.id, each.help, each.nodes.slice(0, 3).map(node => node.html + " " + node.failureSummary)])"""


@pytest.mark.parametrize("width", [320, 390, 600, 768, 900, 1024, 1280])
def test_no_page_is_wider_than_the_window_whoever_is_signed_in(
    world: World, browser: Any, served: str, width: int
) -> None:
    token = world.keys.create("luisa.fernanda", "operate").token
    page = browser.new_page(viewport={"width": width, "height": 850}, reduced_motion="reduce")
    page.goto(f"{served}/consola/entrar")
    page.get_by_label("Clave de API").fill(token)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{LIVE}[data-state=true]")
    found = []
    for address in [*front_addresses(), "?idioma=en", "/trafico?ventana=30d", "/no-existe"]:
        page.goto(f"{served}/consola{address}")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        found += [(address, *each) for each in page.evaluate(_STICKING_OUT)]
    page.close()
    assert found == []


# Neither the page nor its header nor a drawing may be wider than its place, no letters of drawings outside of it or too
# small to read, and the menu may not lie upon anything.
_STICKING_OUT = """() => {
    const right = each => each.getBoundingClientRect().right;
    const root = document.documentElement;
    const menu = document.querySelector(".menu"), end = document.querySelector(".top-end");
    const found = [];
    for (const drawing of document.querySelectorAll(".drawing")) {
        const place = drawing.getBoundingClientRect();
        if (drawing.scrollWidth > drawing.clientWidth) found.push(["drawing", drawing.ariaLabel]);
        for (const text of drawing.querySelectorAll("svg text")) {
            const { left, right, height } = text.getBoundingClientRect();
            const isOutside = left < place.left || right > place.right;
            if (height && (isOutside || height < 8)) found.push(["text", text.textContent]);
        }
    }
    if (root.scrollWidth > root.clientWidth) found.push(["page", root.scrollWidth - root.clientWidth]);
    if (right(end) > root.clientWidth) found.push(["header", right(end)]);
    const row = menu?.getBoundingClientRect(), beside = end.getBoundingClientRect();
    if (menu && row.top < beside.bottom && beside.top < row.bottom && right(menu.firstElementChild) > beside.left)
        found.push(["menu", right(menu.firstElementChild)]);
    return found;
}"""


def test_a_notice_takes_the_whole_width_and_a_table_of_figures_is_not_cut(browser: Any, noticed_world: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 850}, reduced_motion="reduce")
    page.goto(f"{noticed_world}/consola/trafico?ventana=30d")
    assert page.locator(".notice").bounding_box()["width"] == 1280
    cut = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)"
    assert page.locator(".wide").evaluate_all(cut) == []
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_looks_as_it_did(browser: Any, still_world: str, width: str) -> None:
    kept, found = json.loads(pictures.ABOUT.read_text()), pictures.about(browser)
    if kept != found:
        pytest.skip(f"the pictures were taken with {kept}, and this is {found}")
    apart = {}
    for address, picture in pictures.pictures(browser, still_world, width):
        file = pictures.file_of(address, width)
        assert file.exists(), f"{file.name} is missing; take it with: python -m tests.pictures"
        apart[address] = pictures.difference(Image.open(file), picture)
    changed = {address: each for address, each in apart.items() if not each.is_small}
    assert changed == {}, "look at the pages; where it is meant: python -m tests.pictures"


def test_a_page_that_looks_otherwise_is_noticed(browser: Any, still_world: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 850})
    page.goto(f"{still_world}/consola/alertas")
    before = pictures.small(page.screenshot(full_page=True))
    assert pictures.difference(before, pictures.small(page.screenshot(full_page=True))).is_small
    page.evaluate("document.getElementById('open').hidden = true")
    assert not pictures.difference(before, pictures.small(page.screenshot(full_page=True))).is_small
    page.reload()
    page.evaluate("document.querySelector('link[href*=console]').disabled = true")
    assert not pictures.difference(before, pictures.small(page.screenshot(full_page=True))).is_small
    page.close()


def test_a_dialog_keeps_nobody_out_either(browser: Any, still_world: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{still_world}/consola/alertas/2")
    page.evaluate(axe())
    for button in page.locator("[data-open]").all():
        button.click()
        assert page.evaluate(_VIOLATIONS, {}) == []
        page.keyboard.press("Escape")
    context.close()
