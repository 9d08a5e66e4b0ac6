"""What the ranker looks up of each candidate, in memory: terms, contents, minutes, meals. Arrays, no objects."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.constraints import WORD_MARK
from recipes.index.document import Document, meal_bits

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]


def content_mark(content_hash: str) -> int:
    """A number for a content hash: equal for equal content, and small enough for an array."""
    return int.from_bytes(hashlib.blake2b(content_hash.encode(), digest_size=7).digest())


class TermMatrix:
    """Weights of terms for each item, as compressed sparse rows with their IDF.

    IDF is ``ln(1 + (N - df + 0.5) / (df + 0.5))``, as BM25 has it (Robertson & Zaragoza 2009), never negative.
    """

    def __init__(self, vocabulary: Sequence[str], offsets: NDArray[np.int64], ids: NDArray[np.int32], weights: Floats):
        self.vocabulary = list(vocabulary)
        self.offsets = offsets
        self.ids = ids
        self.weights = weights
        self._number_of = {term: number for number, term in enumerate(self.vocabulary)}
        n_items = len(offsets) - 1
        frequency = np.bincount(ids, minlength=len(self.vocabulary))
        self._idf = np.log1p((n_items - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
        self._idf_of_unseen = float(np.log1p(n_items + 0.5))
        weighted = weights * self._idf[ids]
        self._lengths = np.sqrt(_sums(np.square(weighted), offsets[:-1], np.diff(offsets)))
        self._weighted = weighted

    def cosine(self, query: Mapping[str, float], rows: Rows) -> Floats:
        """Cosine of the query's terms with those of each row, both weighted by IDF: 0 to 1, shape (n_rows,).

        Terms that no item has count in the query's length, less than the rarest term that some item has.
        """
        numbers, values, unseen = self._query(query)
        length = float(np.sqrt(np.square(values).sum() + unseen**2))
        if length == 0:
            return np.zeros(len(rows), dtype=np.float32)
        dot = self._dot(numbers, values, rows)
        lengths = self._lengths[rows] * length
        return np.divide(dot, lengths, out=np.zeros_like(dot), where=lengths > 0)

    def coverage(self, query: Mapping[str, float], rows: Rows) -> Floats:
        """Share of the query's IDF weight whose terms each row has: 0 to 1, shape (n_rows,)."""
        numbers, values, unseen = self._query(query)
        total = float(values.sum() + unseen)
        if total == 0:
            return np.zeros(len(rows), dtype=np.float32)
        lookup = np.zeros(len(self.vocabulary), dtype=np.float32)
        lookup[numbers] = values
        flat, starts, sizes = self._flat(rows)
        return _sums(lookup[self.ids[flat]], starts, sizes) / np.float32(total)

    def likeness(self, liked: Rows, weights: Floats, rows: Rows) -> Floats:
        """Cosine of each of *rows* with the sum of the rows *liked*, each of length 1 times its weight.

        All are weighted by IDF. From -1 to 1, shape (n_rows,); 0 for a row without terms.

        Args:
            weights: shape (n_liked,); below 0 for what should be unlike.
        """
        flat, _, sizes = self._flat(liked)
        scales = weights / np.maximum(self._lengths[liked], np.float32(1e-9))
        profile = np.bincount(
            self.ids[flat], weights=self._weighted[flat] * np.repeat(scales, sizes), minlength=len(self.vocabulary)
        ).astype(np.float32)
        flat, starts, sizes = self._flat(rows)
        dot = _sums(profile[self.ids[flat]] * self._weighted[flat], starts, sizes)
        lengths = self._lengths[rows] * np.float32(np.linalg.norm(profile))
        return np.divide(dot, lengths, out=np.zeros_like(dot), where=lengths > 0)

    def has(self, terms: Iterable[str], rows: Rows) -> Bools:
        """Whether each row has any of *terms*, shape (n_rows,)."""
        wanted = np.zeros(len(self.vocabulary), dtype=np.float32)
        for term in terms:
            if term in self._number_of:
                wanted[self._number_of[term]] = 1
        flat, starts, sizes = self._flat(rows)
        return np.asarray(_sums(wanted[self.ids[flat]], starts, sizes) > 0)

    def which(self, groups: Sequence[Collection[str]], rows: Rows) -> NDArray[np.uint64]:
        """Of which of *groups* each row has any term, a bit for each: shape (n_rows,). 64 groups at most."""
        bits = np.zeros(len(self.vocabulary), dtype=np.uint64)
        for place, terms in enumerate(groups):
            numbers = [self._number_of[term] for term in terms if term in self._number_of]
            bits[numbers] |= np.uint64(1 << place)
        flat, starts, sizes = self._flat(rows)
        # A row without terms has none; an entry for it to begin at, also behind the last one.
        found = np.bitwise_or.reduceat(np.append(bits[self.ids[flat]], np.uint64(0)), starts)
        return np.where(sizes > 0, found, np.uint64(0))

    def of(self, row: int) -> list[str]:
        """The terms of one row."""
        return [self.vocabulary[number] for number in self.ids[self.offsets[row] : self.offsets[row + 1]]]

    def _query(self, query: Mapping[str, float]) -> tuple[NDArray[np.int64], Floats, float]:
        known = [(self._number_of[term], weight) for term, weight in query.items() if term in self._number_of]
        numbers = np.array([number for number, _ in known], dtype=np.int64)
        weights = np.array([weight for _, weight in known], dtype=np.float32)
        unseen = [weight for term, weight in query.items() if term not in self._number_of]
        return numbers, weights * self._idf[numbers], 0.5 * self._idf_of_unseen * float(np.linalg.norm(unseen))

    def _dot(self, numbers: NDArray[np.int64], values: Floats, rows: Rows) -> Floats:
        lookup = np.zeros(len(self.vocabulary), dtype=np.float32)
        lookup[numbers] = values
        flat, starts, sizes = self._flat(rows)
        return _sums(lookup[self.ids[flat]] * self._weighted[flat], starts, sizes)

    def _flat(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Positions in ``ids`` of all entries of *rows*, one row after the other; where each row starts; its size."""
        sizes = self.offsets[rows + 1] - self.offsets[rows]
        starts = np.cumsum(sizes) - sizes
        flat = np.arange(int(sizes.sum()), dtype=np.int64) + np.repeat(self.offsets[rows] - starts, sizes)
        return flat, starts, sizes


def _sums(values: Floats, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    """Sum of each run of *values*; an empty run gives 0."""
    if len(values) == 0:
        return np.zeros(len(starts), dtype=np.float32)
    padded = np.append(values, np.float32(0))
    sums = np.add.reduceat(padded, np.minimum(starts, len(values)))
    return np.where(sizes > 0, sums, np.float32(0)).astype(np.float32)


class _Rows:
    """Compressed sparse rows while they grow."""

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}
        self._offsets = array("q", [0])
        self._ids = array("i")
        self._weights = array("f")

    def add(self, terms: Mapping[str, float]) -> None:
        for term, weight in terms.items():
            self._ids.append(self._vocabulary.setdefault(term, len(self._vocabulary)))
            self._weights.append(weight)
        self._offsets.append(len(self._ids))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {
            # One text instead of an array of strings, which would be as wide as the longest.
            "vocabulary": np.frombuffer("\n".join(self._vocabulary).encode(), dtype=np.uint8),
            "offsets": np.array(self._offsets, dtype=np.int64),
            "ids": np.array(self._ids, dtype=np.int32),
            "weights": np.array(self._weights, dtype=np.float32),
        }


_FACTS = ("numbers", "content_marks", "minutes", "minutes_floor", "meals")


class ItemTableWriter:
    """Gathers documents, in ascending order of their numbers, and writes the table."""

    def __init__(self) -> None:
        self._parts = {"name": _Rows(), "body": _Rows(), "contains": _Rows()}
        self._facts = {name: array("q") for name in _FACTS}

    def add(self, document: Document) -> None:
        """Add the next document."""
        self._parts["name"].add(document.name_terms)
        self._parts["body"].add(document.body_terms)
        words = (WORD_MARK + word for word in document.unknown)
        self._parts["contains"].add(dict.fromkeys((*document.contains, *words), 1.0))
        for name, value in (
            ("numbers", document.recipe_no),
            ("content_marks", content_mark(document.content_hash)),
            ("minutes", document.minutes),
            ("minutes_floor", document.minutes_floor),
            ("meals", meal_bits(document.meals)),
        ):
            self._facts[name].append(value)

    def write(self, path: Path) -> None:
        """Write the table to *path*."""
        arrays: dict[str, NDArray[np.generic]] = {
            name: np.array(values, dtype=np.int64) for name, values in self._facts.items()
        }
        for part, rows in self._parts.items():
            arrays |= {f"{part}_{name}": values for name, values in rows.arrays().items()}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)


class ItemTable:
    """The items of an index, by row. ``numbers`` are ascending recipe numbers."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.numbers = np.asarray(arrays["numbers"], dtype=np.int64)
        self.content_marks = np.asarray(arrays["content_marks"], dtype=np.int64)
        self.minutes = np.asarray(arrays["minutes"], dtype=np.int32)
        self.minutes_floor = np.asarray(arrays["minutes_floor"], dtype=np.int32)
        self.meals = np.asarray(arrays["meals"], dtype=np.int32)
        self.name_terms = _matrix(arrays, "name")
        self.body_terms = _matrix(arrays, "body")
        self.contains = _matrix(arrays, "contains")

    @classmethod
    def read(cls, path: Path) -> ItemTable:
        """The table that :class:`ItemTableWriter` wrote to *path*."""
        # By an open file: where the content is damaged, numpy leaves one that it opened itself open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return cls({name: arrays[name] for name in arrays.files})

    def __len__(self) -> int:
        return len(self.numbers)

    def known_rows(self, numbers: NDArray[np.int64]) -> tuple[Rows, Bools]:
        """Row of each of *numbers* that is there, and which of them are, shape (n,)."""
        if not len(self):
            return np.zeros(0, dtype=np.intp), np.zeros(len(numbers), dtype=np.bool_)
        rows = np.minimum(np.searchsorted(self.numbers, numbers), len(self) - 1)
        is_there = self.numbers[rows] == numbers
        return rows[is_there], is_there

    def rows(self, numbers: Sequence[int]) -> Rows:
        """Row of each of *numbers*, which must all be there."""
        return np.searchsorted(self.numbers, np.asarray(numbers, dtype=np.int64))


def _matrix(arrays: Mapping[str, NDArray[np.generic]], part: str) -> TermMatrix:
    text = arrays[f"{part}_vocabulary"].tobytes().decode()
    return TermMatrix(
        text.split("\n") if text else [],
        np.asarray(arrays[f"{part}_offsets"], dtype=np.int64),
        np.asarray(arrays[f"{part}_ids"], dtype=np.int32),
        np.asarray(arrays[f"{part}_weights"], dtype=np.float32),
    )
