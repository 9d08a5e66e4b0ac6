"""Building indexes and keeping them: what is encoded, what survives a crash, who may open what."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Rating, Recipe, RecipeText
from recipes.constraints import Constraints
from recipes.encoder.base import Vectors
from recipes.errors import EncoderUnavailable, IndexUnavailable
from recipes.index import BuildProgress, Candidates, IndexBuilder, IndexLibrary, RecipeIndex
from recipes.index.edge import EdgeStore
from recipes.index.library import Manifest, QdrantServer
from recipes.index.store import IndexPoint
from recipes.lexicon import Lexicon
from recipes.terms import query_terms
from recipes.text import stems
from tests.twins import HashingEncoder, concept, embed, tiny_lexicon

DIMENSIONS = 16
LEXICON = tiny_lexicon()
NO_RULES = Constraints()
DISHES = ("soup", "salad", "cake", "stew", "pie")
FOODS = ("tomato", "onion", "rice", "potato", "egg", "milk", "cheese", "chicken")


def _recipe(number: int, name: str | None = None) -> Recipe:
    """An English recipe; each number is another dish of other foods."""
    dish, food, other = list(product(DISHES, FOODS, FOODS))[number % 320]
    text = RecipeText(name or f"{food} {dish} {number}", "", (f"2 {food}", f"1 {other}"), ("Cook.",))
    return Recipe(f"test-{number}", "test", "en", {"en": text})


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """A catalogue of twelve."""
    catalogue.save([_recipe(number) for number in range(12)])
    return catalogue


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder(dimensions=DIMENSIONS)


@pytest.fixture
def library(quick_path: Path) -> IndexLibrary:
    """A library with the engine in the process."""
    return IndexLibrary(quick_path / "index")


@pytest.fixture(params=["edge", "server"])
def any_library(request: pytest.FixtureRequest, library: IndexLibrary, quick_path: Path) -> IndexLibrary:
    """A library with either engine."""
    if request.param == "edge":
        return library
    return IndexLibrary(quick_path / "index", server=QdrantServer(f":memory:{uuid.uuid4()}"))


@pytest.fixture
def open_index() -> Iterator[Callable[..., RecipeIndex]]:
    """Opens current indexes and closes them with the test."""
    opened: list[RecipeIndex] = []

    def open_it(library: IndexLibrary, encoder_name: str = "hashing") -> RecipeIndex:
        opened.append(library.open(encoder_name=encoder_name))
        return opened[-1]

    yield open_it
    for index in opened:
        index.close()


OpenIndex = Callable[..., RecipeIndex]


def _builder(catalogue: Catalogue, library: IndexLibrary, encoder: Any, lexicon: Lexicon = LEXICON) -> IndexBuilder:
    return IndexBuilder(catalogue, library, encoder, lexicon)


def _search(index: RecipeIndex, query: str, rules: Constraints = NO_RULES) -> Candidates:
    return index.candidates(embed([query], DIMENSIONS)[0], query_terms(stems(query), LEXICON, "en"), rules)


def _content(library: IndexLibrary, numbers: Sequence[int], encoder_name: str = "hashing") -> dict[str, Any]:
    """All that the current index holds, as plain data."""
    [store] = library.open_vectors(encoder_name=encoder_name)
    known = store.known(numbers)
    store.close()
    with np.load(library.folder / str(library.current_name()) / "items.npz") as arrays:
        items = {name: arrays[name].tolist() for name in arrays.files}
    vectors = {
        number: (known[number].content_hash, known[number].name.tolist(), known[number].ingredients.tolist())
        for number in sorted(known)
    }
    return {"items": items, "vectors": vectors}


# What is encoded


def test_a_build_makes_an_index_of_the_whole_catalogue(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, any_library, encoder)
    progress: list[BuildProgress] = []
    manifest = builder.build(progress.append)
    index = open_index(any_library)
    assert builder.is_current()
    assert (manifest.n_recipes, manifest.fingerprint, manifest.engine) == (
        12, filled.fingerprint(), any_library.engine,
    )  # fmt: skip
    assert (len(index), index.name, index.fingerprint) == (12, manifest.name, manifest.fingerprint)
    assert len(_search(index, "tomato soup")) == 12
    assert progress[-1] == BuildProgress(12, 12, 12)
    # A name and a list of ingredients each.
    assert encoder.n_encoded == 24


def test_ingredients_are_encoded_without_amounts(
    catalogue: Catalogue, library: IndexLibrary, encoder: HashingEncoder
) -> None:
    text = RecipeText("Crema", "", ("2 kg tomate maduro", "½ cebolla picada", "una pizca de algo"), ("Cocer.",))
    catalogue.save([Recipe("one", "test", "es", {"es": text})])
    _builder(catalogue, library, encoder).build()
    assert encoder.texts == ["Crema", "tomate, cebolla"]


def test_a_current_index_is_left_alone(filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder) -> None:
    builder = _builder(filled, any_library, encoder)
    first = builder.build()
    assert builder.build() == first
    assert encoder.n_encoded == 24


def test_ratings_and_translations_call_for_no_new_index(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder
) -> None:
    builder = _builder(filled, library, encoder)
    builder.build()
    filled.rate([Rating("ana", "test-1", 5, None)])
    stored = filled.get("test-1")
    filled.add_translation(stored.recipe_no, "es", stored.recipe.original, of=stored.content_hash)
    assert builder.is_current()


def test_only_a_changed_recipe_is_encoded_again(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, any_library, encoder)
    before = builder.build()
    encoder.texts.clear()
    filled.save([_recipe(3, "ajiaco"), *(_recipe(number) for number in range(3))])
    assert not builder.is_current()
    after = builder.build()
    assert after.name != before.name
    assert encoder.texts == ["ajiaco", "tomato, potato"]
    found = _search(open_index(any_library), "ajiaco")
    assert found.numbers[found.name_words.argmax()] == filled.get("test-3").recipe_no
    assert found.name_similarity.max() == pytest.approx(1, abs=1e-3)


def test_only_a_new_recipe_is_encoded(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, any_library, encoder)
    builder.build()
    encoder.texts.clear()
    filled.save([_recipe(40, "ajiaco")])
    assert builder.build().n_recipes == 13
    assert encoder.n_encoded == 2
    assert len(open_index(any_library)) == 13


def test_a_removed_recipe_is_found_no_more_and_nothing_is_encoded(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, any_library, encoder)
    builder.build()
    encoder.texts.clear()
    gone = filled.get("test-3").recipe_no
    with filled.database.writing() as connection:
        connection.execute(schema.recipes.delete().where(schema.recipes.c.recipe_no == gone))
    builder.build()
    index = open_index(any_library)
    assert encoder.texts == []
    assert len(index) == 11
    assert gone not in _search(index, "tomato potato").numbers
    assert index.similar(gone, 3) == []


def test_a_catalogue_that_came_back_to_what_it_was_is_indexed_as_it_was(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder
) -> None:
    builder = _builder(filled, any_library, encoder)
    first = builder.build()
    filled.save([_recipe(3, "ajiaco")])
    builder.build()
    filled.save([_recipe(3)])
    assert builder.build() == first
    assert builder.is_current()


def test_a_lexicon_that_reads_ingredients_otherwise_has_those_encoded_again(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, quick_path: Path
) -> None:
    numbers = [filled.get(f"test-{number}").recipe_no for number in range(12)]
    _builder(filled, any_library, encoder).build()
    encoder.texts.clear()
    renamed = tiny_lexicon(concept("onion", "cebolla", "brown onion, onion"))
    builder = _builder(filled, any_library, encoder, renamed)
    assert not builder.is_current()
    builder.build()
    # Two of the twelve have onion: tomato with onion, and onion with tomato, onion, rice and potato.
    assert [text for text in encoder.texts if "brown" in text] == [
        "tomato, brown onion", "brown onion, tomato", "brown onion", "brown onion, rice", "brown onion, potato",
    ]  # fmt: skip
    assert encoder.n_encoded == 10
    beside = IndexLibrary(quick_path / "beside")
    _builder(filled, beside, HashingEncoder(dimensions=DIMENSIONS), renamed).build()
    assert _content(any_library, numbers) == _close_to(_content(beside, numbers))


def test_a_lexicon_that_knows_more_of_a_food_costs_no_encoding(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    _builder(filled, any_library, encoder).build()
    encoder.texts.clear()
    without_eggs = Constraints(exclude=frozenset({"egg"}))
    eggy = tiny_lexicon(concept("rice", "arroz", "rice", contains="egg"))
    _builder(filled, any_library, encoder, eggy).build()
    index = open_index(any_library)
    rice = [filled.get(f"test-{number}").recipe_no for number in range(12) if "rice" in _foods(number)]
    assert encoder.texts == []
    assert rice
    assert not {*rice} & {*_search(index, "rice soup", without_eggs).numbers.tolist()}


def _foods(number: int) -> str:
    return " ".join(_recipe(number).original.ingredients)


def _close_to(content: dict[str, Any]) -> Any:
    """Equal but for what an engine rounds."""
    vectors = {
        number: (content_hash, pytest.approx(name, abs=1e-3), pytest.approx(ingredients, abs=1e-3))
        for number, (content_hash, name, ingredients) in content["vectors"].items()
    }
    return {**content, "vectors": vectors}


def test_another_encoder_encodes_everything(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    _builder(filled, any_library, encoder).build()
    other = HashingEncoder("other", dimensions=8)
    builder = _builder(filled, any_library, other)
    assert not builder.is_current()
    assert builder.build().dimensions == 8
    assert other.n_encoded == 24
    assert len(open_index(any_library, "other")) == 12
    with pytest.raises(IndexUnavailable, match="holds vectors of other, the encoder is hashing; run: recipes index"):
        any_library.open(encoder_name="hashing")


def test_building_anew_encodes_everything_beside_the_index_that_serves(
    filled: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, any_library, encoder)
    before = builder.build()
    serving = open_index(any_library)
    encoder.texts.clear()
    names: list[str | None] = []
    after = builder.build(lambda progress: names.append(any_library.current_name()), anew=True)
    assert encoder.n_encoded == 24
    assert names == [before.name]
    assert any_library.current_name() == after.name != before.name
    assert builder.is_current()
    assert len(_search(serving, "tomato soup")) == len(_search(open_index(any_library), "tomato soup")) == 12


def test_an_empty_catalogue_has_an_empty_index(
    catalogue: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    _builder(catalogue, any_library, encoder).build()
    assert len(_search(open_index(any_library), "soup")) == 0


def test_what_changes_during_a_build_makes_the_index_stale(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, library, encoder)
    builder.build(lambda progress: filled.save([_recipe(3, "ajiaco")]) and None)
    assert open_index(library).fingerprint != filled.fingerprint()
    assert not builder.is_current()
    encoder.texts.clear()
    builder.build()
    assert encoder.n_encoded == 2
    assert builder.is_current()


# Interruptions


class Faltering(HashingEncoder):
    """Fails from the *n*-th call on."""

    def __init__(self, n_calls: int) -> None:
        super().__init__(dimensions=DIMENSIONS)
        self.n_left = n_calls

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.n_left -= 1
        if self.n_left < 0:
            self.falter()
        return super().encode(texts)

    def falter(self) -> None:
        raise EncoderUnavailable("the encoder went away")


@pytest.fixture
def large(catalogue: Catalogue) -> Catalogue:
    """A catalogue of three batches."""
    catalogue.save([_recipe(number) for number in range(1_100)])
    return catalogue


def test_a_build_that_failed_leaves_the_index_alone_and_goes_on_where_it_stopped(
    large: Catalogue, any_library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    with pytest.raises(EncoderUnavailable):
        _builder(large, any_library, Faltering(3)).build()
    assert any_library.current() is None
    _builder(large, any_library, encoder).build()
    # The first batch of 500 was done.
    assert encoder.n_encoded == 1_200
    assert len(open_index(any_library)) == 1_100


class Hanging(Faltering):
    """Says so and hangs instead of failing, until its process is killed."""

    def __init__(self, n_calls: int, sign: Path) -> None:
        super().__init__(n_calls)
        self._sign = sign

    def falter(self) -> None:
        self._sign.touch()
        time.sleep(600)


def _build_and_hang(url: str, folder: Path, sign: Path) -> None:
    database = Database(url)
    IndexBuilder(Catalogue(database), IndexLibrary(folder), Hanging(5, sign), LEXICON).build()


def test_a_build_that_was_killed_goes_on_to_the_same_index(
    large: Catalogue, library: IndexLibrary, encoder: HashingEncoder, quick_path: Path
) -> None:
    url = large.database.url.render_as_string(hide_password=False)
    _kill_when(quick_path / "hanging", _build_and_hang, url, library.folder, quick_path / "hanging")
    assert library.current() is None
    _builder(large, library, encoder).build()
    assert encoder.n_encoded == 200

    untouched = IndexLibrary(quick_path / "untouched")
    _builder(large, untouched, HashingEncoder(dimensions=DIMENSIONS)).build()
    numbers = list(large.content_hashes())
    assert library.current() == untouched.current()
    assert _content(library, numbers) == _content(untouched, numbers)


def _kill_when(sign: Path, target: Callable[..., None], *arguments: object) -> None:
    """Run *target* in a process of its own, and kill it when *sign* appears."""
    process = _started(sign, target, *arguments)
    process.kill()
    process.join()
    assert process.exitcode == -9


def _started(sign: Path, target: Callable[..., None], *arguments: object) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    deadline = time.monotonic() + 120
    while not sign.exists():
        assert process.is_alive(), f"the process ended with {process.exitcode}"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_what_a_killed_build_left_of_another_catalogue_is_cleared_away(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder
) -> None:
    with pytest.raises(EncoderUnavailable):
        _builder(filled, library, Faltering(0)).build()
    filled.save([_recipe(3, "ajiaco")])
    manifest = _builder(filled, library, encoder).build()
    assert _folders(library) == {manifest.name}


def _folders(library: IndexLibrary) -> set[str]:
    return {entry.name for entry in library.folder.iterdir() if entry.is_dir()}


def test_an_unfinished_build_that_was_damaged_is_begun_again(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    with pytest.raises(EncoderUnavailable):
        _builder(filled, library, Faltering(0)).build()
    [config] = library.folder.rglob("edge_config.json")
    config.write_text("{")
    _builder(filled, library, encoder).build()
    assert len(open_index(library)) == 12


def test_of_two_builds_at_once_one_does_the_work(filled: Catalogue, library: IndexLibrary) -> None:
    encoders = [HashingEncoder(dimensions=DIMENSIONS) for _ in range(3)]
    threads = [
        threading.Thread(target=_builder(filled, IndexLibrary(library.folder), encoder).build) for encoder in encoders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(encoder.n_encoded for encoder in encoders) == [0, 0, 24]


# The folder of indexes


def test_before_the_first_build_there_is_no_index(library: IndexLibrary) -> None:
    assert library.current() is None
    assert library.current_name() is None
    assert library.open_vectors(encoder_name="hashing") == []
    with pytest.raises(IndexUnavailable, match=r"there is no index in .* yet; run: recipes index"):
        library.open(encoder_name="hashing")


def test_the_index_before_is_kept_and_older_ones_go(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder
) -> None:
    builder = _builder(filled, library, encoder)
    names = []
    for number in range(3):
        filled.save([_recipe(0, f"ajiaco {number}")])
        names.append(builder.build().name)
    assert _folders(library) == {*names[1:]}
    assert library.current_name() == names[2]


def test_an_open_index_answers_on_after_it_was_cleared_away(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    builder = _builder(filled, library, encoder)
    builder.build()
    index = open_index(library)
    for number in range(2):
        filled.save([_recipe(0, f"ajiaco {number}")])
        builder.build()
    assert index.name not in _folders(library)
    assert len(_search(index, "tomato soup")) == 12


def test_whoever_reads_the_pointer_sees_one_index_or_the_other(quick_path: Path) -> None:
    library = IndexLibrary(quick_path)
    names = [f"recipes-{letter * 200}" for letter in "ab"]
    library.make_current(names[0])
    done = threading.Event()

    def flip() -> None:
        for turn in range(300):
            library.make_current(names[turn % 2])
        done.set()

    writer = threading.Thread(target=flip)
    writer.start()
    seen: set[str | None] = set()
    while not done.is_set():
        seen.add(library.current_name())
    writer.join()
    assert seen <= {*names}
    assert [entry.name for entry in quick_path.iterdir()] == ["current"]


def test_each_engine_refuses_the_other_ones_index_and_builds_its_own(
    filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    on_server = IndexLibrary(library.folder, server=QdrantServer(f":memory:{uuid.uuid4()}"))
    _builder(filled, library, encoder).build()
    with pytest.raises(IndexUnavailable, match="QDRANT_HOST is set, and the index lies in a local folder"):
        on_server.open(encoder_name="hashing")
    builder = _builder(filled, on_server, encoder)
    assert not builder.is_current()
    builder.build()
    assert len(open_index(on_server)) == 12
    with pytest.raises(IndexUnavailable, match="lies on a Qdrant server, and QDRANT_HOST is not set"):
        library.open(encoder_name="hashing")


def test_a_server_that_is_away_is_a_typed_error(filled: Catalogue, quick_path: Path, encoder: HashingEncoder) -> None:
    away = IndexLibrary(quick_path / "index", server=QdrantServer("127.0.0.1:1"))
    with pytest.raises(IndexUnavailable, match="the Qdrant server does not answer"):
        _builder(filled, away, encoder).build()
    assert away.current() is None


def test_a_server_that_lost_its_collection_is_a_typed_error(
    filled: Catalogue, quick_path: Path, encoder: HashingEncoder
) -> None:
    _builder(filled, IndexLibrary(quick_path, server=QdrantServer(f":memory:{uuid.uuid4()}")), encoder).build()
    with pytest.raises(IndexUnavailable, match="no collection"):
        IndexLibrary(quick_path, server=QdrantServer(f":memory:{uuid.uuid4()}")).open(encoder_name="hashing")


# Several processes


def _open_and_answer(folder: Path, results: Path, leave: bool) -> None:
    index = IndexLibrary(folder).open(encoder_name="hashing")
    numbers = _search(index, "tomato soup").numbers.tolist()
    (results.parent / "draft").write_text(json.dumps(numbers))
    (results.parent / "draft").rename(results)
    if leave:
        index.close()
    else:
        time.sleep(600)


@pytest.fixture
def built(filled: Catalogue, library: IndexLibrary, encoder: HashingEncoder) -> IndexLibrary:
    """A library with an index of twelve recipes."""
    _builder(filled, library, encoder).build()
    return library


def _private_copies(library: IndexLibrary) -> list[Path]:
    return list((library.folder / "private").glob("*/*"))


def test_a_second_process_answers_from_a_copy_that_goes_with_it(
    built: IndexLibrary, open_index: OpenIndex, quick_path: Path
) -> None:
    expected = _search(open_index(built), "tomato soup").numbers.tolist()
    process = multiprocessing.get_context("spawn").Process(
        target=_open_and_answer, args=(built.folder, quick_path / "numbers", True)
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    assert json.loads((quick_path / "numbers").read_text()) == expected
    assert _private_copies(built) == []


def test_the_copy_of_a_killed_process_is_removed_by_the_next_one(
    built: IndexLibrary, open_index: OpenIndex, quick_path: Path
) -> None:
    open_index(built)
    process = _started(quick_path / "numbers", _open_and_answer, built.folder, quick_path / "numbers", False)
    alive = _private_copies(built)
    mine = open_index(built)
    assert {copy.parent.name for copy in _private_copies(built)} == {str(process.pid), str(os.getpid())}
    mine.close()
    process.kill()
    process.join()
    assert _private_copies(built) == alive
    open_index(built)
    assert [copy.parent.name for copy in _private_copies(built)] == [str(os.getpid())]


def test_one_process_may_open_an_index_as_often_as_it_likes(built: IndexLibrary, open_index: OpenIndex) -> None:
    open_index(built)
    first, second = open_index(built), open_index(built)
    first.close()
    third = open_index(built)
    assert len(_private_copies(built)) == 2
    for index in (second, third):
        assert len(_search(index, "tomato soup")) == 12
        index.close()
    assert _private_copies(built) == []


def test_a_copy_takes_no_more_room_than_what_it_is_a_copy_of(built: IndexLibrary, open_index: OpenIndex) -> None:
    index = open_index(built)
    open_index(built)
    [copy] = _private_copies(built)
    megabyte = 2**20
    assert _room_taken(copy) < _room_taken(built.folder / index.name / "edge") + 3 * megabyte
    assert _length(copy) == _length(built.folder / index.name / "edge")


def _room_taken(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def _length(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_the_owner_leaves_and_the_next_one_needs_no_copy(built: IndexLibrary, open_index: OpenIndex) -> None:
    open_index(built).close()
    open_index(built)
    assert _private_copies(built) == []


def test_an_index_in_use_still_gives_its_vectors_to_the_next_build(
    built: IndexLibrary, filled: Catalogue, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    open_index(built)
    encoder.texts.clear()
    filled.save([_recipe(3, "ajiaco")])
    _builder(filled, built, encoder).build()
    assert encoder.n_encoded == 2
    assert _private_copies(built) == []


# Damage


def _overwrite(pattern: str, content: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        files = list(folder.rglob(pattern))
        assert files, f"the index has no {pattern}; name another file"
        for file in files:
            file.write_bytes(content)

    return damage


def _cut(pattern: str, share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        files = list(folder.rglob(pattern))
        assert files, f"the index has no {pattern}; name another file"
        for file in files:
            os.truncate(file, int(file.stat().st_size * share))

    return damage


def _remove(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        files = list(folder.rglob(pattern))
        assert files, f"the index has no {pattern}; name another file"
        for file in files:
            shutil.rmtree(file) if file.is_dir() else file.unlink()

    return damage


def _flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "items.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "items.npz").write_bytes(content)


def _without_arrays(folder: Path) -> None:
    np.savez(folder / "items.npz", numbers=np.arange(12))


def _of_fewer_recipes(folder: Path) -> None:
    with np.load(folder / "items.npz") as arrays:
        shorter = {name: values[:-1] if name == "numbers" else values for name, values in arrays.items()}
    np.savez(folder / "items.npz", **shorter)


def _without_a_field(folder: Path) -> None:
    fields = json.loads((folder / "manifest.json").read_text())
    del fields["engine"]
    (folder / "manifest.json").write_text(json.dumps(fields))


def _with_a_recipe_too_many(folder: Path) -> None:
    store = EdgeStore.open(folder / "edge")
    vector = embed(["stray"], DIMENSIONS)[0]
    store.upsert([IndexPoint(999, "hash", vector, vector, ["w:stray"], [], [], [], 0, [])])
    store.close()


DAMAGED_FILES: dict[str, Callable[[Path], None]] = {
    "items missing": _remove("items.npz"),
    "items empty": _overwrite("items.npz", b""),
    "items cut": _cut("items.npz", 0.5),
    "items not an archive": _overwrite("items.npz", b"garbage" * 50),
    "items with a flipped bit": _flip_a_bit,
    "items without arrays": _without_arrays,
    "items of fewer recipes": _of_fewer_recipes,
    "manifest missing": _remove("manifest.json"),
    "manifest empty": _overwrite("manifest.json", b""),
    "manifest cut": _cut("manifest.json", 0.5),
    "manifest not text": _overwrite("manifest.json", b"\xff\xfe\x00"),
    "manifest a list": _overwrite("manifest.json", b"[1, 2]"),
    "manifest without a field": _without_a_field,
}
DAMAGED_ENGINE: dict[str, Callable[[Path], None]] = {
    "folder missing": _remove("edge"),
    "settings not JSON": _overwrite("edge_config.json", b"{"),
    "state cut": _cut("status.dat", 0.5),
    "vectors missing": _remove("vector_storage-name"),
    "a recipe too many": _with_a_recipe_too_many,
    "everything missing": lambda folder: shutil.rmtree(folder),
}


@pytest.fixture(scope="module")
def sound(make_quick_folder: Callable[[], Path]) -> Iterator[IndexLibrary]:
    """A library whose current index each test leaves as it found it."""
    folder = make_quick_folder()
    database = Database(f"sqlite:///{folder}/state.db")
    database.upgrade(schema.MIGRATIONS)
    catalogue = Catalogue(database)
    catalogue.save([_recipe(number) for number in range(12)])
    library = IndexLibrary(folder / "index")
    _builder(catalogue, library, HashingEncoder(dimensions=DIMENSIONS)).build()
    yield library
    database.close()


@pytest.mark.parametrize("case", DAMAGED_FILES)
def test_a_damaged_file_is_a_typed_error(case: str, sound: IndexLibrary, open_index: OpenIndex) -> None:
    folder = sound.folder / str(sound.current_name())
    before = {file: file.read_bytes() for file in (folder / "items.npz", folder / "manifest.json")}
    DAMAGED_FILES[case](folder)
    with pytest.raises(IndexUnavailable, match="is damaged"):
        sound.open(encoder_name="hashing")
    for file, content in before.items():
        file.write_bytes(content)
    assert len(open_index(sound)) == 12


@pytest.mark.parametrize("case", DAMAGED_ENGINE)
def test_a_damaged_engine_is_a_typed_error_and_can_be_built_anew(
    case: str, built: IndexLibrary, filled: Catalogue, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    DAMAGED_ENGINE[case](built.folder / str(built.current_name()))
    with pytest.raises(IndexUnavailable):
        built.open(encoder_name="hashing")
    _builder(filled, built, encoder).build(anew=True)
    assert len(_search(open_index(built), "tomato soup")) == 12


@pytest.mark.parametrize("pattern", ["segments", "*id_tracker*", "version.info"])
def test_an_engine_repairs_itself_or_is_refused_but_never_serves_half_an_index(
    pattern: str, built: IndexLibrary, open_index: OpenIndex
) -> None:
    index = open_index(built)
    before = _search(index, "tomato soup").name_similarity.tolist()
    index.close()
    _remove(pattern)(built.folder / str(built.current_name()))
    try:
        index = open_index(built)
    except IndexUnavailable:
        return
    assert _search(index, "tomato soup").name_similarity.tolist() == before


@pytest.mark.parametrize("case", ["settings not JSON", "state cut", "vectors missing"])
def test_a_damaged_index_does_not_stop_the_next_build(
    case: str, built: IndexLibrary, filled: Catalogue, encoder: HashingEncoder, open_index: OpenIndex
) -> None:
    DAMAGED_ENGINE[case](built.folder / str(built.current_name()))
    encoder.texts.clear()
    filled.save([_recipe(3, "ajiaco")])
    _builder(filled, built, encoder).build()
    assert encoder.n_encoded == 24
    assert len(_search(open_index(built), "ajiaco")) == 12


@pytest.mark.parametrize("name", ["", "\n", "recipes-that-is-not-there\n"])
def test_a_pointer_to_nothing_is_a_typed_error(name: str, built: IndexLibrary) -> None:
    (built.folder / "current").write_text(name)
    assert built.current() is None
    with pytest.raises(IndexUnavailable):
        built.open(encoder_name="hashing")


def test_a_manifest_reads_back_as_it_was_written(quick_path: Path) -> None:
    manifest = Manifest("recipes-1", "abc", "usé", 512, 3, "edge")
    manifest.write(quick_path)
    assert Manifest.read(quick_path) == manifest
