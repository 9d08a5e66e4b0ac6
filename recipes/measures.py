"""What the service measures of its answers, and what each measure means.

All but the status of a request is known when the answer is made, and recorded there: a few microseconds, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlops.monitoring.protocol import Labels, Metrics
from recipes.constraints import Constraints
from recipes.recommender import Answer

# Stages of the path of a request that have a measure of their own.
_STAGES: Mapping[str, str] = {
    "parse": "parse_ms",
    "encode": "encode_ms",
    "retrieve": "retrieve_ms",
    "rank": "rank_ms",
    "load": "load_ms",
    "shelf": "shelf_ms",
}
# Asked by machines every few seconds: among the requests of cooks they would make failures look rare.
_OF_MACHINES = ("/health", "/metrics")
_RECOMMEND = "/recommend"
_FAILED = 500


class ServiceMeasures:
    """Records what the service does in *metrics*. Safe to use from several threads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Labels by what they say, made once.
        self._labels: dict[tuple[str, ...], Labels] = {}

    def answered(self, answer: Answer) -> None:
        """Record what is known of *answer* to a query when it is made."""
        record = self._metrics.record
        labels = self._of_answer(answer.model_version, answer.ask.language)
        for stage, milliseconds in answer.stage_ms.items():
            record(_STAGES[stage], milliseconds, labels)
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
        if route.startswith(_OF_MACHINES):
            return
        record = self._metrics.record
        record("request_count", 1.0, self._of_request(route, str(status)))
        record("error_rate", float(status >= _FAILED), self._of_route(route))
        if route == _RECOMMEND and version is not None and language is not None:
            record("api_latency_ms", milliseconds, self._of_answer(version, language))
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


def n_constraints(rules: Constraints) -> int:
    """How many rules a cook gave: foods to include or leave out, a time, meals."""
    n_foods = len(rules.exclude) + len(rules.exclude_words) + len(rules.include)
    return n_foods + (rules.max_minutes is not None) + bool(rules.meals)
