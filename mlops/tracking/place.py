"""Which MLflow the registry is mirrored to. Importing this imports no MLflow."""

from __future__ import annotations

import importlib.util
import re

from mlops.config import Settings
from mlops.errors import InvalidSettings

_HAS_A_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_IS_A_DATABASE = re.compile(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?:", re.IGNORECASE)


def tracking_uri(settings: Settings) -> str | None:
    """URI of the MLflow that versions are mirrored to, password included; None where the mirror is off.

    Without a setting it is a SQLite file in ``DATA_DIR/mlruns``, whose folder is made, where MLflow is installed.

    Raises:
        InvalidSettings: ``MLFLOW_TRACKING_URI`` is set and MLflow is not installed, or it names a plain folder.
    """
    value = settings.mlflow_tracking_uri
    wanted = "" if value is None else value.get_secret_value().strip()
    if wanted.lower() == "off":
        return None
    is_installed = importlib.util.find_spec("mlflow") is not None
    if wanted:
        return _checked(wanted, is_installed=is_installed)
    return _default(settings) if is_installed else None


def artifact_location(settings: Settings, uri: str) -> str | None:
    """URI of the folder where a new experiment keeps its files; None where the MLflow server decides that.

    MLflow without a server would put them below the working directory of whoever comes first.
    """
    if _IS_A_DATABASE.match(uri) is None:
        return None
    return (settings.data_dir.absolute() / "mlruns" / "artifacts").as_uri()


def _checked(uri: str, *, is_installed: bool) -> str:
    if not is_installed:
        raise InvalidSettings(
            "MLFLOW_TRACKING_URI is set, and MLflow is not installed; run: pip install 'recipe-recommender[mlflow]', "
            "or set MLFLOW_TRACKING_URI=off"
        )
    if _HAS_A_SCHEME.match(uri) is None or uri.lower().startswith("file:"):
        # MLflow itself refuses them from 3.13 on, unless a flag is set.
        raise InvalidSettings(
            "MLFLOW_TRACKING_URI names a plain folder, in which MLflow keeps nothing any more; "
            "use a database such as sqlite:///mlruns/mlflow.db, or a server such as http://localhost:5000"
        )
    return uri


def _default(settings: Settings) -> str:
    folder = settings.data_dir.absolute() / "mlruns"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSettings(f"the folder of MLflow's database cannot be made: {error}; look at DATA_DIR") from error
    return f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
