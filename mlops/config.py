"""Settings: one frozen object, read once from the environment and an optional ``.env`` file.

Importing this module reads nothing. A program calls :func:`load_settings` at its start and hands the result on.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mlops.errors import InvalidSettings

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Port = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Settings(BaseSettings):
    """What the toolkit needs to know. The variable of a field is its name in capitals."""

    model_config = SettingsConfigDict(
        frozen=True, env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address that `make serve` listens on.")
    port: Port = Field(8000, description="Port that `make serve` listens on, 1 to 65535.")
    data_dir: Path = Field(Path(), description="Folder under which everything written at run time lies.")
    database_url: SecretStr | None = Field(
        None, description="State database, such as postgresql://user:password@host/name. Default: SQLite in DATA_DIR."
    )
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    max_log_size_mb: Annotated[int, Field(ge=1, le=10_000)] = Field(
        10, description="Size in MB at which a log file is rotated, 1 to 10000."
    )
    backup_count: Annotated[int, Field(ge=1, le=10_000)] = Field(
        5, description="How many older files of each log are kept, those of earlier days included, 1 to 10000."
    )
    log_query_text: bool = Field(
        False, description="Whether logs hold the text of queries; otherwise only its hash and length."
    )
    artifact_signing_key: SecretStr | None = Field(
        None, description="Secret that signs model artefacts; with it, only artefacts signed with it are loaded."
    )
    require_approval: str = Field(
        "none", description="Models whose promotions wait for a person: none, all, or names between commas."
    )
    approval_by_another: bool = Field(
        False, description="Whether who approves a promotion must be somebody else than who requested it."
    )
    require_key_to_read: bool = Field(
        False, description="Whether reading the registry over HTTP needs an API key, too."
    )
    mlflow_tracking_uri: SecretStr | None = Field(
        None,
        description="MLflow that versions are mirrored to, or off. Default: a SQLite file in DATA_DIR/mlruns where "
        "MLflow is installed.",
    )
    mlflow_experiment_name: str = Field("recipe-recommender", description="MLflow experiment that runs are kept in.")
    retrain_enabled: bool = Field(
        True, description="Whether schedules start retrainings by themselves; by hand they can always be started."
    )
    retrain_schedule: str = Field(
        "", description="When the service checks whether models need training: 24h, a cron line, or empty for never."
    )
    retrain_time_zone: str = Field("UTC", description="Time zone of cron lines, such as Europe/Madrid.")
    retrain_interval_days: Positive = Field(
        7, description="A model needs training when the last one is older than so many days."
    )
    retrain_data_threshold: Annotated[int, Field(ge=1)] = Field(
        1_000, description="A model needs training when so many labelled samples are new."
    )
    retrain_cooldown_hours: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        6, description="No automatic retraining within so many hours after the last one."
    )
    retrain_timeout_minutes: Positive = Field(120, description="A training that takes longer is ended.")
    retrain_memory_mb: Annotated[int, Field(ge=64)] = Field(
        2_048, description="Memory that the process of a training may take, in MiB (Linux)."
    )
    retrain_max_attempts: Annotated[int, Field(ge=1)] = Field(
        3, description="How often a training is begun before it counts as failed, where the reason may pass."
    )
    retrain_auto_approve: bool = Field(
        True, description="Whether a version that passes all gates goes live by itself; otherwise a person approves it."
    )
    retrain_trainers: str = Field(
        "", description="How models are trained, as model=package.module:function between commas."
    )
    monitoring_enabled: bool = Field(True, description="Whether metrics are recorded.")
    metrics_flush_seconds: float = Field(
        0.5, ge=0.01, le=60, description="How often metrics are written, in seconds: what a killed process may lose."
    )
    metrics_raw_days: int = Field(7, ge=1, le=3650, description="How many days single metric points are kept.")
    metrics_retention_days: int = Field(
        90, ge=1, le=3650, description="How many days metrics are kept at all, as sketches of hours and days."
    )

    alert_threshold_latency: Annotated[float, Field(gt=0)] = Field(
        5000.0, description="95th percentile of an answer's time, in ms, above which there is an alert."
    )
    alert_threshold_error_rate: Share = Field(
        0.05, description="Share of requests that fail, 0 to 1, above which there is an alert."
    )
    alert_threshold_accuracy_drop: Share = Field(
        0.05, description="Fall of a model's accuracy relative to its baseline, 0 to 1, above which it is unwell."
    )
    slo_availability: Share = Field(0.99, description="Objective: share of requests that do not fail, 0 to 1.")
    slo_latency_ms: Annotated[float, Field(gt=0)] = Field(
        1000.0, description="An answer that takes longer, in ms, counts as slow."
    )
    slo_latency_share: Share = Field(0.99, description="Objective: share of requests that are not slow, 0 to 1.")
    alert_webhook_url: SecretStr | None = Field(
        None, description="Where alerts are posted to as JSON, besides the log and the page. Default: nowhere."
    )
    alert_webhook_secret: SecretStr | None = Field(
        None, description="Secret that signs what is posted there (HMAC-SHA256)."
    )
    alert_cool_down_minutes: Annotated[float, Field(ge=0, le=10_080)] = Field(
        10.0, description="An alert that comes back within so many minutes is the same one, and is told only later."
    )
    watch_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = Field(
        10.0, description="How often the rules for alerts are looked at, in seconds."
    )

    @field_validator("alert_webhook_url")
    @classmethod
    def _is_a_web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        return value

    rollout_policy: Literal["off", "canary"] = Field(
        "off", description="What follows a passed gate: off (promotion) or canary (a rollout, which then promotes)."
    )
    rollout_shadow: str = Field(
        "1h", description="How long a challenger only answers aside, such as 30m; 0: not at all."
    )
    rollout_interleave: str = Field(
        "0",
        description="How long lists are drafted from both rankings, and in which share of requests: 2h:20%; 0: not.",
    )
    rollout_canary: str = Field("5%,25%,50%", description="Shares of users that get the challenger, one after another.")
    rollout_hold: str = Field("2h", description="How long each share is held, at least.")
    rollout_guards: str = Field(
        "error_rate,p95_latency,click_rate", description="What must not get worse meanwhile, between commas."
    )
    rollout_max_hours: float = Field(
        48.0, gt=0, le=8_760, description="After so many hours a rollout ends, and the champion stays."
    )
    rollout_watch: str = Field("1h", description="How long a promoted challenger is watched, such as 6h.")
    rollout_least_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        100, description="How many requests a challenger must have answered before a stage ends."
    )

    @field_validator("data_dir")
    @classmethod
    def _is_a_folder(cls, value: Path) -> Path:
        if value.is_file():
            raise ValueError("it is a file, and must be a folder")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_a_known_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _names_a_database(value.get_secret_value()):
            raise ValueError("it must be a URL that begins with sqlite:// or postgresql://")
        return value

    @property
    def var_dir(self) -> Path:
        """Folder of the database and the index."""
        return self.data_dir / "var"

    @property
    def models_dir(self) -> Path:
        """Folder of the registry's view and the artefacts."""
        return self.data_dir / "models"

    @property
    def metrics_dir(self) -> Path:
        """Folder of the metrics log."""
        return self.data_dir / "metrics"

    @property
    def logs_dir(self) -> Path:
        """Folder of the log files."""
        return self.data_dir / "logs"

    @property
    def state_url(self) -> str:
        """URL of the state database, password included."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.var_dir / 'state.db').absolute()}"


def _names_a_database(url: str) -> bool:
    import sqlalchemy as sa

    try:
        return sa.make_url(url).get_backend_name() in {"sqlite", "postgresql", "postgres"}
    except (sa.exc.ArgumentError, ValueError):
        return False


AnySettings = TypeVar("AnySettings", bound=Settings)


@functools.cache
def default_settings() -> Settings:
    """The toolkit's settings from the environment, read once for the process: ``from mlops import config``.

    Raises:
        InvalidSettings: a variable has a value that cannot be used.
    """
    return load_settings(Settings)


def load_settings(kind: type[AnySettings], **overrides: Any) -> AnySettings:
    """Settings from the environment, then ``.env``, then the defaults; *overrides* win over all.

    Raises:
        InvalidSettings: with one line for each variable whose value cannot be used.
    """
    try:
        return kind(**overrides)
    except ValidationError as error:
        raise InvalidSettings("; ".join(_complaint(kind, details) for details in error.errors())) from None
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"the file .env is not UTF-8: {error.reason} at byte {error.start}") from None


def _complaint(kind: type[Settings], details: Any) -> str:
    field = str(details["loc"][0])
    value = details["input"]
    shown = "a secret value" if _is_secret(kind, field) else json.dumps(value, default=str, ensure_ascii=False)
    message = str(details["msg"]).removeprefix("Value error, ")
    return f"{field.upper()} cannot be {shown}: {message[:1].lower()}{message[1:]}"


def _is_secret(kind: type[Settings], field: str) -> bool:
    return field in kind.model_fields and "Secret" in str(kind.model_fields[field].annotation)


def shown_settings(settings: Settings) -> dict[str, str]:
    """Every setting as text for a person, secrets hidden, by the name of its variable."""
    return {
        name.upper(): "" if (value := getattr(settings, name)) is None else str(value)
        for name in type(settings).model_fields
    }
