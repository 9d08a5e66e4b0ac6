"""``recipes evaluate``: is a version of ``hybrid_ranker`` any good, and is it better than another one?

Exit codes without ``--against`` as for all of ``recipes``. With it: 0 the version is better, 1 it is not, 2 it could
not be judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops.errors import MlopsError
from recipes.config import load_settings
from recipes.terminal import progress

if TYPE_CHECKING:
    from recipes.evaluation.results import Evaluated
    from recipes.evaluation.versions import Sources
    from recipes.ranker import Ranker
    from recipes.service import Service

_EXIT_CODES = {"better": 0, "not better": 1, "cannot tell": 2}
_NOT_JUDGED = 2

_out = Console(soft_wrap=True, emoji=False)
_err = Console(stderr=True, soft_wrap=True, emoji=False)


def evaluate(
    version: Annotated[str | None, typer.Option(help="Default: the one in production.", show_default=False)] = None,
    against: Annotated[
        str | None, typer.Option(help="Also measure this version, and say whether the other is better.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(help=".jsonl or .parquet: query, relevant, idioma. See docs/evaluation.md.")
    ] = None,
    interactions: Annotated[
        Path | None, typer.Option(help=".parquet or .csv: user_id, recipe_id, rating, date. Default: our own feedback.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Names between commas, the one that decides first. Default: what suits each.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="Slices: idioma, exclusion, time_limit, or a column of --queries.")
    ] = None,
    margin: Annotated[float, typer.Option(help="How much worse still counts as not worse.")] = 0.0,
    decision: Annotated[
        str | None, typer.Option(help="Count the look at the data under this name. Default: the two versions.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page here.")] = None,
) -> None:
    """Measure a version of hybrid_ranker; nothing is recorded. With --against the exit code says whether it is better:
    0 yes, 1 no, 2 cannot tell."""
    with _judged(compares=against is not None), _service() as service:
        from mlops.evaluation import HoldoutLooks
        from recipes.evaluation import show
        from recipes.evaluation.answers import BUILT_IN_SLICES
        from recipes.evaluation.off_policy import told
        from recipes.evaluation.versions import decide, gather, load_version

        rankers = [load_version(service.registry, one) for one in ([version, against] if against else [version])]
        _see_that_they_differ(rankers)
        sources = gather(service, queries=queries, interactions_file=interactions)
        names = _slices(by, sources) if by else list(BUILT_IN_SLICES)
        measured = _measured(service, rankers, sources, _names(metrics))
        decided = expected = None
        if against:
            expected = told(rankers[0], service.database)
            decided = decide(
                measured[1], measured[0], looks=HoldoutLooks(service.database), decision_id=decision, margin=margin
            )
        if report is not None:
            from mlops.reports import save_page

            save_page(report, show.page(measured, names, decided))
            _err.print(f"report: {escape(str(report))}")
    if as_json:
        more = {} if expected is None else {"off_policy": expected}
        typer.echo(json.dumps({**show.body(measured, names, decided), **more}, ensure_ascii=False, indent=2))
    else:
        show.print_all(measured, names, decided, _out)
        if expected is not None:
            _out.print(escape(expected))
    if decided is not None:
        raise typer.Exit(_EXIT_CODES[decided.outcome])


@contextmanager
def _service() -> Iterator[Service]:
    """A service that searches and records nothing."""
    from recipes.service import Service

    service = Service(load_settings(), records=False)
    try:
        service.prepare()
        yield service
    finally:
        service.close()


@contextmanager
def _judged(*, compares: bool) -> Iterator[None]:
    """Where the exit code is the answer, what was foreseen to go wrong must not look like one."""
    try:
        yield
    except (MlopsError, OSError) as error:
        if not compares:
            raise
        _err.print(f"[red]error:[/red] {escape(' '.join(str(error).split()))}")
        raise typer.Exit(_NOT_JUDGED) from error


def _measured(
    service: Service, rankers: Sequence[Ranker], sources: Sources, metrics: Sequence[str] | None
) -> list[list[Evaluated]]:
    from recipes.evaluation.versions import evaluate_version

    found = []
    with progress("Asking", total=sources.n_queries * len(rankers)) as advance:
        for number, ranker in enumerate(rankers):
            n_before = number * sources.n_queries

            def on_query(n_done: int, n_before: int = n_before) -> None:
                advance(n_before + n_done)

            found.append(evaluate_version(service, ranker, sources, metrics=metrics, on_query=on_query))
    return found


def _see_that_they_differ(rankers: Sequence[Ranker]) -> None:
    versions = [ranker.version for ranker in rankers]
    if len(set(versions)) < len(versions):
        raise typer.BadParameter(f"--against must name another version than {versions[0]}")


def _slices(by: Sequence[str], sources: Sources) -> list[str]:
    from recipes.evaluation.answers import BUILT_IN_SLICES

    columns = {column for query_set in sources.query_sets.values() for column in query_set.columns}
    unknown = [name for name in by if name not in columns.union(BUILT_IN_SLICES)]
    if unknown:
        known = ", ".join((*BUILT_IN_SLICES, *sorted(columns)))
        raise typer.BadParameter(f"--by must be one of {known}, got {unknown[0]}")
    return list(dict.fromkeys(by))


def _names(metrics: str | None) -> list[str] | None:
    names = [name.strip() for name in (metrics or "").split(",") if name.strip()]
    return names or None
