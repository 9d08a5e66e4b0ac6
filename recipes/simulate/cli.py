"""``recipes simulate``: cooks with hidden tastes, on a simulated clock, against the real service code."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from recipes.config import Settings, load_settings
from recipes.terminal import progress

if TYPE_CHECKING:
    from recipes.catalog import Recipe

_out = Console(soft_wrap=True, emoji=False)


def simulate(
    days: Annotated[int, typer.Option(help="Simulated days.", min=1, max=3_650)] = 60,
    users: Annotated[int, typer.Option(help="Simulated cooks.", min=1, max=100_000)] = 2_000,
    seed: Annotated[int, typer.Option(help="Of all chance; equal seeds, equal cooks.", min=0)] = 0,
    drift_day: Annotated[
        int | None, typer.Option(help="Day on which tastes change. Default: two thirds of the days; 0 for never.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the story as an HTML page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Replay simulated cooks against the service and its loop, in a folder of its own. Your data is only read."""
    from mlops.clock import utc_now
    from mlops.reports import save_page
    from recipes.encoder import encoder_for
    from recipes.lexicon import cooking_lexicon
    from recipes.simulate.options import Options
    from recipes.simulate.run import simulate as run
    from recipes.simulate.show import story_page, summary

    settings = load_settings()
    try:
        options = Options(n_days=days, n_cooks=users, seed=seed, drift_day=_drift_day(drift_day, days))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    recipes = known_recipes(settings, seed=seed)
    with (
        tempfile.TemporaryDirectory(prefix="recipes-simulated-") as folder,
        progress("Simulating", total=3 * days) as advance,
    ):
        found = run(
            options, recipes, lexicon=cooking_lexicon(), encoder=encoder_for(settings), folder=Path(folder),
            on_progress=lambda n_done, n_total, arm: advance(n_done, n_total),
        )  # fmt: skip
    if report is not None:
        save_page(report, story_page(found, made_at=utc_now()))
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict(), ensure_ascii=False, indent=2) + "\n")
        return
    for line in summary(found):
        _out.print(escape(line))
    if report is not None:
        _out.print(f"The whole story: {escape(str(report))}")


def _drift_day(asked: int | None, n_days: int) -> int | None:
    if asked == 0:
        return None
    if asked is not None:
        return asked
    return n_days * 2 // 3 if n_days >= 3 else None


def known_recipes(settings: Settings, *, seed: int) -> list[Recipe]:
    """The recipes of the installation, read only; those of the starter catalogue where it has none.

    Of a catalogue larger than the service indexes by itself, so many are drawn by *seed*.
    """
    import numpy as np

    from recipes.catalog import starter_recipes
    from recipes.service import MAX_INDEXED_AT_START

    recipes = _stored_recipes(settings) or list(starter_recipes())
    if len(recipes) <= MAX_INDEXED_AT_START:
        return recipes
    chosen = np.random.default_rng(seed).choice(len(recipes), MAX_INDEXED_AT_START, replace=False)
    return [recipes[row] for row in sorted(chosen.tolist())]


def _stored_recipes(settings: Settings) -> list[Recipe]:
    import sqlalchemy as sa

    from mlops.store import Database
    from recipes import schema
    from recipes.catalog import Catalogue

    if settings.database_url is None and not (settings.var_dir / "state.db").exists():
        return []
    database = Database(settings.state_url)
    try:
        with database.reading() as connection:
            has_table = sa.inspect(connection).has_table(schema.recipes.name)
        walked = Catalogue(database).walk() if has_table else ()
        return [stored.recipe for batch in walked for stored in batch]
    finally:
        database.close()
