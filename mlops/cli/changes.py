"""``mlops models …``: the commands that change something. Each reads back what is so now, and says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli._registry import (
    Actor,
    AnyModelId,
    AsJson,
    ModelId,
    Reason,
    Version,
    known_model,
    known_version,
    opened,
    pairs,
    say_state,
    waiting_is_an_answer,
)
from mlops.cli.output import print_json, print_line
from mlops.sentences import say

if TYPE_CHECKING:
    from mlops.drift import ReferenceProfile
    from mlops.model_registry import ModelRegistry


def add_to(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (register, validate, promote, rollback, archive, approve, reject, freeze, unfreeze):
        app.command(command.__name__)(command)
    app.command("import")(import_)


def register(
    model: ModelId,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Such as 1.0.3; or --bump.", show_default=False)
    ] = None,
    bump: Annotated[
        str | None,
        typer.Option(
            metavar="major|minor|patch",
            help="The next version: major: interface or features changed; minor: retrained on new data with new "
            "parameters; patch: the same recipe on new data.",
        ),
    ] = None,
    artefact: Annotated[
        Path | None, typer.Option(help="Folder with the files of the version.", exists=True, file_okay=False)
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            help="Reference profile of its training data, made by `mlops profile`.", exists=True, dir_okay=False
        ),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME=NUMBER", help="May be repeated.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="JSON, or text; may be repeated.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be repeated.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    parent: Annotated[str | None, typer.Option(metavar="VERSION", help="The version it comes from.")] = None,
    model_type: Annotated[str, typer.Option(help="What kind of model it is.")] = "hybrid",
    data_fingerprint: Annotated[str | None, typer.Option(help="Of the data it was trained on.")] = None,
    code_version: Annotated[str | None, typer.Option(help="Of the program that trained it.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that was drawn at random.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept for good.")] = say("registered"),
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Register a version, in training; the same content again changes nothing."""
    from mlops.model_registry import Lineage, ModelMetadata

    if (version is None) == (bump is None):
        raise typer.BadParameter("give one of both: VERSION, or --bump", param_hint="VERSION")
    described: dict[str, Any] = {
        "model_type": model_type, "description": description, "parent_version": parent,
        "metrics": _numbers(metric), "parameters": _parameters(parameter), "tags": pairs(tag, "--tag") or (),
    }  # fmt: skip
    lineage = Lineage(data_fingerprint, code_version, seed)
    with opened(actor) as registry:
        wanted = version or _next(registry, model, bump, parent)
        metadata = ModelMetadata(model, wanted, **described)
        registry.register(
            metadata,
            artefact=artefact,
            lineage=None if lineage == Lineage() else lineage,
            profile=None if profile is None else _profile(profile),
            because=reason,
        )
        say_state(registry, model, wanted, as_json=as_json)


def _next(registry: ModelRegistry, model: str, bump: Any, parent: str | None) -> str:
    return registry.next_version(model, bump, base=parent)


def _profile(path: Path) -> ReferenceProfile:
    from mlops.drift import ReferenceProfile

    return ReferenceProfile.load(path)


def _numbers(values: list[str] | None) -> dict[str, float]:
    found = {}
    for name, text in pairs(values, "--metric").items():
        try:
            found[name] = float(text)
        except ValueError:
            raise typer.BadParameter(f"{name} must be a number, got {text!r}", param_hint="--metric") from None
    return found


def _parameters(values: list[str] | None) -> dict[str, Any]:
    return {name: _value(text) for name, text in pairs(values, "--parameter").items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def validate(model: ModelId, version: Version, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Move a version from training to validation."""
    with opened(actor) as registry:
        registry.validate(model, version, because=reason)
        say_state(registry, model, version, as_json=as_json)


def promote(model: ModelId, version: Version, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Put a version into production; the one that was there is archived."""
    with opened(actor) as registry, waiting_is_an_answer(registry, as_json=as_json):
        known_version(registry, model, version)
        previous = _champion(registry, model)
        registry.promote(model, version, because=reason, expected=previous)
        say_state(registry, model, version, previous=previous, as_json=as_json)


def rollback(
    model: ModelId,
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="A version that has served. Default: the last that can.")] = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the version that served before; twice goes back two versions, never to and fro."""
    with opened(actor) as registry:
        previous = _champion(registry, known_model(registry, model))
        restored = registry.rollback(model, because=reason, to=to)
        say_state(registry, model, restored.version, previous=previous, as_json=as_json)


def archive(
    model: ModelId,
    version: Version,
    reason: Reason,
    retire: Annotated[
        bool, typer.Option("--retire", help="Also where it is in production: then no version serves.")
    ] = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Archive a version; it comes back only by a rollback."""
    from mlops.errors import IllegalMove

    with opened(actor) as registry:
        one = known_version(registry, model, version)
        if one.status == "production" and not retire:
            raise IllegalMove(
                f"{model} {version} is in production: archived, no version would serve; say --retire if that is meant",
                from_status="production",
                to_status="archived",
            )
        registry.archive(model, version, because=reason, retire=retire)
        say_state(registry, model, version, as_json=as_json)


def approve(model: ModelId, version: Version, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Approve the promotion that waits, and carry it out."""
    with opened(actor) as registry:
        known_version(registry, model, version)
        previous = _champion(registry, model)
        registry.approve(model, version, because=reason)
        say_state(registry, model, version, previous=previous, as_json=as_json)


def reject(model: ModelId, version: Version, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Reject the promotion that waits."""
    with opened(actor) as registry:
        known_version(registry, model, version)
        decided = registry.reject(model, version, because=reason)
        if as_json:
            print_json({"request": decided.to_dict(), "production": _champion(registry, model)})
            return
        print_line(f"request {decided.approval_id}, the promotion of {model} {version}, is {decided.state}")
        say_state(registry, model, version, as_json=False)


def freeze(model: AnyModelId = None, *, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Switch automatic moves off, for one model or all; people may still move versions."""
    with opened(actor) as registry:
        registry.freeze(model, because=reason)
        _say_frozen(registry, model, as_json=as_json)


def unfreeze(model: AnyModelId = None, *, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Switch automatic moves on again; a freeze of all models is lifted by itself, without MODEL."""
    with opened(actor) as registry:
        if model is not None:
            known_model(registry, model)
        registry.unfreeze(model, because=reason)
        _say_frozen(registry, model, as_json=as_json)


def _say_frozen(registry: ModelRegistry, model: str | None, *, as_json: bool) -> None:
    """Read back which freezes are in force, and say what that means for *model*, or for all."""
    in_force = registry.freezes()
    own, whole = in_force.get(model or "*"), in_force.get("*")
    if as_json:
        print_json(
            {
                "model_id": model,
                "frozen": own is not None or whole is not None,
                "freezes": [freeze.to_dict() for freeze in in_force.values()],
            }
        )
    elif own is not None:
        print_line(f"{'every model' if model is None else model} is frozen: programs move no version ({own.because})")
    elif whole is not None:
        print_line(f"{model} is not frozen by itself, but all models are ({whole.because})")
    elif model is None and in_force:
        print_line(f"not all models are frozen, but by themselves are {', '.join(sorted(in_force))}")
    else:
        print_line(f"{'no model' if model is None else model} is {'' if model is None else 'not '}frozen")


def import_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER_OR_FILE",
            help="What an export wrote, a models/ folder, or a registry.json, also that of the forerunner.",
            show_default=False,
        ),
    ],
    keep_production: Annotated[
        bool, typer.Option("--keep-production", help="Versions that are in production here stay so.")
    ] = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Bring in versions with their moves and artefacts: all of them, or none."""
    from mlops.model_registry.transfer import import_registry

    with opened(actor) as registry:
        report = import_registry(registry, path, keep_production=keep_production)
        serving = {summary.model_id: summary.production for summary in registry.models()}
    if as_json:
        print_json({**report.to_dict(), "production": serving})
        return
    for note in report.notes:
        print_line(note)
    print_line(f"{len(report.imported)} imported, {len(report.skipped)} were here already")
    for model_id in sorted({name.split()[0] for name in report.imported}):
        print_line(f"{model_id} {serving[model_id] or '(no version)'} is in production")


def _champion(registry: ModelRegistry, model: str) -> str | None:
    champion = registry.get_production_model(model)
    return None if champion is None else champion.version
