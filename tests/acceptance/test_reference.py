"""The reference says what the code says."""

from __future__ import annotations

import pytest

from docs.make_reference import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_follows_from_the_code_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text("utf-8")
    assert written == PAGES[name](), "run: make docs"


def test_the_pages_name_what_there_is() -> None:
    # A generator that finds nothing would agree with an empty page.
    expected = {
        "settings.md": ("`ALERT_THRESHOLD_LATENCY` | number, above 0 | `5000.0`", "`OPENAI_API_KEY` | text | – | yes"),
        "cli.md": ("### `mlops models promote`", "mlops models promote MODEL VERSION --reason TEXT", "`recipes serve`"),
        "http.md": ("`POST /recommend`", "`POST /models/{model_id}/rollback`", "| operate | 200 202 400"),
        "errors.md": ("`UnknownVersion` | No such version of this model was ever registered. | 404 | 3 |",),
        "metrics.md": ("`api_latency_ms` | distribution | ms |",),
    }
    for name, lines in expected.items():
        text = (FOLDER / name).read_text("utf-8")
        for line in lines:
            assert line in text
