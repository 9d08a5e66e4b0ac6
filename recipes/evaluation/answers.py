"""A version answers a query set, through the whole path of a request and off the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlops.evaluation import evaluate_run
from mlops.evaluation.metrics import metrics_of
from mlops.sentences import listed, say
from recipes.answer import Answer, Ask, Shown
from recipes.catalog import StoredRecipe
from recipes.constraints import Constraints
from recipes.contents import Contents, contents_of
from recipes.durations import minutes_at_least
from recipes.errors import IndexUnavailable
from recipes.evaluation.items import Items, list_figures
from recipes.evaluation.query_sets import NO_LABEL, JudgedQuery, QuerySet
from recipes.evaluation.results import Evaluated, scores_by_place
from recipes.lexicon import Lexicon
from recipes.ranker import Ranker
from recipes.recommender import Recommender

N_SHOWN = 3
LEAST_DEPTH = 20
METRICS = ("ndcg@3", "mrr", "recall@10", "hit_rate@3")
BUILT_IN_SLICES = ("idioma", "exclusion", "time_limit")

OnQuery = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and what a version answered.

    Attributes:
        ranked: ids of the recipes, best first, as deep as the metrics look.
        shown: the three that a cook would see.
        rules: read in the query.
        broken: a sentence for each recipe shown that breaks a rule.
        malformed: a sentence for each other fault of the answer.
        latency_ms: of the answer of three.
        n_in_language: of the recipes shown, those with a text in the language asked for.
    """

    judged: JudgedQuery
    ranked: Sequence[str]
    shown: Sequence[Shown]
    rules: Constraints
    broken: Sequence[str]
    malformed: Sequence[str]
    latency_ms: float
    n_in_language: int


class AnswerReader:
    """Reads in recipes themselves what an answer must keep; what the index says of them does not count."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._contents: dict[str, Contents] = {}

    def contents(self, stored: StoredRecipe) -> Contents:
        """What a recipe contains."""
        known = self._contents.get(stored.content_hash)
        if known is None:
            known = self._contents[stored.content_hash] = contents_of(stored.recipe, self._lexicon)
        return known

    def broken(self, judged: JudgedQuery, answer: Answer) -> Iterator[str]:
        """Rules that recipes of *answer* break: those read in the query, and those stated with it."""
        rules = answer.constraints
        limits = [limit for limit in (judged.max_minutes, rules.max_minutes) if limit is not None]
        for shown in answer.shown:
            recipe = shown.stored.recipe
            if self.contents(shown.stored).breaks({*rules.exclude, *judged.without}, rules.exclude_words):
                yield say(
                    "{query!r} was answered with {recipe}, which contains what it rules out",
                    query=judged.query,
                    recipe=recipe.recipe_id,
                )
            minutes = recipe.minutes or minutes_at_least(recipe.original.steps)
            if limits and minutes > min(limits):
                yield say(
                    "{query!r} was answered with {recipe}, which takes {minutes:d} minutes",
                    query=judged.query,
                    recipe=recipe.recipe_id,
                    minutes=minutes,
                )


def ask_all(
    recommender: Recommender,
    ranker: Ranker,
    queries: Sequence[JudgedQuery],
    *,
    depth: int,
    reader: AnswerReader,
    on_query: OnQuery = lambda: None,
) -> list[Asked]:
    """Ask every query: once as a cook would, for three recipes, and once as deep as the metrics look.

    Raises:
        EncoderUnavailable, IndexUnavailable, StoreUnavailable: nothing can be answered.
        IndexUnavailable: or not as usual, so that it would be no measure of the version.
        RankerFailed: the version's scores are of no use.
    """
    # It also warms up: the first answer is not slower than the others.
    recommender.rehearse(ranker)
    found = []
    for judged in queries:
        found.append(_asked(recommender, ranker, judged, depth=depth, reader=reader))
        on_query()
    return found


def _asked(recommender: Recommender, ranker: Ranker, judged: JudgedQuery, *, depth: int, reader: AnswerReader) -> Asked:
    answer = recommender.answer_with(ranker, Ask(judged.query, n=N_SHOWN, language=judged.language))
    deep = (
        answer
        if depth == N_SHOWN
        else recommender.answer_with(ranker, Ask(judged.query, n=depth, language=judged.language))
    )
    for one in (answer, deep):
        if one.mode != "full":
            reasons = "; ".join(recommender.problems.values()) or f"the answer to {judged.query!r} is {one.mode}"
            raise IndexUnavailable(f"the search does not work as usual, which no version can be judged by: {reasons}")
    return Asked(
        judged=judged,
        ranked=[shown.stored.recipe.recipe_id for shown in deep.shown],
        shown=answer.shown,
        rules=answer.constraints,
        broken=list(reader.broken(judged, answer)),
        malformed=list(_malformed(judged, answer)),
        latency_ms=answer.latency_ms,
        n_in_language=sum(shown.stored.text_in(judged.language)[1] == judged.language for shown in answer.shown),
    )


def _malformed(judged: JudgedQuery, answer: Answer) -> Iterator[str]:
    ids = [shown.stored.recipe.recipe_id for shown in answer.shown]
    if len(set(ids)) < len(ids):
        yield say("{query!r} was answered with a recipe twice: {recipes}", query=judged.query, recipes=listed(ids))
    if len(ids) < N_SHOWN and not answer.notices:
        yield say("{query!r} was answered with {n:d} recipes, and no notice says why", query=judged.query, n=len(ids))
    if not all(np.isfinite(shown.score) for shown in answer.shown):
        yield say("{query!r} was answered with a score that is no finite number", query=judged.query)


def evaluate_queries(
    recommender: Recommender,
    ranker: Ranker,
    query_set: QuerySet,
    *,
    items: Items,
    reader: AnswerReader,
    source: str,
    metrics: Sequence[str] = METRICS,
    on_query: OnQuery = lambda: None,
) -> Evaluated:
    """Measure *ranker* on *query_set*.

    Raises:
        BadInput: no metric has one of the names; or as :func:`ask_all`.
    """
    chosen = metrics_of(metrics)
    depth = max(LEAST_DEPTH, *(metric.k or 0 for metric in chosen))
    asked = ask_all(recommender, ranker, query_set.queries, depth=depth, reader=reader, on_query=on_query)
    run = {one.judged.name: scores_by_place(one.ranked) for one in asked}
    return Evaluated(
        source=source,
        about=_about(query_set, depth),
        version=ranker.version,
        qrels=query_set.qrels,
        metrics=evaluate_run(run, query_set.qrels, metrics=list(metrics)),
        figures=_figures(asked, items, reader),
        labels=_labels(asked, query_set.columns),
        problems=[problem for one in asked for problem in (*one.broken, *one.malformed)],
        golden={one.judged.name: is_as_it_must_be(one) for one in asked} if source == "golden" else {},
    )


def is_as_it_must_be(asked: Asked) -> bool:
    """Whether everything relevant is among the three shown, and no rule is broken."""
    shown = {shown.stored.recipe.recipe_id for shown in asked.shown}
    return shown.issuperset(asked.judged.relevant) and not asked.broken


def _about(query_set: QuerySet, depth: int) -> str:
    caveat = f" ({query_set.caveat})" if query_set.caveat else ""
    return (
        f"{len(query_set.queries)} {query_set.name}{caveat}: each answered as a cook's would be, with {N_SHOWN} "
        f"recipes for the figures and the latency, with {depth} for the metrics; what is not listed as relevant "
        f"counts as not relevant"
    )


def _figures(asked: Sequence[Asked], items: Items, reader: AnswerReader) -> dict[str, float | None]:
    lists = items.lists([shown.stored.recipe.recipe_id for shown in one.shown] for one in asked)
    contents = {
        items.rows[shown.stored.recipe.recipe_id]: reader.contents(shown.stored).concepts
        for one in asked
        for shown in one.shown
        if shown.stored.recipe.recipe_id in items.rows
    }
    n_shown = sum(len(one.shown) for one in asked)
    latencies = np.array([one.latency_ms for one in asked])
    return {
        **(list_figures(lists, items, used=items.n_ratings, contents=contents) if n_shown else {}),
        "violations": float(sum(len(one.broken) for one in asked)),
        "malformed_answers": float(sum(bool(one.malformed) for one in asked)),
        "empty_answers": float(sum(not one.shown for one in asked)),
        "in_language": sum(one.n_in_language for one in asked) / n_shown if n_shown else None,
        "p50_ms": float(np.percentile(latencies, 50)),
        "p95_ms": float(np.percentile(latencies, 95)),
    }


def _labels(asked: Sequence[Asked], columns: Sequence[str]) -> dict[str, dict[str, str]]:
    labels: dict[str, Mapping[str, str]] = {
        one.judged.name: {
            **{column: one.judged.columns.get(column, NO_LABEL) for column in columns},
            "idioma": one.judged.language,
            "exclusion": _with(bool(one.rules.exclude or one.rules.exclude_words)),
            "time_limit": _with(one.rules.max_minutes is not None),
        }
        for one in asked
    }
    names = dict.fromkeys((*BUILT_IN_SLICES, *columns))
    return {name: {query: values[name] for query, values in labels.items()} for name in names}


def _with(has: bool) -> str:
    return "with" if has else "without"
