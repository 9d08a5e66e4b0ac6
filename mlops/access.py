"""API keys: who may read, operate, administer. Of a key only the SHA-256 of its secret part is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from mlops import schema
from mlops.clock import Clock, in_utc, utc_now
from mlops.config import Settings, load_settings
from mlops.errors import InvalidKey, NotAuthenticated, UnknownKey
from mlops.sentences import say
from mlops.store import Database, insert_new
from mlops.store.types import UtcDateTime

Scope = Literal["read", "operate", "admin"]
# Each reaches as far as those before it.
SCOPES: tuple[Scope, ...] = get_args(Scope)

# The actor of changes that come without a key, which no key may be named after.
LOOPBACK = "loopback"

_IS_A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_TOKEN = re.compile(r"mlops_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOT_KNOWN = say("this API key is not known; `mlops keys list` shows those that are")
# What a secret is compared with where there is no such key, so that this takes as long.
_NOBODYS_SHA256 = "0" * 64

keys = schema.api_keys


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: what it is called and what it may do, never what it is.

    Attributes:
        key_id: the part of the token that says which key it is, 16 hexadecimal digits.
        name: the actor of what is done with it.
        scope: ``read``, ``operate`` or ``admin``.
        expires_at: from then on it does not count; None for never.
        revoked_at: since when it does not count; None where it was not revoked.
    """

    key_id: str
    name: str
    scope: Scope
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """``valid``, ``expired`` or ``revoked`` at *now*."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, times as ISO 8601 text."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. *token* is what its holder sends; it is not kept, and cannot be shown again."""

    key: ApiKey
    token: str

    def __repr__(self) -> str:
        # A token must not get into a log by way of a traceback.
        return f"NewKey({self.key!r}, token='…')"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who sent a key that counts."""

    name: str
    scope: Scope

    def reaches(self, scope: Scope) -> bool:
        """Whether the holder may do what needs *scope*."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


_KEY_COLUMNS = tuple(keys.c[name] for name in ApiKey.__slots__)
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=UtcDateTime)
_BY_ID = sa.select(*_KEY_COLUMNS, keys.c.secret_sha256).where(keys.c.key_id == sa.bindparam("sent_id"))
_ONE_THAT_COUNTS = (
    sa.select(keys.c.key_id)
    .where(keys.c.revoked_at.is_(None), sa.or_(keys.c.expires_at.is_(None), keys.c.expires_at > _NOW))
    .limit(1)
)
_REVOKE = (
    sa.update(keys)
    .where(keys.c.name == sa.bindparam("revoked"))
    .values(revoked_at=sa.func.coalesce(keys.c.revoked_at, _NOW))
    .returning(*_KEY_COLUMNS)
)


class KeyRing:
    """The API keys in *database*, whose tables are there."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self.database = database
        self._clock = clock

    def create(
        self, name: str, scope: str, *, expires_at: datetime | None = None, created_by: str = "unknown"
    ) -> NewKey:
        """Make a key. Its token is in the answer, and nowhere else.

        Args:
            name: letters, digits, ``_``, ``.``, ``@`` and ``-``, at most 64. One name is one key for ever, revoked or
                not: moves of models name it as their actor.
            scope: ``read``, ``operate`` (change the registry, too) or ``admin``.
            expires_at: from then on it does not count; without a zone it is UTC. Default: never.
            created_by: printable text.

        Raises:
            InvalidKey: one of these is not as it must be, or the name is taken.
        """
        now = self._clock()
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        expiry = None if expires_at is None else _later(expires_at, now)
        if not created_by.isprintable():
            raise InvalidKey(f"created_by: must be printable text, got {created_by!r}")
        key = ApiKey(key_id, _checked_name(name), _checked_scope(scope), now, created_by, expiry, None)
        row = {each: getattr(key, each) for each in ApiKey.__slots__}
        with self.database.writing() as connection:
            if not insert_new(connection, keys, {**row, "secret_sha256": _sha256(secret)}, key=["name"]):
                raise InvalidKey(f"name: {name!r} is taken, and a name is one key for ever; choose another")
        return NewKey(key, f"mlops_{key_id}_{secret}")

    def list(self) -> list[ApiKey]:
        """All keys, oldest first; those that do not count any more among them."""
        query = sa.select(*_KEY_COLUMNS).order_by(keys.c.created_at, keys.c.name)
        with self.database.reading() as connection:
            return [ApiKey(*row) for row in connection.execute(query)]

    def revoke(self, name: str) -> ApiKey:
        """Let a key count no more, from the next request on. Revoked once, it stays as it is.

        Raises:
            UnknownKey: none has this name.
        """
        row = None
        # What is no name at all may hold what no database can be asked for.
        if _IS_A_NAME.fullmatch(name) is not None:
            with self.database.writing() as connection:
                row = connection.execute(_REVOKE, {"revoked": name, "now": self._clock()}).first()
        if row is None:
            raise UnknownKey(say("there is no key {key!r}; `mlops keys list` shows those that there are", key=name))
        return ApiKey(*row)

    def holder(self, token: str) -> KeyHolder:
        """Who holds *token*.

        Raises:
            NotAuthenticated: no key has this token, or it has expired or was revoked. An unknown key and a wrong secret
                are told by the same words, after the same work.
        """
        form = _TOKEN.fullmatch(token)
        if form is None:
            raise NotAuthenticated(_NOT_KNOWN)
        key_id, secret = form.groups()
        with self.database.reading() as connection:
            row = connection.execute(_BY_ID, {"sent_id": key_id}).first()
        kept = _NOBODYS_SHA256 if row is None else row.secret_sha256
        is_right = hmac.compare_digest(kept, _sha256(secret))
        if row is None or not is_right:
            raise NotAuthenticated(_NOT_KNOWN)
        return self._counting(ApiKey(*row[:-1]))

    def any_exists(self) -> bool:
        """Whether there is a key that counts: neither revoked nor expired."""
        with self.database.reading() as connection:
            return connection.execute(_ONE_THAT_COUNTS, {"now": self._clock()}).first() is not None

    def _counting(self, key: ApiKey) -> KeyHolder:
        state = key.state(self._clock())
        if state == "revoked":
            raise NotAuthenticated(
                say("the API key {key!r} was revoked on {at:%Y-%m-%d}", key=key.name, at=key.revoked_at)
            )
        if state == "expired":
            raise NotAuthenticated(say("the API key {key!r} expired on {at:%Y-%m-%d}", key=key.name, at=key.expires_at))
        return KeyHolder(key.name, key.scope)


def open_key_ring(settings: Settings | None = None) -> KeyRing:
    """The keys in the database that *settings* name (default: those of the environment). Nothing is opened yet."""
    settings = settings or load_settings(Settings)
    return KeyRing(Database(settings.state_url, tables=(schema.MIGRATIONS,)))


def _sha256(secret: str) -> str:
    # 256 random bits cannot be guessed, whatever the hash costs: a slow one would only slow down each request.
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked_name(name: str) -> str:
    if _IS_A_NAME.fullmatch(name) is None:
        raise InvalidKey(
            "name: must be 1 to 64 letters, digits, '_', '.', '@' or '-', and begin with a letter or digit, "
            f"got {name!r}"
        )
    if name.lower() == LOOPBACK:
        raise InvalidKey(f"name: {LOOPBACK!r} stands for changes without a key; choose another, got {name!r}")
    return name


def _checked_scope(scope: str) -> Scope:
    for known in SCOPES:
        if scope == known:
            return known
    raise InvalidKey(f"scope: must be one of {', '.join(SCOPES)}, got {scope!r}")


def _later(expires_at: datetime, now: datetime) -> datetime:
    expiry = in_utc(expires_at)
    if expiry <= now:
        raise InvalidKey(f"expires_at: must be later than now, {now:%Y-%m-%dT%H:%M:%SZ}, got {expiry.isoformat()}")
    return expiry
