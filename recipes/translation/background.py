"""Translating what was shown in another language, one recipe after the other, behind the requests."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable

from mlops.errors import MlopsError
from recipes.catalog import Catalogue, StoredRecipe
from recipes.errors import UnknownRecipe
from recipes.text import Language
from recipes.translation.translator import Translator

_log = logging.getLogger("recipes.translation")

MAX_WAITING = 500
# After a failure, so that a broken endpoint is not asked all the time.
PAUSE_SECONDS = 30.0


class BackgroundTranslation:
    """A bounded queue and one thread. Without room a recipe is left for the next time it is shown."""

    def __init__(
        self,
        catalogue: Catalogue,
        translator: Translator,
        *,
        pause_seconds: float = PAUSE_SECONDS,
        max_waiting: int = MAX_WAITING,
        on_translated: Callable[[float], object] = lambda milliseconds: None,
    ) -> None:
        """Nothing is translated until :meth:`start`.

        Args:
            on_translated: told of each new translation, with the milliseconds that it took.
        """
        self._catalogue = catalogue
        self._translator = translator
        self._pause_seconds = pause_seconds
        self._waiting: queue.Queue[tuple[str, Language] | None] = queue.Queue(max_waiting)
        self._queued: set[tuple[str, Language]] = set()
        self._on_translated = on_translated
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.n_translated = 0
        self.n_failed = 0

    def start(self) -> None:
        """Begin to work in the background."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="translation", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the recipe in hand, then end; what waits will be asked for again."""
        self._stop.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            _log.debug("the queue is full; the thread ends after the recipe in hand")
        if self._thread is not None:
            self._thread.join(timeout=5)

    @property
    def n_waiting(self) -> int:
        """How many recipes wait to be translated."""
        return self._waiting.qsize()

    def want(self, shown: Iterable[StoredRecipe], language: Language) -> None:
        """Ask for those of *shown* that have no text in *language*. Never blocks."""
        for stored in shown:
            job = (stored.recipe.recipe_id, language)
            if stored.text_in(language)[1] == language or job in self._queued:
                continue
            # Noted first: the thread may be through with it before this one goes on.
            self._queued.add(job)
            try:
                self._waiting.put_nowait(job)
            except queue.Full:
                self._queued.discard(job)
                return

    def wait_until_idle(self) -> None:
        """Block until everything asked for so far was tried."""
        self._waiting.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            job = self._waiting.get()
            try:
                if job is not None:
                    self._translate(*job)
            finally:
                if job is not None:
                    self._queued.discard(job)
                self._waiting.task_done()

    def _translate(self, recipe_id: str, language: Language) -> None:
        since = time.perf_counter()
        try:
            kept = translate_one(self._catalogue, self._translator, self._catalogue.get(recipe_id), language)
            if kept:
                self.n_translated += 1
                self._on_translated((time.perf_counter() - since) * 1_000)
        except UnknownRecipe:
            _log.info("recipe %s went away before it was translated", recipe_id)
        except Exception as error:  # whatever a translator does, the thread lives on
            self.n_failed += 1
            was_foreseen = isinstance(error, MlopsError)
            _log.warning("recipe %s was not translated: %s", recipe_id, error, exc_info=not was_foreseen)
            self._stop.wait(self._pause_seconds)


def translate_one(catalogue: Catalogue, translator: Translator, stored: StoredRecipe, language: Language) -> bool:
    """Translate *stored* and keep it, unless it has a text in *language* already.

    Returns:
        Whether there is a new translation; not so where the recipe changed in the meantime.

    Raises:
        TranslatorUnavailable, StoreUnavailable: nothing was kept.
    """
    recipe = stored.recipe
    if stored.text_in(language)[1] == language:
        return False
    text = translator.translate(recipe.original, source=recipe.language, target=language)
    return catalogue.add_translation(stored.recipe_no, language, text, of=stored.content_hash)
