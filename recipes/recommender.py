"""The path of one request, readable top to bottom.

query ─ parse constraints ─ encode ─ retrieve candidates ─ rank ─ localise ─ answer
                                                                   └─ impression → buffer
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlops.clock import utc_now
from mlops.errors import StoreUnavailable
from mlops.sentences import say
from mlops.store import Database
from recipes.answer import Answer, Ask, Mode, Notice, Place, Shown
from recipes.catalog import Catalogue, StoredRecipe
from recipes.constraints import Constraints, constraints_from, unknown_exclusions
from recipes.contents import Contents, contents_of
from recipes.durations import minutes_at_least
from recipes.encoder import Encoder
from recipes.errors import EncoderUnavailable, IndexUnavailable
from recipes.exploration import N_SPARE, Exploration
from recipes.history import CookHistory
from recipes.index.items import Floats, content_mark
from recipes.index.search import Candidates, RecipeIndex, made_up_candidates
from recipes.index.store import Vector
from recipes.lexicon import Lexicon
from recipes.ordering import OrderedCandidates, in_order
from recipes.popularity import Popularity
from recipes.query import Understanding, understand
from recipes.query_map import QueryMap
from recipes.ranker import MODEL_ID, HybridRanker, Ranker, RankingContext
from recipes.ranker.base import try_out
from recipes.rival import AnswerBy, Rival
from recipes.terms import QueryTerms, query_terms
from recipes.text import Language

_log = logging.getLogger("recipes.recommender")

Result = TypeVar("Result")

_ERRORS: Mapping[str, type[Exception]] = {"encoder": EncoderUnavailable, "index": IndexUnavailable}

N_ON_SHELF = 200
# A part that failed is left alone for so long: a request need not wait for what has just failed another.
REST_SECONDS = 2.0
_N_CONTENTS_KEPT = 5_000
_CANARY_QUERY = "cena rápida con verduras"
_N_MADE_UP = 50
_NO_EXPLORATION = Exploration()


class Taste(Protocol):
    """Knows what cooks like, in memory: it is asked on the path of each request."""

    def scores(self, user_id: str, numbers: NDArray[np.int64]) -> Floats | None:
        """How much this cook may like each recipe, 0 to 1, shape (n,); None where the cook is unknown."""


class Tastes(Protocol):
    """What was learned of tastes from what was shown, in memory; see :class:`recipes.tastes.KnownTastes`."""

    def appeal(self, numbers: NDArray[np.int64]) -> Floats:
        """What cooks like of late where it is shown, 0 to 1, shape (n,)."""

    def taste(self, user_id: str, numbers: NDArray[np.int64]) -> Floats | None:
        """What this cook likes, 0 to 1, shape (n,); None where the cook is unknown."""


class Arms(Protocol):
    """Knows which version's turn it is where two of them serve; see :class:`recipes.rollouts.RankerRollout`."""

    def answered(self, request_id: str, user_id: str | None, champion: Ranker, answer_by: AnswerBy) -> Answer:
        """The answer of the version whose turn it is for this cook or request; *champion* serves all others."""


class Recommender:
    """Answers questions. Safe to use from several threads; its index and popularity can be swapped at any time.

    Attributes:
        arms: lets another version answer a share of the cooks; None where one version answers all.
        collaborative: what cooks with the same history like, for the feature of this name; None where nothing is known.
        tastes: what was learned of them, for the features ``appeal`` and ``taste``; None where nothing was.
        history: what cooks did so far, for the features ``recency`` and ``affinity``.
        query_map: where queries lie, of this encoder; None until it was learned.
        problems: what is wrong with the parts ``encoder`` and ``index``, by their name; empty where all is well.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        encoder: Encoder,
        lexicon: Lexicon,
        index: RecipeIndex | None,
        ranker: Ranker | None = None,
        exploration: Exploration | None = None,
        on_answer: Callable[[Answer], None] = lambda answer: None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """Nothing is read yet.

        Args:
            exploration: how much :meth:`answer` explores. Default: not at all.
            new_id: makes the id of each answer.
        """
        self._catalogue = catalogue
        self._encoder = encoder
        self._on_answer = on_answer
        self.lexicon = lexicon
        self._clock = clock
        self._new_id = new_id
        self._exploration = exploration or _NO_EXPLORATION
        self.index = index
        self.ranker: Ranker = ranker or HybridRanker()
        self.arms: Arms | None = None
        self.collaborative: Taste | None = None
        self.tastes: Tastes | None = None
        self.query_map: QueryMap | None = None
        self.history = CookHistory(catalogue.database, library=lambda: self.index)
        self.popularity = Popularity.of({}, sum_of_squares=0.0)
        self.problems: dict[str, str] = {}
        self._shelf: list[StoredRecipe] = []
        self._contents: dict[str, Contents] = {}
        self._rests_until: dict[str, float] = {}

    def refresh(self) -> None:
        """Read ratings, the shelf of popular recipes and what cooks did lately from the database.

        Raises:
            StoreUnavailable: it does not answer; what was read before stays.
        """
        self.popularity = Popularity.of(
            self._catalogue.ratings(), sum_of_squares=self._catalogue.sum_of_squared_ratings()
        )
        self._shelf = self._catalogue.popular(N_ON_SHELF)
        self.history.refresh(self._clock())

    @property
    def can_answer(self) -> bool:
        """Whether there is anything to answer from: an index, or the shelf of popular recipes."""
        return self.index is not None or bool(self._shelf)

    def answer(self, ask: Ask) -> Answer:
        """Answer *ask* as well as what is at hand allows.

        Raises:
            EncoderUnavailable, IndexUnavailable, StoreUnavailable: nothing can be answered at all.
        """
        # One ranker for the whole answer: another may take its place at any moment.
        champion, arms, request_id = self.ranker, self.arms, self._new_id()

        def by(ranker: Ranker, rival: Rival | None = None) -> Answer:
            return self._answered(ask, ranker, self._exploration, request_id, rival)

        answer = by(champion) if arms is None else arms.answered(request_id, ask.user_id, champion, by)
        self._on_answer(answer)
        return answer

    def answer_with(self, ranker: Ranker, ask: Ask) -> Answer:
        """As :meth:`answer`, by *ranker* whatever serves, off the record and without exploration.

        An evaluation leaves no trace, and leaves nothing to chance.

        Raises:
            EncoderUnavailable, IndexUnavailable, StoreUnavailable: nothing can be answered at all.
        """
        return self._answered(ask, ranker, _NO_EXPLORATION, self._new_id())

    def _answered(
        self, ask: Ask, ranker: Ranker, exploration: Exploration, request_id: str, rival: Rival | None = None
    ) -> Answer:
        stages = _Stages()
        understanding = understand(ask.query, self.lexicon, otherwise=ask.language)
        unknown = unknown_exclusions(ask.filters, self.lexicon, understanding.language)
        understanding = replace(understanding, unknown_exclusions=(*understanding.unknown_exclusions, *unknown))
        rules = understanding.constraints.merged(constraints_from(ask.filters, self.lexicon, understanding.language))
        stages.end("parse")
        try:
            ranked, others = self._ranked(ask, understanding, rules, ranker, rival, stages)
            found = self._loaded(ranked, rules, ask.n)
            if rival is None or others is None:
                placed = _explored(ranked, found, exploration, ask.n, request_id)
            else:
                placed = _drafted(found, self._loaded(others, rules, ask.n), rival, ask.n)
            shown, notices = _shown(ranked, placed, ask.n)
            mode, n_candidates = ranked.mode, len(ranked.candidates)
            stages.end("load")
        except (EncoderUnavailable, IndexUnavailable, StoreUnavailable) as error:
            _log.debug("answered from the shelf: %s", error)
            shown, notices, mode, n_candidates = self._from_shelf(ask, rules, error)
            stages.end("shelf")
        return Answer(
            request_id=request_id,
            answered_at=self._clock(),
            ask=ask,
            understanding=understanding,
            constraints=rules,
            shown=tuple(shown),
            notices=tuple(dict.fromkeys((*_about_words(understanding), *notices))),
            mode=mode,
            model_id=MODEL_ID,
            model_version=ranker.version,
            n_candidates=n_candidates,
            stage_ms=stages.milliseconds,
            place=stages.place,
        )

    def shown_directly(self, stored: StoredRecipe, *, language: Language = "es", user_id: str | None = None) -> Answer:
        """Note that *stored* was shown by itself, through a link, so that feedback on it has an answer to join to."""
        answer = Answer(
            request_id=self._new_id(),
            answered_at=self._clock(),
            ask=Ask(stored.recipe.recipe_id, n=1, language=language, user_id=user_id),
            understanding=Understanding(language, Constraints(), "", ()),
            constraints=Constraints(),
            shown=(Shown(1, stored, 1.0, {}),),
            notices=(),
            mode="direct",
            model_id="direct_link",
            model_version=self.ranker.version,
            n_candidates=1,
            stage_ms={},
        )
        self._on_answer(answer)
        return answer

    def rehearse(self, ranker: Ranker) -> None:
        """Let *ranker* rank the candidates of a canary query, off the record: it warms up, and shows that it works.

        Raises:
            RankerFailed: its scores are of no use.
        """
        candidates = self._canary_candidates()
        try_out(ranker, candidates, self._context(candidates.numbers, Ask(_CANARY_QUERY), Constraints()))

    def _canary_candidates(self) -> Candidates:
        """Those of a real query, or made-up ones where encoder or index are away: a ranker is not judged by them."""
        index = self.index
        if index is not None:
            try:
                vector = self._encoder.encode([_CANARY_QUERY])[0]
                found = index.candidates(vector, QueryTerms(), Constraints())
            except (EncoderUnavailable, IndexUnavailable) as error:
                _log.debug("a canary query is asked of made-up candidates: %s", error)
            else:
                if len(found):
                    return found
        return made_up_candidates(_N_MADE_UP)

    def similar(self, stored: StoredRecipe, limit: int) -> list[StoredRecipe]:
        """Recipes like *stored*; none where the index does not answer."""
        index = self.index
        if index is None:
            return []
        try:
            numbers = index.similar(stored.recipe_no, limit)
            found = self._catalogue.get_many(numbers)
        except (IndexUnavailable, StoreUnavailable) as error:
            _log.warning("no similar recipes: %s", error)
            return []
        return [found[number] for number in numbers if number in found]

    def _ranked(
        self,
        ask: Ask,
        understanding: Understanding,
        rules: Constraints,
        ranker: Ranker,
        rival: Rival | None,
        stages: _Stages,
    ) -> tuple[OrderedCandidates, OrderedCandidates | None]:
        """The candidates as *ranker* orders them, and as *rival* does where there is one that can."""
        index = self.index
        if index is None:
            raise IndexUnavailable(say("there is no index yet; run: recipes index"))
        vector = self._vector(understanding.free_text or ask.query)
        stages.end("encode")
        stages.place = None if vector is None or self.query_map is None else self.query_map.place(vector)
        terms = query_terms(understanding.words, self.lexicon, understanding.language)
        candidates = self._asked("index", lambda: index.candidates(vector, terms, rules))
        if vector is None and not len(candidates):
            raise EncoderUnavailable(say("the words of the query find nothing, and the encoder does not answer"))
        stages.end("retrieve")
        context = self._context(candidates.numbers, ask, rules)
        mode: Mode = "words_only" if vector is None else "full"

        def order(by: Ranker) -> OrderedCandidates:
            features = by.features(candidates, context)
            return in_order(candidates, features, by.score(features), rules, mode)

        ranked = order(ranker)
        others = None if rival is None else rival.ordered(order)
        stages.end("rank")
        return ranked, others

    def _context(self, numbers: NDArray[np.int64], ask: Ask, rules: Constraints) -> RankingContext:
        user_id, learned = ask.user_id, self.tastes
        tastes: tuple[Taste | None, ...] = (self.collaborative, self.history)
        collaborative, affinity = (
            None if taste is None or user_id is None else taste.scores(user_id, numbers) for taste in tastes
        )
        return RankingContext(
            popularity=self.popularity.scores(numbers),
            recency=self.history.trend(numbers),
            collaborative=collaborative,
            affinity=affinity,
            appeal=None if learned is None else learned.appeal(numbers),
            taste=None if learned is None or user_id is None else learned.taste(user_id, numbers),
            rules=rules,
            user_id=user_id,
            at=self._clock(),
        )

    @property
    def database(self) -> Database:
        """Where its catalogue is."""
        return self._catalogue.database

    def _vector(self, text: str) -> Vector | None:
        try:
            vector: Vector = self._asked("encoder", lambda: self._encoder.encode([text])[0])
        except EncoderUnavailable as error:
            _log.debug("searching by words only: %s", error)
            return None
        return vector

    def _asked(self, part: Literal["encoder", "index"], question: Callable[[], Result]) -> Result:
        """The answer of *part*. After a failure it rests for a while, and all others get the same error at once."""
        if time.monotonic() < self._rests_until.get(part, 0.0):
            raise _ERRORS[part](self.problems.get(part, "it failed a moment ago"))
        try:
            answer = question()
        except _ERRORS[part] as error:
            if self.problems.get(part) != str(error):
                _log.warning("the %s failed: %s", part, error)
            self.problems[part] = str(error)
            self._rests_until[part] = time.monotonic() + REST_SECONDS
            raise
        if self._rests_until.pop(part, None) is not None:
            self.problems.pop(part, None)
        return answer

    def _loaded(self, ranked: OrderedCandidates, rules: Constraints, n: int) -> list[tuple[int, StoredRecipe]]:
        """The first candidates that are still in the catalogue and still keep *rules*: *n*, and a few to spare.

        Recipes may have gone or changed since the index was built.
        """
        found: list[tuple[int, StoredRecipe]] = []
        batch_size = n + N_SPARE
        for start in range(0, len(ranked.order), batch_size):
            places = ranked.order[start : start + batch_size].tolist()
            stored = self._catalogue.get_many(ranked.candidates.numbers[places].tolist())
            found += [(place, one) for place in places if (one := self._still_fits(place, stored, ranked, rules))]
            if len(found) >= n:
                break
        return found[:batch_size]

    def _still_fits(
        self, place: int, stored: Mapping[int, StoredRecipe], ranked: OrderedCandidates, rules: Constraints
    ) -> StoredRecipe | None:
        one = stored.get(int(ranked.candidates.numbers[place]))
        if one is None:
            return None
        is_as_indexed = content_mark(one.content_hash) == ranked.candidates.content_marks[place]
        return one if is_as_indexed or not self._breaks(one, rules) else None

    def _from_shelf(
        self, ask: Ask, rules: Constraints, error: Exception
    ) -> tuple[list[Shown], list[Notice], Mode, int]:
        """Popular recipes that break none of the rules, from memory."""
        if not self._shelf:
            raise error
        fitting = [stored for stored in self._shelf if self._fits(stored, rules)]
        scores = self.popularity.scores(np.array([stored.recipe_no for stored in fitting], dtype=np.int64))
        order = np.argsort(-scores, kind="stable")[: ask.n]
        shown = [
            Shown(rank, fitting[place], float(scores[place]), {"popularity": float(scores[place])})
            for rank, place in enumerate(order.tolist(), start=1)
        ]
        return shown, ["popular", *_about_number(len(shown), ask.n)], "popular", len(fitting)

    def _fits(self, stored: StoredRecipe, rules: Constraints) -> bool:
        if self._breaks(stored, rules):
            return False
        if rules.strict and not self._contents_of(stored).has_all(rules.include):
            return False
        meals = stored.recipe.meals
        return not rules.meals or not {*rules.meals}.isdisjoint(meals) or not (meals or rules.strict)

    def _breaks(self, stored: StoredRecipe, rules: Constraints) -> bool:
        """Whether *stored*, as it is now, breaks a rule that is never relaxed. The index may know it as it was."""
        if rules.max_minutes is not None:
            recipe = stored.recipe
            if (recipe.minutes or minutes_at_least(recipe.original.steps)) > rules.max_minutes:
                return True
        if not (rules.exclude or rules.exclude_words):
            return False
        return self._contents_of(stored).breaks(rules.exclude, rules.exclude_words)

    def _contents_of(self, stored: StoredRecipe) -> Contents:
        known = self._contents.get(stored.content_hash)
        if known is None:
            known = contents_of(stored.recipe, self.lexicon)
            if len(self._contents) >= _N_CONTENTS_KEPT:
                self._contents.clear()
            self._contents[stored.content_hash] = known
        return known


Placed = list[tuple[int, StoredRecipe, float, str | None]]
"""What is shown, first position first: its place among the candidates, the recipe, its propensity and its team."""


def _explored(
    ranked: OrderedCandidates,
    found: Sequence[tuple[int, StoredRecipe]],
    exploration: Exploration,
    n: int,
    request_id: str,
) -> Placed:
    tiers = ranked.tiers[[place for place, _ in found]].tolist()
    arranged = exploration.arranged(tiers, n=n, request_id=request_id)
    return [(*found[which], propensity, None) for which, propensity in arranged]


def _drafted(
    found: Sequence[tuple[int, StoredRecipe]], others: Sequence[tuple[int, StoredRecipe]], rival: Rival, n: int
) -> Placed:
    # Both orders keep the tiers, and each round of a draft takes the best that is left of either: so does the list.
    stored = dict((*found, *others))
    draft = rival.drafted([place for place, _ in found], [place for place, _ in others], n)
    columns = zip(draft.items, draft.propensities, draft.teams, strict=True)
    return [(place, stored[place], propensity, team) for place, propensity, team in columns]


def _shown(ranked: OrderedCandidates, placed: Placed, n: int) -> tuple[list[Shown], list[Notice]]:
    shown = [ranked.shown(position, *one) for position, one in enumerate(placed, start=1)]
    notices = ranked.relaxed([place for place, *_ in placed])
    if ranked.mode == "words_only":
        notices.append("words_only")
    return shown, [*notices, *_about_number(len(shown), n)]


def _about_number(n_shown: int, n_asked: int) -> Sequence[Notice]:
    if n_shown == 0:
        return ("nothing_left",)
    return ("fewer_than_asked",) if n_shown < n_asked else ()


def _about_words(understanding: Understanding) -> Sequence[Notice]:
    return ("unknown_word",) if understanding.unknown_exclusions else ()


class _Stages:
    """What the stages leave behind: milliseconds between calls of :meth:`end`, and where on the map the query lies."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self.place: Place | None = None
        self._since = time.perf_counter()

    def end(self, stage: str) -> None:
        now = time.perf_counter()
        self.milliseconds[stage] = (now - self._since) * 1_000
        self._since = now
