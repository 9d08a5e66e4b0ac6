"""Versions of ``hybrid_ranker``: each measured on every source there is, two of them compared, and the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from mlops.clock import utc_now
from mlops.errors import UnknownVersion
from mlops.evaluation import (
    Comparison,
    GateVerdict,
    HoldoutLooks,
    MetricResult,
    compare,
    holdout_id_of,
    keeps_golden,
    output_valid,
    run_gates,
)
from mlops.model_registry import ModelRegistry
from recipes.errors import NothingToEvaluate
from recipes.evaluation import answers, feedback, interactions
from recipes.evaluation.answers import AnswerReader, evaluate_queries
from recipes.evaluation.feedback import FeedbackLog, evaluate_feedback, read_feedback
from recipes.evaluation.interactions import Split, evaluate_interactions, read_interactions, split
from recipes.evaluation.items import Items
from recipes.evaluation.query_sets import QuerySet, golden_queries, read_query_set
from recipes.evaluation.results import Evaluated
from recipes.ranker import MODEL_ID, Ranker, load_ranker
from recipes.service import Service

Outcome = Literal["better", "not better", "cannot tell"]


@dataclass(frozen=True)
class Sources:
    """What versions are measured on.

    Attributes:
        query_sets: by source; the first one decides.
        feedback: None where nobody reacted to an answer that can be ordered anew.
        interactions: None where none were given.
    """

    items: Items
    reader: AnswerReader
    query_sets: Mapping[str, QuerySet]
    feedback: FeedbackLog | None
    interactions: Split | None

    @property
    def n_queries(self) -> int:
        """How many queries each version is asked."""
        return sum(len(one.queries) for one in self.query_sets.values())


def gather(service: Service, *, queries: Path | None, interactions_file: Path | None) -> Sources:
    """The queries of a file, the golden ones of this catalogue, and a file of interactions, or else our own feedback.

    Raises:
        BadEvaluationFile: a file cannot be used.
        NothingToEvaluate: there is nothing at all.
        StoreUnavailable: the database does not answer.
    """
    items = Items.of(service.database)
    ids = items.rows
    query_sets = {} if queries is None else {"queries": read_query_set(queries, service.lexicon, recipe_ids=ids)}
    golden = golden_queries(service.lexicon, recipe_ids=ids, n_imported=items.n_imported)
    if golden.queries:
        query_sets["golden"] = golden
    cut, log = None, None
    if interactions_file is not None:
        known = read_interactions(interactions_file, items)
        cut = split(known, items, present=service.recommender.popularity)
    else:
        log = read_feedback(service.database)
    sources = Sources(items, AnswerReader(service.lexicon), query_sets, log if log and log.answers else None, cut)
    if not (sources.query_sets or sources.feedback or sources.interactions):
        raise NothingToEvaluate(
            "the golden queries ask for recipes that this catalogue does not have, and nobody reacted to an answer "
            "yet; give --queries FILE or --interactions FILE"
        )
    return sources


def load_version(registry: ModelRegistry, version: str | None) -> Ranker:
    """A registered version from its verified files; None is the one in production.

    Raises:
        UnknownVersion: there is none.
        ArtefactError: its files are not what was registered.
        RankerFailed: they are no ranker.
        StoreUnavailable: the database does not answer.
    """
    if version is None:
        found = registry.get_production_model(MODEL_ID)
        if found is None:
            raise UnknownVersion(f"{MODEL_ID} has no version in production; name one with --version")
    else:
        found = registry.get_model(MODEL_ID, version)
        if found is None:
            known = ", ".join(sorted(one.version for one in registry.list_models(MODEL_ID)))
            raise UnknownVersion(f"{MODEL_ID} has the versions {known}; asked for {version}")
    return load_ranker(found, registry.files(found))


def evaluate_version(
    service: Service,
    ranker: Ranker,
    sources: Sources,
    *,
    metrics: Sequence[str] | None = None,
    on_query: Callable[[int], None] = lambda n_done: None,
) -> list[Evaluated]:
    """*ranker*, measured on each of *sources*.

    Args:
        metrics: the same for all sources. Default: what suits each.
        on_query: told how many queries were answered so far.
    Raises:
        BadInput: no metric has one of the names; or see :func:`~recipes.evaluation.answers.ask_all`.
    """
    counter = count(1)
    found = [
        evaluate_queries(
            service.recommender,
            ranker,
            query_set,
            items=sources.items,
            reader=sources.reader,
            source=source,
            metrics=metrics or answers.METRICS,
            on_query=lambda: on_query(next(counter)),
        )
        for source, query_set in sources.query_sets.items()
    ]
    if sources.feedback is not None:
        found.append(evaluate_feedback(ranker, sources.feedback, metrics=metrics or feedback.METRICS))
    if sources.interactions is not None:
        wanted = metrics or interactions.METRICS
        found.append(evaluate_interactions(ranker, sources.interactions, sources.items, metrics=wanted))
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """Is the challenger better?

    Attributes:
        comparisons: on each source that has something relevant, of its first metric. The first one decides.
        gates: all of them have to pass.
        outcome: ``better`` only where the first comparison says so and all gates pass.
    """

    champion: str
    challenger: str
    comparisons: Mapping[str, Comparison]
    gates: Sequence[GateVerdict]
    outcome: Outcome


def decide(
    champion: Sequence[Evaluated],
    challenger: Sequence[Evaluated],
    *,
    looks: HoldoutLooks,
    decision_id: str | None = None,
    margin: float = 0.0,
) -> Decision:
    """Compare two versions, measured on the same sources, and remember that their data were looked at.

    Args:
        decision_id: under which looks are counted. Default: the two versions.
        margin: how much worse still counts as not worse.
    Raises:
        BadInput: *margin* is below 0.
        StoreUnavailable: the database does not answer.
    """
    versions = (champion[0].version, challenger[0].version)
    name = decision_id or f"{MODEL_ID} {versions[1]} against {versions[0]}"
    comparisons = {}
    for before, after in zip(champion, challenger, strict=True):
        old, new = _first_metric(before), _first_metric(after)
        if old.values.size:
            n_looks = looks.record(holdout_id_of(before.qrels), decision_id=name, at=utc_now())
            comparisons[before.source] = compare(old, new, margin=margin, n_looks=n_looks)
    verdicts = _gates(champion, challenger)
    return Decision(*versions, comparisons, verdicts, _outcome(list(comparisons.values()), verdicts))


def _first_metric(evaluated: Evaluated) -> MetricResult:
    return next(iter(evaluated.metrics.values()))


def _gates(champion: Sequence[Evaluated], challenger: Sequence[Evaluated]) -> list[GateVerdict]:
    """The golden queries that the champion answers are kept, and every answer is valid."""
    verdicts = []
    for before, after in zip(champion, challenger, strict=True):
        if after.golden:
            verdicts += run_gates([keeps_golden()], after.for_gates, before.for_gates)
        if after.problems is not None:
            verdicts += run_gates([output_valid()], after.for_gates, before.for_gates)
    return verdicts


def _outcome(comparisons: Sequence[Comparison], gates: Sequence[GateVerdict]) -> Outcome:
    outcomes = {gate.outcome for gate in gates}
    if "failed" in outcomes:
        return "not better"
    if not comparisons or comparisons[0].verdict == "cannot tell" or "cannot tell" in outcomes:
        return "cannot tell"
    return "better" if comparisons[0].verdict == "better" else "not better"
