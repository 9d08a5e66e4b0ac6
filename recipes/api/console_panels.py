"""What the recommender adds to pages of the console: golden queries, what drift looks at, the map of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from mlops.drift import DriftReport, check_drift
from mlops.http.console import Ask, Panel
from mlops.http.console.view import ConsoleBlock
from mlops.http.words import Language, Words
from mlops.monitoring.drift_book import DriftBook
from mlops.reports import MOST_SPOTS, Badge, Chart, Facts, Landmark, Legend, Prose, Said, Spot, Table, spot_map
from mlops.reports.page import Cell, Tone
from mlops.store import Database
from recipes.catalog import Catalogue
from recipes.golden_results import GoldenResult, GoldenResults
from recipes.query_map import EDGE, FEWEST_RECIPES, QueryMap, read_cells
from recipes.query_map import Cell as MapCell
from recipes.ranker import MODEL_ID
from recipes.request_drift import NEW, QUESTION_COLUMNS
from recipes.signals import WINDOW

# This week against the four before it, of each the newest: more say the same, and take longer to read.
CURRENT, REFERENCE = timedelta(days=7), timedelta(days=35)
MOST_QUERIES = 5_000
_MOST_VERSIONS, _MOST_MISSED = 20, 30
_LONGEST_NAME = 26
_QUARTERS = (
    ("upper_left", False, True),
    ("upper_right", True, True),
    ("lower_left", False, False),
    ("lower_right", True, False),
)
_TONES: dict[str, Tone] = {"drift": "bad", "no drift": "good", "not enough data": "note"}


@cache
def _all_words() -> dict[Language, Words]:
    return Words.load([Path(__file__).with_name("console_words.toml")])


def golden_panel(results: GoldenResults, ask: Ask) -> list[Panel]:
    """How the versions that served answered the golden queries."""
    t = _all_words()[ask.language]
    found = [one for one in results.newest(_MOST_VERSIONS) if one.answered]
    if not found:
        return [Panel("golden", t("golden.heading"), [Prose(t("golden.none"))])]
    rows: list[list[Cell]] = [_golden_row(one) for one in found]
    columns = ["version", "answered", "asked", "ndcg_at_3", "made_at"]
    blocks: list[ConsoleBlock] = [Prose(t("golden.lead")), Table(columns, rows)]
    newest = found[0]
    missed = [name for name, is_answered in newest.answered.items() if not is_answered]
    if missed:
        # A name begins with the language of the answer: "es: sopa de lentejas".
        parted = [name.partition(": ") for name in missed[:_MOST_MISSED]]
        queries: list[list[Cell]] = [[Said(query, language, is_quoted=True)] for language, _, query in parted]
        blocks.append(Table(["query"], queries, t.count("golden.missed", len(missed), version=newest.version)))
    return [Panel("golden", t("golden.heading"), blocks)]


def _golden_row(one: GoldenResult) -> list[Cell]:
    ndcg = None if one.ndcg is None else float(f"{one.ndcg:.3g}")
    return [one.version, sum(one.answered.values()), len(one.answered), ndcg, one.made_at]


@dataclass(frozen=True, slots=True)
class _Sample:
    """The queries of a window, by cell."""

    since: datetime
    until: datetime
    cells: Sequence[MapCell]

    @property
    def n(self) -> int:
        return sum(cell.n for cell in self.cells)

    @property
    def columns(self) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        """Both coordinates of each query."""
        counts = [cell.n for cell in self.cells]
        return {
            axis: np.repeat(np.array([getattr(cell, axis) for cell in self.cells], dtype=np.float64), counts)
            for axis in ("x", "y")
        }

    def share(self, right: bool, upper: bool) -> float | None:
        """Of a quarter of the map; what lies on an axis belongs to the right and to the upper one."""
        inside = sum(cell.n for cell in self.cells if (cell.x >= 0) == right and (cell.y >= 0) == upper)
        return float(f"{100 * inside / self.n:.3g}") if self.n else None

    @property
    def spots(self) -> list[Spot]:
        """The fullest cells."""
        n, fullest = self.n, sorted(self.cells, key=lambda cell: (-cell.n, cell.x, cell.y))[:MOST_SPOTS]
        return [Spot(cell.x, cell.y, cell.n / n) for cell in fullest]


def compared_panel(book: DriftBook, ask: Ask) -> list[Panel]:
    """Which rows the newest drift check looked at, of questions and of shown recipes, and what follows from either."""
    t = _all_words()[ask.language]
    found = book.newest(MODEL_ID)
    if found is None:
        return [Panel("compared", t("compared.heading"), [Prose(t("compared.none"))])]
    check, report = found
    compared, drifted = set(report.compared_columns), set(report.drifted_columns)
    parts = (
        ("questions", "before", "alert_and_training", NEW, compared & QUESTION_COLUMNS),
        ("features", "learned", "training", WINDOW, compared - QUESTION_COLUMNS),
    )
    rows: list[list[Cell]] = [
        [
            t(f"compared.{name}"),
            f"{t.time(check.made_at - window)} – {t.time(check.made_at)}",
            t(f"compared.{reference if judged else f'no_{name}'}", version=check.version),
            len(judged),
            len(judged & drifted),
            t(f"compared.{consequence}"),
        ]
        for name, reference, consequence, window, judged in parts
    ]
    columns = ["subject", "current", "reference", "n_compared", "n_drifted", "consequence"]
    return [Panel("compared", t("compared.heading"), [Prose(t("compared.lead")), Table(columns, rows)])]


def query_map_panel(database: Database, catalogue: Catalogue, query_map: QueryMap | None, ask: Ask) -> list[Panel]:
    """Where the queries of the last week lie, against those of the four weeks before."""
    t = _all_words()[ask.language]
    heading = t("map.heading")
    if query_map is None:
        return [Panel("query-map", heading, [Prose(t("map.no_map", n=FEWEST_RECIPES))])]
    edge = ask.now - CURRENT
    reference, current = (
        _Sample(since, until, read_cells(database, query_map.encoder, since=since, until=until, most=MOST_QUERIES))
        for since, until in ((ask.now - REFERENCE, edge), (edge, ask.now))
    )
    if not (reference.cells or current.cells):
        return [Panel("query-map", heading, [Prose(t("map.no_queries"))])]
    report = check_drift(reference.columns, current.columns)
    landmarks = _landmarks(query_map, catalogue, ask.language)
    text = _told(report, t)
    more = f"{text} {t('map.read_table')}"
    drawing = spot_map(reference.spots, current.spots, landmarks, extent=EDGE, title=heading, description=more)
    blocks: list[ConsoleBlock] = [
        Badge(t(f"map.verdicts.{report.verdict.replace(' ', '_')}"), _TONES[report.verdict]),
        Legend(t("map.reference"), t("map.current")),
        Chart(drawing, text),
        _quarters(reference, current, landmarks, t),
        _about(reference, current, query_map, t),
        Prose(t("map.lead")),
    ]
    return [Panel("query-map", heading, blocks)]


def _told(report: DriftReport, t: Words) -> str:
    """What the test along both axes says."""
    judged = [one for one in report.results if one.score is not None and one.adjusted_p is not None]
    if not judged:
        return t("map.not_judged")
    worst = max(judged, key=lambda one: one.score or 0.0)
    effect, p = float(f"{worst.score:.3g}"), t.p_value(worst.adjusted_p or 0.0)
    return t("map.told", effect=t.number(effect), limit=t.number(worst.threshold), p=p)


def _landmarks(query_map: QueryMap, catalogue: Catalogue, language: Language) -> list[Landmark]:
    """Recipes that are still in the catalogue, by their present names."""
    found = catalogue.get_many([number for number, _, _ in query_map.landmarks])
    return [
        Landmark(x, y, _short(found[number].text_in(language)[0].name))
        for number, x, y in query_map.landmarks
        if number in found
    ]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1].rstrip()}…"


def _quarters(reference: _Sample, current: _Sample, landmarks: Sequence[Landmark], t: Words) -> Table:
    """The map in words: how much of each sample lies in each quarter, and which recipes do."""
    rows: list[list[Cell]] = []
    for name, right, upper in _QUARTERS:
        near = [one.label for one in landmarks if (one.x >= 0) == right and (one.y >= 0) == upper][:3]
        shares = reference.share(right, upper), current.share(right, upper)
        rows.append([t(f"map.quarters.{name}"), *shares, ", ".join(near) or None])
    return Table(["quarter", "reference_percent", "current_percent", "near"], rows, t("map.quarters_caption"))


def _about(reference: _Sample, current: _Sample, query_map: QueryMap, t: Words) -> Facts:
    span = "{} – {}".format
    return Facts(
        [
            ("reference", span(t.time(reference.since), t.time(reference.until))),
            ("n_reference", reference.n),
            ("current", span(t.time(current.since), t.time(current.until))),
            ("n_current", current.n),
            ("axes_percent", float(f"{100 * query_map.explained:.3g}")),
            ("learned_from", t.count("map.recipes", query_map.n_recipes)),
        ]
    )
