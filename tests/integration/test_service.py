"""The parts of a service put together: what it says of itself while parts fail, and how it comes back."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from mlops.errors import InvalidSettings
from mlops.store import Database
from recipes import schema
from recipes.answer import Ask
from recipes.api import create_app
from recipes.catalog import Catalogue, starter_recipes
from recipes.config import Settings
from recipes.encoder import UseEncoder
from recipes.errors import UnknownRecipe
from recipes.index import IndexBuilder
from recipes.service import Service, prepare_database
from tests.twins import Switch


class Running(httpx.Client):
    """A client of a service that runs inside this process, on a server of its own."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self._listening = socket.create_server(("127.0.0.1", 0))
        host, port = self._listening.getsockname()
        super().__init__(base_url=f"http://{host}:{port}", timeout=30)
        config = uvicorn.Config(create_app(settings, service=service), log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listening],))
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        """Stop the service as SIGTERM would."""
        self.close()
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


@pytest.fixture
def switch(use_encoder: UseEncoder) -> Switch:
    return Switch(use_encoder)


@pytest.fixture
def make_client(
    starter_copy: Path, switch: Switch, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Running]]:
    """Makes HTTP clients of services that run inside this process, over the starter catalogue."""
    monkeypatch.setattr("recipes.service.WATCH_SECONDS", 0.05)
    monkeypatch.setattr("recipes.recommender.REST_SECONDS", 0.05)
    clients: list[Running] = []

    def make(data_dir: Path | None = None, **values: Any) -> Running:
        settings = make_settings(data_dir or starter_copy, impression_flush_seconds=0.05, **values)
        clients.append(Running(Service(settings, encoder=switch), settings))
        return clients[-1]

    yield make
    for client in clients:
        client.stop()


def ready(client: Running) -> tuple[int, dict[str, str]]:
    response = client.get("/health/ready")
    return response.status_code, response.json()["problems"]


def recommend(client: Running, query: str = "sopa de ajo") -> dict[str, Any]:
    response = client.post("/recommend", json={"query": query})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_ready(client: Running) -> bool:
    return ready(client) == (200, {})


# --- Encoder --------------------------------------------------------------------------------------------------------


def test_an_encoder_that_fails_is_named_and_words_alone_answer_until_it_is_back(
    make_client: Callable[..., Running], switch: Switch
) -> None:
    client = make_client()
    assert recommend(client)["modo"] == "completo"
    switch.is_on = False
    answer = recommend(client)
    assert (answer["modo"], answer["recetas"][0]["id"]) == ("solo_palabras", "sopa-de-ajo")
    assert "solo por palabras" in answer["aviso"]
    assert ready(client) == (503, {"encoder": "it is switched off"})
    assert client.get("/health/live").status_code == 200
    assert client.get("/health").json()["status"] == "degraded"
    switch.is_on = True
    wait_until(lambda: is_ready(client))  # although nobody asks it anything
    assert recommend(client)["modo"] == "completo"


# --- Index ----------------------------------------------------------------------------------------------------------


def test_an_index_that_fails_is_named_and_opened_again(
    make_client: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.service.WATCH_SECONDS", 1.0)
    client = make_client()
    client.service.recommender.index.close()
    answer = recommend(client, "desayuno sin huevo")
    assert answer["modo"] == "populares"
    assert "recetas populares" in answer["aviso"]
    assert all("egg" not in recipe["alérgenos"] for recipe in answer["recetas"])
    status, problems = ready(client)
    assert (status, list(problems)) == (503, ["index"])
    wait_until(lambda: is_ready(client))
    assert recommend(client)["modo"] == "completo"


def test_a_service_without_index_and_encoder_starts_and_completes_itself(
    make_client: Callable[..., Running], starter_copy: Path, switch: Switch
) -> None:
    shutil.rmtree(starter_copy / "var" / "index")
    switch.is_on = False
    client = make_client()
    assert recommend(client)["modo"] == "populares"
    status, problems = ready(client)
    assert (status, "index" in problems) == (503, True)
    switch.is_on = True
    wait_until(lambda: is_ready(client))
    assert recommend(client)["modo"] == "completo"


def test_a_damaged_index_is_named_and_popular_recipes_answer(
    make_client: Callable[..., Running], starter_copy: Path
) -> None:
    [items] = (starter_copy / "var" / "index").glob("*/items.npz")
    items.write_bytes(b"not an archive")
    client = make_client()
    status, problems = ready(client)
    assert (status, list(problems)) == (503, ["index"])
    assert "damaged" in problems["index"]
    assert recommend(client)["modo"] == "populares"


def test_recipes_saved_while_nothing_ran_are_found_after_the_next_start(
    starter_copy: Path, make_client: Callable[..., Running], make_recipe: Callable[..., Any]
) -> None:
    with catalogue_at(starter_copy) as catalogue:
        catalogue.save([make_recipe("Zzyzx stew", recipe_id="zzyzx-stew")])
    assert recommend(make_client(), "zzyzx stew")["recetas"][0]["id"] == "zzyzx-stew"


def test_a_new_index_is_taken_over_and_the_old_one_closed(
    make_client: Callable[..., Running], make_recipe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.service.RETIREMENT_SECONDS", 0.2)
    client = make_client()
    service = client.service
    service.catalogue.save([make_recipe("Zzyzx stew", recipe_id="zzyzx-stew")])
    assert service.index_is_stale
    with _asking_all_the_time(service) as modes:
        IndexBuilder(service.catalogue, service.library, service.encoder, service.lexicon).build()
        wait_until(lambda: recommend(client, "zzyzx stew")["recetas"][0]["id"] == "zzyzx-stew")
        wait_until(lambda: not service._retired)
    assert not service.index_is_stale
    assert len(modes) > 20
    assert set(modes) == {"full"}


@contextmanager
def _asking_all_the_time(service: Service) -> Iterator[list[str]]:
    """The modes of the answers to four people who go on asking."""
    modes: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            modes.append(service.recommender.answer(Ask("sopa")).mode)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    try:
        yield modes
    finally:
        stop.set()
        for thread in asking:
            thread.join()


# --- Database -------------------------------------------------------------------------------------------------------


def test_a_database_that_goes_away_is_named_and_answers_wait_for_its_return(
    make_client: Callable[..., Running], starter_copy: Path
) -> None:
    client = make_client()
    path = starter_copy / "var" / "state.db"
    path.rename(path.with_name("away.db"))
    answer = recommend(client, "desayuno sin huevo")
    assert answer["modo"] == "populares"
    status, problems = ready(client)
    assert (status, list(problems)) == (503, ["database"])
    assert client.get("/health/live").status_code == 200
    refused = client.post(
        "/feedback",
        json={"request_id": answer["request_id"], "recipe_id": answer["recetas"][0]["id"], "evento": "click"},
    )
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    path.with_name("away.db").rename(path)
    assert is_ready(client)
    assert recommend(client)["modo"] == "completo"
    wait_until(lambda: client.get("/health").json()["answers"]["waiting"] == 0)
    with catalogue_at(starter_copy) as catalogue:
        assert answer["request_id"] in request_ids(catalogue.database)


def test_two_processes_may_fill_an_empty_database_at_once(empty_database: Database) -> None:
    url = empty_database.url.render_as_string(hide_password=False)
    databases = [Database(url) for _ in range(3)]
    errors: list[Exception] = []

    def prepare(database: Database) -> None:
        try:
            prepare_database(database, Catalogue(database))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=prepare, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert errors == []
    catalogue = Catalogue(empty_database)
    assert [catalogue.get(recipe.recipe_id).recipe for recipe in starter_recipes()] == list(starter_recipes())


@pytest.mark.parametrize("recipe_id", ["", "a\0b", "half a letter \ud83c", "ñandú", "x" * 100_000])
def test_an_address_that_no_recipe_can_have_is_unknown_and_no_error(database: Database, recipe_id: str) -> None:
    with pytest.raises(UnknownRecipe):
        Catalogue(database).get(recipe_id)


def test_many_may_open_a_new_database_file_at_once(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def check(database: Database, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            database.check()
        except Exception as error:
            errors.append(error)

    for number in range(80):  # the moment is short: it needs many tries to be met
        databases = [Database(f"sqlite:///{tmp_path}/{number}.db") for _ in range(4)]
        barrier = threading.Barrier(len(databases))
        threads = [threading.Thread(target=check, args=(database, barrier)) for database in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for database in databases:
            database.close()
    assert errors == []


# --- From start to stop ---------------------------------------------------------------------------------------------


def test_stopping_writes_every_answer_and_leaves_no_thread(
    make_client: Callable[..., Running], starter_copy: Path
) -> None:
    before = set(threading.enumerate())
    client = make_client()
    given = {recommend(client)["request_id"] for _ in range(10)}
    client.stop()
    left = {thread.name for thread in set(threading.enumerate()) - before if not thread.name.startswith("recommend")}
    with catalogue_at(starter_copy) as catalogue:
        assert request_ids(catalogue.database) == given
    assert left == set()


def test_a_query_has_the_same_hash_in_every_run_of_an_installation(
    make_client: Callable[..., Running], starter_copy: Path, copy_starter: Callable[[Path], Path], tmp_path: Path
) -> None:
    for _ in range(2):
        client = make_client()
        recommend(client, "sopa de ajo")
        client.stop()
    elsewhere = copy_starter(tmp_path / "elsewhere")
    (elsewhere / "var" / "query_hash.key").unlink()
    client = make_client(elsewhere)
    recommend(client, "sopa de ajo")
    client.stop()
    here, there = _hashes(starter_copy), _hashes(elsewhere)
    assert (len(here), len(set(here)), len(there)) == (2, 1, 1)
    assert set(here).isdisjoint(there)


def test_many_questions_at_once_have_the_answers_they_have_one_by_one(make_client: Callable[..., Running]) -> None:
    service = make_client().service
    queries = [f"{dish} {rule}" for dish in ("sopa", "cena", "postre", "pan") for rule in ("", "sin huevo", "vegana")]

    def answered(query: str) -> list[str]:
        return [shown.stored.recipe.recipe_id for shown in service.recommender.answer(Ask(query, n=10)).shown]

    one_by_one = {query: answered(query) for query in queries}
    at_once: dict[str, list[str]] = {}
    threads = [threading.Thread(target=lambda q=query: at_once.update({q: answered(q)})) for query in queries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert at_once == one_by_one


def test_who_asked_is_kept_with_the_answer_under_both_names(
    make_client: Callable[..., Running], starter_copy: Path
) -> None:
    client = make_client()
    for name in ("usuario", "user_id"):
        client.post("/recommend", json={"query": "sopa", name: f"ana-{name}"})
    client.stop()
    with catalogue_at(starter_copy) as catalogue, catalogue.database.reading() as connection:
        users = connection.execute(sa.select(schema.answers.c.user_id)).scalars().all()
    assert sorted(users) == ["ana-user_id", "ana-usuario"]


def test_an_error_that_nobody_foresaw_is_a_problem_without_a_trace_and_the_service_lives(
    make_client: Callable[..., Running], switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    monkeypatch.setattr(switch, "encode", lambda texts: 1 / 0)
    response = client.post("/recommend", json={"query": "sopa"})
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert "ZeroDivisionError" not in response.text
    assert "Traceback" not in response.text
    monkeypatch.undo()
    assert recommend(client)["modo"] == "completo"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"database_url": "sqlite:////proc/nowhere/state.db"}, "folder of the state database"),
        ({"data_dir": Path("/proc/nowhere")}, "DATA_DIR"),
        ({"data_dir": Path("/proc/nowhere"), "database_url": "sqlite://"}, "DATA_DIR"),
        ({"encoder": "openai"}, "OPENAI_API_KEY must be set"),
    ],
)
def test_settings_of_which_nothing_can_come_are_refused_by_name(
    tmp_path: Path, make_settings: Callable[..., Settings], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Service(make_settings(**{"data_dir": tmp_path, **values}))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@contextmanager
def catalogue_at(data_dir: Path) -> Iterator[Catalogue]:
    """The catalogue in *data_dir*, for a look at it."""
    database = Database(f"sqlite:///{data_dir}/var/state.db")
    yield Catalogue(database)
    database.close()


def request_ids(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.execute(sa.select(schema.answers.c.request_id)).scalars())


def _hashes(data_dir: Path) -> list[str]:
    with catalogue_at(data_dir) as catalogue, catalogue.database.reading() as connection:
        return list(connection.execute(sa.select(schema.answers.c.query_hash)).scalars())
