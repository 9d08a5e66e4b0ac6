"""How pages write numbers, in both languages."""

from __future__ import annotations

import pytest

from mlops.http.words import Language, Words

BOTH: dict[Language, Words] = {"es": Words("es", {}), "en": Words("en", {})}


@pytest.mark.parametrize(("language", "shown"), [("es", "16,2\N{NO-BREAK SPACE}%"), ("en", "16.2%")])
def test_a_share_is_written_as_its_language_writes_it(language: Language, shown: str) -> None:
    assert BOTH[language].share(0.1618) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3.08e-12, "<\N{NO-BREAK SPACE}0,001"), (0.000999, "<\N{NO-BREAK SPACE}0,001"), (0.001, "0,001"),
     (0.02149, "0,021"), (1.0, "1")],
)  # fmt: skip
def test_a_p_value_has_two_digits_and_no_exponent(value: float, shown: str) -> None:
    assert BOTH["es"].p_value(value) == shown


def test_a_large_number_is_written_in_full() -> None:
    assert BOTH["es"].number(3_180.0) == "3.180"
    assert BOTH["en"].number(3_180.0) == "3,180"
