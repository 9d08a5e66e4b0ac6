"""Which language a client prefers, by its header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.http.languages import prefers_spanish

SPANISH = [
    "es", "es-ES", "ES-mx", "es-419,es;q=0.9,en;q=0.8", "fr, es;q=0.5", "en;q=0.4, es;q=0.5", "es;q=0.001",
    "es;Q=1.000", " es ; q=1. ,, ", "es, *", "es, en", "*, en;q=0", "en;q=0.5, es-AR;q=0.2, es;q=0.8",
]  # fmt: skip
ENGLISH = [
    "", "en", "en-US,en;q=0.9,es;q=0.8", "es;q=0.5, en", "es;q=0.5,en;q=0.9", "en, es", "fr", "*", "*, es", "es;q=0",
    "es;q=0, fr", "es;q=0, *", "es;q=0.5, *", "est", "eo",
]  # fmt: skip
NO_HEADERS = [
    "es_ES", "es;q=2", "es;q=1.001", "es;q=-1", "es;q=", "es;q=0.1234", "es;q=x", "es;level=1", "es q=1", ";q=1",
    "es, @", "es, en;q", "español", "es-", "es/en", "e" * 9,
]  # fmt: skip


@pytest.mark.parametrize("header", SPANISH)
def test_spanish_is_preferred(header: str) -> None:
    assert prefers_spanish(header)


@pytest.mark.parametrize("header", ENGLISH + NO_HEADERS)
def test_english_is_what_is_left(header: str) -> None:
    assert not prefers_spanish(header)


@given(header=st.text(st.characters(max_codepoint=255), max_size=60))
def test_whatever_is_sent_gets_an_answer(header: str) -> None:
    assert prefers_spanish(header) in {True, False}
