"""Which requests come from a person at this machine, and which only look like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from mlops.http.loopback import why_not_local

OWN = {"host": "localhost:8000"}


def why(
    headers: dict[str, str] | list[tuple[str, str]] = OWN,
    *,
    client: str | None = "127.0.0.1",
    scheme: str = "http",
    http_version: str = "1.1",
) -> str | None:
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    scope = {
        "type": "http", "method": "POST", "path": "/freeze", "query_string": b"", "scheme": scheme,
        "http_version": http_version, "client": None if client is None else (client, 5_000), "server": ("x", 80),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
    }  # fmt: skip
    return why_not_local(Request(scope))


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "[::1]"]
)
def test_a_person_at_this_machine_is_one(client: str, host: str) -> None:
    assert why({"host": host}, client=client) is None


@pytest.mark.parametrize(
    "client", [None, "", "testclient", "10.0.0.7", "192.168.1.1", "0.0.0.0", "::", "::ffff:10.0.0.7", "8.8.8.8"]
)
def test_another_machine_is_told_apart(client: str | None) -> None:
    assert why(client=client) == "the request comes from another machine"


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything", "Forwarded", "Via",
     "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Original-Host"],
)  # fmt: skip
def test_what_a_proxy_forwards_is_told_apart_whatever_it_claims(header: str) -> None:
    assert why({**OWN, header: "127.0.0.1"}) == "the request was forwarded by a proxy"


def test_a_proxy_that_adds_no_header_is_known_by_the_old_protocol() -> None:
    assert why(http_version="1.0") == "the request was forwarded by a proxy"
    assert why(http_version="2") is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", "evil.example:127", "",
     "localhost:8000@evil.example", "evil.example#localhost", "10.0.0.7", "2130706433", "127.1", "[::1", "::1",
     "localhost:8000:1", "localhost:", " localhost", "localhost/", "[127.0.0.1]x", "0.0.0.0:8000"],
)  # fmt: skip
def test_a_name_that_was_bound_to_this_machine_is_told_apart(host: str) -> None:
    assert why({"host": host}) == "the request is addressed to another host name than localhost"


@pytest.mark.parametrize("hosts", [[], ["localhost", "evil.example"], ["localhost", "localhost"]])
def test_a_request_has_one_host(hosts: list[str]) -> None:
    assert why([("host", host) for host in hosts]) == "the request is addressed to another host name than localhost"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "http://localhost", "http://localhost:3000", "https://localhost:8000",
     "http://127.0.0.1:8000", "http://localhost:8000.evil.example", "http://localhost:80000"],
)  # fmt: skip
def test_a_page_of_another_site_is_told_apart_by_its_origin(origin: str) -> None:
    assert why({**OWN, "origin": origin}) == "the request comes from a page of another site"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_a_page_of_another_site_is_told_apart_by_what_the_browser_says(site: str) -> None:
    assert why({**OWN, "sec-fetch-site": site}) == "the request comes from a page of another site"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_service_s_own_page_is_at_home(host: str, scheme: str) -> None:
    headers = {"host": host, "origin": f"{scheme}://{host}", "sec-fetch-site": "same-origin"}
    assert why(headers, scheme=scheme) is None


def test_of_two_origins_both_must_be_our_own() -> None:
    twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")]
    assert why(twice) == "the request comes from a page of another site"


@given(name=st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z]{2,5})+", fullmatch=True), port=st.integers(1, 65_535))
def test_no_public_name_passes_for_this_machine(name: str, port: int) -> None:
    assert why({"host": name}) is not None
    assert why({"host": f"{name}:{port}"}) is not None
    assert why({**OWN, "origin": f"http://{name}:{port}"}) is not None
