"""``mlops drift``, ``mlops profile`` and ``mlops validate``: a table in the terminal, JSON, one HTML page.

Exit codes: 0 nothing was found; 1 drift, or violations; 2 it could not be judged, or the command was typed wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from mlops.cli.output import print_error, print_line
from mlops.clock import utc_now
from mlops.errors import MlopsError, ProfileMissing

if TYPE_CHECKING:
    from mlops.drift import DriftOptions, DriftReport, ReferenceProfile

FOUND = 1
NOT_JUDGED = 2


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="COLUMN=KIND, such as code=categorical, for what its type does not tell."),
]


def drift(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Reference and current; with --profile or --model the current one only.", show_default=False
        ),
    ],
    profile: Annotated[
        Path | None, typer.Option(help="Profile of the reference, made by `mlops profile`.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Compare with the profile that a version of this model was registered with.", show_default=False
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Of --model. Default: the one in production.", show_default=False)
    ] = None,
    threshold: Annotated[float, typer.Option(help="Least effect that counts.")] = 0.1,
    alpha: Annotated[float, typer.Option(help="Share of checks without drift that may alarm.")] = 0.05,
    minimum_n: Annotated[int, typer.Option(help="Fewer values are not judged.")] = 30,
    kind: Kinds = None,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML page here.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Did the data change? Exit code 0: no, 1: yes, 2: cannot be told. Files: .parquet, .csv, .jsonl."""
    from mlops.drift import DriftOptions, check_drift

    _check_sources(files, profile, model, version)
    kinds = _pairs(kind, "--kind")
    with _judged():
        options = DriftOptions(threshold=threshold, alpha=alpha, minimum_n=minimum_n, kinds=cast(Any, kinds))
        reference = _reference(files[0], profile, model, version)
        found = check_drift(reference, _table(files[-1]), options=options)
        if report is not None:
            _write_page(found, report, f"Drift of {files[-1].name}")
    if as_json:
        _print_json(found.to_dict())
    else:
        from mlops.cli._data_text import print_drift

        print_drift(found)
    raise typer.Exit({"drift": FOUND, "no drift": 0}.get(found.verdict, NOT_JUDGED))


def profile(
    data: Annotated[Path, typer.Argument(help="The reference: .parquet, .csv, .jsonl.", show_default=False)],
    target: Annotated[Path, typer.Argument(help="Where the profile goes, a .json file.", show_default=False)],
    kind: Kinds = None,
) -> None:
    """Summarise a reference in a small file, so that `mlops drift --profile` needs no old data."""
    from mlops.drift import DriftOptions, ReferenceProfile

    kinds = _pairs(kind, "--kind")
    with _judged():
        options: DriftOptions = DriftOptions(kinds=cast(Any, kinds))
        made = ReferenceProfile.of(_table(data), options=options)
        made.save(target)
    size = target.stat().st_size / 1_000
    print_line(f"{target}: {made.n_rows:,} rows, {len(made.columns)} columns, {size:,.1f} kB")


def validate(
    data: Annotated[Path, typer.Argument(help=".parquet, .arrow, .feather, .jsonl or .json.", show_default=False)],
    schema: Annotated[Path | None, typer.Option(help="JSON Schema. Default: ours.", show_default=False)] = None,
    part: Annotated[
        str | None, typer.Option(help="Of the schema. Default: the one that fits the columns.", show_default=False)
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE, a table that references are looked up in.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(help="Stop after so many violations.", min=1)] = 10_000,
    as_json: AsJson = False,
) -> None:
    """What is wrong with data? Exit code 0: nothing, 1: something, 2: it cannot be judged. Nothing is converted."""
    from mlops.validation import load_schema, read_typed, validate_data

    names = _pairs(table, "--table")
    with _judged():
        tables = {name: _table(Path(path)) for name, path in names.items()}
        found = validate_data(
            read_typed(data), schema=load_schema(schema), part=part, tables=tables, now=utc_now(),
            max_violations=limit,
        )  # fmt: skip
    if as_json:
        _print_json(found.to_dict())
    else:
        from mlops.cli._data_text import print_violations

        print_violations(found)
    raise typer.Exit(0 if found.valid else FOUND)


@contextmanager
def _judged() -> Iterator[None]:
    """What was foreseen to go wrong is one line and the code for "could not be judged", not a stack trace."""
    try:
        yield
    except (MlopsError, OSError, ValueError) as error:
        print_error(error)
        raise typer.Exit(NOT_JUDGED) from error


def _table(path: Path) -> Any:
    from mlops.cli.evaluation import read_table

    return read_table(path)


def _check_sources(files: Sequence[Path], profile: Path | None, model: str | None, version: str | None) -> None:
    if profile is not None and model is not None:
        raise typer.BadParameter("give --profile or --model, not both")
    if version is not None and model is None:
        raise typer.BadParameter("--version is a version of a model: give --model too")
    if len(files) != (2 if profile is None and model is None else 1):
        raise typer.BadParameter("give the reference and the current file, or --profile or --model and the current one")


def _reference(path: Path, profile: Path | None, model: str | None, version: str | None) -> Any:
    from mlops.drift import ReferenceProfile

    if model is not None:
        return _profile_of(model, version)
    return _table(path) if profile is None else ReferenceProfile.load(profile)


def _profile_of(model: str, version: str | None) -> ReferenceProfile:
    from mlops.cli._registry import known_version, opened

    with opened() as registry:
        one = known_version(registry, model, version)
        found = registry.reference_profile(one)
    if found is None:
        raise ProfileMissing(
            f"{model} {one.version} was registered without a reference profile; "
            "register the next version with --profile"
        )
    return found


def _pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or ()]
    for text, (name, _, value) in zip(texts or (), pairs, strict=True):
        if not name or not value:
            raise typer.BadParameter(f"{option} must be two names with = between, got {text!r}")
    return {name: value for name, _, value in pairs}


def _write_page(found: DriftReport, path: Path, title: str) -> None:
    from mlops.drift.page import drift_page
    from mlops.reports import save_page

    save_page(path, drift_page(found, title=title, made_at=utc_now()))
    typer.echo(f"report: {path}", err=True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
