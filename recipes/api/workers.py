"""Work that would hold up the event loop, on a few threads beside it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

# One request at a time keeps a core busy; more threads than cores only take turns at the interpreter's lock.
N_WORKERS = 2


class Workers:
    """``await workers(function, argument)`` runs it on one of the threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(N_WORKERS, thread_name_prefix="recommend")

    async def __call__(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The result of *function*, or its exception. What it logs carries the id of the request."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, function, *arguments)
