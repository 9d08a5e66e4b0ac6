"""Instants from text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.clock import utc_from_text


@given(instant=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_the_same_instant_comes_back_in_utc(instant: datetime) -> None:
    if not datetime(1, 1, 2, tzinfo=UTC) < instant < datetime(9999, 12, 30, tzinfo=UTC):
        return
    assert utc_from_text(instant.isoformat()) == instant
    assert utc_from_text(instant.isoformat()).tzinfo is UTC


def test_without_a_zone_it_is_utc() -> None:
    assert utc_from_text("2026-11-17") == datetime(2026, 11, 17, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "1700000000", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_what_is_no_instant_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|outside of the years"):
        utc_from_text(text)
