"""Query sets: what cooks ask, and which recipes are right."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from recipes.errors import BadEvaluationFile
from recipes.language import detect
from recipes.lexicon import Lexicon
from recipes.text import LANGUAGES, Language

_KNOWN_FIELDS = ("query", "relevant", "idioma", "without", "max_minutes")
NO_LABEL = "(none)"


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query and what is right for it.

    Attributes:
        relevant: gain of each relevant recipe, above 0, by recipe id.
        language: of the answer.
        without: concepts that no recipe of the answer may contain, whatever is read in the query.
        max_minutes: the longest that a recipe of the answer may take.
        columns: whatever else the file says of it, for slices.
    """

    query: str
    relevant: Mapping[str, float]
    language: Language = "es"
    without: tuple[str, ...] = ()
    max_minutes: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells it from the others of its set."""
        return f"{self.language}: {self.query}"


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries, no two of the same name.

    Attributes:
        caveat: what whoever reads the figures has to know; empty where there is nothing.
    """

    name: str
    queries: Sequence[JudgedQuery]
    caveat: str = ""

    @property
    def qrels(self) -> dict[str, Mapping[str, float]]:
        """What is relevant, by query."""
        return {judged.name: judged.relevant for judged in self.queries}

    @property
    def columns(self) -> list[str]:
        """The columns that any of the queries has."""
        return sorted({name for judged in self.queries for name in judged.columns})


def golden_queries(lexicon: Lexicon, *, recipe_ids: Collection[str], n_imported: int = 0) -> QuerySet:
    """The golden queries that ship, those of them whose recipes are all in the catalogue.

    Args:
        recipe_ids: of the catalogue.
        n_imported: how many of these are not of the starter catalogue, for which the queries were written.
    Raises:
        BadEvaluationFile: the file of the package is damaged.
    """
    text = (resources.files("recipes") / "data" / "golden_queries.toml").read_text("utf-8")
    places = ((f"query {number}", row) for number, row in enumerate(tomllib.loads(text)["query"], start=1))
    every = _judged("golden_queries.toml", places, lexicon)
    known = [judged for judged in every if all(recipe_id in recipe_ids for recipe_id in judged.relevant)]
    caveats = []
    if len(known) < len(every):
        caveats.append(f"{len(every) - len(known)} left out since their recipes are not in the catalogue")
    if n_imported:
        caveats.append(f"{n_imported} imported recipes count as not relevant, also where one is as good")
    return QuerySet("golden queries", known, "; ".join(caveats))


def read_query_set(path: Path, lexicon: Lexicon, *, recipe_ids: Collection[str]) -> QuerySet:
    """The queries of a .jsonl or .parquet file; docs/evaluation.md describes the fields.

    Args:
        recipe_ids: of the catalogue. A relevant recipe that is not there could not be found by any version.
    Raises:
        BadEvaluationFile: with the line or row, the field, and what would be right.
        OSError: the file cannot be read.
    """
    readers = {".jsonl": _json_lines, ".parquet": _parquet_rows}
    if path.suffix not in readers:
        raise BadEvaluationFile(f"{path} must be one of {', '.join(readers)}")
    queries = _judged(path.name, readers[path.suffix](path), lexicon, recipe_ids=recipe_ids)
    if not queries:
        raise BadEvaluationFile(f"{path} holds no query")
    return QuerySet(f"queries of {path.name}", queries)


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except ValueError as error:
                    raise BadEvaluationFile(f"{path.name}, line {number}: no JSON: {error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise BadEvaluationFile(f"{path.name} is no Parquet file: {error}") from error
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"row {number}", {name: value for name, value in row.items() if value is not None}


def _judged(
    file: str, places: Iterable[tuple[str, Any]], lexicon: Lexicon, *, recipe_ids: Collection[str] | None = None
) -> list[JudgedQuery]:
    found: dict[str, JudgedQuery] = {}
    for place, row in places:
        try:
            judged = _judged_query(row, lexicon)
            if judged.name in found:
                raise _Wrong("query", f"{judged.query!r} stands in the file before, in the same language")
            unknown = [one for one in judged.relevant if recipe_ids is not None and one not in recipe_ids]
            if unknown:
                raise _Wrong("relevant", f"no recipe of the catalogue has the id {unknown[0]!r}")
        except _Wrong as error:
            raise BadEvaluationFile(f"{file}, {place}: {error}") from None
        found[judged.name] = judged
    return list(found.values())


class _Wrong(ValueError):
    """A field is wrong; whoever knows the place adds it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


def _judged_query(row: Any, lexicon: Lexicon) -> JudgedQuery:
    if not isinstance(row, Mapping):
        raise _Wrong("query", f"each line must be an object, got {row!r}")
    query = row.get("query")
    if not isinstance(query, str) or not query.strip():
        raise _Wrong("query", f"must be text, got {query!r}")
    return JudgedQuery(
        query=query.strip(),
        relevant=_gains(row.get("relevant")),
        language=_language(row.get("idioma"), query),
        without=_concepts(row.get("without", ()), lexicon),
        max_minutes=_minutes(row.get("max_minutes")),
        columns={
            str(name): NO_LABEL if value is None else str(value)
            for name, value in row.items()
            if name not in _KNOWN_FIELDS
        },
    )


def _gains(relevant: Any) -> dict[str, float]:
    # Parquet has mappings as lists of pairs, or with a None for each key of another row.
    if isinstance(relevant, list) and relevant and all(isinstance(one, tuple) for one in relevant):
        relevant = dict(relevant)
    if isinstance(relevant, list):
        relevant = dict.fromkeys(map(_identity, relevant), 1.0)
    if not isinstance(relevant, Mapping):
        raise _Wrong("relevant", f"must be a list of recipe ids, or a mapping from id to gain, got {relevant!r}")
    gains = {_identity(one): _gain(gain) for one, gain in relevant.items() if gain is not None}
    kept = {recipe_id: gain for recipe_id, gain in gains.items() if gain > 0}
    if not kept:
        raise _Wrong("relevant", "must name a recipe; a query with nothing right to it measures nothing")
    return kept


def _identity(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong("relevant", f"recipe ids must be text, got {value!r}")
    return value


def _gain(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise _Wrong("relevant", f"a gain must be a number of 0 or more, got {value!r}")
    return float(value)


def _language(value: Any, query: str) -> Language:
    if value is None:
        return detect(query)
    for language in LANGUAGES:
        if value == language:
            return language
    raise _Wrong("idioma", f"must be one of {', '.join(LANGUAGES)}, got {value!r}")


def _concepts(value: Any, lexicon: Lexicon) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _Wrong("without", f"must be a list of concepts of the lexicon, got {value!r}")
    unknown = [one for one in value if one not in lexicon.concepts]
    if unknown:
        raise _Wrong("without", f"the lexicon has no concept {unknown[0]!r}")
    return tuple(value)


def _minutes(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise _Wrong("max_minutes", f"must be a whole number from 1, got {value!r}")
    return value
