"""A second look at a sample of the answers that the service gives, off the request path.

It shares the lexicon with what answers, and nothing else: what a recipe contains is read anew from the stored recipe,
so an index, a cache or a ranker that is wrong cannot hide behind itself. No query and no user appears in what it says.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mlops.errors import StoreUnavailable
from mlops.validation import Violation, validate_answer
from recipes.answer import Answer, Notice
from recipes.catalog import Catalogue, Recipe, RecipeText, StoredRecipe
from recipes.contents import contents_of
from recipes.durations import minutes_at_least
from recipes.errors import UnknownRecipe
from recipes.index.document import document_of
from recipes.language import detect
from recipes.lexicon import Lexicon

_log = logging.getLogger("recipes.answer_check")

BUFFER_SIZE = 200
_STOP_SECONDS = 10.0
_HASH_RANGE = 2**64


def is_sampled(request_id: str, share: float) -> bool:
    """Whether the answer *request_id* is among the *share* (0 to 1) that is looked at; each always is, or never.

    Whatever is in a sample of one share is in that of every larger one.
    """
    digest = hashlib.blake2b(request_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * _HASH_RANGE


def violations_of(answer: Answer, *, catalogue: Catalogue, lexicon: Lexicon) -> list[Violation]:
    """What is wrong with *answer*, as the cook got it.

    It must have as many recipes as were asked for, or say that there are fewer; all different; with text, in the
    language that was asked for where the recipe has it, and in the one that it says otherwise; and break no rule. A
    recipe that was changed since is judged as it is now; one that has gone, as it was shown. Of a translation what the
    cook read counts, too.

    Raises:
        StoreUnavailable: the stored recipes cannot be read.
    """
    # The module belongs to the HTTP service, which imports this one.
    from recipes.api.responses import answer_body

    stored = {shown.stored.recipe.recipe_id: _read_anew(shown.stored, catalogue) for shown in answer.shown}
    as_shown = {shown.stored.recipe.recipe_id: shown.stored for shown in answer.shown}
    constraints = {
        "exclusions": lambda item: not _is_excluded(_as_read(stored[item["id"]].recipe, item), answer, lexicon),
        "time limit": lambda item: _is_in_time(stored[item["id"]], answer),
        "filters": lambda item: _keeps_filters(stored[item["id"]], answer, lexicon),
        "language": lambda item: _is_in_its_language(item, as_shown[item["id"]], answer),
    }
    body = {**answer_body(answer, lexicon, explain=False), "aviso": _notice_of_number(answer)}
    return validate_answer(body, n_items=answer.ask.n, constraints=constraints)


def _read_anew(shown: StoredRecipe, catalogue: Catalogue) -> StoredRecipe:
    try:
        return catalogue.get(shown.recipe.recipe_id)
    except UnknownRecipe:
        return shown


def _notice_of_number(answer: Answer) -> str | None:
    """The notice that says why there are fewer recipes, or none at all: what else an answer says does not excuse it."""
    wanted: Notice = "fewer_than_asked" if answer.shown else "nothing_left"
    return wanted if wanted in answer.notices else None


def _as_read(recipe: Recipe, item: Mapping[str, Any]) -> Recipe:
    """*recipe* with the words of *item* beside its own, where they are a translation."""
    said = item["idioma"]
    if said in recipe.texts:
        return recipe
    words = RecipeText(item["nombre"], "", item["ingredientes"], item["instrucciones"])
    return replace(recipe, texts={**recipe.texts, said: words})


def _is_excluded(recipe: Recipe, answer: Answer, lexicon: Lexicon) -> bool:
    rules = answer.constraints
    return contents_of(recipe, lexicon).breaks(rules.exclude, rules.exclude_words)


def _is_in_time(stored: StoredRecipe, answer: Answer) -> bool:
    limit, recipe = answer.constraints.max_minutes, stored.recipe
    return limit is None or (recipe.minutes or minutes_at_least(recipe.original.steps)) <= limit


def _keeps_filters(stored: StoredRecipe, answer: Answer, lexicon: Lexicon) -> bool:
    """Whether ingredients and meals are kept where they are rules; otherwise they may be relaxed."""
    rules = answer.constraints
    if not rules.strict:
        return True
    # As the index has them: where none is declared, a recipe's name tells.
    if rules.meals and {*rules.meals}.isdisjoint(document_of(stored, lexicon).meals):
        return False
    return contents_of(stored.recipe, lexicon).has_all(rules.include)


def _is_in_its_language(item: Mapping[str, Any], shown: StoredRecipe, answer: Answer) -> bool:
    """Whether *item* has the words of the language that it says, and that is the one asked for where there is a choice.

    A "translation" that is still in the language of the original is none.

    A translation that came after the answer is none that it could have shown.
    """
    texts = {**shown.translations, **shown.recipe.texts}
    said, asked = item["idioma"], answer.ask.language
    words = " ".join((item["nombre"], *item["ingredientes"], *item["instrucciones"]))
    is_what_it_says = item["nombre"] == texts[said].name and detect(words, default=said) == said
    return bool(is_what_it_says and (said == asked or asked not in texts))


class AnswerCheck:
    """Looks at a share of the answers, in a thread of its own.

    :meth:`record` costs a hash and, for an answer of the sample, a queue operation. A full queue drops the answer.

    Attributes:
        n_checked, n_invalid: answers that were looked at, and those of them with something wrong.
        n_dropped: answers of the sample that could not be looked at: the queue was full, or the database away.
        findings: how many answers had each kind of fault, such as ``exclusions constraint``.
        last_finding: the newest fault in one sentence, without the query; None where there was none.
    """

    def __init__(self, catalogue: Catalogue, lexicon: Lexicon, *, share: float, buffer_size: int = BUFFER_SIZE) -> None:
        """Nothing is looked at until :meth:`start`.

        Args:
            share: of the answers, 0 to 1.
            buffer_size: how many answers may wait, 1 or more.

        Raises:
            ValueError: *share* or *buffer_size* is out of range.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be from 0 to 1, got {share}")
        if buffer_size < 1:
            raise ValueError(f"buffer_size must be at least 1, got {buffer_size}")
        self.share = share
        self.n_checked = self.n_invalid = self.n_dropped = 0
        self.findings: Counter[str] = Counter()
        self.last_finding: str | None = None
        self._catalogue = catalogue
        self._lexicon = lexicon
        self._waiting: queue.Queue[Answer | None] = queue.Queue(buffer_size)
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, in the background."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="answer-check", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the answer that is being looked at; what waits stays unseen."""
        self._stopping.set()
        # A thread that waits has to be woken; where the queue is full it does not wait.
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            self._thread = None

    def record(self, answer: Answer) -> None:
        """Have *answer* looked at where it belongs to the sample. Never waits."""
        if not is_sampled(answer.request_id, self.share):
            return
        try:
            self._waiting.put_nowait(answer)
        except queue.Full:
            self._drop()

    @property
    def n_waiting(self) -> int:
        """How many answers wait to be looked at."""
        return self._waiting.qsize()

    def found(self) -> dict[str, int]:
        """How many answers had each kind of fault, as of now."""
        with self._guard:
            return dict(self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for whoever asks how the service is."""
        with self._guard:
            return {
                "share": self.share, "checked": self.n_checked, "invalid": self.n_invalid, "dropped": self.n_dropped,
                "findings": dict(self.findings), "last_finding": self.last_finding,
            }  # fmt: skip

    def _run(self) -> None:
        while not self._stopping.is_set():
            answer = self._waiting.get()
            if answer is not None:
                self._look_at(answer)

    def _look_at(self, answer: Answer) -> None:
        try:
            found = violations_of(answer, catalogue=self._catalogue, lexicon=self._lexicon)
        except StoreUnavailable as error:
            _log.debug("an answer stays unchecked: %s", error)
            self._drop()
            return
        except Exception as error:
            # An answer that cannot even be read is as wrong as any; the text of the error may quote it.
            found = [
                Violation(None, "answer", "unreadable", None, f"must be readable, and raised {type(error).__name__}")
            ]
        self._note(answer, found)

    def _note(self, answer: Answer, found: Sequence[Violation]) -> None:
        first_of_kind = {f"{one.column} {one.rule}": one for one in reversed(found)}
        with self._guard:
            new = {kind: one for kind, one in first_of_kind.items() if kind not in self.findings}
            self.n_checked += 1
            self.n_invalid += bool(found)
            self.findings.update(first_of_kind.keys())
            if found:
                self.last_finding = _sentence(found[0], answer)
        for one in new.values():
            _log.warning("answer %s: %s", answer.request_id, _sentence(one, answer))

    def _drop(self) -> None:
        with self._guard:
            self.n_dropped += 1


def _sentence(one: Violation, answer: Answer) -> str:
    """*one* without its value, which may be anybody's words."""
    where = "" if one.row is None else f" of recipe {one.row + 1}"
    return f"{one.column}{where}: {one.message} ({one.rule}; {answer.model_id} {answer.model_version}, {answer.mode})"
