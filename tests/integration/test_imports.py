"""Imports end with the same catalogue whatever the format, the interruptions and the repetitions."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, RecipeText, SaveCounts
from recipes.catalog.importers import ImportProgress, ImportReport, import_file, import_ratings
from recipes.errors import BadCatalogueFile

REPOSITORY = Path(__file__).parent.parent.parent
FOODCOM = Path(os.environ.get("RECIPES_DATA_DIR", REPOSITORY.parent / "shared" / "data")) / "foodcom"

Fields = dict[str, Any]


def soup(number: int, **changes: Any) -> Fields:
    """A row in the layout of the public Food.com file."""
    row = {
        "name": f"soup number {number}", "id": number, "minutes": 30, "contributor_id": 1, "submitted": "2005-09-16",
        "tags": "['lunch', 'easy']", "nutrition": "[1.0, 2.0]", "n_steps": 2, "steps": "['chop, well', \"don't burn\"]",
        "description": f"line one\nline {number}", "ingredients": "['4 tomatoes', 'salt']", "n_ingredients": 2,
    }  # fmt: skip
    return {**row, **changes}


def as_csv(rows: list[Fields]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[Fields]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def as_zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


class Kitchen:
    """A catalogue, and a folder of files to import into it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.catalogue = Catalogue(database)
        self.folder = folder
        self.rejects = folder / "rejected"

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def take(self, layout: str, name: str, content: bytes | str | None = None, **options: Any) -> ImportReport:
        path = self.folder / name if content is None else self.write(name, content)
        return import_file(self.database, path, layout=layout, rejects_dir=self.rejects, **options)

    def rate(self, content: bytes | str, name: str = "RAW_interactions.csv", **options: Any) -> ImportReport:
        return import_ratings(self.database, self.write(name, content), rejects_dir=self.rejects, **options)

    def contents(self) -> dict[str, tuple[str, int, float]]:
        stored = [stored for batch in self.catalogue.walk() for stored in batch]
        return {each.recipe.recipe_id: (each.content_hash, each.n_ratings, each.rating_sum) for each in stored}


def rejected(report: ImportReport) -> list[Fields]:
    """What the file of rejected rows says; empty where there is none."""
    if report.rejected_path is None:
        return []
    return [json.loads(line) for line in report.rejected_path.read_text("utf-8").splitlines()]


@pytest.fixture
def kitchen(emptied_database: Database, tmp_path: Path) -> Kitchen:
    """On each kind of database."""
    return Kitchen(emptied_database, tmp_path)


@pytest.fixture
def one_kitchen(sqlite_database: Database, tmp_path: Path) -> Kitchen:
    """On SQLite alone, where the kind does not matter."""
    return Kitchen(sqlite_database, tmp_path)


# ---- Food.com recipes


def test_every_packing_of_the_foodcom_file_gives_the_same_catalogue(one_kitchen: Kitchen) -> None:
    rows = [soup(number) for number in range(30)]
    content = as_csv(rows)
    assert one_kitchen.take("foodcom", "RAW_recipes.csv", content).counts == SaveCounts(new=30)
    for name, packed in {
        "RAW_recipes.csv.gz": gzip.compress(content),
        "RAW_recipes.csv.zip": as_zip("RAW_recipes.csv", content),
        "archive.zip": as_zip("RAW_recipes.csv", content),
        "RAW_recipes.parquet": as_parquet(rows),
    }.items():
        report = one_kitchen.take("foodcom", name, packed)
        assert (report.counts, report.n_rejected) == (SaveCounts(unchanged=30), 0), name


def test_a_foodcom_recipe_is_stored_as_it_was_written(kitchen: Kitchen) -> None:
    kitchen.take("foodcom", "RAW_recipes.csv", as_csv([soup(7)]))
    recipe = kitchen.catalogue.get("foodcom-7").recipe
    assert recipe.original == RecipeText(
        "soup number 7", "line one line 7", ("4 tomatoes", "salt"), ("chop, well", "don't burn")
    )
    assert (recipe.minutes, recipe.meals, recipe.tags) == (30, ("lunch",), ("lunch", "easy"))


def test_repeating_an_import_doubles_nothing_and_keeps_translations(kitchen: Kitchen) -> None:
    content = as_csv([soup(number) for number in range(5)])
    kitchen.take("foodcom", "a.csv", content)
    before, stored = kitchen.contents(), kitchen.catalogue.get("foodcom-3")
    sopa = RecipeText("sopa", "", ("4 tomates", "sal"), ("pica", "cuece"))
    kitchen.catalogue.add_translation(stored.recipe_no, "es", sopa, of=stored.content_hash)
    report = kitchen.take("foodcom", "a.csv", content)
    assert (report.n_read, report.n_skipped, report.counts) == (5, 0, SaveCounts(unchanged=5))
    assert kitchen.contents() == before
    assert kitchen.catalogue.get("foodcom-3").text_in("es") == (sopa, "es")


def test_a_changed_row_updates_its_recipe_keeps_its_ratings_and_loses_its_translation(kitchen: Kitchen) -> None:
    kitchen.take("foodcom", "a.csv", as_csv([soup(1), soup(2)]))
    kitchen.rate("user_id,recipe_id,date,rating\n5,2,2005-01-01,4\n")
    for recipe_id in ("foodcom-1", "foodcom-2"):
        stored = kitchen.catalogue.get(recipe_id)
        sopa = RecipeText("sopa", "", ("4 tomates", "sal"), ("pica", "cuece"))
        kitchen.catalogue.add_translation(stored.recipe_no, "es", sopa, of=stored.content_hash)
    report = kitchen.take("foodcom", "b.csv", as_csv([soup(1), soup(2, minutes=45), soup(3)]))
    changed = kitchen.catalogue.get("foodcom-2")
    assert report.counts == SaveCounts(new=1, changed=1, unchanged=1)
    assert (changed.recipe.minutes, changed.mean_rating, dict(changed.translations)) == (45, 4.0, {})
    assert kitchen.catalogue.get("foodcom-1").translations


# ---- Rejected rows


def test_rejected_rows_are_counted_and_written_down_with_line_field_and_reason(one_kitchen: Kitchen) -> None:
    rows = [soup(1), soup(2, name=""), soup(3, id="x"), soup(4, minutes="soon"), soup(5, ingredients="salt"), soup(6)]
    report = one_kitchen.take("foodcom", "a.csv", as_csv(rows) + b"only,three,columns\n")
    assert (report.n_read, report.counts.new, report.n_rejected) == (7, 2, 5)
    # Each row stands on two lines, since its description does.
    assert rejected(report) == [
        {"line": 4, "field": "name", "reason": "is empty"},
        {"line": 6, "field": "id", "reason": "must be a whole number, got 'x'"},
        {"line": 8, "field": "minutes", "reason": "must be a number, got 'soon'"},
        {"line": 10, "field": "ingredients", "reason": "must be a list, such as ['salt', 'flour']"},
        {"line": 14, "field": "row", "reason": "has 3 columns where the header has 12"},
    ]


def test_text_that_is_not_utf8_is_rejected_and_the_rest_comes_in(one_kitchen: Kitchen) -> None:
    content = as_csv([soup(1, description="plain"), soup(2, description="maní"), soup(3, description="maní")])
    broken = content.replace("maní".encode(), "maní".encode("latin-1"), 1)
    report = one_kitchen.take("foodcom", "a.csv", broken)
    assert rejected(report) == [{"line": 3, "field": "description", "reason": "is not valid UTF-8"}]
    assert sorted(one_kitchen.contents()) == ["foodcom-1", "foodcom-3"]


def test_repeating_an_import_writes_the_rejected_rows_once(one_kitchen: Kitchen) -> None:
    content = as_csv([soup(1), soup(2, name="")])
    first, second = (one_kitchen.take("foodcom", "a.csv", content) for _ in range(2))
    assert first.rejected_path == second.rejected_path
    assert (len(rejected(second)), second.n_rejected) == (1, 1)


def test_a_repetition_that_rejects_nothing_leaves_no_old_file(one_kitchen: Kitchen) -> None:
    first = one_kitchen.rate("user_id,recipe_id,date,rating\n5,1,,4\n")
    one_kitchen.take("foodcom", "a.csv", as_csv([soup(1)]))
    second = one_kitchen.rate("user_id,recipe_id,date,rating\n5,1,,4\n")
    assert (first.n_rejected, second.n_rejected, second.rejected_path) == (1, 0, None)
    assert list(one_kitchen.rejects.iterdir()) == []


def test_files_of_one_name_keep_their_rejected_rows_apart(one_kitchen: Kitchen, tmp_path: Path) -> None:
    reports = [one_kitchen.take("foodcom", "a.csv", as_csv([soup(number, name="")])) for number in (1, 2)]
    assert reports[0].rejected_path != reports[1].rejected_path
    assert [len(rejected(report)) for report in reports] == [1, 1]


# ---- Food.com interactions

RATED = """user_id,recipe_id,date,rating,review
10,1,2003-02-17,4,"good, and
two lines"
10,2,,0,not rated
11,1,2003-02-18,5,
11,2,2003-02-18,0,
12,1,,2,no date
"""


def test_ratings_count_and_a_rating_of_0_is_none(kitchen: Kitchen) -> None:
    kitchen.take("foodcom", "a.csv", as_csv([soup(1), soup(2)]))
    report = kitchen.rate(RATED)
    rated, cooked = kitchen.catalogue.get("foodcom-1"), kitchen.catalogue.get("foodcom-2")
    assert (report.n_read, report.n_ratings, report.n_rejected) == (5, 5, 0)
    assert (rated.n_ratings, rated.rating_sum) == (3, 11.0)
    assert (cooked.n_ratings, cooked.mean_rating) == (0, None)


def _rated_at(database: Database) -> dict[str, datetime | None]:
    table = schema.ratings
    with database.reading() as connection:
        rows = connection.execute(sa.select(table.c.rater, table.c.rated_at)).all()
    # SQLite keeps no zone: what it gives back is UTC.
    return {row.rater: row.rated_at and row.rated_at.replace(tzinfo=row.rated_at.tzinfo or UTC) for row in rows}


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose day begins nine hours before ours."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_dates_may_be_missing_and_do_not_depend_on_the_zone_of_the_machine(kitchen: Kitchen) -> None:
    kitchen.take("foodcom", "a.csv", as_csv([soup(1)]))
    kitchen.rate("user_id,recipe_id,date,rating\n10,1,2003-02-17,4\n11,1,,5\n12,1,2003-02-17T23:30:00-02:00,3\n")
    assert _rated_at(kitchen.database) == {
        "foodcom-10": datetime(2003, 2, 17, tzinfo=UTC),
        "foodcom-11": None,
        "foodcom-12": datetime(2003, 2, 18, 1, 30, tzinfo=UTC),
    }


def test_ratings_that_make_no_sense_are_rejected_by_field(one_kitchen: Kitchen) -> None:
    one_kitchen.take("foodcom", "a.csv", as_csv([soup(1)]))
    report = one_kitchen.rate(
        "user_id,recipe_id,date,rating\n"
        "10,99,2003-02-17,5\nann,1,,5\n10,one,,5\n10,1,yesterday,5\n10,1,,6\n10,1,,-1\n10,1,,\n10,1,,nan\n10,1,,4\n"
    )
    assert [(entry["line"], entry["field"]) for entry in rejected(report)] == [
        (2, "recipe_id"), (3, "user_id"), (4, "recipe_id"), (5, "date"), (6, "rating"), (7, "rating"), (8, "rating"),
        (9, "rating"),
    ]  # fmt: skip
    assert rejected(report)[0]["reason"] == "there is no recipe 'foodcom-99'"
    assert (report.n_ratings, one_kitchen.catalogue.get("foodcom-1").rating_sum) == (1, 4.0)


def test_a_missing_column_is_named(one_kitchen: Kitchen) -> None:
    report = one_kitchen.rate("user_id,recipe_id\n10,1\n")
    assert rejected(report) == [{"line": 2, "field": "rating", "reason": "must be a number, got None"}]


def test_repeating_ratings_doubles_nothing_and_a_new_one_replaces_the_old(kitchen: Kitchen) -> None:
    kitchen.take("foodcom", "a.csv", as_csv([soup(1), soup(2)]))
    for _ in range(2):
        kitchen.rate(RATED)
    assert (kitchen.catalogue.get("foodcom-1").n_ratings, kitchen.catalogue.get("foodcom-1").rating_sum) == (3, 11.0)
    kitchen.rate("user_id,recipe_id,date,rating\n10,1,2004-01-01,1\n12,1,2004-01-01,0\n", name="later.csv")
    assert (kitchen.catalogue.get("foodcom-1").n_ratings, kitchen.catalogue.get("foodcom-1").rating_sum) == (2, 6.0)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.csv.gz", lambda: gzip.compress(RATED.encode())),
        ("a.zip", lambda: as_zip("RAW_interactions.csv", RATED.encode())),
        (
            "a.parquet",
            lambda: as_parquet([{**row, "date": row["date"] or None} for row in csv.DictReader(io.StringIO(RATED))]),
        ),
    ],
)
def test_ratings_come_packed_too(name: str, packed: Callable[[], bytes], one_kitchen: Kitchen) -> None:
    one_kitchen.take("foodcom", "recipes.csv", as_csv([soup(1), soup(2)]))
    assert one_kitchen.rate(packed(), name=name).n_ratings == 5
    assert one_kitchen.catalogue.get("foodcom-1").rating_sum == 11.0


# ---- The other layouts


def test_json_lines_come_in_with_both_languages(kitchen: Kitchen) -> None:
    spanish = {"name": "Sopa", "ingredients": ["4 tomates"], "steps": ["Cuece."]}
    english = {"name": "Soup", "ingredients": ["4 tomatoes"], "steps": ["Cook."]}
    lines = [{"id": "1", "es": spanish, "en": english}, {"id": "2", **spanish, "allergens": []}, {"id": "3"}, "?"]
    report = kitchen.take("jsonl", "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert (report.counts.new, [(entry["line"], entry["field"]) for entry in rejected(report)]) == (
        2,
        [(3, "name"), (4, "row")],
    )
    assert kitchen.catalogue.get("import-1").text_in("en")[0].name == "Soup"
    assert kitchen.catalogue.get("import-2").recipe.allergens == ()


def test_parquet_with_our_columns_gives_what_json_lines_give(one_kitchen: Kitchen) -> None:
    row = {
        "id": "1",
        "name": "Sopa",
        "ingredients": ["4 tomates"],
        "steps": ["Cuece."],
        "minutes": 20.0,
        "tags": ["cena"],
    }
    one_kitchen.take("jsonl", "a.jsonl", json.dumps(row))
    report = one_kitchen.take("parquet", "a.parquet", as_parquet([row, {**row, "id": "2", "minutes": None}]))
    assert report.counts == SaveCounts(new=1, unchanged=1)


def test_the_parquet_layout_wants_a_parquet_file(one_kitchen: Kitchen) -> None:
    with pytest.raises(BadCatalogueFile, match=r"must end in \.parquet"):
        one_kitchen.take("parquet", "a.csv", as_csv([soup(1)]))


def test_a_web_page_comes_in_and_is_updated_by_its_address(kitchen: Kitchen) -> None:
    recipe = {
        "@type": "Recipe", "@id": "https://example.org/sopa", "name": "Sopa de tomate", "totalTime": "PT25M",
        "recipeIngredient": ["4 tomates"], "recipeInstructions": [{"@type": "HowToStep", "text": "Cuece."}],
    }  # fmt: skip
    page = '<html><script type="application/ld+json">{}</script></html>'
    first = kitchen.take("schema-org", "a.html", page.replace("{}", json.dumps([recipe, {"@type": "Recipe"}])))
    second = kitchen.take("schema-org", "b.jsonld", json.dumps({**recipe, "totalTime": "PT30M"}))
    assert (first.counts, second.counts) == (SaveCounts(new=1), SaveCounts(changed=1))
    assert rejected(first) == [{"line": 2, "field": "name", "reason": "is missing"}]
    assert next(iter(kitchen.catalogue.walk()))[0].recipe.minutes == 30


@pytest.mark.parametrize("layout", ["foodcom", "jsonl", "schema-org"])
def test_a_pickle_is_refused(layout: str, one_kitchen: Kitchen) -> None:
    with pytest.raises(BadCatalogueFile, match="is a pickle"):
        one_kitchen.take(layout, "RAW_recipes.pkl", b"\x80\x04N.")


# ---- Interruptions


class _PulledPlug(Exception):
    pass


def _stop_after(n_batches: int) -> Callable[[ImportProgress], None]:
    seen: list[ImportProgress] = []

    def on_progress(progress: ImportProgress) -> None:
        seen.append(progress)
        if len(seen) == n_batches:
            raise _PulledPlug

    return on_progress


def _many() -> bytes:
    """2,600 rows, so three batches; every hundredth has no name."""
    return as_csv([soup(number, name="" if number % 100 == 99 else f"soup {number}") for number in range(2_600)])


def test_an_interrupted_import_goes_on_where_its_last_batch_was_saved(kitchen: Kitchen) -> None:
    content = _many()
    with pytest.raises(_PulledPlug):
        kitchen.take("foodcom", "a.csv", content, on_progress=_stop_after(1))
    assert kitchen.catalogue.count() == 990
    report = kitchen.take("foodcom", "a.csv")
    assert (report.n_read, report.n_skipped, report.counts.new) == (2_600, 1_000, 1_584)
    assert (report.n_rejected, len(rejected(report)), kitchen.catalogue.count()) == (26, 26, 2_574)


def test_a_finished_import_begins_anew_the_next_time(one_kitchen: Kitchen) -> None:
    with pytest.raises(_PulledPlug):
        one_kitchen.take("foodcom", "a.csv", _many(), on_progress=_stop_after(2))
    one_kitchen.take("foodcom", "a.csv")
    report = one_kitchen.take("foodcom", "a.csv")
    assert (report.n_skipped, report.counts, report.n_rejected) == (0, SaveCounts(unchanged=2_574), 26)
    assert len(rejected(report)) == 26


def test_another_file_of_the_same_name_does_not_go_on_where_the_first_stopped(one_kitchen: Kitchen) -> None:
    with pytest.raises(_PulledPlug):
        one_kitchen.take("foodcom", "a.csv", _many(), on_progress=_stop_after(1))
    assert one_kitchen.take("foodcom", "a.csv", as_csv([soup(number) for number in range(1_100)])).n_skipped == 0


def test_progress_rises_to_the_whole(one_kitchen: Kitchen) -> None:
    seen: list[ImportProgress] = []
    one_kitchen.take("foodcom", "a.csv", _many(), on_progress=seen.append)
    assert [progress.n_read for progress in seen] == [1_000, 2_000, 2_600]
    assert 0 < seen[0].share < seen[1].share < seen[2].share == 1


def test_a_file_that_breaks_in_the_middle_keeps_what_came_before(one_kitchen: Kitchen) -> None:
    whole = gzip.compress(_many())
    with pytest.raises(BadCatalogueFile, match="is damaged"):
        one_kitchen.take("foodcom", "a.csv.gz", whole[:-1_000])
    n_before = one_kitchen.catalogue.count()
    report = one_kitchen.take("foodcom", "a.csv.gz", whole)
    assert n_before in (990, 1_980)
    assert (report.counts.new + n_before, one_kitchen.catalogue.count()) == (2_574, 2_574)


# ---- The public files themselves


@pytest.mark.skipif(not FOODCOM.is_dir(), reason=f"the Food.com files are not at {FOODCOM}")
def test_the_public_files_come_in_whole(one_kitchen: Kitchen) -> None:
    recipes = import_file(
        one_kitchen.database, FOODCOM / "RAW_recipes.csv", layout="foodcom", rejects_dir=one_kitchen.rejects
    )
    ratings = import_ratings(one_kitchen.database, FOODCOM / "RAW_interactions.csv", rejects_dir=one_kitchen.rejects)
    known = one_kitchen.contents()
    with (FOODCOM / "RAW_interactions.csv").open(encoding="utf-8", newline="") as file:
        stars = {
            (row["user_id"], row["recipe_id"]): int(row["rating"])
            for row in csv.DictReader(file)
            if f"foodcom-{row['recipe_id']}" in known
        }
    assert recipes.n_rejected <= 0.01 * recipes.n_read
    assert recipes.counts == SaveCounts(new=recipes.n_read - recipes.n_rejected)
    assert ratings.n_ratings == len(stars)
    assert sum(count for _, count, _ in known.values()) == sum(star > 0 for star in stars.values())
    assert sum(total for _, _, total in known.values()) == sum(stars.values())
