"""The parts of a running recommender, put together once."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from mlops import schema as mlops_schema
from mlops.clock import Clock, utc_now
from mlops.errors import ApprovalRequired, InvalidSettings, StoreUnavailable
from mlops.live_model import LiveModel, Served
from mlops.memory import give_back_free_memory
from mlops.model_registry import open_registry
from mlops.monitoring.process import Total
from mlops.sentences import say
from mlops.store import Database
from mlops.tracking import MirrorRunner
from recipes import schema
from recipes.answer import Answer
from recipes.answer_check import AnswerCheck
from recipes.catalog import Catalogue, starter_recipes
from recipes.collaborative.serving import COLLABORATIVE_FOLDER, CollaborativeWatch
from recipes.config import Settings
from recipes.encoder import Encoder, UseEncoder, encoder_for
from recipes.errors import EncoderUnavailable, IndexUnavailable
from recipes.exploration import Exploration
from recipes.feedback import AnswerLog, FeedbackBook
from recipes.index import BuildProgress, IndexBuilder, IndexLibrary
from recipes.index.library import QdrantServer
from recipes.index.search import RecipeIndex
from recipes.insight import Insight
from recipes.lexicon import Lexicon, cooking_lexicon
from recipes.operations import Operations
from recipes.query_hash import QueryHasher
from recipes.query_map import MOST_LEARNED_FROM, QueryMap, QueryMaps
from recipes.ranker import MODEL_ID, Ranker, load_ranker
from recipes.recommender import Recommender
from recipes.registration import register_initial_model
from recipes.rollouts import RankerRollout
from recipes.tastes import TasteKeeper
from recipes.translation import BackgroundTranslation, Translator, translator_for

_log = logging.getLogger("recipes.service")

# A catalogue up to this size is indexed at the start of the service; a larger one by `recipes index`.
MAX_INDEXED_AT_START = 2_000
WATCH_SECONDS = 2.0
REFRESH_SECONDS = 30.0
# Tastes change slowly, and reading what was shown takes seconds.
LEARN_SECONDS = 900.0
# How long requests may still search an index after another one took its place.
RETIREMENT_SECONDS = 10.0


def index_library(settings: Settings) -> IndexLibrary:
    """The folder of indexes that *settings* name, and the Qdrant server where they name one.

    Raises:
        InvalidSettings: QDRANT_HOST is set, and qdrant-client is not installed.
    """
    server = None
    if settings.qdrant_host:
        if importlib.util.find_spec("qdrant_client") is None:
            raise InvalidSettings("QDRANT_HOST is set, and its client is not installed; run: pip install qdrant-client")
        key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
        server = QdrantServer(settings.qdrant_host, key)
    return IndexLibrary(settings.var_dir / "index", server=server)


class Service:
    """Everything that answers requests. :meth:`start` makes it ready, :meth:`stop` leaves nothing unwritten."""

    def __init__(
        self,
        settings: Settings,
        *,
        encoder: Encoder | None = None,
        translator: Translator | None = None,
        records: bool = True,
        clock: Clock = utc_now,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        catalogue: Callable[[Database], Catalogue] = Catalogue,
    ) -> None:
        """Nothing is opened yet.

        Args:
            records: keep what is answered; the command line does not.
            clock: the time of answers, feedback and moves.
            new_id: makes the id of each answer.
            catalogue: makes the catalogue of the state database.

        Raises:
            InvalidSettings: nothing can come of *settings*.
        """
        self.settings = settings
        self.clock = clock
        self.database = Database(settings.state_url)
        self.catalogue = catalogue(self.database)
        self.lexicon: Lexicon = cooking_lexicon()
        self.encoder = encoder or encoder_for(settings)
        self.library = index_library(settings)
        self.hash_query = QueryHasher(_installation_key(settings.var_dir))
        self.answers = AnswerLog(
            self.database,
            hash_query=self.hash_query,
            buffer_size=settings.impression_buffer_size,
            flush_seconds=settings.impression_flush_seconds,
        )
        self.answer_check = AnswerCheck(self.catalogue, self.lexicon, share=settings.answer_check_share)
        self.feedback = FeedbackBook(self.database, self.catalogue, self.answers, clock=clock)
        self.registry = open_registry(settings, database=self.database, clock=clock)
        self.operations = Operations(
            settings,
            registry=self.registry,
            queues=self._queues(),
            totals=self._totals,
            serving=self.version_served,
            clock=clock,
        )
        translator = translator or translator_for(settings)
        self.translation = None if translator is None else self._in_background(translator)
        self.recommender = Recommender(
            catalogue=self.catalogue,
            encoder=self.encoder,
            lexicon=self.lexicon,
            index=None,
            exploration=Exploration(settings.exploration_share),
            on_answer=self._after_answer if records else lambda answer: None,
            clock=clock,
            new_id=new_id,
        )
        self._collaborative = CollaborativeWatch(settings.var_dir / COLLABORATIVE_FOLDER)
        self.rollout = self._ranker_rollout()
        if records:
            # What leaves no trace could not be counted either.
            self.recommender.arms = self.rollout
        self._tastes = TasteKeeper(self.catalogue, self.lexicon)
        self.query_maps = QueryMaps(self.database)
        self.insight = Insight(self.registry, self.recommender, clock=clock)
        self.live = self._live_model()
        self.mirror = MirrorRunner(settings, database=self.database)
        # One truth: what fails while it answers is as wrong as what failed at the start.
        self.problems = self.recommender.problems
        self._has_tables = False
        self._records = records
        # The index that the map of queries was asked for last.
        self._mapped: str | None = None
        self._retired: list[tuple[float, RecipeIndex]] = []
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def prepare(self) -> None:
        """Bring each part up. One that fails is named in :attr:`problems`; the others work without it."""
        self._attempt("database", self._prepare_database)
        self._attempt("encoder", self._load_encoder)
        self._attempt("index", self._prepare_index)
        if self._has_tables:
            self._attempt("database", self._prepare_model)
        self._prepare_map()
        self.recommender.collaborative = self._collaborative.newest()

    def start(self) -> None:
        """Prepare, and begin the background work."""
        self.prepare()
        self.operations.start()
        self.live.start()
        self.rollout.start()
        self.mirror.start()
        self.answers.start()
        self.answer_check.start()
        if self.settings.monitoring_enabled:
            self.insight.start()
        if self.translation is not None:
            self.translation.start()
        self._stopping.clear()
        self._watcher = threading.Thread(target=self._watch, name="service-watch", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop the background work; every answer recorded so far is written."""
        self._stopping.set()
        if self._watcher is not None:
            # It may be waiting for an endpoint that does not answer; it goes with the process.
            self._watcher.join(timeout=RETIREMENT_SECONDS)
        self.insight.stop()
        self.rollout.stop()
        self.live.stop()
        self.mirror.stop()
        if self.translation is not None:
            self.translation.stop()
        self.answer_check.stop()
        self.answers.stop()
        self.operations.stop()
        self.close()

    def close(self) -> None:
        """Let go of the index and the database."""
        self._close_retired(all_of_them=True)
        if self.recommender.index is not None:
            self.recommender.index.close()
            self.recommender.index = None
        self.registry.close()
        self.database.close()

    def learn_tastes(self) -> None:
        """Learn from what was shown and done up to now, for the features ``appeal`` and ``taste``.

        Raises:
            StoreUnavailable: the database does not answer; what was known before stays.
        """
        self.recommender.tastes = self._tastes.learn(self.clock())

    def check(self) -> dict[str, str]:
        """What is wrong with each part now; empty where all is well."""
        if self._has_tables:
            self._attempt("database", self.database.check)
        if self.recommender.index is None:
            self.problems.setdefault("index", say("there is no index yet; run: recipes index"))
        if self.live.problem is not None:
            self.problems["model"] = self.live.problem
        else:
            self.problems.pop("model", None)
        return dict(self.problems)

    def version_served(self, model_id: str) -> str | None:
        """The version of *model_id* that this process answers with, None for a model that it does not serve."""
        return self.recommender.ranker.version if model_id == MODEL_ID else None

    @property
    def index_is_stale(self) -> bool:
        """Whether recipes have changed since the index was built."""
        index = self.recommender.index
        return index is not None and index.fingerprint != self.catalogue.fingerprint()

    def _live_model(self) -> LiveModel[Ranker]:
        return LiveModel(
            self.registry,
            MODEL_ID,
            load=load_ranker,
            try_out=self.recommender.rehearse,
            on_swap=self._serve,
            actor=f"service on {socket.gethostname()}",
        )

    def _ranker_rollout(self) -> RankerRollout:
        return RankerRollout(
            self.registry,
            load=load_ranker,
            try_out=self.recommender.rehearse,
            answer_with=self.recommender.answer_with,
            click_seconds=self.settings.rollout_click_seconds,
            shadow_load=self.settings.rollout_shadow_load,
            clock=self.clock,
        )

    def _in_background(self, translator: Translator) -> BackgroundTranslation:
        return BackgroundTranslation(self.catalogue, translator, on_translated=self.operations.measures.translated)

    def _queues(self) -> dict[str, Callable[[], int]]:
        """How much waits in each queue, by its name."""
        return {
            "answers": lambda: self.answers.n_waiting,
            "answer_check": lambda: self.answer_check.n_waiting,
            "translation": lambda: 0 if self.translation is None else self.translation.n_waiting,
        }

    def _totals(self) -> Iterator[Total]:
        """What is counted where it happens, as it stands now."""
        yield "dropped_count", {"queue": "answers"}, self.answers.n_dropped
        yield "dropped_count", {"queue": "answer_check"}, self.answer_check.n_dropped
        for kind, n_answers in self.answer_check.found().items():
            yield "answer_problem_count", {"kind": kind}, n_answers

    def _after_answer(self, answer: Answer) -> None:
        if answer.mode != "direct":
            self.operations.measures.answered(answer)
        self.answers.record(answer)
        self.answer_check.record(answer)
        if self.translation is not None:
            self.translation.want((shown.stored for shown in answer.shown), answer.ask.language)

    def _attempt(self, part: str, step: Callable[[], object]) -> None:
        try:
            step()
        except (StoreUnavailable, EncoderUnavailable, IndexUnavailable) as error:
            if self.problems.get(part) != str(error):
                _log.error("%s: %s", part, error)
            self.problems[part] = str(error)
        else:
            self.problems.pop(part, None)

    def _prepare_database(self) -> None:
        prepare_database(self.database, self.catalogue)
        self._has_tables = True
        self.recommender.refresh()

    def _recover_database(self) -> None:
        self._prepare_database()
        self._prepare_model()

    def _prepare_model(self) -> None:
        try:
            register_initial_model(self.registry, clock=self.clock)
        except ApprovalRequired as error:
            _log.warning("%s", error)
        self.live.refresh()

    def _serve(self, served: Served[Ranker]) -> None:
        self.rollout.stand_in, self.recommender.ranker = self.recommender.ranker, served.model

    def _load_encoder(self) -> None:
        if isinstance(self.encoder, UseEncoder):
            self.encoder.load()

    def _prepare_index(self) -> None:
        if self._has_tables and self.catalogue.count() <= MAX_INDEXED_AT_START:
            builder = IndexBuilder(self.catalogue, self.library, self.encoder, self.lexicon)
            try:
                builder.build(_log_progress)
            except EncoderUnavailable:
                # An older index is better than none.
                if self.library.current() is None:
                    raise
        self._open_index()

    def _open_index(self) -> None:
        """Open the current index beside the one that serves, then swap."""
        fresh = self.library.open(encoder_name=self.encoder.name)
        before, self.recommender.index = self.recommender.index, fresh
        if before is not None:
            # Requests that still search it hold their own reference; it closes when they are through.
            self._retired.append((time.monotonic(), before))

    def _prepare_map(self) -> None:
        """Lay out the map of queries, where there is none yet for this encoder and the catalogue can give one."""
        index, name = self.recommender.index, self.encoder.name
        if index is None or not self._has_tables or index.name == self._mapped:
            return
        try:
            found = self.query_maps.of(name)
            if found is None and self._records:
                learned = QueryMap.learned(name, index.name_vectors(MOST_LEARNED_FROM))
                found = self.query_maps.keep(learned, at=self.clock())
        except (StoreUnavailable, IndexUnavailable) as error:
            _log.debug("the map of queries waits: %s", error)
            return
        except ValueError as error:
            _log.info("no map of queries from this index: %s", error)
            found = None
        self.recommender.query_map, self._mapped = found, index.name

    def _close_retired(self, *, all_of_them: bool = False) -> None:
        until = time.monotonic() - (0 if all_of_them else RETIREMENT_SECONDS)
        for since, index in list(self._retired):
            if since <= until:
                index.close()
                self._retired.remove((since, index))

    def _watch(self) -> None:
        """Look around every few seconds, and read new ratings now and then."""
        refreshed_at, learned_at = time.monotonic(), -LEARN_SECONDS
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self._look_around()
                if time.monotonic() - refreshed_at >= REFRESH_SECONDS:
                    refreshed_at = time.monotonic()
                    self._attempt("database", self.recommender.refresh)
                if self._has_tables and time.monotonic() - learned_at >= LEARN_SECONDS:
                    learned_at = time.monotonic()
                    self._attempt("database", self.learn_tastes)
                    give_back_free_memory()
            except Exception:
                _log.exception("the watch goes on after an error that nobody foresaw")

    def _look_around(self) -> None:
        """Serve a new index and a new collaborative model soon after they were made; try again what failed."""
        self.recommender.collaborative = self._collaborative.newest()
        if not self._has_tables:
            self._attempt("database", self._recover_database)
        if "encoder" in self.problems:
            self._attempt("encoder", lambda: self.encoder.encode(["prueba"]))
        index = self.recommender.index
        if index is None or "index" in self.problems:
            # Also where it is open: its folder may be gone, and then it has to be built anew.
            self._attempt("index", self._prepare_index)
        elif self.library.current_name() not in {None, index.name}:
            self._attempt("index", self._open_index)
        self._prepare_map()
        self._close_retired()


def prepare_database(database: Database, catalogue: Catalogue) -> None:
    """Create or upgrade the tables of both packages, and load the starter catalogue into an empty database.

    Raises:
        StoreUnavailable, StoreTooNew: the database cannot be used.
    """
    database.upgrade(mlops_schema.MIGRATIONS, schema.MIGRATIONS)
    if catalogue.count() == 0:
        counts = catalogue.save(list(starter_recipes()))
        _log.info("loaded the starter catalogue: %d recipes", counts.new)


def _log_progress(progress: BuildProgress) -> None:
    _log.info("indexed %d of %d recipes", progress.n_done, progress.n_total)


def _installation_key(folder: Path) -> bytes:
    """A random key of this installation, made once; whoever comes second reads what the first one wrote."""
    path = folder / "query_hash.key"
    try:
        if not path.exists():
            _make_key(path)
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"DATA_DIR cannot be used: {error}") from error


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_bytes(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
