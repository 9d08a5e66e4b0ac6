"""Sentences of the toolkit: each has a translation, and is found again in what was made of it."""

from __future__ import annotations

import ast
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlops
import recipes
from mlops.sentences import Translation, listed, say, spanish
from recipes.sentences import SPANISH

TOOLKIT, RECOMMENDER = (Path(package.__file__ or "").parent for package in (mlops, recipes))
ALL = spanish(SPANISH)
SMALL = Translation(
    {
        "{n} jobs wait.": "{n} trabajos esperan.",
        "{model} waits: {because}.": "{model} espera: {because}.",
        "{columns} have moved": "se han movido {columns}",
        "the hour": "la hora",
        "{column} {score:.3g} (limit {limit:.3g})": "{column} {score} (límite {limit})",
        "It is paused.": "Está en pausa.",
        "It ended at {at:%Y-%m-%d %H:%M} UTC; {gain:+.4g} was {verdict}": "Acabó el {at} UTC; {gain} fue {verdict}",
        "failed: {reason}": "fallido: {reason}",
        "{guard}: {what}: {n} of the guard": "{guard}: {what}: {n} del guardián",
        "columns that are new: {columns:s}": "columnas nuevas: {columns}",
        "the column {column!s} is new": "la columna {column} es nueva",
        "{what} {value:.2%} expected": "{what}: se espera un {value}",
    },
    words={"better": "mejor"},
)


def said_in(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    """(where, the call) of each ``say(…)`` in the code of *folder*."""
    for file in sorted(folder.rglob("*.py")):
        if file.parent.name == "sentences":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                yield f"{file.relative_to(folder.parent)}:{node.lineno}", node


def templates_in(folder: Path) -> dict[str, str]:
    """Where each template of *folder* is said."""
    found = {}
    for where, call in said_in(folder):
        assert len(call.args) == 1, f"{where}: one template, and values by name"
        template = call.args[0]
        assert isinstance(template, ast.Constant), f"{where}: not one literal"
        names = {name for _, name, _, _ in string.Formatter().parse(template.value) if name is not None}
        given = {keyword.arg for keyword in call.keywords}
        assert names == given, f"{where}: the template has {names}, and is given {given}"
        found[template.value] = where
    return found


@pytest.mark.parametrize(
    ("code", "translation"),
    [(TOOLKIT, spanish()), (RECOMMENDER, Translation.load(sorted(SPANISH.glob("*.toml"))))],
    ids=["mlops", "recipes"],
)
def test_every_sentence_has_a_translation_and_every_translation_a_sentence(
    code: Path, translation: Translation
) -> None:
    said = templates_in(code)
    untranslated = {template: where for template, where in said.items() if template not in translation.templates}
    unsaid = set(translation.templates) - set(said)
    assert untranslated == {}
    assert unsaid == set()


def sample(template: str) -> str:
    """*template* with values such as there may be."""
    values: dict[str, object] = {}
    for place, (_, name, spec, _) in enumerate(string.Formatter().parse(template)):
        if name is not None:
            values[name] = 1000 + place if spec and spec[-1] in "dxb," else 0.25 + place
            if spec and spec.startswith("%"):
                values[name] = mlops.clock.utc_now()
            elif spec in {"", "s", None}:
                values[name] = f"naïve-value_{place}"
    return template.format(**values)


@pytest.mark.parametrize("template", ALL.templates)
def test_a_sentence_is_known_again(template: str) -> None:
    text = sample(template)
    assert ALL.template_of(text) == template
    read = ALL(text)
    assert read is not None
    assert read != text or template == ALL.templates[template]


def test_values_are_put_in_as_the_other_language_writes_them() -> None:
    assert SMALL(say("{n} jobs wait.", n=12)) == "12 trabajos esperan."
    limits = listed(say("{column} {score:.3g} (limit {limit:.3g})", column=c, score=0.25, limit=1e-7) for c in "ab")
    text = say("{columns} have moved", columns=limits)
    assert SMALL(text) == "se han movido a 0,25 (límite 1e-07), b 0,25 (límite 1e-07)"
    assert SMALL("12,345.5 jobs wait.") == "12.345,5 trabajos esperan."
    assert SMALL("12.5% jobs wait.") == "12,5\N{NO-BREAK SPACE}% trabajos esperan."
    assert SMALL("1.0.0 waits: ñandú.") == "1.0.0 espera: ñandú."
    assert SMALL("clicks on it −20.00% expected") == "clicks on it: se espera un −20,00\N{NO-BREAK SPACE}%"
    assert SMALL(say("the column {column!s} is new", column="better")) == "la columna better es nueva"


def test_a_sentence_within_another_is_read_too() -> None:
    assert SMALL("ranker waits: it is paused.") == "ranker espera: está en pausa."
    assert SMALL("ranker waits: the hour, naps have moved.") == "ranker espera: se han movido la hora, naps."


def test_a_stop_that_was_added_or_taken_away_is_so_in_both_languages() -> None:
    assert SMALL("the hour have moved.") == "se han movido la hora."
    assert SMALL("it is paused") == "está en pausa"


def test_sentences_beside_each_other_are_read_one_by_one() -> None:
    assert SMALL("3 jobs wait. It is paused.") == "3 trabajos esperan. Está en pausa."
    assert SMALL("it is paused; the hour have moved") == "está en pausa; se han movido la hora"


def test_what_an_error_says_is_read_behind_the_name_of_its_kind() -> None:
    assert SMALL("ranker waits: ValueError: it is paused.") == "ranker espera: ValueError: está en pausa."
    assert SMALL("Somebody: it is paused.") is None


def test_a_name_is_no_sentence() -> None:
    assert SMALL("the column of the moon is new") == "la columna of the moon es nueva"
    assert SMALL("the column moon. It is paused; the column moon is new") is None


def test_times_are_values() -> None:
    text = "It ended at 2026-11-29 20:00 UTC; +0.012 was better"
    assert SMALL(text) == "Acabó el 2026-11-29 20:00 UTC; +0,012 fue mejor"


def test_what_a_person_may_have_written_is_read_only_where_it_is_a_template_to_the_letter() -> None:
    assert SMALL("3 jobs wait.") is not None
    assert SMALL("3 jobs wait.", is_said=False) is None
    assert SMALL("It is paused.", is_said=False) == "Está en pausa."
    assert SMALL("It is paused", is_said=False) is None
    assert SMALL("columns that are new: a, b", is_said=False) == "columnas nuevas: a, b"
    assert SMALL("better") is None


def test_names_and_what_is_quoted_stay() -> None:
    assert SMALL(say("columns that are new: {columns:s}", columns="better, 1.5")) == "columnas nuevas: better, 1.5"
    assert SMALL("ranker waits: 'better', 'x, 1.5'.") == "ranker espera: 'better', 'x, 1.5'."


def test_numbers_without_an_end_have_the_sign_for_it() -> None:
    assert SMALL("clicks inf% expected") == "clicks: se espera un ∞\N{NO-BREAK SPACE}%"
    assert SMALL("It ended at 2026-11-29 20:00 UTC; -inf was better") == "Acabó el 2026-11-29 20:00 UTC; −∞ fue mejor"


@pytest.mark.parametrize(
    "text",
    [
        "x" + ": " * 900 + " of the guardian",
        "AnError: " * 200 + "x" + ": " * 90 + " of the guardian",
        "failed: " * 240 + "better",
        "it is paused; " * 140 + "x",
        "a, " * 660 + "x",
    ],
    ids=["colons", "errors", "nested", "beside each other", "a list"],
)
def test_no_text_goes_too_deep(text: str) -> None:
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        SMALL(text)
    finally:
        sys.setprofile(None)
    assert calls < 500_000


@pytest.mark.parametrize(
    "text", ["", "Somebody said so.", "3 jobs wait. Somebody said so.", "jobs wait.", "x jobs wai"]
)
def test_what_is_not_known_as_a_whole_is_not_read(text: str) -> None:
    assert SMALL(text) is None


def test_an_endless_text_is_no_sentence() -> None:
    assert SMALL("a waits: " * 5_000) is None


@pytest.mark.parametrize(
    ("english", "other"),
    [
        ("{n} jobs", "trabajos"),
        ("{n} jobs", "{n} trabajos {m}"),
        ("{n} {n} jobs", "{n} trabajos"),
        ("{n:.2f} jobs", "{n:.2f} trabajos"),
        ("{n!s} jobs", "{n!s} trabajos"),
        ("{n}: {m}", "{n}: {m}"),
    ],
)
def test_a_template_that_cannot_be_known_again_is_refused(english: str, other: str) -> None:
    with pytest.raises(ValueError, match=r"must have the placeholders|has no word"):
        Translation({english: other})


def test_a_template_stands_in_one_file(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.toml").write_text('"{n} jobs" = "{n} trabajos"')
    with pytest.raises(ValueError, match=r"b\.toml has templates of another file"):
        Translation.load(sorted(tmp_path.glob("*.toml")))


def test_a_folder_of_sentences_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"no folder {tmp_path}/spanisch"):
        spanish(tmp_path / "spanisch")
