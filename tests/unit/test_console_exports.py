"""What is kept of a page: CSV that no spreadsheet runs, JSON for programs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from mlops.http.access import Visitor
from mlops.http.console import Action, Actions, Ask, Choices, Details, Panel, View
from mlops.http.console.exports import as_csv, as_html, as_json, tables_of, titles_of
from mlops.http.console.rendering import load_words
from mlops.reports import Badge, Bounds, Chart, Facts, Link, Prose, PValue, Said, Share, Table, sequence_chart

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHART = Chart(Markup("<svg></svg>"), "a drawing")


def ask(**params: str) -> Ask:
    return Ask("/consola/x", {}, params, load_words()["es"], Visitor("ana", "operate"), AT)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
def test_whatever_text_a_table_holds_comes_back_and_no_cell_begins_a_formula(rows: list[list[str]]) -> None:
    text = as_csv(Table(["one", "other"], rows))
    found = read(text)
    assert found[0] == ["one", "other"]
    for kept, row in zip(found[1:], rows, strict=True):
        for cell, value in zip(kept, row, strict=True):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert cell in {value, f"'{value}"}


def test_rows_end_as_the_standard_says_and_values_are_for_programs() -> None:
    row = [AT, -1.5, None, True, Badge("sí", "good"), Link("#4", "/x"), Said('a "b", c'), CHART, "línea\nnueva"]
    text = as_csv(Table([f"c{n}" for n in range(9)], [row]))
    assert text.endswith("\r\n")
    assert read(text)[1] == [
        "2026-11-24T12:00:00+00:00", "-1.5", "", "True", "sí", "#4", 'a "b", c', "", "línea\nnueva",
    ]  # fmt: skip
    assert '"a ""b"", c"' in text


@pytest.fixture
def view() -> View:
    actions = Actions([Action("ack", "/alerts/1/ack", "Do it")])
    folded = Details("más", [Table(["name"], [["folded"]]), Prose("dentro")])
    blocks: list[Any] = [
        Facts([("rule", "latency"), ("until", AT), ("reason", None)]), Table(["name", "value"], [["a", 1.5]]),
        Said("it said so"), CHART, actions, Choices("x", []), folded,
    ]  # fmt: skip
    return View("Título", "En una frase", Badge("bien", "good"), [Panel("one", "Uno", blocks), Panel("two", "Dos", [])])


def test_json_holds_facts_tables_and_sentences_under_their_keys(view: View) -> None:
    found = orjson.loads(orjson.dumps(as_json(view, ask(formato="json", ventana="7d"))))
    assert found["address"] == "/consola/x?ventana=7d"
    assert (found["title"], found["lead"], found["verdict"]) == ("Título", "En una frase", "bien")
    one, two = found["panels"]
    assert one["facts"] == {"rule": "latency", "until": AT.isoformat(), "reason": None}
    assert [table["rows"] for table in one["tables"]] == [[{"name": "a", "value": 1.5}], [{"name": "folded"}]]
    assert one["texts"] == ["it said so", "dentro"]
    assert one["charts"] == [{"caption": "a drawing", "rows": []}]
    assert two == {"name": "two", "heading": "Dos"}


def test_json_holds_what_is_drawn() -> None:
    later = AT + timedelta(hours=1)
    chart = Chart(sequence_chart([Bounds(AT, None, 2.0), Bounds(later, 0.5, 1.5)], title="ratio"), "the ratio")
    found = as_json(View("T", panels=[Panel("one", "Uno", [Details("más", [chart])])]), ask())
    rows = [{"at": AT.isoformat(), "low": None, "high": 2.0}, {"at": later.isoformat(), "low": 0.5, "high": 1.5}]
    assert found["panels"][0]["charts"] == [{"caption": "the ratio", "rows": rows}]


def test_a_sentence_is_shown_in_the_language_of_the_page_where_that_is_known_and_kept_as_it_is_for_programs() -> None:
    said = [Said("None of 12 columns has drifted."), Said("It said so."), Said("lo dije yo", ""), Said("soup", "en")]
    view = View("T", panels=[Panel("one", "Uno", [*said, Table(["sentence"], [[said[0]]])])])
    page = as_html(view, ask())
    assert page.count('<span lang="es">Columnas con deriva: ninguna de 12.</span>') == 2
    assert '<span lang="en">It said so.</span>' in page
    # Nobody knows what language people wrote: an empty one says so to a screen reader.
    assert '<span lang="">lo dije yo</span>' in page
    assert as_json(view, ask())["panels"][0]["texts"] == [one.text for one in said]
    assert "None of 12 columns" in as_csv(tables_of(view)["one"])


def test_people_read_shares_and_p_values_as_such_and_programs_read_numbers() -> None:
    table = Table(["value", "p", "score"], [[Share(0.1234), PValue(3.5e-12), 0.1234]])
    view = View("T", panels=[Panel("one", "Uno", [table])])
    page = as_html(view, ask())
    assert all(text in page for text in (">12,3\N{NO-BREAK SPACE}%<", ">&lt;\N{NO-BREAK SPACE}0,001<", ">0,1234<"))
    found = orjson.loads(orjson.dumps(as_json(view, ask())))
    assert found["panels"][0]["tables"][0]["rows"] == [{"value": 0.1234, "p": 3.5e-12, "score": 0.1234}]
    assert read(as_csv(table))[1] == ["0.1234", "3.5e-12", "0.1234"]


def test_each_table_has_a_name_of_its_own(view: View) -> None:
    assert list(tables_of(view)) == ["one", "one-2"]


def test_a_table_is_called_by_its_caption_else_by_its_heading_and_no_two_are_called_the_same() -> None:
    def table(caption: str = "") -> Table:
        return Table(["name"], [["a"]], caption)

    guards = "Guardianes: tasa de cada brazo. Salta al llegar a 1.5."
    blocks: list[Any] = [
        table(),
        table(guards),
        Details("el lunes", [table(guards)]),
        Details("el martes", [table(guards)]),
    ]
    view = View(
        "T", panels=[Panel("one", "Uno", blocks), Panel("two", "Dos", [table("A 1.5 veces"), table(), table()])]
    )
    assert titles_of(view) == {
        "one": "Uno",
        "one-2": "Guardianes",
        "one-3": "Guardianes – el lunes",
        "one-4": "Guardianes – el martes",
        "two": "A 1.5 veces",
        "two-2": "Dos",
        "two-3": "Dos 2",
    }


def test_what_is_kept_carries_the_notice_of_the_pages(view: View) -> None:
    notice = "Los cocineros son <simulados>."
    assert as_json(view, ask(), notice=notice)["notice"] == notice
    assert as_json(view, ask())["notice"] is None
    report = as_html(view, ask(), notice=notice)
    assert report.index("Los cocineros son &lt;simulados&gt;.") < report.index("<h1>")
    assert "<aside" not in as_html(view, ask())


def test_a_report_shows_words_for_keys_and_nothing_to_press(view: View) -> None:
    text = as_html(view, ask())
    assert "regla" in text
    assert "folded" in text
    assert "Do it" not in text
    assert "Dos" not in text
    assert "2026-11-24" in text


def test_a_report_writes_numbers_and_yes_and_no_in_its_language() -> None:
    view = View("T", panels=[Panel("one", "Uno", [Table(["name", "value"], [["a", 1234567], ["b", True]])])])
    english = Ask("/consola/x", {}, {}, load_words()["en"], Visitor("ana", "operate"), AT)
    assert ">1.234.567<" in as_html(view, ask())
    assert ">sí<" in as_html(view, ask())
    assert ">1,234,567<" in as_html(view, english)
    assert ">yes<" in as_html(view, english)
