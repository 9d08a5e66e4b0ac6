"""What the service measures of its answers, and what each measure means.

All but the status of a request is known when the answer is made, and recorded there: a few microseconds, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlops.monitoring.descriptions import Description, description
from mlops.monitoring.protocol import Labels, Metrics
from recipes.answer import Answer
from recipes.constraints import Constraints

_TENTHS = tuple(tenth / 10 for tenth in range(1, 11))
# What each measure is: kind, unit, meaning. All that the service records is here, and nothing else; a test compares.
MEASURES: Mapping[str, Description] = {
    "api_latency_ms": description(unit="ms", help="Time of an answer to POST /recommend, by version and language"),
    "slow_rate": description(unit="share", help="1 for an answer slower than SLO_LATENCY_MS, 0 for others"),
    "http_latency_ms": description(unit="ms", help="Time of any other request, by route"),
    "request_count": description("counter", help="Requests, by route and status"),
    "error_rate": description(unit="share", help="1 for a request that the service failed, 0 for others, by route"),
    "parse_ms": description(unit="ms", help="Understanding a query"),
    "encode_ms": description(unit="ms", help="From words to a vector"),
    "retrieve_ms": description(unit="ms", help="Finding candidates in the index"),
    "rank_ms": description(unit="ms", help="Ranking the candidates"),
    "load_ms": description(unit="ms", help="Reading the recipes that are shown"),
    "shelf_ms": description(unit="ms", help="Choosing from popular recipes while encoder or index are away"),
    "translation_latency_ms": description(unit="ms", help="Translating a recipe, in the background"),
    "num_recipes": description(help="Recipes in an answer"),
    "empty_results": description(unit="share", help="1 for an answer without a recipe, 0 for others"),
    "degraded_answers": description(unit="share", help="1 for an answer without encoder or index, 0 for others"),
    "constraint_count": description(help="Rules that a cook gave"),
    "top_score": description(help="Score of the first recipe, 0 to 1", boundaries=_TENTHS),
    "expected_rate": description(
        "gauge", unit="share", help="Click or cook rate to be expected of the last day's impressions, and its band"
    ),
    "observed_rate": description("gauge", unit="share", help="The same of those whose outcome is known"),
    "process_cpu_percent": description("gauge", unit="percent", help="Load of a process, 100 is one core"),
    "process_memory_mb": description("gauge", unit="MB", help="Resident memory of a process"),
    "event_loop_lag_ms": description(unit="ms", help="How much too late the event loop wakes a sleeper"),
    "queue_depth": description("gauge", help="What waits in a queue"),
    "dropped_count": description("counter", help="What a full queue dropped"),
    "label_overflow_count": description("counter", help="Points whose labels were too many"),
    "metric_write_failures": description("counter", help="Flushes of metrics that failed, and torn lines"),
    "answer_problem_count": description("counter", help="Answers that broke a rule, by kind, of those looked at"),
}

# Stages of the path of a request that have a measure of their own.
STAGE_MEASURES: Mapping[str, str] = {
    "parse": "parse_ms",
    "encode": "encode_ms",
    "retrieve": "retrieve_ms",
    "rank": "rank_ms",
    "load": "load_ms",
    "shelf": "shelf_ms",
}
# Asked by machines every few seconds: among the requests of cooks they would make failures look rare.
_OF_OPERATORS = ("/health", "/metrics", "/consola")
_RECOMMEND = "/recommend"
_FAILED = 500


class ServiceMeasures:
    """Records what the service does in *metrics*. Safe to use from several threads."""

    def __init__(self, metrics: Metrics, *, slow_ms: float) -> None:
        """Nothing is recorded yet.

        Args:
            slow_ms: an answer that takes longer counts as slow.
        """
        self._metrics = metrics
        self._slow_ms = slow_ms
        # Labels by what they say, made once.
        self._labels: dict[tuple[str, ...], Labels] = {}

    def answered(self, answer: Answer) -> None:
        """Record what is known of *answer* to a query when it is made."""
        record = self._metrics.record
        labels = self._of_answer(answer.model_version, answer.ask.language)
        for stage, milliseconds in answer.stage_ms.items():
            record(STAGE_MEASURES[stage], milliseconds, labels)
        record("num_recipes", len(answer.shown), labels)
        record("empty_results", float(not answer.shown), labels)
        record("degraded_answers", float(answer.mode != "full"), labels)
        record("constraint_count", n_constraints(answer.constraints), labels)
        if answer.shown:
            record("top_score", answer.shown[0].score, labels)

    def requested(
        self, route: str, status: int, milliseconds: float, *, version: str | None = None, language: str | None = None
    ) -> None:
        """Record that a request was answered.

        Args:
            route: its pattern, such as ``/recetas/{recipe_id}``.
            version, language: of the answer, where the request was for recipes.
        """
        if is_of_operators(route):
            return
        record = self._metrics.record
        record("request_count", 1.0, self._of_request(route, str(status)))
        record("error_rate", float(status >= _FAILED), self._of_route(route))
        if route == _RECOMMEND and version is not None and language is not None:
            labels = self._of_answer(version, language)
            record("api_latency_ms", milliseconds, labels)
            record("slow_rate", float(milliseconds > self._slow_ms), labels)
        else:
            record("http_latency_ms", milliseconds, self._of_route(route))

    def translated(self, milliseconds: float) -> None:
        """Record that the translation of a recipe took so long."""
        self._metrics.record("translation_latency_ms", milliseconds)

    def _of_answer(self, version: str, language: str) -> Labels:
        return self._labels.setdefault((version, language), {"version": version, "language": language})

    def _of_request(self, route: str, status: str) -> Labels:
        return self._labels.setdefault(("request", route, status), {"route": route, "status": status})

    def _of_route(self, route: str) -> Labels:
        return self._labels.setdefault(("route", route), {"route": route})


def is_of_operators(route: str) -> bool:
    """Whether *route* is asked by operators or their machines, every few seconds, and not by cooks."""
    return route.startswith(_OF_OPERATORS)


def n_constraints(rules: Constraints) -> int:
    """How many rules a cook gave: foods to include or leave out, a time, meals."""
    n_foods = len(rules.exclude) + len(rules.exclude_words) + len(rules.include)
    return n_foods + (rules.max_minutes is not None) + bool(rules.meals)
