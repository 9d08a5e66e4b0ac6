"""A profile of its training data goes with each version: kept, verified, signed, copied, and compared with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops import cli
from mlops.config import Settings
from mlops.drift import ReferenceProfile, check_drift
from mlops.errors import ArtefactDamaged, ArtefactForeign, ArtefactRefused, BadProfile, VersionExists
from mlops.model_registry import ModelMetadata, ModelRegistry, ModelVersion, open_registry
from mlops.model_registry.profiles import PROFILE_NAME
from mlops.model_registry.transfer import export_registry, import_registry
from recipes.ranker import RANKER_FILE, HybridRanker, load_ranker

REPOSITORY = Path(__file__).parent.parent.parent


def columns(*, shift: float = 0.0, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"minutes": rng.normal(30 + shift, 10, 400), "idioma": rng.choice(["es", "en"], 400)}


PROFILE = ReferenceProfile.of(columns())


def registry_in(folder: Path, **values: Any) -> ModelRegistry:
    return open_registry(Settings(_env_file=None, data_dir=folder, **values), actor="ana")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ModelRegistry]:
    made = registry_in(tmp_path / "data")
    yield made
    made.close()
    made.database.close()


def registered(registry: ModelRegistry, version: str = "1.0.0", **values: Any) -> ModelVersion:
    status = values.pop("status", "production")
    return registry.register(ModelMetadata("ranker", version, status=status), **values)


# --- Kept with a version --------------------------------------------------------------------------------------------


def test_the_profile_of_a_version_comes_back_exactly_beside_its_other_files(registry: ModelRegistry) -> None:
    one = registered(registry, artefact={"weights.json": b"[1]"}, profile=PROFILE)
    found = registry.reference_profile(one)
    assert found is not None
    assert found.to_json() == PROFILE.to_json()
    assert dict(registry.files(one)) == {"weights.json": b"[1]", PROFILE_NAME: PROFILE.to_json()}


def test_a_profile_alone_makes_an_artefact_of_one_file(registry: ModelRegistry) -> None:
    assert list(registry.files(registered(registry, profile=PROFILE))) == [PROFILE_NAME]


def test_the_files_of_a_folder_take_the_profile_in_too(registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "weights.json").write_bytes(b"[1]")
    one = registered(registry, artefact=tmp_path / "trained", profile=PROFILE)
    assert set(registry.files(one)) == {"weights.json", PROFILE_NAME}
    assert not (tmp_path / "trained" / PROFILE_NAME).exists()


@pytest.mark.parametrize("artefact", [None, {"weights.json": b"[1]"}])
def test_a_version_registered_without_a_profile_has_none(
    registry: ModelRegistry, artefact: dict[str, bytes] | None
) -> None:
    assert registry.reference_profile(registered(registry, artefact=artefact)) is None


def test_a_profile_beside_a_file_of_its_name_is_refused_and_nothing_is_registered(registry: ModelRegistry) -> None:
    with pytest.raises(ArtefactRefused, match=r"reference_profile\.json already"):
        registered(registry, artefact={PROFILE_NAME: PROFILE.to_json()}, profile=PROFILE)
    assert registry.list_models() == []


def test_another_profile_is_other_content(registry: ModelRegistry) -> None:
    first = registered(registry, profile=PROFILE)
    assert registered(registry, profile=PROFILE).artefact == first.artefact
    with pytest.raises(VersionExists):
        registered(registry, profile=ReferenceProfile.of(columns(seed=2)))


def test_a_changed_profile_is_not_compared_with(registry: ModelRegistry, tmp_path: Path) -> None:
    one = registered(registry, profile=PROFILE)
    (path,) = (tmp_path / "data").rglob(PROFILE_NAME)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"n_rows":400', b'"n_rows":401', 1))
    with pytest.raises(ArtefactDamaged, match=r"reference_profile\.json was changed"):
        registry.reference_profile(one)


def test_a_file_of_that_name_that_is_no_profile_is_named_as_such(registry: ModelRegistry) -> None:
    with pytest.raises(BadProfile):
        registry.reference_profile(registered(registry, artefact={PROFILE_NAME: b"{}"}))


def test_a_profile_is_signed_like_the_other_files(tmp_path: Path) -> None:
    unsigned = registry_in(tmp_path / "data")
    one = registered(unsigned, profile=PROFILE)
    signing = registry_in(tmp_path / "data", artifact_signing_key="secret")
    with pytest.raises(ArtefactForeign, match="not signed"):
        signing.reference_profile(one)
    for each in (unsigned, signing):
        each.close()
        each.database.close()


def test_a_profile_is_exported_and_imported_with_its_version(registry: ModelRegistry, tmp_path: Path) -> None:
    registered(registry, profile=PROFILE)
    export_registry(registry, tmp_path / "export")
    elsewhere = registry_in(tmp_path / "elsewhere")
    import_registry(elsewhere, tmp_path / "export")
    champion = elsewhere.get_production_model("ranker")
    assert champion is not None
    found = elsewhere.reference_profile(champion)
    assert found is not None
    assert check_drift(found, columns(shift=20, seed=3)).columns_with_drift == ["minutes"]
    elsewhere.close()
    elsewhere.database.close()


def test_a_ranker_loads_the_same_with_a_profile_beside_it(registry: ModelRegistry) -> None:
    ranker = HybridRanker("1.0.0", 0.6, 0.4)
    one = registered(registry, artefact=ranker.files(), profile=PROFILE)
    files = registry.files(one)
    assert {RANKER_FILE, PROFILE_NAME} == set(files)
    assert load_ranker(one, files) == ranker


def test_a_registry_that_compares_nothing_does_not_import_drift() -> None:
    code = "import sys, mlops.model_registry.registry; print([n for n in sys.modules if n.startswith('mlops.drift')])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert printed.stdout.strip() == "[]"


# --- From a shell ---------------------------------------------------------------------------------------------------


class Shell:
    """Types ``mlops …`` over a data folder of the test's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setenv("DATA_DIR", str(folder))

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, what was printed, what was printed as an error."""
        self._monkeypatch.setattr(sys, "argv", ["mlops", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    return Shell(monkeypatch, capsys, tmp_path / "data")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Tables ``same`` and ``moved``, and the ``profile`` of what was trained on."""
    paths = {name: tmp_path / f"{name}.parquet" for name in ("same", "moved")}
    pq.write_table(pa.table(columns(seed=2)), paths["same"])
    pq.write_table(pa.table(columns(shift=20, seed=3)), paths["moved"])
    paths["profile"] = tmp_path / "profile.json"
    PROFILE.save(paths["profile"])
    return paths


def test_a_shell_registers_a_version_with_its_profile_and_shows_that_there_is_one(
    shell: Shell, registry: ModelRegistry, files: dict[str, Path]
) -> None:
    assert shell("models", "register", "ranker", "1.0.0", "--profile", files["profile"])[0] == 0
    assert shell("models", "register", "ranker", "1.0.1")[0] == 0
    one = registry.get_model("ranker", "1.0.0")
    assert one is not None
    assert registry.files(one)[PROFILE_NAME] == files["profile"].read_bytes()
    assert "reference profile: yes" in shell("models", "show", "ranker", "1.0.0")[1]
    assert "reference profile" not in shell("models", "show", "ranker", "1.0.1")[1]
    told = [json.loads(shell("models", "show", "ranker", each, "--json")[1]) for each in ("1.0.0", "1.0.1")]
    assert [each["has_profile"] for each in told] == [True, False]


def test_a_file_that_is_no_profile_registers_nothing(shell: Shell, registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text("[]")
    code, _, said = shell("models", "register", "ranker", "1.0.0", "--profile", tmp_path / "wrong.json")
    assert code == 1
    assert "profile" in said
    assert registry.list_models() == []


@pytest.mark.parametrize(("current", "code"), [("same", 0), ("moved", 1)])
def test_current_data_are_compared_with_what_the_production_version_was_trained_on(
    shell: Shell, registry: ModelRegistry, files: dict[str, Path], current: str, code: int
) -> None:
    registered(registry, profile=PROFILE)
    registered(registry, "1.0.1", status="training", profile=ReferenceProfile.of(columns(shift=20)))
    assert shell("drift", "--model", "ranker", files[current])[0] == code
    # The other version was trained on what has moved.
    assert shell("drift", "--model", "ranker", "--version", "1.0.1", files[current])[0] == 1 - code


def test_a_version_without_a_profile_cannot_be_judged_and_is_named(
    shell: Shell, registry: ModelRegistry, files: dict[str, Path]
) -> None:
    registered(registry, artefact={"weights.json": b"[1]"})
    code, _, said = shell("drift", "--model", "ranker", files["same"])
    assert (code, "ranker 1.0.0 was registered without a reference profile" in said) == (2, True)


@pytest.mark.parametrize(("arguments", "words"), [
    (("--model", "nobody"), "nothing of a model 'nobody' was ever registered"),
    (("--model", "ranker", "--version", "9.9.9"), "ranker has no version 9.9.9"),
    (("--version", "1.0.0"), "give --model too"),
    (("--model", "ranker", "--profile", "profile.json"), "not both"),
])  # fmt: skip
def test_what_cannot_be_compared_with_ends_with_two(
    shell: Shell, registry: ModelRegistry, files: dict[str, Path], arguments: tuple[str, ...], words: str
) -> None:
    registered(registry, profile=PROFILE)
    code, _, said = shell("drift", *arguments, files["same"])
    assert (code, words in " ".join(said.split())) == (2, True)
