"""Does a request come from a person at this machine? Asked as long as no API key exists.

A web page that the person has open must not pass for the person: neither one of another site that posts here (its
``Origin`` gives it away), nor one whose name was bound anew to 127.0.0.1 (its ``Host`` does), nor what a proxy on this
machine forwards for somebody elsewhere.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.requests import Request

from mlops.sentences import say

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?")
_FORWARDED = ("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip")
_FORWARDED_BEGIN = ("x-forwarded", "x-original-", "cf-")


def why_not_local(request: Request) -> str | None:
    """Why *request* may not come from a person at this machine, as a clause; None where it does."""
    reason = why_not_at_this_machine(request)
    if reason is None and not _is_same_origin(request.headers, f"{request.url.scheme}://{request.headers['host']}"):
        return say("the request comes from a page of another site")
    return reason


def why_not_at_this_machine(request: Request) -> str | None:
    """The same for a request that only reads: a page of another site may link here, and cannot read the answer."""
    if request.client is None or not _is_loopback(request.client.host):
        return say("the request comes from another machine")
    # A proxy that adds no header may be known by the old protocol, which many releases of nginx speak to services
    # unless told otherwise, and neither browsers nor curl do.
    if _was_forwarded(request.headers) or request.scope.get("http_version") == "1.0":
        return say("the request was forwarded by a proxy")
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _names_loopback(hosts[0]):
        return say("the request is addressed to another host name than localhost")
    return None


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _was_forwarded(headers: Headers) -> bool:
    return any(name in _FORWARDED or name.startswith(_FORWARDED_BEGIN) for name in headers)


def _names_loopback(host: str) -> bool:
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found[1].strip("[]").lower()
    return name == "localhost" or _is_loopback(name)


def _is_same_origin(headers: Headers, own: str) -> bool:
    origins = headers.getlist("origin")
    return all(origin.lower() == own.lower() for origin in origins) and all(
        site == "same-origin" for site in headers.getlist("sec-fetch-site")
    )
