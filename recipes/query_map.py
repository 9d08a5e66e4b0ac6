"""A map of what cooks ask: two fixed axes, and for each query the cell that it lies in. No words, and no vectors.

The axes are the two directions in which the catalogue's names differ most (principal components), learned once for an
encoder and kept, so that this month lies on the same map as the last. Cells are coarse on purpose: 61 by 61 for all
that can be asked. Queries are kept as keyed hashes, which nobody can guess back; exact places could be compared with
those of guesses, a cell only says that the guess is not excluded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mlops.store import Database, insert_new
from recipes import schema
from recipes.answer import Place
from recipes.encoder.base import Vectors
from recipes.index.store import Vector

# From the middle to each edge. 98 % of the catalogue lies within two thirds of it.
EDGE = 30
_PER_UNIT = 20
FEWEST_RECIPES = 20
MOST_LEARNED_FROM = 5_000
_N_SECTORS = 12


@dataclass(frozen=True)
class QueryMap:
    """How vectors of an encoder are laid on the map.

    Attributes:
        axes: shape (2, dimensions), in cells.
        offset: shape (2,): of the middle of the catalogue.
        explained: share of what tells recipes' names apart that the two axes keep, 0 to 1.
        n_recipes: that it was learned from.
        landmarks: (recipe number, x, y) of recipes far apart, the outermost first.
    """

    encoder: str
    axes: NDArray[np.float32]
    offset: NDArray[np.float32]
    explained: float
    n_recipes: int
    landmarks: Sequence[tuple[int, int, int]]

    @classmethod
    def learned(cls, encoder: str, vectors: Mapping[int, Vector]) -> QueryMap:
        """The map of a catalogue by the *vectors* of its recipes' names. The same vectors give the same map.

        Raises:
            ValueError: there are fewer than 20, or all are the same.
        """
        if len(vectors) < FEWEST_RECIPES:
            raise ValueError(f"a map needs {FEWEST_RECIPES} recipes at least, got {len(vectors)}")
        numbers = sorted(vectors)
        rows = np.stack([vectors[number] for number in numbers]).astype(np.float64)
        middle = rows.mean(axis=0)
        # Of the covariance: a catalogue has ten times as many recipes as a vector has dimensions.
        # By one thread: several wait for each other on a busy machine, thirty times as long as it takes.
        with threadpool_limits(1):
            variances, directions = np.linalg.eigh((rows - middle).T @ (rows - middle))
        if variances[-2] <= 1e-9:
            raise ValueError(f"a map needs recipes that differ in two ways, got {len(vectors)} that do not")
        axes = directions[:, [-1, -2]].T
        # The sign of a direction is chance: its largest part points upwards.
        axes = axes * np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
        reach = np.quantile(np.abs((rows - middle) @ axes.T), 0.98, axis=0)
        axes = np.ascontiguousarray(axes * (_PER_UNIT / reach)[:, None], dtype=np.float32)
        explained = float(variances[-2:].sum() / variances.sum())
        offset = axes @ middle.astype(np.float32)
        made = cls(encoder, axes, offset, explained, len(numbers), ())
        cells = made._cells(rows.astype(np.float32))
        return cls(encoder, axes, offset, explained, len(numbers), _landmarks(numbers, cells))

    def place(self, vector: Vector) -> Place:
        """The cell of a query's *vector*, shape (dimensions,); what lies beyond the map lies at its edge."""
        x, y = (self.axes @ vector - self.offset).tolist()
        return Place(self.encoder, _cell(x), _cell(y))

    def _cells(self, vectors: Vectors) -> NDArray[np.int64]:
        places = np.rint(vectors @ self.axes.T - self.offset)
        cells: NDArray[np.int64] = np.clip(places, -EDGE, EDGE).astype(np.int64)
        return cells

    def to_json(self) -> str:
        """As it is kept."""
        fields = {
            "axes": self.axes.tolist(), "offset": self.offset.tolist(), "explained": self.explained,
            "n_recipes": self.n_recipes, "landmarks": [list(one) for one in self.landmarks],
        }  # fmt: skip
        return orjson.dumps(fields).decode()

    @classmethod
    def from_json(cls, encoder: str, content: str) -> QueryMap:
        """The opposite of :meth:`to_json`."""
        fields = orjson.loads(content)
        return cls(
            encoder, np.array(fields["axes"], np.float32), np.array(fields["offset"], np.float32),
            fields["explained"], fields["n_recipes"], [(one[0], one[1], one[2]) for one in fields["landmarks"]],
        )  # fmt: skip


def _cell(value: float) -> int:
    return min(EDGE, max(-EDGE, round(value)))


def _landmarks(numbers: Sequence[int], cells: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """The outermost recipe of each of twelve directions, and the one nearest to the middle."""
    distance = np.hypot(cells[:, 0], cells[:, 1])
    sector = ((np.arctan2(cells[:, 1], cells[:, 0]) + np.pi) / (2 * np.pi) * _N_SECTORS).astype(np.int64) % _N_SECTORS
    chosen = {int(np.argmin(distance))}
    for number in range(_N_SECTORS):
        inside = np.flatnonzero(sector == number)
        if len(inside):
            chosen.add(int(inside[np.argmax(distance[inside])]))
    ordered = sorted(chosen, key=lambda row: (-distance[row], numbers[row]))
    return [(numbers[row], int(cells[row, 0]), int(cells[row, 1])) for row in ordered]


class QueryMaps:
    """The maps in the state database, one for each encoder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, encoder: str) -> QueryMap | None:
        """That of *encoder*; None where none was learned.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        query = sa.select(schema.query_maps.c.content).where(schema.query_maps.c.encoder == encoder)
        with self._database.reading() as connection:
            content = connection.execute(query).scalar()
        return None if content is None else QueryMap.from_json(encoder, content)

    def keep(self, learned: QueryMap, *, at: datetime) -> QueryMap:
        """Keep *learned*, and give it back; where another process was faster, its map.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        row = {"encoder": learned.encoder, "made_at": at, "content": learned.to_json()}
        with self._database.writing() as connection:
            insert_new(connection, schema.query_maps, row, key=["encoder"])
        return self.of(learned.encoder) or learned


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell, and how many of the queries looked at lie in it."""

    x: int
    y: int
    n: int


def read_cells(database: Database, encoder: str, *, since: datetime, until: datetime, most: int) -> list[Cell]:
    """The cells of the newest queries from *since* until *until*, at most *most* of them.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    table = schema.answers
    newest = (
        sa.select(table.c.map_x, table.c.map_y)
        .where(table.c.answered_at >= since, table.c.answered_at < until, table.c.query_map == encoder)
        .order_by(table.c.answered_at.desc())
        .limit(most)
        .subquery()
    )
    query = sa.select(newest.c.map_x, newest.c.map_y, sa.func.count()).group_by(newest.c.map_x, newest.c.map_y)
    with database.reading() as connection:
        return [Cell(*row) for row in connection.execute(query.order_by(newest.c.map_x, newest.c.map_y))]
