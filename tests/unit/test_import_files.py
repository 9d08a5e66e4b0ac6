"""Rows come out of every kind of file that we take, and a broken file is refused in one sentence."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipes.catalog.importers.files import check_readable, fingerprint
from recipes.catalog.importers.json_ld import read_json_ld
from recipes.catalog.importers.rows import Row, open_rows
from recipes.errors import BadCatalogueFile

ROWS = [{"id": str(number), "name": f"Soup number {number}", "note": "a, b\nc"} for number in range(40)]


def as_csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_jsonl(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def rows_of(path: Path) -> list[Row]:
    with open_rows(path) as (rows, _position):
        return list(rows)


def fields_of(path: Path) -> list[dict[str, Any] | None]:
    return [row.fields for row in rows_of(path)]


PACKED: dict[str, Callable[[], bytes]] = {
    "recipes.csv": lambda: as_csv(ROWS),
    "RECIPES.CSV": lambda: as_csv(ROWS),
    "recipes.csv.gz": lambda: gzip.compress(as_csv(ROWS)),
    "recipes.csv.zip": lambda: zipped({"recipes.csv": as_csv(ROWS)}),
    "download.zip": lambda: zipped({"data/recipes.csv": as_csv(ROWS), "__MACOSX/recipes.csv": b"x", "README": b"y"}),
    "recipes.jsonl": lambda: as_jsonl(ROWS),
    "recipes.ndjson": lambda: as_jsonl(ROWS),
    "recipes.jsonl.gz": lambda: gzip.compress(as_jsonl(ROWS)),
    "recipes.v2.JSONL.GZ": lambda: gzip.compress(as_jsonl(ROWS)),
    "export.zip": lambda: zipped({"recipes.jsonl": as_jsonl(ROWS)}),
}


@pytest.mark.parametrize("name", PACKED)
def test_the_same_rows_come_out_of_every_packing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(PACKED[name]())
    assert fields_of(tmp_path / name) == ROWS


def test_parquet_gives_rows_numbered_from_one(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "recipes.parquet", row_group_size=7)
    rows = rows_of(tmp_path / "recipes.parquet")
    assert [row.line for row in rows] == list(range(1, 41))
    assert [row.fields for row in rows] == ROWS


def test_the_position_moves_from_nothing_to_all(tmp_path: Path) -> None:
    (tmp_path / "recipes.csv").write_bytes(as_csv(ROWS * 2_000))
    with open_rows(tmp_path / "recipes.csv") as (rows, position):
        shares = [position() for number, _ in enumerate(rows) if number % 1_000 == 0]
        assert shares == sorted(shares)
        assert 0 < shares[0] < 0.1
        assert position() == 1


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_marks_and_line_ends_of_other_systems_do_not_matter(bom: bytes, ends: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(bom + b"id,name" + ends + b'1,"t\xc3\xa9"' + ends)
    (tmp_path / "a.jsonl").write_bytes(bom + '{"id": "1", "name": "té"}'.encode() + ends + ends)
    assert fields_of(tmp_path / "a.csv") == fields_of(tmp_path / "a.jsonl") == [{"id": "1", "name": "té"}]


def test_a_row_is_named_by_the_line_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name\n1,"two\nlines"\n\n2,three,columns\n3,ok\n4\n')
    rows = rows_of(tmp_path / "a.csv")
    assert [(row.line, row.fields is None) for row in rows] == [(2, False), (5, True), (6, False), (7, True)]
    assert [str(row.problem) for row in rows if row.problem] == [
        "row: has 3 columns where the header has 2",
        "row: has 1 columns where the header has 2",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "row: is not JSON"),
        ("[1]", "row: must be an object, got list"),
        ("null", "row: must be an object, got NoneType"),
        ("[" * 100_000, "row: is not JSON"),
        ('{"minutes": ' + "9" * 5_000 + "}", "row: is not JSON"),
    ],
)
def test_a_line_that_is_no_object_is_one_bad_row(line: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"id": 1}}\n{line}\n\n{{"id": 2}}\n')
    first, bad, last = rows_of(tmp_path / "a.jsonl")
    assert (first.fields, last.fields, last.line) == ({"id": 1}, {"id": 2}, 4)
    assert bad.line == 2
    assert str(bad.problem).startswith(reason)


def test_text_that_is_not_utf8_makes_a_bad_row_and_names_the_field(tmp_path: Path) -> None:
    # "man?" would no longer be read as peanut: better no recipe than a wrong one.
    (tmp_path / "a.csv").write_bytes(b"id,name\n1,man\xed\n2,man\xc3\xad\n")
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1, "steps": ["ok", "man\xed"]}\n{"id": 2, "name": "man\xc3\xad"}\n')
    for name, field in (("a.csv", "name"), ("a.jsonl", "steps")):
        bad, good = rows_of(tmp_path / name)
        assert str(bad.problem) == f"{field}: is not valid UTF-8"
        assert (good.fields or {})["name"] == "maní"


def test_a_replacement_character_that_was_there_before_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,jalape\ufffdo\n", "utf-8")
    assert fields_of(tmp_path / "a.csv") == [{"id": "1", "name": "jalape\ufffdo"}]


GZ = gzip.compress(as_csv(ROWS))
ZIP = zipped({"recipes.csv": as_csv(ROWS)})


def _locked(archive: bytes) -> bytes:
    """*archive* with the flag of a password set on its only member."""
    changed = bytearray(archive)
    changed[6] |= 1
    changed[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


BROKEN = {
    "truncated.csv.gz": GZ[: len(GZ) // 2],
    "checksum.csv.gz": GZ[:-6] + bytes(6),
    "flipped.csv.gz": GZ[:40] + bytes([GZ[40] ^ 0xFF]) + GZ[41:],
    "no.csv.gz": b"id,name\n1,this is no archive\n",
    "truncated.csv.zip": ZIP[: len(ZIP) // 2],
    "flipped.csv.zip": ZIP[:80] + bytes([ZIP[80] ^ 0xFF]) + ZIP[81:],
    "locked.csv.zip": _locked(ZIP),
    "no.csv.zip": b"id,name\n1,this is no archive\n",
    "several.zip": zipped({"a.csv": b"id\n1\n", "b.csv": b"id\n2\n"}),
    "nothing.zip": zipped({"readme.md": b"hello"}),
    "pickle.zip": zipped({"recipes.pkl": pickle.dumps(ROWS)}),
    "no.parquet": b"PAR1 this is no parquet PAR1",
    "text.parquet": as_csv(ROWS),
    "blank.csv": b"\n\n",
    "huge.csv": b'id,name\n1,"' + b"x" * (1 << 24) + b'x"\n',
    "recipes.xlsx": b"PK\x03\x04",
    "recipes.json": b"{}",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_by_name_in_one_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(BadCatalogueFile) as caught:
        rows_of(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_truncated_parquet_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadCatalogueFile, match="not a parquet file, or damaged"):
        rows_of(tmp_path / "half.parquet")


def test_parquet_with_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\4\0\0\0"), pa.py_buffer(b"man\xed"))
    pq.write_table(pa.table({"name": bad}), tmp_path / "bad.parquet")
    with pytest.raises(BadCatalogueFile, match=r"bad\.parquet is damaged behind row 0"):
        rows_of(tmp_path / "bad.parquet")


@pytest.mark.parametrize("packing", ["gz", "zip"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_whatever_byte_is_damaged_nothing_but_our_error_comes_out(packing: str, data: Any, tmp_path: Path) -> None:
    whole = bytearray(GZ if packing == "gz" else ZIP)
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255))
    path = tmp_path / f"recipes.csv.{packing}"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        rows_of(path)
    except BadCatalogueFile as error:
        assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.joblib", "a.pkl.gz", "A.PKL", "a.pickle.zip"])
def test_a_pickle_is_refused_before_it_is_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(BadCatalogueFile, match="is a pickle, and opening one can run code"):
        check_readable(tmp_path / name)


class _Bomb:
    """Creates a file in the working folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("exploded", "w"))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz"])
def test_a_pickle_under_another_name_runs_no_code(name: str, tmp_path: Path) -> None:
    content = pickle.dumps(_Bomb())
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with contextlib.suppress(BadCatalogueFile):
        assert all(row.fields is None for row in rows_of(tmp_path / name))
    assert not (tmp_path / "exploded").exists()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    for path, reason in (
        (tmp_path, "is not a file"),
        (tmp_path / "no.csv", "is not a file"),
        (tmp_path / "empty.csv", "is empty"),
    ):
        with pytest.raises(BadCatalogueFile, match=reason):
            check_readable(path)


def test_a_fingerprint_tells_files_apart_by_name_size_ends_and_use(tmp_path: Path) -> None:
    contents = {"a.csv": b"x" * 9, "b.csv": b"x" * 9, "c.csv": b"x" * 8 + b"y", "d.csv": b"x" * 10}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    marks = {fingerprint(tmp_path / name, salt="foodcom") for name in contents}
    assert len(marks | {fingerprint(tmp_path / "a.csv", salt="jsonl")}) == 5
    assert fingerprint(tmp_path / "a.csv", salt="foodcom") in marks


SOUP = {"@context": "https://schema.org", "@type": "Recipe", "name": "Soup"}
CAKE = {"@type": ["NewsArticle", "Recipe"], "name": "Cake"}
PAGE = """<!doctype html><html><head><title>Sopa &amp; más</title>
<script type="application/ld+json">{"@type": "WebSite", "name": "x"}</script>
<script>var recipe = {"@type": "Recipe"};</script>
<SCRIPT TYPE='application/LD+JSON; charset=utf-8'>
{"@graph": [{"@type": "WebPage"}, {"@type": "Recipe", "name": "Soup", "description": "Fish &amp; chips,
on two lines < here >"}]}
</SCRIPT></head><body><p>hola</p></body></html>"""


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (SOUP, ["Soup"]),
        ([SOUP, CAKE], ["Soup", "Cake"]),
        ({"@graph": [{"@type": "WebPage"}, SOUP, CAKE]}, ["Soup", "Cake"]),
        ({"@type": "WebPage", "mainEntity": SOUP}, ["Soup"]),
        ({"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": SOUP}, CAKE]}, ["Soup", "Cake"]),
        ([[SOUP], "text", 5, None, {"@type": "Person", "name": "Recipe"}], ["Soup"]),
    ],
)
def test_every_recipe_object_is_found_wherever_it_hangs(document: Any, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.jsonld").write_text(json.dumps(document))
    rows = list(read_json_ld(tmp_path / "a.jsonld"))
    assert [(row.line, (row.fields or {})["name"]) for row in rows] == list(enumerate(names, start=1))


@pytest.mark.parametrize("name", ["a.html", "a.html.gz", "page.zip"])
def test_a_web_page_gives_the_recipes_that_it_carries(name: str, tmp_path: Path) -> None:
    content = PAGE.encode()
    packed = {"gz": gzip.compress(content), "zip": zipped({"page.htm": content})}
    (tmp_path / name).write_bytes(packed.get(name.rsplit(".", 1)[1], content))
    (row,) = read_json_ld(tmp_path / name)
    assert (row.fields or {})["description"] == "Fish &amp; chips,\non two lines < here >"


def test_a_broken_script_spoils_only_itself(tmp_path: Path) -> None:
    page = PAGE.replace("<title>", '<script type="application/ld+json">{"@type": "Recipe",}</script><title>')
    (tmp_path / "a.html").write_text(page)
    bad, good = read_json_ld(tmp_path / "a.html")
    assert str(bad.problem).startswith("row: is not JSON")
    assert (good.fields or {})["name"] == "Soup"


def test_only_the_recipe_with_damaged_text_is_rejected(tmp_path: Path) -> None:
    damaged = json.dumps([SOUP, CAKE]).encode().replace(b"Soup", b"So\xfap")
    (tmp_path / "a.json").write_bytes(damaged)
    bad, good = read_json_ld(tmp_path / "a.json")
    assert str(bad.problem) == "name: is not valid UTF-8"
    assert (good.fields or {})["name"] == "Cake"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"@graph":' * 700 + b"1" + b"}" * 700, "no object of type Recipe|not JSON"),
        (b'{"@type": "WebPage"}', "holds no object of type Recipe"),
        (b"<html><body>no recipe</body></html>", "holds no object of type Recipe"),
        (b'<script type="application/ld+json">', "is not JSON"),
        (b"\x00\x01\xff\xfe", "is not JSON"),
    ],
)
def test_a_document_without_a_recipe_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BadCatalogueFile, match=reason):
        list(read_json_ld(tmp_path / "a.json"))
