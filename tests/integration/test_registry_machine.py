"""Any sequence of changes: the registry agrees with a small model of it, and its promises hold after each step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from mlops import ModelMetadata, ModelRegistry, schema
from mlops.artefacts import MemoryArtefacts
from mlops.errors import Conflict, Frozen, IllegalMove, NothingToRollBackTo, RegistryError, VersionExists
from mlops.model_registry.document import registry_document
from mlops.model_registry.states import steps
from mlops.model_registry.versions import SemanticVersion
from mlops.store import Database

MODELS = ("ranker", "ranker_2")
VERSIONS = tuple(f"1.{number}.0" for number in range(5))


class Shelf:
    """One model, as plainly as it can be said: a status for each version, and those that one may go back to."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.contents: dict[str, int] = {}
        self.reachable: list[str] = []
        self.served: set[str] = set()
        self.is_frozen = False
        self.history: list[tuple[datetime, str | None]] = []

    @property
    def champion(self) -> str | None:
        return next((version for version, status in self.statuses.items() if status == "production"), None)

    def serve(self, version: str) -> None:
        if self.champion is not None:
            self.statuses[self.champion] = "archived"
        self.statuses[version] = "production"
        self.served.add(version)

    def promote(self, version: str) -> None:
        self.serve(version)
        self.reachable = [each for each in self.reachable if each != version] + [version]

    def roll_back(self, version: str) -> None:
        self.serve(version)
        if version in self.reachable:
            self.reachable = self.reachable[: self.reachable.index(version) + 1]
        else:
            self.reachable.append(version)

    def before(self) -> str | None:
        return next((each for each in reversed(self.reachable) if each != self.champion), None)


class RegistryMachine(RuleBasedStateMachine):
    """Two models whose names begin alike, five versions each."""

    registered = Bundle("registered")
    models = st.sampled_from(MODELS)
    booleans = st.booleans()

    def __init__(self) -> None:
        super().__init__()
        self.database = Database("sqlite://")
        self.database.upgrade(schema.MIGRATIONS)
        self.now = datetime(2026, 11, 17, 9, tzinfo=UTC)
        self.registry = ModelRegistry(self.database, artefacts=MemoryArtefacts(), clock=lambda: self.now, actor="ana")
        self.shelves = {model_id: Shelf() for model_id in MODELS}
        self.all_is_frozen = False

    def teardown(self) -> None:
        self.database.close()

    def _act(
        self, model_id: str, method: str, *arguments: Any, expected: type[RegistryError] | None, **options: Any
    ) -> Any:
        """Call *method*: it gives something where nothing is *expected* to be wrong, or else just this error."""
        self.now += timedelta(seconds=1)
        act = getattr(self.registry, method)
        if expected is None:
            return act(model_id, *arguments, because="a step", **options)
        before = registry_document(self.database)
        with pytest.raises(expected):
            act(model_id, *arguments, because="a step", **options)
        assert registry_document(self.database) == before
        return None

    def _note(self, model_id: str) -> None:
        shelf = self.shelves[model_id]
        shelf.history.append((self.now, shelf.champion))

    def _frozen(self, model_id: str, *, automatic: bool) -> type[RegistryError] | None:
        return Frozen if automatic and (self.all_is_frozen or self.shelves[model_id].is_frozen) else None

    def _wrong_way(self, model_id: str, version: str, to: Any) -> type[RegistryError] | None:
        try:
            steps("", self.shelves[model_id].statuses[version], to)  # type: ignore[arg-type]
        except IllegalMove:
            return IllegalMove
        return None

    @initialize(target=registered, n_served=st.integers(0, len(VERSIONS)))
    def begin_with_some_that_served(self, n_served: int) -> Any:
        shelf = self.shelves[MODELS[0]]
        for version in VERSIONS:
            self.registry.register(ModelMetadata(MODELS[0], version, parameters={"n": 0}), artefact={"n.json": b"0"})
            shelf.statuses[version], shelf.contents[version] = "training", 0
        for version in VERSIONS[:n_served]:
            self._act(MODELS[0], "promote", version, expected=None)
            shelf.promote(version)
            self._note(MODELS[0])
        return multiple(*((MODELS[0], version) for version in VERSIONS))

    @rule(target=registered, model_id=models, version=st.sampled_from(VERSIONS), content=st.integers(0, 1))
    def register(self, model_id: str, version: str, content: int) -> Any:
        self.now += timedelta(seconds=1)
        shelf = self.shelves[model_id]
        metadata = ModelMetadata(model_id, version, parameters={"n": content})
        if shelf.contents.get(version, content) != content:
            with pytest.raises(VersionExists):
                self.registry.register(metadata)
            return multiple()
        is_new = version not in shelf.statuses
        one = self.registry.register(metadata, artefact={"n.json": str(content).encode()})
        shelf.contents[version] = content
        shelf.statuses.setdefault(version, "training")
        assert one.status == shelf.statuses[version]
        return (model_id, version) if is_new else multiple()

    @rule(which=registered, automatic=booleans)
    def promote(self, which: tuple[str, str], automatic: bool) -> None:
        model_id, version = which
        shelf = self.shelves[model_id]
        if shelf.champion == version:
            self._act(model_id, "promote", version, automatic=automatic, expected=None)
            return
        wrong = self._wrong_way(model_id, version, "production") or self._frozen(model_id, automatic=automatic)
        if self._act_to(model_id, "promote", version, wrong, automatic=automatic):
            shelf.promote(version)
        self._note(model_id)

    def _act_to(
        self, model_id: str, method: str, version: str, wrong: type[RegistryError] | None, **options: Any
    ) -> bool:
        return self._act(model_id, method, version, expected=wrong, **options) is not None

    @rule(which=registered, expected=st.none() | st.sampled_from(VERSIONS))
    def promote_against(self, which: tuple[str, str], expected: str | None) -> None:
        model_id, version = which
        shelf = self.shelves[model_id]
        self.now += timedelta(seconds=1)
        if expected != shelf.champion:
            with pytest.raises(Conflict):
                self.registry.promote(model_id, version, because="a step", expected=expected)
        elif version != shelf.champion and not self._wrong_way(model_id, version, "production"):
            self.registry.promote(model_id, version, because="a step", expected=expected)
            shelf.promote(version)
        self._note(model_id)

    @rule(which=registered, automatic=booleans)
    def validate(self, which: tuple[str, str], automatic: bool) -> None:
        model_id, version = which
        wrong = self._frozen(model_id, automatic=automatic) or self._wrong_way(model_id, version, "validation")
        if self._act_to(model_id, "validate", version, wrong, automatic=automatic):
            self.shelves[model_id].statuses[version] = "validation"

    @rule(which=registered, automatic=booleans)
    def archive(self, which: tuple[str, str], automatic: bool) -> None:
        model_id, version = which
        if self._act_to(model_id, "archive", version, self._frozen(model_id, automatic=automatic), automatic=automatic):
            self.shelves[model_id].statuses[version] = "archived"
        self._note(model_id)

    @rule(which=registered, automatic=booleans)
    def roll_back(self, which: tuple[str, str], automatic: bool) -> None:
        model_id, shelf = which[0], self.shelves[which[0]]
        target = shelf.before()
        wrong = NothingToRollBackTo if target is None else self._frozen(model_id, automatic=automatic)
        back = self._act(model_id, "rollback", automatic=automatic, expected=wrong)
        if back is not None and target is not None:
            assert back.version == target
            shelf.roll_back(target)
        self._note(model_id)

    @rule(which=registered)
    def roll_back_to(self, which: tuple[str, str]) -> None:
        model_id, version = which
        shelf = self.shelves[model_id]
        can = version in shelf.served and shelf.statuses[version] == "archived"
        if self._act(model_id, "rollback", to=version, expected=None if can else NothingToRollBackTo) is not None:
            shelf.roll_back(version)
        self._note(model_id)

    @rule(which=registered, is_champion=booleans)
    def refuse(self, which: tuple[str, str], is_champion: bool) -> None:
        model_id, shelf = which[0], self.shelves[which[0]]
        version = shelf.champion if is_champion and shelf.champion is not None else which[1]
        target = shelf.before()
        was_champion, is_frozen = shelf.champion == version, self.all_is_frozen or shelf.is_frozen
        serving = self._act(model_id, "refuse", version, expected=None)
        shelf.reachable = [each for each in shelf.reachable if each != version]
        if was_champion and not is_frozen and target is not None:
            shelf.roll_back(target)
        assert (None if serving is None else serving.version) == shelf.champion
        self._note(model_id)

    @rule(which=registered)
    def freeze(self, which: tuple[str, str]) -> None:
        self._act(which[0], "freeze", expected=None)
        self.shelves[which[0]].is_frozen = True

    @rule(which=registered)
    def unfreeze(self, which: tuple[str, str]) -> None:
        lifted = self._act(which[0], "unfreeze", expected=None)
        assert (lifted is not None) == self.shelves[which[0]].is_frozen
        self.shelves[which[0]].is_frozen = False

    @rule(on=booleans)
    def freeze_all(self, on: bool) -> None:
        self.registry.freeze(because="all") if on else self.registry.unfreeze(because="all")
        self.all_is_frozen = on

    @invariant()
    def the_document_says_what_the_model_says(self) -> None:
        document = registry_document(self.database)
        assert (document["frozen"] is not None) == self.all_is_frozen
        known = {model_id: shelf for model_id, shelf in self.shelves.items() if shelf.statuses}
        assert list(document["models"]) == sorted(known)
        for model_id, shelf in known.items():
            shown = document["models"][model_id]
            assert (shown["production"], shown["frozen"] is not None) == (shelf.champion, shelf.is_frozen)
            assert list(shown["versions"]) == sorted(shelf.statuses, key=SemanticVersion.parse)
            assert {version: one["status"] for version, one in shown["versions"].items()} == shelf.statuses
            assert {version: one["parameters"]["n"] for version, one in shown["versions"].items()} == shelf.contents

    @invariant()
    def at_most_one_version_of_a_model_is_in_production(self) -> None:
        for model_id, shelf in self.shelves.items():
            serving = [one.version for one in self.registry.list_models(model_id, "production")]
            assert serving == ([] if shelf.champion is None else [shelf.champion])

    @invariant()
    def what_served_when_is_remembered(self) -> None:
        for model_id, shelf in self.shelves.items():
            for time, version in [*shelf.history[-3:], (self.now, shelf.champion)]:
                found = self.registry.at(model_id, time)
                assert (None if found is None else found.version) == version

    @invariant()
    def the_moves_of_a_version_lead_to_its_status(self) -> None:
        for model_id in MODELS:
            stands: dict[str, str | None] = {}
            for move in self.registry.moves(model_id):
                if move.outcome == "done":
                    assert move.from_status == stands.get(move.version)
                    stands[move.version] = move.to_status
            assert stands == self.shelves[model_id].statuses

    @invariant()
    def generations_and_times_only_grow(self) -> None:
        for model_id in MODELS:
            moves = self.registry.moves(model_id)
            assert [move.at for move in moves] == sorted(move.at for move in moves)
            newest = max((one.generation for one in self.registry.list_models(model_id)), default=0)
            assert newest <= self.registry.generation(model_id)


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
