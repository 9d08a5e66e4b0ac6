"""API keys on both databases: what counts, what does not, and what is kept of them."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops import schema
from mlops.access import SCOPES, KeyHolder, KeyRing, Scope
from mlops.errors import InvalidKey, NotAuthenticated, UnknownKey
from mlops.store import Database

START = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Time:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def ring(emptied_database: Database, clock: Time) -> KeyRing:
    return KeyRing(emptied_database, clock=clock)


def test_a_token_leads_to_its_holder(ring: KeyRing) -> None:
    made = ring.create("ci", "operate", created_by="ana")
    assert ring.holder(made.token) == KeyHolder("ci", "operate")
    assert made.key == ring.list()[0]
    assert (made.key.created_at, made.key.created_by, made.key.expires_at) == (START, "ana", None)


def test_only_the_hash_of_the_secret_is_kept(ring: KeyRing) -> None:
    made = ring.create("ci", "read")
    secret = made.token.split("_", 2)[2]
    with ring.database.reading() as connection:
        row = connection.execute(sa.select(schema.api_keys)).one()
    assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert not any(secret in str(value) for value in row)


def test_a_token_does_not_show_in_a_traceback_or_a_log(ring: KeyRing) -> None:
    made = ring.create("ci", "read")
    assert made.token.split("_", 2)[2] not in f"{made!r} {made}"


def test_two_keys_share_neither_id_nor_secret(ring: KeyRing) -> None:
    first, second = (ring.create(name, "read").token.split("_", 2) for name in ("one", "two"))
    assert first[0] == second[0] == "mlops"
    assert first[1] != second[1]
    assert first[2] != second[2]
    assert len(first[2]) == 43


def test_a_wrong_secret_and_an_unknown_key_are_told_by_the_same_words(ring: KeyRing) -> None:
    token = ring.create("ci", "read").token
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    unknown = f"mlops_{'0' * 16}_{token.split('_', 2)[2]}"
    words = set()
    for wrong in (flipped, unknown, "", "mlops", token + "A", token.upper(), " " + token, token + "\n"):
        with pytest.raises(NotAuthenticated) as refused:
            ring.holder(wrong)
        words.add(str(refused.value))
    assert len(words) == 1


@given(text=st.text(max_size=90))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_sent_as_a_token_is_refused_by_a_typed_error(ring: KeyRing, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        ring.holder(text)


def test_a_secret_opens_its_own_key_only(ring: KeyRing) -> None:
    mine, other = (ring.create(name, "read").token.split("_", 2) for name in ("mine", "other"))
    with pytest.raises(NotAuthenticated, match="not known"):
        ring.holder(f"mlops_{other[1]}_{mine[2]}")


def test_a_key_counts_until_the_instant_it_expires(ring: KeyRing, clock: Time) -> None:
    token = ring.create("ci", "read", expires_at=START + timedelta(days=1)).token
    clock.now = START + timedelta(days=1, microseconds=-1)
    assert ring.holder(token).name == "ci"
    assert ring.any_exists()
    clock.now = START + timedelta(days=1)
    with pytest.raises(NotAuthenticated, match="'ci' expired on 2026-11-25"):
        ring.holder(token)
    assert not ring.any_exists()
    assert [key.state(clock.now) for key in ring.list()] == ["expired"]


def test_a_revoked_key_counts_no_more_and_stays_in_the_list(ring: KeyRing, clock: Time) -> None:
    token = ring.create("ci", "admin").token
    assert ring.revoke("ci").revoked_at == START
    with pytest.raises(NotAuthenticated, match="'ci' was revoked on 2026-11-24"):
        ring.holder(token)
    assert not ring.any_exists()
    assert [(key.name, key.state(clock.now)) for key in ring.list()] == [("ci", "revoked")]


def test_revoking_twice_keeps_the_first_time(ring: KeyRing, clock: Time) -> None:
    ring.create("ci", "read")
    ring.revoke("ci")
    clock.now += timedelta(days=3)
    assert ring.revoke("ci").revoked_at == START


def test_revoking_one_key_leaves_the_others_alone(ring: KeyRing) -> None:
    ring.create("ci", "read")
    token = ring.create("ana", "operate").token
    ring.revoke("ci")
    assert ring.holder(token).name == "ana"
    assert ring.any_exists()


def test_revoking_an_unknown_name_is_a_typed_error(ring: KeyRing) -> None:
    ring.create("ci", "read")
    with pytest.raises(UnknownKey, match="'c'"):
        ring.revoke("c")
    assert ring.any_exists()


@pytest.mark.parametrize("name", ["", "a\0b", "\udcff", "a" * 1_000])
def test_what_is_no_name_is_the_name_of_no_key(ring: KeyRing, name: str) -> None:
    with pytest.raises(UnknownKey) as unknown:
        ring.revoke(name)
    assert repr(name) in str(unknown.value)


@pytest.mark.parametrize("maker", ["a\0b", "\udcff", "a\nb"])
def test_a_maker_that_no_database_could_keep_is_refused(ring: KeyRing, maker: str) -> None:
    with pytest.raises(InvalidKey, match="created_by: must be printable text"):
        ring.create("ci", "read", created_by=maker)


def test_without_keys_none_exists(ring: KeyRing) -> None:
    assert not ring.any_exists()
    assert ring.list() == []


@pytest.mark.parametrize("revoked", [False, True])
def test_a_name_is_never_used_twice(ring: KeyRing, revoked: bool) -> None:
    token = ring.create("ci", "read").token
    if revoked:
        ring.revoke("ci")
    with pytest.raises(InvalidKey, match="'ci'"):
        ring.create("ci", "admin")
    assert [key.scope for key in ring.list()] == ["read"]
    if not revoked:
        assert ring.holder(token).scope == "read"


def test_of_many_who_make_a_key_of_one_name_one_does(ring: KeyRing) -> None:
    ends: list[str] = []

    def create() -> None:
        try:
            ends.append(ring.create("ci", "read").key.name)
        except InvalidKey:
            ends.append("refused")

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["ci", "refused", "refused", "refused"]


@pytest.mark.parametrize("name", ["", " ci", "a b", "é", "-x", "a" * 65, "ci\n", "a\0b", "loopback", "Loopback"])
def test_a_name_that_cannot_be_an_actor_is_refused(ring: KeyRing, name: str) -> None:
    with pytest.raises(InvalidKey, match=r"^name: ") as refused:
        ring.create(name, "read")
    assert repr(name) in str(refused.value)
    assert ring.list() == []


@pytest.mark.parametrize("scope", ["", "write", "Admin", "read,operate"])
def test_an_unknown_scope_is_refused(ring: KeyRing, scope: str) -> None:
    with pytest.raises(InvalidKey, match="scope: must be one of read, operate, admin"):
        ring.create("ci", scope)


def test_an_expiry_that_is_past_is_refused(ring: KeyRing) -> None:
    with pytest.raises(InvalidKey, match="expires_at: must be later than now"):
        ring.create("ci", "read", expires_at=START)


def test_an_expiry_without_a_zone_is_utc(ring: KeyRing) -> None:
    assert ring.create("ci", "read", expires_at=datetime(2027, 1, 1)).key.expires_at == datetime(2027, 1, 1, tzinfo=UTC)  # noqa: DTZ001


def test_keys_are_listed_oldest_first(ring: KeyRing, clock: Time) -> None:
    for name in ("zoe", "ana", "leo"):
        ring.create(name, "read")
        clock.now += timedelta(seconds=1)
    assert [key.name for key in ring.list()] == ["zoe", "ana", "leo"]


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("needed", SCOPES)
def test_a_scope_reaches_as_far_as_those_before_it(held: Scope, needed: Scope) -> None:
    order = ["read", "operate", "admin"]
    assert KeyHolder("ci", held).reaches(needed) == (order.index(held) >= order.index(needed))
    assert get_args(Scope) == tuple(order)
