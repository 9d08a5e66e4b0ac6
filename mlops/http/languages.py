"""Which language a client would rather read, by the header ``Accept-Language`` (RFC 9110, 12.5.4)."""

from __future__ import annotations

import re

# A language with its region and the like, or any language; and how much it is liked, in at most three decimals.
_RANGE = re.compile(
    r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?", re.ASCII | re.IGNORECASE
)
_UNNAMED = (0.0, 0)


def prefers_spanish(header: str) -> bool:
    """Whether *header* asks for Spanish, of whatever region, rather than for English.

    Of two that are liked alike, it is the one that stands first. What is no such header asks for nothing.
    """
    liked: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(header.split(",")):
        text = part.strip(" \t")
        found = _RANGE.fullmatch(text)
        if found is None:
            if text:
                return False
            continue
        language = found[1].lower().partition("-")[0]
        liked[language] = max(liked.get(language, _UNNAMED), (float(found[2] or 1), -place))
    others = liked.get("*", _UNNAMED)
    spanish, english = liked.get("es", others), liked.get("en", others)
    return spanish[0] > 0 and spanish > english
