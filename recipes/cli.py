"""``recipes …``: the commands of whoever runs the recommender.

Exit codes: 0 done, 1 something is wrong (one line says what), 2 the command was typed wrong, 130 interrupted.
With ``recipes evaluate --against`` they say whether a version is better, see :mod:`recipes.evaluation.cli`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlops.config import shown_settings
from mlops.errors import MlopsError
from recipes.config import Settings, load_settings
from recipes.demo.cli import demo
from recipes.evaluation.cli import evaluate
from recipes.simulate.cli import simulate
from recipes.terminal import progress
from recipes.text import Language

if TYPE_CHECKING:
    from recipes.catalog import Catalogue, StoredRecipe

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A recipe recommender that operates itself.")
importing = typer.Typer(no_args_is_help=True, help="Import recipes; what is there already is updated, never doubled.")
app.add_typer(importing, name="import")
app.command()(evaluate)
app.command()(simulate)
app.command()(demo)

_out = Console(soft_wrap=True, emoji=False)
_err = Console(stderr=True, soft_wrap=True, emoji=False)

_INTERRUPTED = 130


def _checked_language(value: str) -> str:
    from recipes.catalog.recipe import checked_language
    from recipes.errors import BadRecipe

    try:
        return checked_language(value)
    except BadRecipe as error:
        raise typer.BadParameter(error.reason) from None


RecipeFile = Annotated[Path, typer.Argument(help="The file; also inside a .gz or .zip.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Idioma = Annotated[str, typer.Option("--idioma", help="es or en.", callback=_checked_language)]


def main() -> None:
    """Run a command; an error that was foreseen is one line, not a stack trace."""
    try:
        app()
    except (MlopsError, OSError) as error:
        _err.print(f"[red]error:[/red] {escape(' '.join(str(error).split()))}")
        sys.exit(1)
    except SystemExit as end:
        # Typer has made this of Ctrl-C.
        if end.code == _INTERRUPTED:
            _err.print("interrupted; the same command goes on where this one stopped")
        raise


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: PORT.", min=1, max=65_535)] = None,
) -> None:
    """Serve the pages and the API. What is missing is made first: database, starter catalogue, index."""
    import uvicorn

    from recipes.api import create_app

    settings = load_settings()
    host, port = host or settings.host, port or settings.port
    _err.print(f"Serving on http://{host}:{port} (Ctrl-C stops)")
    # No access log: it would hold what cooks type into the search page. The service sets up logging by itself.
    uvicorn.run(create_app(settings), host=host, port=port, log_config=None, access_log=False)


@importing.command("foodcom")
def import_foodcom(
    file: RecipeFile,
    interactions: Annotated[
        Path | None, typer.Option(help="RAW_interactions file: the ratings of these recipes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The public Food.com files: RAW_recipes.csv, and RAW_interactions.csv with the ratings."""
    reports = [_import("foodcom", file)]
    if interactions is not None:
        reports.append(_import("interactions", interactions))
    _report(reports, as_json=as_json)


@importing.command("jsonl")
def import_jsonl(file: RecipeFile, as_json: AsJson = False) -> None:
    """JSON Lines in our own layout: name, ingredients, steps, and what else is known. See docs/importing.md."""
    _report([_import("jsonl", file)], as_json=as_json)


@importing.command("parquet")
def import_parquet(file: RecipeFile, as_json: AsJson = False) -> None:
    """Parquet with the columns of our own layout."""
    _report([_import("parquet", file)], as_json=as_json)


@importing.command("schema-org")
def import_schema_org(file: RecipeFile, as_json: AsJson = False) -> None:
    """schema.org/Recipe as JSON-LD, or a web page that carries it."""
    _report([_import("schema-org", file)], as_json=as_json)


@app.command()
def index(
    anew: Annotated[bool, typer.Option("--anew", help="Encode everything again.")] = False, as_json: AsJson = False
) -> None:
    """Build the search index of the catalogue. A running service takes it over within seconds."""
    from recipes.encoder import encoder_for
    from recipes.index import BuildProgress, IndexBuilder
    from recipes.lexicon import cooking_lexicon
    from recipes.service import index_library

    settings = load_settings()
    with _catalogue(settings) as catalogue, progress("Indexing", total=catalogue.count()) as advance:

        def on_progress(progress: BuildProgress) -> None:
            advance(progress.n_done)

        encoder = encoder_for(settings, n_threads=2)
        builder = IndexBuilder(catalogue, index_library(settings), encoder, cooking_lexicon())
        manifest = builder.build(on_progress, anew=anew)
    if as_json:
        _print_json({"name": manifest.name, "recipes": manifest.n_recipes, "encoder": manifest.encoder})
    else:
        _out.print(f"{manifest.n_recipes} recipes indexed: {manifest.name}")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help='What you feel like, such as "cena vegana".')],
    n: Annotated[int, typer.Option("-n", help="How many recipes.", min=1, max=20)] = 3,
    language: Idioma = "es",
    as_json: AsJson = False,
) -> None:
    """Search as the service would; nothing is recorded."""
    from recipes.answer import Ask
    from recipes.api.responses import answer_body
    from recipes.catalog.recipe import checked_language

    spoken = checked_language(language)
    service = _service()
    try:
        answer = service.recommender.answer(Ask(query, n=n, language=spoken))
        body = answer_body(answer, service.lexicon, explain=True)
    finally:
        service.close()
    if as_json:
        _print_json(body)
        return
    if body["aviso"]:
        _out.print(f"[yellow]{escape(body['aviso'])}[/yellow]")
    table = Table("", "receta", "id", "minutos", "valoración", "puntuación", box=None)
    for recipe in body["recetas"]:
        rating = "–" if recipe["calificación_promedio"] is None else f"{recipe['calificación_promedio']:.1f}"
        table.add_row(
            str(recipe["posición"]),
            escape(recipe["nombre"]),
            recipe["id"],
            str(recipe["minutos"] or "–"),
            rating,
            f"{recipe['puntuación']:.3f}",
        )
    _out.print(table)


@app.command()
def show(
    recipe_id: Annotated[str, typer.Argument(help="Id of a recipe, as `recipes search` prints it.")],
    language: Idioma = "es",
    as_json: AsJson = False,
) -> None:
    """A recipe, and what the search reads in it."""
    from recipes.catalog.recipe import checked_language
    from recipes.contents import contents_of
    from recipes.lexicon import cooking_lexicon

    spoken: Language = checked_language(language)
    with _catalogue(load_settings()) as catalogue:
        stored = catalogue.get(recipe_id)
    recipe = stored.recipe
    text, shown_in = stored.text_in(spoken)
    contents = contents_of(recipe, cooking_lexicon())
    if as_json:
        _print_json(
            {
                "id": recipe.recipe_id, "source": recipe.source, "language": shown_in, "name": text.name,
                "description": text.description, "ingredients": text.ingredients, "steps": text.steps,
                "minutes": recipe.minutes, "servings": recipe.servings, "cuisine": recipe.cuisine,
                "meals": recipe.meals, "tags": recipe.tags, "diets": recipe.diets,
                "allergens": recipe.allergens, "n_ratings": stored.n_ratings, "mean_rating": stored.mean_rating,
                "contains": sorted(contents.concepts), "unknown_words": sorted(contents.unknown),
            }
        )  # fmt: skip
        return
    _out.print(f"[bold]{escape(text.name)}[/bold]  ({recipe.recipe_id}, {recipe.source}, {shown_in})")
    if text.description:
        _out.print(escape(text.description))
    _out.print(escape("  ".join(_facts(stored))))
    _out.print("\n" + "\n".join(f"• {escape(line)}" for line in text.ingredients))
    _out.print("\n" + "\n".join(f"{number}. {escape(step)}" for number, step in enumerate(text.steps, start=1)))
    _out.print(f"\n[dim]contains: {', '.join(sorted(contents.concepts))}[/dim]")
    if contents.unknown:
        _out.print(f"[dim]words not in the lexicon: {', '.join(sorted(contents.unknown))}[/dim]")


def _facts(stored: StoredRecipe) -> Iterator[str]:
    recipe = stored.recipe
    for name in ("minutes", "servings", "cuisine", "meals", "diets", "allergens"):
        value = getattr(recipe, name)
        if value is not None:
            yield f"{name}: {', '.join(value) or 'none' if isinstance(value, tuple) else value}"
    yield "no ratings" if stored.mean_rating is None else f"rating: {stored.mean_rating:.2f} of 5 ({stored.n_ratings})"


@app.command()
def translate(
    language: Idioma = "es",
    limit: Annotated[int | None, typer.Option(help="At most this many recipes.", min=1)] = None,
) -> None:
    """Translate the recipes that have no text in a language. Needs OPENAI_API_KEY; goes on where it stopped."""
    from recipes.catalog.recipe import checked_language
    from recipes.errors import TranslatorUnavailable
    from recipes.translation import translator_for
    from recipes.translation.batch import translate_all

    target = checked_language(language)
    settings = load_settings()
    translator = translator_for(settings)
    if translator is None:
        raise TranslatorUnavailable("OPENAI_API_KEY is not set: recipes stay in the language they were written in")
    with (
        _catalogue(settings) as catalogue,
        progress("Translating", total=catalogue.count_untranslated(target)) as advance,
    ):
        n_done, n_failed = translate_all(catalogue, translator, target, limit=limit, on_progress=advance)
    _out.print(f"{n_done} recipes translated, {n_failed} failed")


@app.command("config")
def show_config(as_json: AsJson = False) -> None:
    """The settings in force, secrets hidden."""
    shown = shown_settings(load_settings())
    if as_json:
        _print_json(shown)
        return
    widest = max(map(len, shown))
    for name, value in shown.items():
        _out.print(f"{name:<{widest}}  {escape(value) or '[dim]not set[/dim]'}")


@contextmanager
def _catalogue(settings: Settings) -> Iterator[Catalogue]:
    """The catalogue, its tables made or upgraded, with the starter recipes in an empty one."""
    from mlops.store import Database
    from recipes.catalog import Catalogue
    from recipes.service import prepare_database

    database = Database(settings.state_url)
    catalogue = Catalogue(database)
    try:
        prepare_database(database, catalogue)
        yield catalogue
    finally:
        database.close()


def _service() -> Any:
    """A service that searches and records nothing."""
    from recipes.service import Service

    service = Service(load_settings(), records=False)
    service.prepare()
    return service


def _import(layout: Literal["foodcom", "interactions", "jsonl", "parquet", "schema-org"], file: Path) -> Any:
    from recipes.catalog.importers import ImportProgress, import_file, import_ratings

    settings = load_settings()
    rejects = settings.var_dir / "rejected"
    with _catalogue(settings) as catalogue, progress(f"Importing {escape(file.name)}", total=None) as advance:

        def on_progress(progress: ImportProgress) -> None:
            advance(progress.n_read, round(progress.n_read / progress.share) if progress.share else None)

        if layout == "interactions":
            return import_ratings(catalogue.database, file, rejects_dir=rejects, on_progress=on_progress)
        return import_file(catalogue.database, file, layout=layout, rejects_dir=rejects, on_progress=on_progress)


def _report(reports: list[Any], *, as_json: bool) -> None:
    if as_json:
        _print_json(
            [
                {
                    "file": str(report.path),
                    "read": report.n_read,
                    "read_before": report.n_skipped,
                    "new": report.counts.new,
                    "changed": report.counts.changed,
                    "unchanged": report.counts.unchanged,
                    "ratings": report.n_ratings,
                    "rejected": report.n_rejected,
                    "rejected_file": str(report.rejected_path) if report.rejected_path else None,
                }
                for report in reports
            ]
        )
        return
    for report in reports:
        counts = report.counts
        parts = [f"{report.n_read} rows read"]
        if report.n_skipped:
            parts.append(f"{report.n_skipped} of them by an earlier run that was interrupted")
        if report.n_ratings:
            parts.append(f"{report.n_ratings} ratings kept")
        else:
            parts.append(f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged")
        parts.append(f"{report.n_rejected} rejected")
        _out.print(escape(f"{report.path.name}: {', '.join(parts)}"))
        if report.rejected_path:
            _out.print(escape(f"  why: {report.rejected_path}"))
    _out.print("Run [bold]recipes index[/bold] to make new recipes findable.")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
