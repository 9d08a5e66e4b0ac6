"""``mlops models …``: what is there, what happened, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli import changes
from mlops.cli._registry import (
    STANDS,
    AnyModelId,
    AsJson,
    ModelId,
    known_model,
    known_version,
    opened,
)
from mlops.cli.exits import WRONG, epilogue
from mlops.cli.mirror import mirror
from mlops.cli.output import ago, moment, number, print_json, print_line, print_table

if TYPE_CHECKING:
    from mlops.model_registry import ModelRegistry, ModelVersion, Move

app = typer.Typer(
    no_args_is_help=True, help="The model registry: versions, moves, artefacts, approval, freeze.", epilog=epilogue()
)

_LAST_MOVES = 5
_SIDE_BY_SIDE = ("status", "model_type", "parent_version", "timestamp", "artefact")


@app.command("list")
def list_models(
    model: AnyModelId = None,
    status: Annotated[
        str | None, typer.Option(help="Only versions that are training, validation, production or archived.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """All models, one a line; with MODEL or --status their versions, newest first."""
    with opened() as registry:
        if model is None and status is None:
            _list_models(registry, limit, as_json=as_json)
        else:
            if model is not None:
                known_model(registry, model)
            _list_versions(registry.list_models(model, status, limit=limit), as_json=as_json)


def _list_models(registry: ModelRegistry, limit: int | None, *, as_json: bool) -> None:
    found = registry.models()[:limit]
    if as_json:
        print_json([summary.to_dict() for summary in found])
    elif not found:
        print_line("no model is registered")
    else:
        rows = [
            (
                summary.model_id, summary.production, summary.newest, summary.n_versions, moment(summary.changed_at),
                "frozen" if summary.is_frozen else "",
            )
            for summary in found
        ]  # fmt: skip
        print_table(("model", "production", "newest", "versions", "changed", ""), rows, numbers=["versions"])


def _list_versions(found: Sequence[ModelVersion], *, as_json: bool) -> None:
    if as_json:
        print_json([one.to_dict() for one in found])
    elif not found:
        print_line("there is no such version")
    else:
        rows = [
            (
                one.model_id, one.version, one.status, moment(one.registered_at), moment(one.deployed_at),
                _metrics_in_short(one["metrics"]),
            )
            for one in found
        ]  # fmt: skip
        print_table(("model", "version", "status", "made", "deployed", "metrics"), rows)


def _metrics_in_short(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name}={number(value)}" for name, value in metrics.items())


@app.command()
def show(
    model: ModelId,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Default: the one in production.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A version: metrics, parameters, lineage, files, last moves."""
    with opened() as registry:
        one = known_version(registry, model, version)
        files, trouble = _files_of(registry, one)
        last = registry.moves(model, one.version)[-_LAST_MOVES:]
    if as_json:
        moves = [move.to_dict() for move in last]
        told = {"files": files, "has_profile": _has_profile(files), "artefact_trouble": trouble, "last_moves": moves}
        print_json({**one.to_dict(), **told})
        return
    print_line(f"{one.model_id} {one.version} {STANDS[one.status]}", style="bold")
    print_table(("", ""), list(_facts(one)))
    _print_part("metrics", [(name, number(value)) for name, value in one["metrics"].items()])
    _print_part("parameters", list(one["parameters"].items()))
    _print_part("files", [(file["path"], f"{file['size']} bytes") for file in files])
    if trouble is not None:
        print_line(f"files: {trouble}", style="red")
    if _has_profile(files):
        print_line(
            f"\nreference profile: yes; mlops drift --model {one.model_id} --version {one.version} current.parquet"
        )
    print_line("\nlast moves", style="bold")
    _print_moves(last)


def _files_of(registry: ModelRegistry, one: ModelVersion) -> tuple[list[dict[str, Any]], str | None]:
    """The files that the manifest of *one* lists, and what is wrong with it; the files themselves are not read."""
    from mlops.artefacts import DiskArtefacts
    from mlops.errors import ArtefactError

    if one.artefact is None or not isinstance(registry.artefacts, DiskArtefacts):
        return [], None
    try:
        listed = registry.artefacts.manifest(one.artefact).files
    except ArtefactError as error:
        return [], str(error)
    return [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in listed], None


def _has_profile(files: Sequence[Mapping[str, Any]]) -> bool:
    from mlops.model_registry.profiles import PROFILE_NAME

    return any(file["path"] == PROFILE_NAME for file in files)


def _facts(one: ModelVersion) -> Iterator[tuple[str, object]]:
    lineage = one["lineage"] or {}
    facts = {
        "description": one["description"] or None, "type": one["model_type"], "made": moment(one.registered_at),
        "deployed": None if one.deployed_at is None else moment(one.deployed_at), "parent": one["parent_version"],
        "data": lineage.get("data_fingerprint"), "code": lineage.get("code_version"), "seed": lineage.get("seed"),
        "tags": _tags_in_short(one["tags"]), "artefact": one.artefact,
    }  # fmt: skip
    for name, value in facts.items():
        if value is not None:
            yield name, value


def _tags_in_short(tags: Any) -> str | None:
    shown = [f"{name}={value}" for name, value in tags.items()] if isinstance(tags, dict) else tags
    return ", ".join(shown) or None


def _print_part(title: str, rows: Sequence[Sequence[object]], *, headings: Sequence[str] = ("",)) -> None:
    if rows:
        print_line("")
        print_table((title, *headings), rows)


def _print_moves(moves: Sequence[Move]) -> None:
    rows = [
        (
            moment(move.at), move.version, "FAILED" if move.outcome == "failed" else move.kind.replace("_", " "),
            f"{move.from_status or 'new'} → {move.to_status}", move.actor + (" (program)" if move.automatic else ""),
            move.because,
        )
        for move in moves
    ]  # fmt: skip
    print_table(("time", "version", "move", "from → to", "actor", "reason"), rows)


@app.command()
def history(
    model: ModelId,
    version: Annotated[str | None, typer.Option("--version", help="Only moves of this version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every move, oldest first; those that failed are marked."""
    with opened() as registry:
        known_model(registry, model)
        if version is not None:
            known_version(registry, model, version)
        # An import may have brought older ones later.
        made = sorted(registry.moves(model, version), key=lambda move: move.at)
    if as_json:
        print_json([move.to_dict() for move in made])
    else:
        _print_moves(made)


@app.command()
def compare(
    model: ModelId,
    a: Annotated[str, typer.Argument(metavar="A", help="A version.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another version.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Two versions side by side: metrics and parameters, and what differs."""
    with opened() as registry:
        left, right = known_version(registry, model, a), known_version(registry, model, b)
    result = compared(left, right)
    if as_json:
        print_json({"model_id": model, "a": a, "b": b, **result})
        return
    rows = [
        (name, number(row["a"]), number(row["b"]), _signed(row["difference"]), _percent(row["relative"]))
        for name, row in result["metrics"].items()
    ]
    print_table(("metric", a, b, "difference", "relative"), rows, numbers=[a, b, "difference", "relative"])
    for title, part in (("parameter", "parameters"), ("fact", "facts")):
        _print_part(
            title,
            [(name, row["a"], row["b"], "" if row["same"] else "differs") for name, row in result[part].items()],
            headings=(a, b, ""),
        )


def compared(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """What two versions say, name by name.

    Returns:
        ``metrics``: a, b, their difference b - a and that relative to a's size, None where it cannot be had;
        ``parameters`` and ``facts``: a, b and whether they are the same.
    """
    metrics = {
        name: {"a": a, "b": b, **_difference(a, b)} for name, a, b in _side_by_side(left["metrics"], right["metrics"])
    }
    return {
        "metrics": metrics,
        "parameters": _same_or_not(left["parameters"], right["parameters"]),
        "facts": _same_or_not(_compared_facts(left), _compared_facts(right)),
    }


def _side_by_side(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*left, *right]):
        yield name, left.get(name), right.get(name)


def _difference(a: float | None, b: float | None) -> dict[str, float | None]:
    if a is None or b is None:
        return {"difference": None, "relative": None}
    return {"difference": b - a, "relative": (b - a) / abs(a) if a else None}


def _same_or_not(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {"a": a, "b": b, "same": a == b} for name, a, b in _side_by_side(left, right)}


def _compared_facts(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: one[name] for name in _SIDE_BY_SIDE}, **(one["lineage"] or {})}


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.6g}"


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:+.1%}"


@app.command("at")
def served_at(
    model: ModelId,
    time: Annotated[str, typer.Argument(metavar="TIME", help="Such as 2026-11-17T09:00; without a zone: UTC.")],
    as_json: AsJson = False,
) -> None:
    """Which version served at a time."""
    instant = _instant(time)
    with opened() as registry:
        one = registry.at(known_model(registry, model), instant)
    if as_json:
        print_json({"model_id": model, "time": instant.isoformat(), "version": None if one is None else one.to_dict()})
    elif one is None:
        print_line(f"no version of {model} was in production at {moment(instant)}")
    else:
        print_line(f"{model} {one.version} was in production at {moment(instant)}; today it {STANDS[one.status]}")


def _instant(text: str) -> datetime:
    from mlops.clock import utc_from_text

    try:
        return utc_from_text(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"must be a time such as 2026-11-17T09:00, got {text!r}", param_hint="TIME") from None


@app.command()
def requests(model: AnyModelId = None, as_json: AsJson = False) -> None:
    """Promotions that wait for approval, the newest first."""
    from mlops.clock import utc_now

    with opened() as registry:
        if model is not None:
            known_model(registry, model)
        waiting = registry.approvals(model, "pending")
    if as_json:
        print_json([one.to_dict() for one in waiting])
    elif not waiting:
        print_line("nothing waits for approval")
    else:
        rows = [
            (
                one.approval_id, one.model_id, one.version, one.champion, one.requested_by,
                ago(one.requested_at, now=utc_now()), one.because,
            )
            for one in waiting
        ]  # fmt: skip
        print_table(("request", "model", "version", "instead of", "requested by", "when", "reason"), rows)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New, or empty.", show_default=False)],
    model: Annotated[str | None, typer.Option("--model", help="Only this model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the registry and its artefacts to a folder, whole or not at all."""
    from mlops.model_registry.transfer import export_registry

    with opened() as registry:
        report = export_registry(registry, folder, model_id=model)
    if as_json:
        print_json(report.to_dict())
        return
    counts = (
        _counted(report.n_models, "model"), _counted(report.n_versions, "version"),
        _counted(report.n_artefacts, "artefact"),
    )  # fmt: skip
    print_line(f"{', '.join(counts)} exported to {report.folder}")


@app.command()
def verify(
    sign: Annotated[
        bool, typer.Option("--sign", help="First sign artefacts that are whole with ARTIFACT_SIGNING_KEY.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at every artefact, the view and every history. Ends with 1 where something is wrong."""
    from mlops.model_registry.verify import findings, sign_artefacts

    with opened() as registry:
        signed = sign_artefacts(registry) if sign else []
        found = findings(registry)
        n_versions = len(registry.list_models())
    n_faults = sum(finding.is_fault for finding in found)
    if as_json:
        print_json({"versions": n_versions, "signed": signed, "findings": [finding.to_dict() for finding in found]})
    else:
        for finding in found:
            print_line(f"{'fault' if finding.is_fault else 'note'}: {finding.message}")
        if sign:
            print_line(f"{_counted(len(signed), 'artefact')} signed")
        print_line(f"{_counted(n_versions, 'version')} looked at, {_counted(n_faults, 'fault')}")
    if n_faults:
        raise typer.Exit(WRONG)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


# Last, so that the help names what only looks first.
changes.add_to(app)
app.command()(mirror)
