"""Drills of the service: a part that it stands on goes away, in a sandbox, while cooks go on asking.

Entry points of the group ``mlops.drills``; ``mlops drill all`` runs them after the toolkit's own. The sandbox is a
whole service with its threads, a few recipes, and everything in a temporary folder; the parts are really taken away.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from mlops import schema as mlops_schema
from mlops.errors import StoreUnavailable
from mlops.rollout.drill import DrillResult
from recipes import schema
from recipes.answer import Answer, Ask
from recipes.catalog import starter_recipes
from recipes.service import Service
from recipes.simulate.sandbox import isolated_settings

_N_RECIPES = 40
_PATIENCE_SECONDS = 60.0
_EVERY_SECONDS = 0.02
# How long the database and the disk are away.
_OUTAGE_SECONDS = 1.0
# Nothing listens there.
_NOWHERE = "http://127.0.0.1:9"


class Kitchen:
    """A service in a folder of its own, and a cook who goes on asking. A context manager.

    Attributes:
        n_asked, n_unanswered, n_met: questions; those without any answer; those whose answer was not the usual one.
    """

    def __init__(self, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="drill-"))
        self.service = Service(isolated_settings(self.folder, impression_flush_seconds=0.1, **settings))
        self.n_asked = self.n_unanswered = self.n_met = 0
        self._given: set[str] = set()

    def __enter__(self) -> Kitchen:
        self.service.database.upgrade(mlops_schema.MIGRATIONS, schema.MIGRATIONS)
        self.service.catalogue.save(list(islice(starter_recipes(), _N_RECIPES)))
        self.service.start()
        self.ask()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.service.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self) -> Answer | None:
        """Ask once; None where there is no answer at all."""
        self.n_asked += 1
        try:
            answer = self.service.recommender.answer(Ask("algo con verduras", user_id=f"cook-{self.n_asked}"))
        except Exception:
            # Whatever a cook would get instead of an answer is what the drill counts.
            self.n_unanswered += 1
            self.n_met += 1
            return None
        self._given.add(answer.request_id)
        self.n_met += answer.mode != "full"
        return answer

    def ask_until(self, condition: Callable[[], bool]) -> bool:
        """Go on asking until *condition* holds, False where patience ends first."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.ask()
            time.sleep(_EVERY_SECONDS)
        return True

    def answers_fully(self) -> bool:
        """Whether the next answer is the usual one, and no part complains."""
        answer = self.ask()
        return answer is not None and answer.mode == "full" and not self.service.check()

    def n_lost(self) -> int:
        """Answers that were given and are not in the database."""
        self.service.answers.flush()
        with self.service.database.reading() as connection:
            kept = set(connection.execute(sa.select(schema.answers.c.request_id)).scalars())
        return len(self._given - kept)

    def result(self, name: str, noticed: str | None, done: str, seconds: float, *, healed: bool) -> DrillResult:
        """How the drill went; without an answer to every cook it has not healed."""
        kept = f"{done}; {self.n_unanswered} of {self.n_asked} questions without an answer"
        healed = healed and noticed is not None and self.n_unanswered == 0
        return DrillResult(name, noticed, kept, seconds, healed, self.n_met)


def index_gone() -> DrillResult:
    """The folder of the index is deleted, and its engine ends."""
    with Kitchen() as kitchen:
        index = kitchen.service.recommender.index
        assert index is not None  # noqa: S101
        began = time.monotonic()
        index.close()
        shutil.rmtree(kitchen.folder / "var" / "index")
        kitchen.ask_until(lambda: "index" in kitchen.service.problems)
        noticed = kitchen.service.problems.get("index")
        healed = kitchen.ask_until(kitchen.answers_fully)
        done = "popular recipes answered; the index was built anew and opened"
        return kitchen.result("index-gone", noticed, done, time.monotonic() - began, healed=healed)


def database_gone() -> DrillResult:
    """The file of the state database is taken away, and comes back."""
    with Kitchen() as kitchen:
        path = kitchen.folder / "var" / "state.db"
        began = time.monotonic()
        path.rename(path.with_name("away.db"))
        try:
            kitchen.ask_until(lambda: "database" in kitchen.service.check())
            noticed = kitchen.service.problems.get("database")
            _ask_for(kitchen, _OUTAGE_SECONDS)
        finally:
            path.with_name("away.db").rename(path)
        healed = kitchen.ask_until(kitchen.answers_fully)
        seconds, n_lost = time.monotonic() - began, kitchen.n_lost()
        done = f"popular recipes answered; {n_lost} answers were lost"
        return kitchen.result("database-gone", noticed, done, seconds, healed=healed and n_lost == 0)


def mlflow_gone() -> DrillResult:
    """MLflow does not answer from the start."""
    with Kitchen(mlflow_tracking_uri=_NOWHERE) as kitchen:
        began = time.monotonic()
        mirror = kitchen.service.mirror
        kitchen.ask_until(lambda: mirror.status().last_error is not None)
        status, seconds = mirror.status(), time.monotonic() - began
        done = f"{status.n_waiting} versions wait to be sent; answers went on"
        return kitchen.result(
            "mlflow-gone", status.last_error, done, seconds, healed=status.n_waiting > 0 and kitchen.n_met == 0
        )


def disk_full() -> DrillResult:
    """No file can grow any more: each such write fails, as on a full disk (``RLIMIT_FSIZE``), until there is room."""
    with Kitchen() as kitchen:
        began = time.monotonic()
        with _no_room():
            kitchen.ask()
            noticed = _refusal_of_write(kitchen.service)
            _ask_for(kitchen, _OUTAGE_SECONDS)
            n_waiting = kitchen.service.answers.n_waiting
        healed = kitchen.ask_until(lambda: kitchen.answers_fully() and kitchen.service.answers.n_waiting < n_waiting)
        seconds, n_lost = time.monotonic() - began, kitchen.n_lost()
        done = f"answers went on, and {n_waiting} waited to be written; {n_lost} were lost"
        return kitchen.result("disk-full", noticed, done, seconds, healed=healed and n_waiting > 0 and n_lost == 0)


def _ask_for(kitchen: Kitchen, seconds: float) -> None:
    until = time.monotonic() + seconds
    kitchen.ask_until(lambda: time.monotonic() >= until)


def _refusal_of_write(service: Service) -> str | None:
    try:
        service.answers.flush()
    except StoreUnavailable as error:
        return f"{service.answers.n_waiting} answers wait for the database: {error}"
    return None


@contextmanager
def _no_room() -> Iterator[None]:
    """For this process and as long as the block lasts, no file may be written beyond its first byte.

    Needs no rights, and a limit of one process fills nobody else's disk. Writes fail with EFBIG in place of ENOSPC;
    SQLite and the logs treat both alike. Only where the system has such limits (Linux, macOS).
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
