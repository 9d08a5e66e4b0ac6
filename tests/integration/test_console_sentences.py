"""A page in Spanish has no sentence in English, but for what somebody wrote."""

from __future__ import annotations

import html.parser
import shutil
from pathlib import Path

import pytest

from tests.console_world import World, addresses

# What the world's trainer, its health and its alerts say: an application that has no sentences in Spanish.
WORLDS_OWN = {
    "Job 2 of ranker failed: the label column is empty.",
    "The disk of metrics is 92 % full.",
    "alerts: 3 open",
    "learns from 200 values",
    "p95 of api_latency_ms is 912 ms over 60 minutes; the limit is 500.",
    "query_length has moved: PSI 0.31, the limit is 0.2.",
}


class EnglishTexts(html.parser.HTMLParser):
    """The texts that a page says are English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_within = dict(attrs).get("lang") == "en" and tag in {"span", "p"}

    def handle_endtag(self, tag: str) -> None:
        self._is_within = False

    def handle_data(self, data: str) -> None:
        if self._is_within and data.strip():
            self.texts.append(data.strip())


@pytest.fixture(scope="module")
def left(lived_world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is English on pages in Spanish, and on which page."""
    folder = tmp_path_factory.mktemp("sentences") / "world"
    shutil.copytree(lived_world, folder)
    world = World(folder)
    found = {}
    for address in addresses():
        reader = EnglishTexts()
        reader.feed(world.send("GET", f"/consola{address}").text)
        found |= dict.fromkeys(reader.texts, address)
    world.close()
    return found


def test_nothing_of_the_toolkits_own_is_left_in_english(left: dict[str, str]) -> None:
    assert {text: address for text, address in left.items() if text not in WORLDS_OWN} == {}


def test_what_is_not_the_toolkits_is_marked_as_english(left: dict[str, str]) -> None:
    assert set(left) == WORLDS_OWN
