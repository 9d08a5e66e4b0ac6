"""Data that a caller brings, on their way to the process that trains: Parquet files in a folder of the job's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from mlops.errors import UnreadableData

_TRAINING, _VALIDATION = "training.parquet", "validation.parquet"


def write_frames(folder: Path, training_data: Any, validation_data: Any = None) -> None:
    """Keep the data in *folder*.

    Args:
        training_data: an Arrow table, a data frame of pandas or Polars, a mapping of columns, or a list of rows.

    Raises:
        UnreadableData: it is none of these, or a column cannot be written.
    """
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for name, data in ((_TRAINING, training_data), (_VALIDATION, validation_data)):
        if data is not None:
            pq.write_table(_table(data), folder / name)


def read_frames(folder: Path) -> tuple[Any, Any]:
    """Training and validation data (None where there are none), as pandas has them, or Arrow where it is missing."""
    return _read(folder / _TRAINING), _read(folder / _VALIDATION)


def _read(path: Path) -> Any:
    if not path.exists():
        return None
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return table.to_pandas() if importlib.util.find_spec("pandas") is not None else table


def _table(data: Any) -> Any:
    import pyarrow as pa

    try:
        if isinstance(data, pa.Table):
            return data
        if hasattr(data, "to_arrow"):
            return data.to_arrow()
        if hasattr(data, "iloc"):
            return pa.Table.from_pandas(data, preserve_index=False)
        return pa.Table.from_pylist(data) if isinstance(data, list) else pa.table(dict(data))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UnreadableData(f"training data must be a table or a data frame: {error}") from error
