"""Small pictures of the console's pages, to notice that one looks otherwise than it did.

They are grey, an eighth as large, and of sixteen shades: a few kB each. After a change that is meant, renew them, look
at the pages that are named, and commit them::

    python -m tests.pictures
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.browser import FLAGS, WIDTHS
from tests.console_world import World, front_addresses
from tests.models_app import Running

FOLDER = Path(__file__).parent / "acceptance" / "pictures"
ABOUT = FOLDER / "about.json"
_SMALLER = 8
_SHADES = 16
# What may differ: of the height, of the shade on average, and how many spots clearly, all as shares.
HEIGHT, MEAN, SPOTS = 0.02, 0.01, 0.02
_CLEARLY = 0.25


@dataclass(frozen=True, slots=True)
class Difference:
    """How two pictures differ, as shares: of the height, of the shade on average, of spots that do so clearly."""

    height: float
    mean: float
    spots: float

    @property
    def is_small(self) -> bool:
        """Whether it is within the tolerances above."""
        return self.height <= HEIGHT and self.mean <= MEAN and self.spots <= SPOTS


def difference(one: Image.Image, other: Image.Image) -> Difference:
    """How *one* differs from *other*, where both are there."""
    height = min(one.height, other.height)
    if one.width != other.width:
        return Difference(1.0, 1.0, 1.0)
    shades = [np.asarray(each.convert("L"), dtype=np.float64)[:height] / 255 for each in (one, other)]
    apart = np.abs(shades[0] - shades[1])
    taller = abs(one.height - other.height) / max(one.height, other.height)
    return Difference(taller, float(apart.mean()), float((apart > _CLEARLY).mean()))


def small(screenshot: bytes) -> Image.Image:
    """A screenshot as it is kept."""
    picture = Image.open(io.BytesIO(screenshot)).convert("L")
    size = (round(picture.width / _SMALLER), round(picture.height / _SMALLER))
    return picture.resize(size, Image.Resampling.BOX).quantize(_SHADES, dither=Image.Dither.NONE)


def file_of(address: str, width: str) -> Path:
    """Where the picture of a page is kept."""
    name = re.sub(r"[^a-z0-9.]+", "-", address.lower()).strip("-") or "resumen"
    return FOLDER / f"{name}-{width}.png"


def about(browser: Any) -> dict[str, Any]:
    """What pictures depend on beside the pages: the browser, and how wide its letters are."""
    page = browser.new_page()
    page.set_content("<span style='font: 100px system-ui'>Hamburgefonstiv 0123456789</span>")
    letters = page.evaluate("document.querySelector('span').getBoundingClientRect().width")
    page.close()
    return {"chromium": browser.version.split(".")[0], "letters": round(letters)}


def pictures(browser: Any, url: str, width: str) -> Iterator[tuple[str, Image.Image]]:
    """Each page at *width*, by its address."""
    x, y = WIDTHS[width]
    context = browser.new_context(viewport={"width": x, "height": y}, reduced_motion="reduce", color_scheme="light")
    page = context.new_page()
    for address in front_addresses():
        page.goto(f"{url}/consola{address}")
        page.wait_for_selector("[data-live][data-state=true]")
        yield address, small(page.screenshot(full_page=True))
    context.close()


@contextmanager
def served(folder: Path, *, notice: str = "") -> Iterator[str]:
    """The address of a server of a world in *folder*, with a *notice* over its pages."""
    world = World(folder, notice=notice)
    server = Running(world.app)
    yield server.url
    server.stop()
    world.close()


def renew(executable: str) -> Sequence[Path]:
    """Take all pictures anew; gives those that look otherwise than before."""
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    changed = []
    kept = {ABOUT}
    with sync_playwright() as playwright, served(Path(tempfile.mkdtemp())) as url:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        ABOUT.write_text(json.dumps(about(browser)) + "\n")
        for width in WIDTHS:
            for address, picture in pictures(browser, url, width):
                file = file_of(address, width)
                kept.add(file)
                if not file.exists() or not difference(Image.open(file), picture).is_small:
                    picture.save(file, optimize=True)
                    changed.append(file)
        browser.close()
    for gone in set(FOLDER.iterdir()) - kept:
        gone.unlink()
    return changed


if __name__ == "__main__":
    for each in renew(shutil.which("chromium") or sys.exit("chromium is not installed")):
        sys.stdout.write(f"{each.relative_to(Path.cwd())}\n")
