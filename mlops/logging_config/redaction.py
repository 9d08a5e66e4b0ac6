"""What must not get into a log: keys, tokens, passwords, e-mail addresses, and what people typed into the search.

What a field is called decides first, then what a text looks like. Cleaning an entry costs tens of microseconds, so an
entry is looked over beforehand: one of names, numbers and short identifiers needs no cleaning, nor does a line without
any of the words that secrets go with.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets as random_source
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

REDACTED = "[redacted]"

HashQuery = Callable[[str], str]

_DEEPEST = 20
# JSON readers go no further.
_LARGEST_INTEGER = 2**63 - 1
# A shorter secret would be found within words that are none.
_SHORTEST_SECRET = 6

_SECRET_KEY = re.compile(
    r"passw|passphrase|pwd|secret|token(?!i)|authori[sz]ation|^auth$|cookie|credential|contrase"
    r"|(?:api|access|private|signing|encryption)[_\-. ]?key",
    re.IGNORECASE | re.ASCII,
)
_EMAIL_KEY = re.compile(r"e[_\-]?mail", re.IGNORECASE | re.ASCII)
_QUERY_KEY = re.compile(
    r"(?:.*[_\-. ])?(?:query|queries|consultas?)(?:[_\-. ](?:text|string))?|q|texto",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_COUNTS_TOKENS = re.compile(r"tokens$|^n_.*|_count$|^max_.*tokens", re.IGNORECASE | re.ASCII)

_NAMES_OF_SECRETS = (
    r"(?:api|access|secret|private|signing|encryption)[_\-. ]?key|(?:access|refresh|auth|id)?[_\-]?token(?!s\b|i)"
    r"|secret|passw(?:or)?d|passphrase|pwd|credentials?|contrase(?:ñ|n)a"
)
_VALUE = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&"'})\]]+"""
# Each with what takes its place. In this order: later ones need not know what earlier ones took away.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]*(?:@[^\s/@]*)*(?=@)"), REDACTED),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"""((?:authorization|cookie)["']?\s*[:=]\s*)[^\r\n]+""", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(bearer\s+)[^\s\"',;]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(basic\s+)(?=[A-Za-z+/]{0,200}[0-9=])[A-Za-z0-9+/]{6,}=*", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(rf"""((?:{_NAMES_OF_SECRETS})["']?\s*[=:]\s*)(?:{_VALUE})""", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"([?&](?:q|query|consulta|texto)=)[^&\s#\"']+", re.IGNORECASE), rf"\1{REDACTED}"),
    (
        re.compile(
            r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|AKIA[0-9A-Z]{16}|hf_[A-Za-z0-9]{30,}"
            r"|xox[abeoprs]-[\w-]{10,}|eyJ[\w-]{5,}\.[\w-]{8,}(?:\.[\w-]*)?|mlops_[0-9a-f]{16}_[\w-]{20,})",
            re.ASCII,
        ),
        REDACTED,
    ),
    (re.compile(r"[\w.%+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), REDACTED),
)

# Shorter than any of the shapes above, or made of other letters.
_HARMLESS = re.compile(r"[A-Za-z0-9_/{}.-]{0,14}|[a-z0-9/{}.]*|[a-z_]{0,23}", re.ASCII)
_HARMLESS_TYPES = frozenset({int, float, bool, type(None), datetime})

# In lower case. Every name and shape above contains one of them: a test with random entries compares.
_TELLING = tuple(
    word.encode()
    for word in (
        "@ key token secret passw passphrase pwd auth bearer basic cookie credential contrase mail quer consulta texto"
        ' "q": q= sk- ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ akia hf_ xox eyj mlops_'
    ).split()
)


class Redactor:
    """Cleans what is about to be logged."""

    def __init__(
        self, *, secrets: Iterable[str] = (), hash_query: HashQuery | None = None, keeps_queries: bool = False
    ) -> None:
        """Make a redactor.

        Args:
            secrets: texts that are taken out wherever they stand, such as the keys of the settings.
            hash_query: what a query becomes. Default: a hash with a key that this process made up, so that equal
                queries have equal hashes within a process, and nobody can try out which query it was.
            keeps_queries: log the text of queries, too.
        """
        self._secrets = tuple(sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True))
        self._secrets_in_a_line = tuple(_as_in_a_line(secret) for secret in self._secrets)
        self._telling = (*_TELLING, *self._secrets_in_a_line)
        self._hash_query = hash_query or _hash_of_this_process()
        self._keeps_queries = keeps_queries

    def concerns(self, entry: Mapping[str, Any], line: bytes) -> bool:
        """Whether something in *entry*, which is the JSON *line*, may have to go; False is certain."""
        lower = line.lower()
        words = self._secrets_in_a_line if _is_harmless(entry) else self._telling
        for word in words:  # noqa: SIM110 — any() takes twice as long
            if word in lower:
                return True
        return False

    def clean(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """*entry* without what must not be logged, made of what JSON can hold."""
        return {self.text(str(key)): self._field(str(key), value, 0) for key, value in entry.items()}

    def text(self, text: str) -> str:
        """*text* without what looks like a secret or an e-mail address."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        # Half a surrogate pair, as in names of files that are not UTF-8, has no place in JSON.
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def _field(self, key: str, value: Any, depth: int) -> Any:
        kind = _kind_of(key)
        if kind is None or value is None or isinstance(value, bool):
            return self._value(value, depth)
        if kind == "query":
            return self._query(value, depth)
        if isinstance(value, int | float) and _COUNTS_TOKENS.search(key):
            return value
        return REDACTED

    def _query(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            found = {"hash": self._hash_query(value), "length": len(value)}
            return {**found, "text": self.text(value)} if self._keeps_queries else found
        if isinstance(value, list | tuple | set | frozenset):
            return [self._query(each, depth + 1) for each in value] if depth < _DEEPEST else "…"
        return self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            return plain(value)
        if value is None or isinstance(value, bool | int | float | date):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._field(str(key), each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(each, depth + 1) for each in value]
        return self._value(plain(value), depth + 1)


def plain(value: Any) -> Any:
    """What JSON has no word for, as something that it has: numbers of NumPy, sets; of anything else the text."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    try:
        return value.tolist() if hasattr(value, "tolist") else str(value)
    except Exception as error:
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def _is_harmless(entry: Mapping[str, Any]) -> bool:
    """Whether *entry* is certain to hold no secret. False says nothing."""
    if not _are_plain_names(tuple(entry)):
        return False
    for value in entry.values():
        kind = type(value)
        if kind is str:
            if not _HARMLESS.fullmatch(value):
                return False
        elif kind not in _HARMLESS_TYPES and not (kind is dict and _is_harmless(value)):
            return False
    return True


@functools.lru_cache(maxsize=4096)
def _are_plain_names(keys: tuple[Any, ...]) -> bool:
    return all(isinstance(key, str) and _kind_of(key) is None and _HARMLESS.fullmatch(key) for key in keys)


@functools.lru_cache(maxsize=4096)
def _kind_of(key: str) -> Literal["secret", "email", "query"] | None:
    if _SECRET_KEY.search(key):
        return "secret"
    if _EMAIL_KEY.search(key):
        return "email"
    return "query" if _QUERY_KEY.fullmatch(key) else None


def _as_in_a_line(secret: str) -> bytes:
    import orjson

    return orjson.dumps(secret)[1:-1].lower()


def _hash_of_this_process() -> HashQuery:
    key = random_source.token_bytes(32)
    return lambda query: hashlib.blake2b(query.encode("utf-8", "replace"), key=key, digest_size=8).hexdigest()
