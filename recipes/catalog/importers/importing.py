"""The loop of an import: read, check, save a batch, remember how far it came."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson
import sqlalchemy as sa

from mlops.clock import utc_now
from mlops.store import Database, upsert
from recipes import schema
from recipes.catalog.catalogue import Catalogue, Rating, SaveCounts
from recipes.catalog.importers.files import Position, check_readable, fingerprint
from recipes.catalog.importers.json_ld import read_json_ld
from recipes.catalog.importers.layouts import LAYOUTS, whole_number
from recipes.catalog.importers.rows import Row, open_rows
from recipes.catalog.recipe import Recipe
from recipes.errors import BadCatalogueFile, BadRecipe

BATCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import has come: rows read, and the share of the file from 0 to 1."""

    n_read: int
    share: float


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    *n_skipped* of the *n_read* rows had been read by an earlier, interrupted run; those that it rejected are among
    *n_rejected*, what it saved is not among *counts* and *n_ratings*.
    """

    path: Path
    n_read: int = 0
    n_skipped: int = 0
    n_rejected: int = 0
    counts: SaveCounts = field(default_factory=SaveCounts)
    n_ratings: int = 0
    rejected_path: Path | None = None


OnProgress = Callable[[ImportProgress], None]


def import_file(
    database: Database,
    path: Path,
    *,
    layout: str,
    rejects_dir: Path,
    on_progress: OnProgress = lambda progress: None,
) -> ImportReport:
    """Import the recipes of *path*; what is there already and has not changed is left alone.

    An import that was interrupted goes on where its last batch was saved. Rows that are not recipes go to a file in
    *rejects_dir*, with line, field and reason.

    Raises:
        BadCatalogueFile: the file as a whole cannot be read.
    """
    catalogue = Catalogue(database)
    to_recipe = LAYOUTS[layout]
    run = _Run(database, path, layout, rejects_dir, on_progress)

    def save(connection: sa.Connection, batch: list[tuple[int, Recipe]]) -> list[tuple[int, BadRecipe]]:
        run.report.counts += catalogue.save([recipe for _, recipe in batch], connection=connection)
        return []

    check_readable(path)
    with _rows(path, layout) as (rows, position):
        run.go(rows, position, parse=to_recipe, save=save)
    return run.report


def import_ratings(
    database: Database,
    path: Path,
    *,
    rejects_dir: Path,
    on_progress: OnProgress = lambda progress: None,
) -> ImportReport:
    """Import a Food.com ``RAW_interactions`` file: ``user_id, recipe_id, date, rating``, where rating 0 means none.

    Raises:
        BadCatalogueFile: the file as a whole cannot be read.
    """
    catalogue = Catalogue(database)
    run = _Run(database, path, "foodcom-interactions", rejects_dir, on_progress)

    def save(connection: sa.Connection, batch: list[tuple[int, Rating]]) -> list[tuple[int, BadRecipe]]:
        homeless = {id(rating) for rating in catalogue.rate([rating for _, rating in batch], connection=connection)}
        run.report.n_ratings += len(batch) - len(homeless)
        return [
            (line, BadRecipe("recipe_id", f"there is no recipe {rating.recipe_id!r}"))
            for line, rating in batch
            if id(rating) in homeless
        ]

    check_readable(path)
    with open_rows(path) as (rows, position):
        run.go(rows, position, parse=_rating, save=save)
    return run.report


class _Run:
    """One run over one file."""

    def __init__(self, database: Database, path: Path, layout: str, rejects_dir: Path, on_progress: OnProgress) -> None:
        self.report = ImportReport(path)
        self._database = database
        self._path = path
        self._layout = layout
        self._rejects_dir = rejects_dir
        self._on_progress = on_progress
        self._rejected: IO[bytes] | None = None

    def _rejects_path(self, mark: str) -> Path:
        return self._rejects_dir / f"{self._path.name}-{mark[:8]}.rejected.jsonl"

    def go(
        self,
        rows: Iterator[Row],
        position: Position,
        *,
        parse: Callable[[dict[str, Any]], Any],
        save: Callable[[sa.Connection, list[tuple[int, Any]]], list[tuple[int, BadRecipe]]],
    ) -> None:
        mark = fingerprint(self._path, salt=self._layout)
        self.report.n_skipped, self.report.n_rejected = self._done_before(mark)
        _keep_lines(self._rejects_path(mark), self.report.n_rejected)
        if self.report.n_rejected:
            self.report.rejected_path = self._rejects_path(mark)
        batch: list[tuple[int, Any]] = []
        problems: list[tuple[int, BadRecipe]] = []
        try:
            for n_read, row in enumerate(rows, start=1):
                self.report.n_read = n_read
                if n_read <= self.report.n_skipped:
                    continue
                try:
                    if row.fields is None:
                        raise row.problem or BadRecipe("row", "is empty")
                    batch.append((row.line, parse(row.fields)))
                except BadRecipe as problem:
                    problems.append((row.line, problem))
                except RecursionError:
                    problems.append((row.line, BadRecipe("row", "is nested too deeply")))
                if n_read % BATCH_ROWS == 0:
                    self._save(mark, batch, problems, save, finished=False)
                    batch, problems = [], []
                    self._on_progress(ImportProgress(n_read, position()))
            self._save(mark, batch, problems, save, finished=True)
            self._on_progress(ImportProgress(self.report.n_read, 1.0))
        finally:
            if self._rejected is not None:
                self._rejected.close()

    def _done_before(self, mark: str) -> tuple[int, int]:
        """How many rows an interrupted run read, and how many of them it rejected."""
        table = schema.imports
        query = sa.select(table.c.n_read, table.c.n_rejected).where(table.c.fingerprint == mark, ~table.c.finished)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return (row.n_read, row.n_rejected) if row else (0, 0)

    def _save(
        self,
        mark: str,
        batch: list[tuple[int, Any]],
        problems: list[tuple[int, BadRecipe]],
        save: Callable[[sa.Connection, list[tuple[int, Any]]], list[tuple[int, BadRecipe]]],
        *,
        finished: bool,
    ) -> None:
        with self._database.writing() as connection:
            problems = problems + (save(connection, batch) if batch else [])
            # The rejects are on disk before the rows count as done: what a crash between the two leaves in the file
            # is cut off by the next run.
            self._reject(mark, problems)
            row = {
                "fingerprint": mark,
                "path": str(self._path),
                "n_read": self.report.n_read,
                "n_rejected": self.report.n_rejected,
                "finished": finished,
                "updated_at": utc_now(),
            }
            upsert(connection, schema.imports, [row], key=["fingerprint"])

    def _reject(self, mark: str, problems: list[tuple[int, BadRecipe]]) -> None:
        if not problems:
            return
        if self._rejected is None:
            self._rejects_dir.mkdir(parents=True, exist_ok=True)
            self.report.rejected_path = self._rejects_path(mark)
            self._rejected = self.report.rejected_path.open("ab")
        for line, problem in sorted(problems, key=lambda entry: entry[0]):
            entry = {"line": line, "field": problem.field, "reason": problem.reason}
            self._rejected.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        self._rejected.flush()
        os.fsync(self._rejected.fileno())
        self.report.n_rejected += len(problems)


def _keep_lines(path: Path, n_lines: int) -> None:
    """Cut *path* behind its first *n_lines*; without any it goes."""
    if n_lines == 0:
        path.unlink(missing_ok=True)
    elif path.exists():
        with path.open("rb+") as file:
            for _ in range(n_lines):
                file.readline()
            file.truncate(file.tell())


@contextmanager
def _rows(path: Path, layout: str) -> Iterator[tuple[Iterator[Row], Position]]:
    if layout == "schema-org":
        yield read_json_ld(path), lambda: 1.0
        return
    if layout == "parquet" and path.suffix != ".parquet":
        raise BadCatalogueFile(f"{path} must end in .parquet")
    with open_rows(path) as opened:
        yield opened


def _rating(fields: dict[str, Any]) -> Rating:
    user_id, recipe_id = whole_number(fields, "user_id"), whole_number(fields, "recipe_id")
    try:
        rating = float(fields["rating"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BadRecipe("rating", f"must be a number, got {fields.get('rating')!r:.80}") from None
    if rating != 0 and not 1 <= rating <= 5:
        raise BadRecipe("rating", f"{rating:g} is not between 1 and 5 (or 0 for none)")
    return Rating(f"foodcom-{user_id}", f"foodcom-{recipe_id}", rating or None, _date(fields.get("date")))


def _date(value: Any) -> datetime | None:
    """When it was rated, in UTC; a time without a zone is taken to be UTC."""
    if not value:
        return None
    try:
        rated_at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return rated_at.astimezone(UTC) if rated_at.tzinfo else rated_at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRecipe("date", f"must be YYYY-MM-DD, got {value!r:.80}") from None
