"""What the commands of the registry share: options, the registry itself, and saying what is so now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mlops.cli.exits import WAITS
from mlops.cli.output import print_json, print_line
from mlops.errors import ApprovalRequired, UnknownModel, UnknownVersion

if TYPE_CHECKING:
    from mlops.model_registry import ModelRegistry, ModelVersion

STANDS = {
    "training": "is in training",
    "validation": "is in validation",
    "production": "is in production",
    "archived": "is archived",
}


def _not_blank(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("say why: it is kept with the move")
    return value


ModelId = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model.", show_default=False)]
AnyModelId = Annotated[str | None, typer.Argument(metavar="MODEL", help="Name of a model.", show_default=False)]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Such as 1.0.3.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept for good.", callback=_not_blank)]
Actor = Annotated[str | None, typer.Option("--actor", help="Who does it. Default: the user of this system.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@contextmanager
def opened(actor: str | None = None) -> Iterator[ModelRegistry]:
    """The registry of the environment's settings. Its view is up to date when the block has ended."""
    from mlops.config import Settings, load_settings
    from mlops.model_registry import open_registry

    registry = open_registry(load_settings(Settings), actor=actor)
    try:
        yield registry
    finally:
        registry.close()
        registry.database.close()


def known_model(registry: ModelRegistry, model_id: str) -> str:
    """*model_id*, of which something was registered.

    Raises:
        UnknownModel: nothing was.
    """
    if not registry.generation(model_id):
        known = ", ".join(summary.model_id for summary in registry.models())
        raise UnknownModel(f"nothing of a model {model_id!r} was ever registered; there is {known or 'no model'}")
    return model_id


def known_version(registry: ModelRegistry, model_id: str, version: str | None) -> ModelVersion:
    """A version; where *version* is None the one in production.

    Raises:
        UnknownModel, UnknownVersion: there is none.
    """
    from mlops.model_registry.reading import unknown

    known_model(registry, model_id)
    if version is None:
        champion = registry.get_production_model(model_id)
        if champion is None:
            raise UnknownVersion(f"no version of {model_id} is in production; name one")
        return champion
    one = registry.get_model(model_id, version)
    if one is None:
        with registry.database.reading() as connection:
            raise unknown(connection, model_id, version)
    return one


def say_state(
    registry: ModelRegistry,
    model_id: str,
    version: str,
    *,
    previous: str | None = None,
    as_json: bool,
    more: Mapping[str, object] | None = None,
) -> None:
    """Read back where *version* stands, and what is in production, and say so.

    Args:
        previous: the version that was in production before, None where none was.
        more: further fields of the JSON.
    """
    one = known_version(registry, model_id, version)
    champion = registry.get_production_model(model_id)
    former = None if previous in (None, version) else known_version(registry, model_id, previous)
    if as_json:
        print_json(
            {
                "model_id": model_id,
                "production": None if champion is None else champion.version,
                "version": one.to_dict(),
                "previous": None if former is None else former.to_dict(),
                **(more or {}),
            }
        )
    else:
        print_line("; ".join(_sentences(one, champion, former)))


def _sentences(one: ModelVersion, champion: ModelVersion | None, former: ModelVersion | None) -> Iterator[str]:
    yield f"{one.model_id} {one.version} {STANDS[one.status]}"
    if former is not None:
        yield f"{former.version} {STANDS[former.status]}"
    if champion is None:
        yield "no version is in production"
    elif champion.version not in {one.version, None if former is None else former.version}:
        yield f"{champion.version} is in production"


@contextmanager
def waiting_is_an_answer(registry: ModelRegistry, *, as_json: bool) -> Iterator[None]:
    """Where the block ends by a promotion that has to be approved, say which request waits, and end with its code."""
    try:
        yield
    except ApprovalRequired as waits:
        if as_json:
            (request,) = (one for one in registry.approvals() if one.approval_id == waits.approval_id)
            print_json({"waits_for_approval": True, "request": request.to_dict()})
        else:
            print_line(str(waits))
        raise typer.Exit(WAITS) from None


def pairs(values: list[str] | None, option: str) -> dict[str, str]:
    """``name=value`` texts by name.

    Raises:
        typer.BadParameter: one has no name or no ``=``, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in values or []:
        name, sign, value = text.partition("=")
        if not name or not sign:
            raise typer.BadParameter(f"must be name=value, got {text!r}", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
        found[name] = value
    return found
