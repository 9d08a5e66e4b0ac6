"""Semantic versions: what counts as one, how they compare, and which comes next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import InvalidMetadata
from mlops.model_registry import Bump, SemanticVersion
from mlops.model_registry.versions import next_version

NUMBERS = st.integers(0, 999_999_999)
VERSIONS = st.builds(SemanticVersion, NUMBERS, NUMBERS, NUMBERS)
NEAR_VERSIONS = st.builds(SemanticVersion, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
BUMPS: st.SearchStrategy[Bump] = st.sampled_from(["major", "minor", "patch"])


@given(version=VERSIONS)
def test_text_and_version_are_one_to_one(version: SemanticVersion) -> None:
    assert SemanticVersion.parse(str(version)) == version


@given(one=VERSIONS, other=VERSIONS)
def test_versions_compare_as_their_numbers_do(one: SemanticVersion, other: SemanticVersion) -> None:
    assert (one < other) == ((one.major, one.minor, one.patch) < (other.major, other.minor, other.patch))


def test_ten_comes_after_nine() -> None:
    ordered = sorted(["1.10.0", "1.9.0", "1.9.10", "1.9.2"], key=SemanticVersion.parse)
    assert ordered == ["1.9.0", "1.9.2", "1.9.10", "1.10.0"]


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.0-rc1", "1.0.0+5", "01.0.0", "1.00.0", "1.0.-1", " 1.0.0", "1.0.0\n",
        "1..0", "1.0.x", "1,0,0", "1.0.1234567890", "1.0.1٣", "１.0.0", None, 1.0, 100, b"1.0.0", ("1", "0", "0"),
    ],
)  # fmt: skip
def test_what_is_not_three_plain_numbers_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidMetadata, match=r"version: must be major\.minor\.patch such as 1\.0\.3, got ") as caught:
        SemanticVersion.parse(text)
    assert repr(text) in str(caught.value)
    assert caught.value.field == "version"


@given(text=st.text(alphabet="0123456789.٣３ -v", max_size=9))
def test_parsing_gives_back_the_very_text_or_refuses_it(text: str) -> None:
    try:
        version = SemanticVersion.parse(text)
    except InvalidMetadata:
        return
    assert str(version) == text


@pytest.mark.parametrize(
    ("known", "base", "bump", "expected"),
    [
        (["1.0.0"], "1.0.0", "patch", "1.0.1"),
        (["1.0.0"], "1.0.0", "minor", "1.1.0"),
        (["1.0.0"], "1.0.0", "major", "2.0.0"),
        (["1.0.0", "1.0.9", "1.0.10"], "1.0.0", "patch", "1.0.11"),
        (["1.0.3", "1.1.0", "1.4.2", "3.7.0"], "1.0.3", "minor", "1.5.0"),
        (["1.0.3", "1.1.0", "3.7.0"], "1.0.3", "major", "4.0.0"),
        ([], "1.2.3", "patch", "1.2.4"),
    ],
)
def test_the_next_version_by_hand(known: list[str], base: str, bump: Bump, expected: str) -> None:
    assert str(next_version(known, base=base, bump=bump)) == expected


@given(known=st.sets(NEAR_VERSIONS), base=NEAR_VERSIONS, bump=BUMPS)
def test_the_next_version_is_free_comes_after_its_base_and_keeps_what_is_left_of_the_bump(
    known: set[SemanticVersion], base: SemanticVersion, bump: Bump
) -> None:
    following = next_version(map(str, known), base=str(base), bump=bump)
    n_kept = ("major", "minor", "patch").index(bump)
    assert following not in known
    assert following > base
    assert following[:n_kept] == base[:n_kept]
    assert following[n_kept + 1 :] == (0,) * (2 - n_kept)


@given(known=st.sets(NEAR_VERSIONS), base=NEAR_VERSIONS, bump=BUMPS)
def test_no_smaller_number_of_the_bumped_place_is_free_above_all_that_are_taken(
    known: set[SemanticVersion], base: SemanticVersion, bump: Bump
) -> None:
    place = ("major", "minor", "patch").index(bump)
    following = next_version(map(str, known), base=str(base), bump=bump)
    taken = {version[place] for version in {*known, base} if version[:place] == base[:place]}
    assert following[place] == max(taken) + 1


@given(bases=st.lists(BUMPS, min_size=1, max_size=12))
def test_bumping_again_and_again_never_meets_a_version_twice(bases: list[Bump]) -> None:
    known = ["1.0.0"]
    for bump in bases:
        known.append(str(next_version(known, base=known[-1], bump=bump)))
    assert len(set(known)) == len(known)
    assert sorted(known, key=SemanticVersion.parse) == known


def test_an_unknown_bump_is_refused() -> None:
    with pytest.raises(InvalidMetadata, match="bump: must be major, minor or patch, got 'huge'"):
        next_version([], base="1.0.0", bump="huge")  # type: ignore[arg-type]


def test_a_base_that_is_no_version_is_refused() -> None:
    with pytest.raises(InvalidMetadata, match="version: must be"):
        next_version([], base="one", bump="patch")
