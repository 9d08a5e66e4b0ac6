"""``mlops rollback``, ``mlops freeze`` and ``mlops unfreeze``: what is needed in a hurry, without a group's name."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops.cli import changes
from mlops.cli._registry import Actor, AsJson, ModelId, Reason, known_model, opened, say_state


def add_to(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (rollback, changes.freeze, changes.unfreeze):
        app.command(command.__name__)(command)


def rollback(
    model: ModelId,
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="A version that has served. Default: the last that can.")] = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the version that served before, then ask the service at HOST and PORT what it answers with."""
    from mlops.cli._service import ask
    from mlops.cli.output import print_line
    from mlops.config import Settings, load_settings

    settings = load_settings(Settings)
    with opened(actor) as registry:
        previous = registry.get_production_model(known_model(registry, model))
        restored = registry.rollback(model, because=reason, to=to)
        asked = ask(settings, model, wanted=restored.version)
        say_state(
            registry, model, restored.version,
            previous=None if previous is None else previous.version, as_json=as_json,
            more={"serving": asked.serving, "serving_problem": asked.problem},
        )  # fmt: skip
    if not as_json:
        print_line(asked.sentence(model, restored.version))
