"""``mlops …``: the commands of whoever operates models."""

from __future__ import annotations

import typer

from mlops.cli.data import drift, profile, validate
from mlops.cli.evaluation import compare, evaluate

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Operate models.")
app.command()(evaluate)
app.command()(compare)
app.command()(drift)
app.command()(profile)
app.command()(validate)


def main() -> None:
    """Run a command."""
    app()
