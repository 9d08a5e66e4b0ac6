"""A real browser for tests of pages. Import ``browser`` into a module of tests to have it as a fixture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

WIDTHS = {"phone": (390, 844), "desk": (1280, 850)}
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what must not happen while it is used."""

    page: Any
    base: str
    errors: list[str] = field(default_factory=list)
    strange_hosts: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self.on_request)

    def follow(self, link: Any) -> None:
        """Press *link*, or a button that leads to another page, and wait until that page is there as a whole.

        A press alone returns with the old page still there, or with half of the new one.
        """
        with self.page.expect_navigation():
            link.click()

    def _on_console(self, message: Any) -> None:
        # A violation of the policy is an error here, too.
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def on_request(self, request: Any) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.base).netloc and not request.url.startswith("data:"):
            self.strange_hosts.append(request.url)
