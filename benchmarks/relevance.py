"""How good the answers are: the recommender beside four simpler ways, on 73,828 real recipes.

    python benchmarks/relevance.py [--data DIR] [--work DIR] [--json FILE]

1. Known-item search: the Spanish name of a recipe has to find its English original (600 pairs); MRR@10, recall@10.
2. Queries as cooks type them, with rules of relevance on the text of a recipe that know nothing of our lexicon
   (relevance_queries.toml says how they are written); nDCG@10, precision@3, constraint violations.
3. Recipe-MPR: the right one of five one-line options; accuracy.

The ways beside ours search without a filter for what the query rules out; that is the point. *Words*, *vectors* and the
*forerunner* get the query as typed, *fusion* the same four searches as ours, of the text that our query parser left.
Conventions: gain is linear (2, 1, 0), discount 1/log2(rank + 1), the ideal list holds the best of the whole catalogue,
a list shorter than its cutoff counts as padded with zeros, every query has a relevant recipe.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from _shortlist import rank_texts
from numpy.typing import NDArray

from mlops.store import Database
from recipes import schema
from recipes.answer import Ask
from recipes.catalog import Catalogue, Rating, Recipe, RecipeText
from recipes.catalog.importers import import_file
from recipes.constraints import Constraints
from recipes.encoder import Encoder, UseEncoder
from recipes.index import IndexBuilder, IndexLibrary
from recipes.index.search import N_BY_BODY_WORDS, N_BY_INGREDIENTS, N_BY_NAME, N_BY_NAME_WORDS
from recipes.index.store import DenseSearch, Hits, Search, VectorStore, WordSearch
from recipes.language import detect
from recipes.lexicon import Lexicon, cooking_lexicon
from recipes.query import understand
from recipes.recommender import Recommender
from recipes.terms import query_terms
from recipes.text import stems, tokens

HERE = Path(__file__).resolve().parent
FILES = (
    "allrecipes_recipes.parquet",
    "allrecipes_interactions.parquet",
    "es_en_parallel.parquet",
    "recipe_mpr_200.json",
)
K = 10
OURS = "ours"

Bools = NDArray[np.bool_]
System = Callable[[str], list[int]]  # a query -> numbers of the recipes shown, best first, at most K


# --- The catalogue and its index, kept between runs -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ground:
    """What is measured on.

    Attributes:
        cooked: how many people cooked each recipe, by recipe number.
        pairs: Spanish name and number of its English original.
    """

    catalogue: Catalogue
    lexicon: Lexicon
    encoder: Encoder
    recommender: Recommender
    store: VectorStore
    cooked: Mapping[int, int]
    pairs: Sequence[tuple[str, int]]


def prepare(data: Path, work: Path, lexicon: Lexicon) -> Ground:
    """Import what is missing, build the index if it is not current, open it."""
    work.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{work / 'state.db'}")
    database.upgrade(schema.MIGRATIONS)
    catalogue = Catalogue(database)
    pairs = pq.read_table(data / "es_en_parallel.parquet").to_pylist()
    interactions = pq.read_table(data / "allrecipes_interactions.parquet")
    done = work / "imported"
    if not done.exists():
        say("importing")
        import_file(database, data / "allrecipes_recipes.parquet", layout="parquet", rejects_dir=work)
        catalogue.save([_english(row) for row in pairs])
        _import_interactions(catalogue, interactions.to_pylist())
        done.touch()
    encoder = UseEncoder(n_threads=os.cpu_count() or 1)
    library = IndexLibrary(work / "index")
    began = time.perf_counter()
    manifest = IndexBuilder(catalogue, library, encoder, lexicon).build(_tell_progress)
    say(f"index of {manifest.n_recipes:,} recipes, {time.perf_counter() - began:.0f} s")
    index = library.open(encoder_name=encoder.name)
    recommender = Recommender(catalogue=catalogue, encoder=encoder, lexicon=lexicon, index=index)
    recommender.refresh()
    numbers = _numbers(catalogue)
    times = zip(*np.unique(interactions["recipe_id"].to_numpy(), return_counts=True), strict=True)
    return Ground(
        catalogue=catalogue,
        lexicon=lexicon,
        encoder=encoder,
        recommender=recommender,
        store=index._store,  # the same engine with the same vectors and words, without our rules
        cooked={
            numbers[_allrecipes_id(recipe)]: int(count) for recipe, count in times if _allrecipes_id(recipe) in numbers
        },
        pairs=[(row["name_es"], numbers[f"parallel-{row['id']}"]) for row in pairs],
    )


def _english(row: Mapping[str, Any]) -> Recipe:
    # A few of them have lost their steps; they can still be looked for.
    steps = row["steps_en"] or [row["name_en"]]
    text = RecipeText.checked(name=row["name_en"], ingredients=row["ingredients_en"], steps=steps)
    return Recipe(recipe_id=f"parallel-{row['id']}", source="parallel", language="en", texts={"en": text})


def _import_interactions(catalogue: Catalogue, rows: Sequence[Mapping[str, Any]]) -> None:
    """They say who cooked what, and carry no rating."""
    for start in range(0, len(rows), 5_000):
        batch = rows[start : start + 5_000]
        catalogue.rate(
            [Rating(f"allrecipes-{r['user_id']}", _allrecipes_id(r["recipe_id"]), None, None) for r in batch]
        )


def _allrecipes_id(number: int) -> str:
    return f"allrecipes.com-{number}"


def _numbers(catalogue: Catalogue) -> dict[str, int]:
    return {stored.recipe.recipe_id: stored.recipe_no for batch in catalogue.walk() for stored in batch}


def _tell_progress(progress: Any) -> None:
    if progress.n_done % 10_000 == 0:
        say(f"  {progress.n_done:,} of {progress.n_total:,} indexed, {progress.n_encoded:,} encoded")


def say(text: str) -> None:
    """What goes on, apart from the tables."""
    print(text, file=sys.stderr, flush=True)


# --- The systems ------------------------------------------------------------------------------------------------------


def systems(ground: Ground) -> dict[str, System]:
    """All of them by name, ours last. None keeps answers."""
    most_cooked = max(ground.cooked.values(), default=1)

    def searched(searches: Sequence[Search]) -> list[Hits]:
        return ground.store.search(searches, Constraints())

    def terms(words: Sequence[str], query: str) -> list[str]:
        weights = query_terms(words, ground.lexicon, detect(query)).weights
        return [term for term, weight in weights.items() if weight == 1.0] or list(weights)

    def words_only(query: str) -> list[int]:
        wanted = terms(stems(query), query)
        if not wanted:
            return []
        return _best(
            _summed(searched([WordSearch("name_words", wanted, 1_000), WordSearch("body_words", wanted, 1_000)]))
        )

    def vectors_only(query: str) -> list[int]:
        vector = ground.encoder.encode([query])[0]
        return [number for number, _ in searched([DenseSearch("name", vector, K)])[0]]

    def forerunner(query: str) -> list[int]:
        vector = ground.encoder.encode([query])[0]
        hits = searched([DenseSearch("name", vector, 2 * K)])[0]
        return _best({n: 0.7 * cosine + 0.3 * ground.cooked.get(n, 0) / most_cooked for n, cosine in hits})

    def fusion(query: str) -> list[int]:
        understood = understand(query, ground.lexicon)
        vector = ground.encoder.encode([understood.free_text or query])[0]
        wanted = terms(understood.words, query)
        searches: list[Search] = [DenseSearch("name", vector, N_BY_NAME)]
        searches.append(DenseSearch("ingredients", vector, N_BY_INGREDIENTS))
        if wanted:
            searches.append(WordSearch("name_words", wanted, N_BY_NAME_WORDS))
            searches.append(WordSearch("body_words", wanted, N_BY_BODY_WORDS))
        return _best(
            _summed([[(n, 1 / (60 + rank)) for rank, (n, _) in enumerate(hits, 1)] for hits in searched(searches)])
        )

    def ours(query: str) -> list[int]:
        return [shown.stored.recipe_no for shown in ground.recommender.answer(Ask(query, n=K)).shown]

    return {
        "words only": words_only,
        "vectors only": vectors_only,
        "forerunner": forerunner,
        "rank fusion": fusion,
        OURS: ours,
    }


def _summed(all_hits: Iterable[Hits]) -> dict[int, float]:
    score: dict[int, float] = {}
    for hits in all_hits:
        for number, value in hits:
            score[number] = score.get(number, 0.0) + value
    return score


def _best(score: Mapping[int, float]) -> list[int]:
    return sorted(score, key=lambda number: (-score[number], number))[:K]


# --- Rules of relevance -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Avoided:
    """Patterns that must not stand in a recipe.

    Attributes:
        exceptions: phrases in which they may.
        promises: phrases that pardon the whole line in which they stand.
        lines_only: names are not looked at; a gluten-free bread may call itself bread.
    """

    patterns: Sequence[str]
    exceptions: Sequence[str] = ()
    promises: Sequence[str] = ()
    lines_only: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One query of the file with its rules; every pattern is one word or a few words in a row."""

    query: str
    must: Sequence[Sequence[str]] = ()
    name: Sequence[Sequence[str]] = ()
    avoid: Sequence[Avoided] = ()


def read_queries(path: Path) -> list[Judged]:
    """The queries of *path*, with the named lists of what to avoid.

    Raises:
        ValueError: a query has no rule, or a key that means nothing.
    """
    source = tomllib.loads(path.read_text("utf-8"))
    lists = {
        name: Avoided(one["words"], one.get("except", ()), one.get("promise", ()), one.get("lines_only", False))
        for name, one in source["without"].items()
    }
    queries = []
    for entry in source["query"]:
        unknown = set(entry) - {"q", "must", "name", "without", "avoid", "except"}
        if unknown or not set(entry) & {"must", "name"}:
            raise ValueError(f"query {entry['q']!r} has unknown keys {sorted(unknown)} or no rule")
        own = [Avoided(entry["avoid"], entry.get("except", ()))] if "avoid" in entry else []
        avoid = [*own, *(lists[name] for name in entry.get("without", ()))]
        queries.append(Judged(entry["q"], entry.get("must", ()), entry.get("name", ()), avoid))
    return queries


# Of each recipe of the catalogue: its gain; whether it has what the query rules out.
Judgement = tuple[NDArray[np.float64], Bools]


class Texts:
    """The words of all names and ingredient lines, in a row, and where each stands: whole-word patterns in no time."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.numbers: list[int] = []
        vocabulary: dict[str, int] = {"": 0}
        words: list[int] = []
        recipes: list[int] = []
        lines: list[int] = []
        in_name: list[bool] = []
        n_lines = 0
        self.names: list[str] = []
        self.lines: list[tuple[str, ...]] = []
        for batch in catalogue.walk():
            for stored in batch:
                text = stored.recipe.original
                for line_no, line in enumerate((text.name, *text.ingredients)):
                    # A break behind each line, so that no pattern runs on into the next.
                    ids = [*(vocabulary.setdefault(word, len(vocabulary)) for word in tokens(line)), 0]
                    words += ids
                    recipes += [len(self.numbers)] * len(ids)
                    lines += [n_lines] * len(ids)
                    n_lines += 1
                    in_name += [line_no == 0] * len(ids)
                self.numbers.append(stored.recipe_no)
                self.names.append(text.name)
                self.lines.append(text.ingredients)
        self._vocabulary = vocabulary
        self._recipes = np.array(recipes, dtype=np.int32)
        self._line = np.array(lines, dtype=np.int32)
        self._in_name = np.array(in_name, dtype=np.bool_)
        stream = np.array(words, dtype=np.int32)
        self._order = np.argsort(stream, kind="stable")
        self._starts = np.searchsorted(stream[self._order], np.arange(len(vocabulary) + 1))
        self.row_of = {number: row for row, number in enumerate(self.numbers)}

    def gains(self, rules: Judged) -> Judgement:
        """Of each recipe: its gain (2 all rules, 1 all but one of several groups, 0), whether it has what to avoid."""
        groups = [self._holders(self._positions(group)) for group in rules.must]
        groups += [self._holders(self._positions(group, in_name=True)) for group in rules.name]
        kept = np.sum(groups, axis=0, dtype=np.int32)
        gains = np.where(kept == len(groups), 2.0, np.where((kept == len(groups) - 1) & (kept > 0), 1.0, 0.0))
        avoided = self._holders(self._avoided(rules))
        return np.where(avoided, 0.0, gains), avoided

    def offending(self, rules: Judged, row: int) -> list[str]:
        """What of the name and the lines of one recipe has what to avoid."""
        hits = self._avoided(rules)
        first_line = int(self._line[np.searchsorted(self._recipes, row)])
        texts = [self.names[row], *self.lines[row]]
        return [texts[line - first_line] for line in np.unique(self._line[hits[self._recipes[hits] == row]])]

    def _avoided(self, rules: Judged) -> NDArray[np.int64]:
        """Where something to avoid stands."""
        return np.concatenate([np.empty(0, dtype=np.int64), *(self._offences(avoided) for avoided in rules.avoid)])

    def _offences(self, avoided: Avoided) -> NDArray[np.int64]:
        hits = self._positions(avoided.patterns)
        excepted = np.zeros(len(self._recipes), dtype=np.bool_)
        for exception in avoided.exceptions:
            words = tokens(exception)
            for offset in range(len(words)):
                excepted[self._starts_of(words) + offset] = True
        pardoned = np.isin(self._line[hits], self._line[self._positions(avoided.promises)])
        ignored = excepted[hits] | pardoned
        return hits[~(ignored | self._in_name[hits] if avoided.lines_only else ignored)]

    def _holders(self, positions: NDArray[np.int64]) -> Bools:
        found = np.zeros(len(self.numbers), dtype=np.bool_)
        found[self._recipes[positions]] = True
        return found

    def _positions(self, patterns: Sequence[str], *, in_name: bool = False) -> NDArray[np.int64]:
        """Where one of *patterns* starts."""
        starts = [self._starts_of(tokens(pattern)) for pattern in patterns]
        hits = np.unique(np.concatenate(starts)) if starts else np.empty(0, dtype=np.int64)
        return hits[self._in_name[hits]] if in_name else hits

    def _starts_of(self, words: Sequence[str]) -> NDArray[np.int64]:
        starts = self._of_word(words[0])
        for offset, word in enumerate(words[1:], start=1):
            starts = np.intersect1d(starts, self._of_word(word) - offset, assume_unique=True)
        return starts

    def _of_word(self, word: str) -> NDArray[np.int64]:
        """Positions of *word* and its plain plurals, ascending."""
        ids = [self._vocabulary[form] for form in (word, f"{word}s", f"{word}es") if form in self._vocabulary]
        found = [self._order[self._starts[number] : self._starts[number + 1]] for number in ids]
        return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


# --- The measurements -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Result:
    """Figures of one system, and per query what they came from."""

    figures: dict[str, float]
    per_query: list[dict[str, Any]] = field(default_factory=list)


def known_items(system: System, pairs: Sequence[tuple[str, int]]) -> Result:
    """MRR@10 and recall@10; a name whose recipe is not among the first ten counts 0."""
    ranks = []
    for query, wanted in pairs:
        shown = system(query)
        ranks.append(shown.index(wanted) + 1 if wanted in shown else 0)
    found = np.array(ranks)
    figures = {
        "MRR@10": float(np.mean(np.divide(1.0, found, out=np.zeros(len(found)), where=found > 0))),
        "recall@10": float(np.mean(found > 0)),
    }
    per_query = [{"query": query, "rank": rank} for (query, _), rank in zip(pairs, ranks, strict=True)]
    return Result(figures, per_query)


def judged_queries(system: System, queries: Sequence[Judged], judgements: Sequence[Judgement], texts: Texts) -> Result:
    """nDCG@10, precision@3 (gain 2), and how many of the recipes shown have what the query rules out."""
    per_query: list[dict[str, Any]] = []
    for rules, (gains, avoided) in zip(queries, judgements, strict=True):
        rows = [texts.row_of[number] for number in system(rules.query)]
        shown = gains[rows]
        per_query.append(
            {
                "query": rules.query,
                "ndcg": dcg(shown) / dcg(np.sort(gains)[::-1][:K]) if gains.any() else 0.0,
                "precision": float(np.sum(shown[:3] == 2)) / 3,
                "violations": int(avoided[rows].sum()),
                "n_shown": len(rows),
                "n_relevant": int(np.sum(gains == 2)),
                "shown": [
                    {
                        "name": texts.names[row],
                        "gain": float(gains[row]),
                        "broken_by": texts.offending(rules, row) if avoided[row] else [],
                    }
                    for row in rows
                ],
            }
        )
    figures = {
        "nDCG@10": float(np.mean([one["ndcg"] for one in per_query])),
        "precision@3": float(np.mean([one["precision"] for one in per_query])),
        "violations": float(sum(one["violations"] for one in per_query)),
    }
    return Result(figures, per_query)


def dcg(gains: NDArray[np.float64]) -> float:
    """Sum of gain / log2(rank + 1) over *gains*, best rank first."""
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))


Chooser = Callable[[str, Sequence[str]], Sequence[float]]


def recipe_mpr(chooser: Chooser, entries: Sequence[Mapping[str, Any]]) -> Result:
    """Accuracy over all and per type of query; a query may be of several types, or of none."""
    per_query: list[dict[str, Any]] = []
    for entry in entries:
        # In the file the right option comes first: in that order a chooser that cannot decide would always be right.
        keys = sorted(entry["options"])
        scores = chooser(entry["query"], [entry["options"][key] for key in keys])
        chosen = keys[int(np.argmax(scores))]
        types = [name for name, holds in entry["query_type"].items() if holds]
        per_query.append(
            {
                "query": entry["query"],
                "types": types,
                "right": chosen == entry["answer"],
                "chosen": entry["options"][chosen],
                "answer": entry["options"][entry["answer"]],
            }
        )
    figures = {"all": float(np.mean([one["right"] for one in per_query]))}
    for name in entries[0]["query_type"]:
        figures[name] = float(np.mean([one["right"] for one in per_query if name in one["types"]]))
    return Result(figures, per_query)


def choosers(ground: Ground) -> dict[str, Chooser]:
    """The encoder alone, and ours."""

    def encoder_alone(query: str, options: Sequence[str]) -> Sequence[float]:
        vectors = ground.encoder.encode([query, *options])
        return [float(score) for score in vectors[1:] @ vectors[0]]

    def ours(query: str, options: Sequence[str]) -> Sequence[float]:
        return rank_texts(query, options, ground.encoder, ground.lexicon)

    return {"encoder alone": encoder_alone, OURS: ours}


# --- The report -------------------------------------------------------------------------------------------------------


def table(title: str, results: Mapping[str, Result]) -> str:
    """A Markdown table, a system a row, and where a figure is better when higher the ratio of ours to the best peer."""
    names = list(next(iter(results.values())).figures)
    lines = [f"### {title}", "", f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for system, result in results.items():
        cells = [f"{value:.0f}" if name == "violations" else f"{value:.3f}" for name, value in result.figures.items()]
        lines.append(f"| {system} | {' | '.join(cells)} |")
    ratios = []
    for name in names:
        best = max(result.figures[name] for system, result in results.items() if system != OURS)
        ratios.append("" if name == "violations" or not best else f"{results[OURS].figures[name] / best:.2f}")
    return "\n".join([*lines, f"| *ours / best other* | {' | '.join(ratios)} |", ""])


def measure(ground: Ground, data: Path) -> dict[str, dict[str, Result]]:
    """The three parts, each with its results by system."""
    texts = Texts(ground.catalogue)
    queries = read_queries(HERE / "relevance_queries.toml")
    entries = json.loads((data / "recipe_mpr_200.json").read_text("utf-8"))
    judgements = [texts.gains(rules) for rules in queries]
    compared = systems(ground)
    return {
        f"Known item by its Spanish name ({len(ground.pairs)} pairs)": {
            name: known_items(system, ground.pairs) for name, system in compared.items()
        },
        f"Queries with rules of relevance ({len(queries)})": {
            name: judged_queries(system, queries, judgements, texts) for name, system in compared.items()
        },
        f"Recipe-MPR, accuracy ({len(entries)} queries, chance 0.20)": {
            name: recipe_mpr(chooser, entries) for name, chooser in choosers(ground).items()
        },
    }


def main() -> None:
    """Measure and report. The exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    default = Path(os.environ.get("RECIPES_DATA_DIR") or HERE.parents[1] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=default, help="folder of the real data (RECIPES_DATA_DIR)")
    parser.add_argument("--work", type=Path, default=Path("var/benchmark"), help="where the index is built and kept")
    parser.add_argument("--json", type=Path, help="write all figures, with each query's answer, to this file")
    arguments = parser.parse_args()
    missing = [name for name in FILES if not (arguments.data / name).is_file()]
    if missing:
        print(
            f"skipped: {arguments.data} has no {', '.join(missing)}; say where they lie with --data or RECIPES_DATA_DIR"
        )
        return
    ground = prepare(arguments.data, arguments.work, cooking_lexicon())
    parts = measure(ground, arguments.data)
    for title, results in parts.items():
        print(table(title, results))
    if arguments.json:
        report = {
            title: {name: {"figures": one.figures, "per_query": one.per_query} for name, one in results.items()}
            for title, results in parts.items()
        }
        arguments.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
