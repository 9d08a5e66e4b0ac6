"""``mlops evaluate`` and ``mlops compare``: a table in the terminal, JSON, one HTML page.

Exit codes: 0 done, or the challenger is better; 1 it is not better; 2 it could not be judged, or the command was typed
wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli.output import print_error
from mlops.clock import utc_now
from mlops.errors import MlopsError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops.evaluation import Comparison, MetricResult
    from mlops.reports import Section

NOT_BETTER = 1
NOT_JUDGED = 2

Qrels = Annotated[
    Path, typer.Option("--qrels", help="What is relevant: columns query_id, item_id, gain.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Report = Annotated[Path | None, typer.Option("--report", help="Also write an HTML page here.", show_default=False)]


def evaluate(
    run: Annotated[
        Path, typer.Option("--run", help="What was answered: columns query_id, item_id, score.", show_default=False)
    ],
    qrels: Qrels,
    metrics: Annotated[
        str, typer.Option(help="Names between commas: ndcg@10, ndcg_exp@10, mrr, map@10, recall@20 …")
    ] = "ndcg@10,mrr,map@10,recall@10",
    by: Annotated[str | None, typer.Option(help="Column whose values make slices, such as idioma.")] = None,
    as_json: AsJson = False,
    report: Report = None,
) -> None:
    """Measure a run against what is relevant. Exit code 0: measured, 2: it cannot be. Files: .parquet, .csv, .jsonl."""
    from mlops.evaluation import by_slice, evaluate_run, query_labels
    from mlops.evaluation.pages import metrics_section, slices_section

    with _judged():
        answered, judged = read_table(run), read_table(qrels)
        results = evaluate_run(answered, judged, metrics=_names(metrics))
        for result in results.values():
            _ = result.mean  # Nothing relevant in any query is no evaluation.
        labels = query_labels(answered, judged, by) if by else {}
        slices = {name: by_slice(result, labels) for name, result in results.items()} if by else {}
        sections = [metrics_section(results), *([slices_section(by, slices)] if by else [])]
        _write_page(report, f"Evaluation of {run.name}", sections)
    if as_json:
        typer.echo(json.dumps(_evaluation_body(results, by, slices), ensure_ascii=False, indent=2))
        return
    from mlops.cli import _evaluation_text as text

    text.print_metrics(results)
    for name, parts in slices.items():
        text.print_slices(name, by or "", parts)
    text.print_conventions(results)


def compare(
    champion: Annotated[Path, typer.Option(help="Run of the version that serves.", show_default=False)],
    challenger: Annotated[
        list[Path], typer.Option(help="Run to compare with it; several are corrected by Holm.", show_default=False)
    ],
    qrels: Qrels,
    metric: Annotated[str, typer.Option(help="Such as ndcg@10.")] = "ndcg@10",
    margin: Annotated[float, typer.Option(help="How much worse still counts as not worse.")] = 0.0,
    alpha: Annotated[float, typer.Option(help="Share of false alarms that is accepted.")] = 0.05,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    method: Annotated[str, typer.Option(help="percentile or bca.")] = "percentile",
    decision: Annotated[
        str | None, typer.Option(help="Count this look at the holdout in the state database, under this name.")
    ] = None,
    as_json: AsJson = False,
    report: Report = None,
) -> None:
    """Is a challenger better than the champion? Exit code 0: yes, 1: no, 2: cannot tell. Files as for evaluate."""
    from mlops.evaluation.pages import comparisons_section, verdict_badge

    with _judged():
        options = {"margin": margin, "alpha": alpha, "n_resamples": resamples, "seed": seed, "method": method}
        compared = _compared(champion, challenger, qrels, metric=metric, decision=decision, options=options)
        bodies = [{"challenger": name, "label": name, **one.to_dict()} for name, one in compared.items()]
        best = best_verdict(compared)
        title = f"{metric}: compared with {champion.name}"
        _write_page(report, title, [comparisons_section(bodies)], verdict_badge(best))
    if as_json:
        typer.echo(json.dumps({"champion": str(champion), "verdict": best, "comparisons": bodies}, indent=2))
    else:
        from mlops.cli._evaluation_text import print_comparisons

        print_comparisons(compared)
    raise typer.Exit({"better": 0, "cannot tell": NOT_JUDGED}.get(best, NOT_BETTER))


def _compared(
    champion: Path,
    challengers: Sequence[Path],
    qrels: Path,
    *,
    metric: str,
    decision: str | None,
    options: Mapping[str, Any],
) -> dict[str, Comparison]:
    from mlops.evaluation import compare_many, evaluate_run

    judged = read_table(qrels)
    before, *after = (
        evaluate_run(read_table(path), judged, metrics=[metric])[metric] for path in (champion, *challengers)
    )
    # Counted only now: a file that cannot be read is no look.
    n_looks = _looks(judged, decision) if decision else None
    return compare_many(before, dict(zip(_labels(challengers), after, strict=True)), n_looks=n_looks, **options)


def best_verdict(compared: Mapping[str, Comparison]) -> str:
    """The best verdict among several challengers: ``better``, ``not worse``, ``worse``, then ``cannot tell``."""
    verdicts = {one.verdict for one in compared.values()}
    return next(one for one in ("better", "not worse", "worse", "cannot tell") if one in verdicts)


def read_table(path: Path) -> pa.Table:
    """The table in a .parquet, .csv or .jsonl file.

    Raises:
        BadInput: it is another kind of file, or not one of its kind.
        OSError: it cannot be read.
    """
    import pyarrow as pa

    from mlops.evaluation import BadInput

    try:
        return _reader_for(path)(path)
    except pa.ArrowException as error:
        raise BadInput(f"{path} cannot be read as {path.suffix}: {error}") from error


def _reader_for(path: Path) -> Any:
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    from mlops.evaluation import BadInput

    readers = {".parquet": pyarrow.parquet.read_table, ".csv": pyarrow.csv.read_csv, ".jsonl": pyarrow.json.read_json}
    if path.suffix not in readers:
        raise BadInput(f"{path} must be one of {', '.join(readers)}")
    return readers[path.suffix]


@contextmanager
def _judged() -> Iterator[None]:
    """What was foreseen to go wrong is one line and the code for "could not be judged", not a stack trace."""
    try:
        yield
    except (MlopsError, OSError) as error:
        print_error(error)
        raise typer.Exit(NOT_JUDGED) from error


def _names(metrics: str) -> list[str]:
    return [name.strip() for name in metrics.split(",") if name.strip()]


def _labels(paths: Sequence[Path]) -> list[str]:
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _looks(qrels: pa.Table, decision: str) -> int:
    from mlops import schema
    from mlops.config import Settings, load_settings
    from mlops.evaluation import HoldoutLooks, holdout_id_of
    from mlops.store import Database

    database = Database(load_settings(Settings).state_url, tables=(schema.MIGRATIONS,))
    try:
        return HoldoutLooks(database).record(holdout_id_of(qrels), decision_id=decision, at=utc_now())
    finally:
        database.close()


def _evaluation_body(
    results: Mapping[str, MetricResult], by: str | None, slices: Mapping[str, Mapping[str, MetricResult]]
) -> dict[str, Any]:
    body: dict[str, Any] = {"metrics": {name: result.to_dict() for name, result in results.items()}}
    if by:
        body["by"] = {
            by: {name: {label: part.to_dict() for label, part in parts.items()} for name, parts in slices.items()}
        }
    return body


def _write_page(path: Path | None, title: str, sections: Sequence[Section], verdict: Any = None) -> None:
    if path is None:
        return
    from mlops.reports import render_page, save_page

    save_page(path, render_page(title, sections, verdict=verdict, made_at=utc_now()))
    typer.echo(f"report: {path}", err=True)
