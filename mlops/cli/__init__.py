"""``mlops …``: the commands of whoever operates models.

A group of commands is a module with a Typer app of its own, added below. What is heavy is imported by the command that
needs it, so that the others start at once. A command raises the toolkit's errors: :mod:`mlops.cli.exits` makes exit
codes of them, and :func:`main` one line.
"""

from __future__ import annotations

import sys

import typer

from mlops.cli import alerts, data, drill, evaluation, keys, metrics, models, retrain, rollout, short
from mlops.cli.exits import epilogue, exit_code
from mlops.cli.output import print_error
from mlops.errors import MlopsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Operate models of any project.", epilog=epilogue())
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(alerts.app, name="alerts")
app.add_typer(metrics.app, name="metrics")
app.add_typer(retrain.app, name="retrain")
app.add_typer(rollout.app, name="rollout")
short.add_to(app)
app.command()(evaluation.evaluate)
app.command()(evaluation.compare)
app.command()(drill.drill)
app.command()(data.drift)
app.command()(data.profile)
app.command()(data.validate)


def main() -> None:
    """Run a command; an error that was foreseen is one line, not a stack trace."""
    try:
        app(prog_name="mlops")
    except (MlopsError, OSError) as error:
        print_error(error)
        sys.exit(exit_code(error))
