"""Headers of HTML pages: nothing of another host, no script or style in the page itself, no frame around it."""

from __future__ import annotations

from collections.abc import Mapping


def page_headers(*, cache_control: str) -> Mapping[str, str]:
    """The headers of a page that lives of its own files alone.

    Args:
        cache_control: who may keep the page, and for how long.
    """
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": cache_control,
    }
