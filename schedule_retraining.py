"""``python schedule_retraining.py``: checks the models once, and trains those that need it. See ``--help``.

The same as ``mlops retrain schedule``, for the models of this repository.
"""

from __future__ import annotations

import sys

import typer

from mlops.cli.exits import exit_code
from mlops.cli.output import print_error
from mlops.cli.retrain import schedule
from mlops.errors import MlopsError
from mlops.retraining import register_trainer

app = typer.Typer(add_completion=False)
app.command()(schedule)


def main() -> None:
    """Check, or go on checking; an error that was foreseen is one line."""
    try:
        register_trainer("hybrid_ranker", "recipes.training:hybrid_ranker_trainer")
        app(prog_name="schedule_retraining.py")
    except (MlopsError, OSError) as error:
        print_error(error)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
