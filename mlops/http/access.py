"""Who may call an endpoint: FastAPI dependencies that give the actor's name."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from mlops.access import LOOPBACK, KeyHolder, KeyRing, Scope
from mlops.errors import NotAllowed, NotAuthenticated
from mlops.http.loopback import why_not_at_this_machine, why_not_local
from mlops.http.problems import SEND_JSON, says_json
from mlops.sentences import say

# The actor of reading that needs no key.
ANYBODY = "anybody"
# The cookie that holds the key of somebody who signed in to the console.
COOKIE = "mlops_key"
_MAKE_A_KEY = "mlops keys create NAME --scope"

# For OpenAPI only: they find nothing wrong by themselves.
_BEARER = Depends(HTTPBearer(auto_error=False, description="An API key, as `mlops keys create` shows it."))
_HEADER = Depends(APIKeyHeader(name="X-API-Key", auto_error=False, description="The same, without `Bearer`."))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page: the actor's *name*, and how far the person may go."""

    name: str
    scope: Scope

    @property
    def may_operate(self) -> bool:
        """Whether the person may change something."""
        return self.scope != "read"


class Access:
    """What a request must bring along, as dependencies: ``actor: str = Depends(access.operates)``."""

    def __init__(self, key_ring: KeyRing, *, require_key_to_read: bool = False) -> None:
        """Access by the keys of *key_ring*.

        Args:
            require_key_to_read: reading needs a key of scope ``read``, too; by default it is open.
        """
        self._key_ring = key_ring
        self._require_key_to_read = require_key_to_read

    def reads(self, request: Request) -> str:
        """The actor of a request that reads.

        Raises:
            NotAuthenticated: a key was sent that does not count, or none was and one is needed.
            NotAllowed: no key exists, one is needed, and the request does not come from this machine.
        """
        if self._require_key_to_read or _sent_key(request) is not None:
            return self._actor(request, "read")
        return ANYBODY

    def holder(self, token: str) -> KeyHolder:
        """Who holds *token*.

        Raises:
            NotAuthenticated: it does not count.
        """
        return self._key_ring.holder(token)

    def enters(self, request: Request) -> Visitor:
        """Who asks for a page of the console: the holder of a key or, as long as none exists, who sits here.

        Raises:
            NotAuthenticated: a key was sent that does not count, or none was and one is needed.
            NotAllowed: no key exists, and the request does not come from this machine.
        """
        token = _sent_key(request)
        if token is not None:
            holder = self._key_ring.holder(token)
            return Visitor(holder.name, holder.scope)
        if self._key_ring.any_exists():
            raise NotAuthenticated(_needs_a_key("read"))
        reason = why_not_at_this_machine(request)
        if reason is not None:
            raise NotAllowed(_needs_this_machine("read", reason))
        return Visitor(LOOPBACK, "admin")

    def operates(self, request: Request, _bearer: object = _BEARER, _header: object = _HEADER) -> str:
        """The actor of a request that changes something.

        Raises:
            NotAuthenticated: a key was sent that does not count, or none was and one is needed.
            NotAllowed: the key's scope does not reach so far; or no key exists, and the request does not come from this
                machine.
            HTTPException: 415, the body is not said to be JSON.
        """
        return self._changes(request, "operate")

    def administers(self, request: Request, _bearer: object = _BEARER, _header: object = _HEADER) -> str:
        """The actor of a request that changes who may do what. Raises what :meth:`operates` does."""
        return self._changes(request, "admin")

    def _changes(self, request: Request, scope: Scope) -> str:
        actor = self._actor(request, scope)
        # A browser asks before it sends JSON to another site, and sends text without asking.
        if not says_json(request):
            raise HTTPException(415, SEND_JSON)
        return actor

    def _actor(self, request: Request, scope: Scope) -> str:
        token = _sent_key(request)
        if token is None:
            return self._without_key(request, scope)
        holder = self._key_ring.holder(token)
        if not holder.reaches(scope):
            raise NotAllowed(
                say(
                    "the key {key!r} has the scope {scope!s}, and this needs {needed!s}",
                    key=holder.name,
                    scope=holder.scope,
                    needed=scope,
                )
            )
        return holder.name

    def _without_key(self, request: Request, scope: Scope) -> str:
        if self._key_ring.any_exists():
            raise NotAuthenticated(_needs_a_key(scope))
        reason = why_not_local(request)
        if reason is not None:
            raise NotAllowed(_needs_this_machine(scope, reason))
        return LOOPBACK


def start_line(key_ring: KeyRing) -> str | None:
    """The line for the log at start where no key exists: what that means, and what to do. None where one does."""
    if key_ring.any_exists():
        return None
    return (
        "no API key exists: changes over HTTP are accepted from this machine only; before a proxy on this machine "
        f"forwards requests, make one with: {_MAKE_A_KEY} operate"
    )


def is_from_our_pages(request: Request) -> bool:
    """Whether a page of this very service sent *request*, by what browsers say and pages cannot change.

    A browser that says neither whence (``Sec-Fetch-Site``) nor from where (``Origin``) counts as another site.
    """
    sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    host = request.headers.get("host", "")
    # The scheme is left out: a proxy may have taken TLS off.
    is_ours = all(urlsplit(origin).netloc.lower() == host.lower() for origin in origins)
    return bool(sites or origins) and is_ours and all(site == "same-origin" for site in sites)


def _needs_a_key(scope: Scope) -> str:
    needed = say("this needs an API key of scope {scope!s}, as Authorization: Bearer … or X-API-Key: …", scope=scope)
    return f"{needed}; {say('make one with: {command}', command=f'{_MAKE_A_KEY} {scope}')}"


def _needs_this_machine(scope: Scope, reason: str) -> str:
    refused = say("without an API key this is possible from this machine only, and {reason}", reason=reason)
    return f"{refused}; {say('make a key with: {command}', command=f'{_MAKE_A_KEY} {scope}')}"


def _sent_key(request: Request) -> str | None:
    key = request.headers.get("x-api-key")
    if key is not None:
        return key.strip()
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    # Another kind belongs to somebody else, such as a proxy that asks for a password.
    if kind.lower() == "bearer":
        return token.strip()
    # A browser adds the cookie by itself, also to what a page of another site sends: there it does not count.
    is_safe = request.method in {"GET", "HEAD"} or is_from_our_pages(request)
    return request.cookies.get(COOKIE) if is_safe else None
