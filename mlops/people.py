"""Who is at the keyboard."""

from __future__ import annotations

import getpass


def system_user() -> str:
    """The user of this process, ``unknown`` where it has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
