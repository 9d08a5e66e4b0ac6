"""Settings: read once, named when they are wrong, documented in ``.env.example``."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from mlops.config import shown_settings
from mlops.errors import InvalidSettings
from recipes.config import Settings, load_settings

REPOSITORY = Path(__file__).parent.parent.parent
EXAMPLE = REPOSITORY / ".env.example"
SECRETS = (
    "DATABASE_URL", "ARTIFACT_SIGNING_KEY", "MLFLOW_TRACKING_URI", "OPENAI_API_KEY", "QDRANT_API_KEY",
    "ALERT_WEBHOOK_SECRET",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_any_variable_everything_has_a_default() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.encoder) == ("127.0.0.1", 8000, "use")


def test_the_state_database_lies_under_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "mine"))
    settings = load_settings()
    assert settings.var_dir == tmp_path / "mine" / "var"
    assert settings.state_url == f"sqlite:///{tmp_path}/mine/var/state.db"


def test_a_database_url_wins_over_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://cook:pepper@host/recipes")
    assert load_settings().state_url == "postgresql://cook:pepper@host/recipes"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nHOST=0.0.0.0\nUNKNOWN=1\n")
    monkeypatch.setenv("PORT", "9002")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9002)


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    settings = load_settings()
    assert (settings.port, settings.openai_api_key) == (8000, None)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


WRONG = [
    ("PORT", "eighty"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "7d"), ("LOG_LEVEL", "loud"), ("ENCODER", "bert"),
    ("MAX_BODY_BYTES", "12"), ("IMPRESSION_FLUSH_SECONDS", "0"), ("IMPRESSION_FLUSH_SECONDS", "61"),
    ("IMPRESSION_FLUSH_SECONDS", "nan"), ("IMPRESSION_BUFFER_SIZE", "0"), ("OPENAI_BASE_URL", "api.openai.com"),
    ("MAX_LOG_SIZE_MB", "0"), ("BACKUP_COUNT", "0"), ("LOG_QUERY_TEXT", "perhaps"),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_a_wrong_value_is_one_line_that_names_the_variable_and_the_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f'{variable} cannot be "{value}": ')
    assert "\n" not in message


def test_several_wrong_values_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "y")
    with pytest.raises(InvalidSettings, match=r"PORT cannot be .*; LOG_LEVEL cannot be "):
        load_settings()


@pytest.mark.parametrize(
    "url", ["mysql://cook:pepper@host/recipes", "pepper", "postgresql://cook:pepper@host:port/x", "/var/pepper.db"]
)
def test_a_wrong_database_url_is_named_without_the_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(InvalidSettings, match=r"^DATABASE_URL cannot be a secret value: ") as caught:
        load_settings()
    assert "pepper" not in str(caught.value)


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "occupied").touch()
    monkeypatch.setenv("DATA_DIR", "occupied")
    with pytest.raises(InvalidSettings, match='DATA_DIR cannot be "occupied": it is a file'):
        load_settings()


def test_a_settings_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("# contraseña\nPORT=9001\n".encode("latin-1"))
    with pytest.raises(InvalidSettings, match=r"\.env is not UTF-8"):
        load_settings()


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://cook:pepper@host/recipes")
    for name in SECRETS[1:]:
        monkeypatch.setenv(name, "pepper")
    settings = load_settings()
    shown = shown_settings(settings)
    assert "pepper" not in f"{shown} {settings!r} {settings}"
    assert all(shown[name] for name in SECRETS)


def test_what_is_not_set_is_shown_as_empty() -> None:
    shown = shown_settings(load_settings())
    assert list(shown) == [name.upper() for name in Settings.model_fields]
    assert all(shown[name] == "" for name in SECRETS)


def test_whatever_holds_a_key_or_a_password_is_a_secret() -> None:
    telling = [name for name in Settings.model_fields if name.endswith(("_key", "_url", "password", "token", "secret"))]
    plain = [name for name in telling if "SecretStr" not in str(Settings.model_fields[name].annotation)]
    assert plain == ["openai_base_url"]
    assert isinstance(Settings(openai_api_key="x").openai_api_key, SecretStr)


def _example() -> dict[str, tuple[str, str]]:
    """Comment and value of each variable in ``.env.example``, by name."""
    blocks = EXAMPLE.read_text("utf-8").split("\n\n")[1:]
    documented = {}
    for block in blocks:
        *comment, assignment = block.strip().splitlines()
        name, _, value = assignment.partition("=")
        documented[name] = (" ".join(line.removeprefix("#").strip() for line in comment), value)
    return documented


def test_the_example_documents_every_setting_with_its_default_and_nothing_else() -> None:
    expected = {
        name.upper(): (field.description, "" if field.default is None else str(field.default))
        for name, field in Settings.model_fields.items()
    }
    assert _example() == expected


def test_the_example_copied_to_env_changes_nothing(tmp_path: Path) -> None:
    defaults = load_settings()
    (tmp_path / ".env").write_bytes(EXAMPLE.read_bytes())
    assert load_settings() == defaults
