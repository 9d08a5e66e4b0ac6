"""``mlops drill``: break a model on purpose, in a sandbox, and see it heal."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops.cli._registry import AsJson
from mlops.cli.exits import WRONG
from mlops.cli.output import print_json, print_line


def drill(
    name: Annotated[str, typer.Argument(metavar="all|NAME", help="All drills, or one of them.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Break a model on purpose in a sandbox: what was noticed, what was done, how long it took.

    Nothing of the real service is touched. Ends with 1 where a drill did not heal.
    """
    from mlops.rollout.drill import run_drills

    results = run_drills(name)
    if as_json:
        print_json([each.to_dict() for each in results])
    else:
        for each in results:
            print_line(f"{'healed' if each.healed else 'NOT HEALED'}  {each.name}  in {each.seconds:.2f} s")
            print_line(f"  noticed: {each.noticed or 'nothing'}")
            print_line(f"  done:    {each.done}; {each.n_exposed} requests met the fault")
    if not all(each.healed for each in results):
        raise typer.Exit(WRONG)
