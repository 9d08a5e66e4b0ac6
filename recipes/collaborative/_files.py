"""The artefact of the collaborative feature: one .npz of plain arrays."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recipes.collaborative.choice import Options
from recipes.collaborative.histories import Histories
from recipes.errors import BadInteractions, RankerFailed

if TYPE_CHECKING:
    from recipes.collaborative.model import CollaborativeModel

NAME = "collaborative.npz"
_FORMAT = 3
# Type and number of dimensions of each array in it.
_ARRAYS = {
    "format": ("int64", 0),
    "options": ("float64", 1),
    "fingerprint": ("uint8", 1),
    "typical": ("float64", 1),
    "recipes": ("int64", 1),
    "popularity": ("float32", 1),
    "weights": ("float16", 2),
    "broad": ("float16", 2),
    "user_bytes": ("uint8", 1),
    "user_ends": ("int64", 1),
    "history_ends": ("int64", 1),
    "history_recipes": ("uint16", 1),
    "history_worth": ("float16", 1),
}

Arrays = Mapping[str, NDArray[Any]]


def packed(model: CollaborativeModel) -> dict[str, bytes]:
    """The artefact of *model*; the same model gives the same bytes."""
    options, histories = model.options, model.histories
    half_life = math.inf if options.half_life_days is None else options.half_life_days
    names = [user.encode() for user in histories.users]
    content = io.BytesIO()
    np.savez(
        content,
        format=np.int64(_FORMAT),
        options=np.array([options.ridge, options.popularity_weight, half_life, options.broad_ridge, options.halfway]),
        fingerprint=np.frombuffer(bytes.fromhex(model.fingerprint), np.uint8),
        typical=np.array(model.typical),
        recipes=model.recipes,
        popularity=model.popularity,
        weights=model.weights,
        broad=model.broad,
        user_bytes=np.frombuffer(b"".join(names), np.uint8),
        user_ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        history_ends=histories.ends,
        history_recipes=histories.recipes,
        history_worth=histories.worth,
    )
    return {NAME: content.getvalue()}


def unpacked(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The fields of the model.

    Raises:
        RankerFailed: see :meth:`recipes.collaborative.model.CollaborativeModel.load`.
    """
    if NAME not in files:
        raise RankerFailed(f"the artefact has no file {NAME}")
    arrays = _read(files[NAME])
    _check(arrays)
    ridge, weight, half_life, broad_ridge, halfway = arrays["options"].tolist()
    try:
        options = Options(ridge, weight, None if math.isinf(half_life) else half_life, broad_ridge, halfway)
        users = _users(arrays)
    except (BadInteractions, UnicodeDecodeError) as error:
        raise RankerFailed(f"{NAME}: {error}") from error
    return {
        "options": options,
        "fingerprint": arrays["fingerprint"].tobytes().hex(),
        "recipes": arrays["recipes"],
        "popularity": arrays["popularity"],
        "weights": arrays["weights"],
        "broad": arrays["broad"],
        "typical": tuple(arrays["typical"].tolist()),
        "histories": Histories(users, arrays["history_ends"], arrays["history_recipes"], arrays["history_worth"]),
    }


def _read(content: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ARRAYS}
    # What NumPy's reader and its parts raise for bytes that are cut, changed, or no archive.
    except (ValueError, KeyError, OSError, EOFError, TypeError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        raise RankerFailed(f"{NAME} cannot be read: {error}") from error
    for name, (kind, n_dimensions) in _ARRAYS.items():
        one = arrays[name]
        if one.dtype != kind or one.ndim != n_dimensions:
            wanted = f"{n_dimensions} dimensions of {kind}"
            raise RankerFailed(f"{NAME}: {name} must have {wanted}, got {one.ndim} of {one.dtype}")
    return arrays


def _check(arrays: Arrays) -> None:
    """See that the arrays fit together, so that no score fails or reads another cook's history."""
    n_recipes, n_head, n_broad = len(arrays["recipes"]), len(arrays["weights"]), len(arrays["broad"])
    n_history, n_bytes = len(arrays["history_recipes"]), len(arrays["user_bytes"])
    sound = {
        "format": int(arrays["format"]) == _FORMAT,
        "options": len(arrays["options"]) == 5,
        "fingerprint": len(arrays["fingerprint"]) == 32,
        "typical": len(arrays["typical"]) == 2 and _above_zero(arrays["typical"]),
        "recipes": n_recipes > 0 and len(np.unique(arrays["recipes"])) == n_recipes,
        "popularity": len(arrays["popularity"]) == n_recipes and _within(arrays["popularity"], 0, 1),
        "weights": arrays["weights"].shape == (n_head, n_head) and n_head <= n_recipes and _finite(arrays["weights"]),
        "broad": arrays["broad"].shape == (n_broad, n_broad) and n_broad <= n_head and _finite(arrays["broad"]),
        "user_ends": _are_ends(arrays["user_ends"], n_bytes),
        "history_ends": _are_ends(arrays["history_ends"], n_history)
        and len(arrays["history_ends"]) == len(arrays["user_ends"]),
        "history_recipes": arrays["history_recipes"].max(initial=0) < max(n_head, 1),
        "history_worth": len(arrays["history_worth"]) == n_history and _above_zero(arrays["history_worth"]),
    }
    wrong = [name for name, is_sound in sound.items() if not is_sound]
    if wrong:
        raise RankerFailed(f"{NAME} is damaged, or of another release: {', '.join(wrong)} cannot be used")


def _within(values: NDArray[Any], low: float, high: float) -> bool:
    return bool(((values >= low) & (values <= high)).all())


def _finite(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all())


def _above_zero(values: NDArray[Any]) -> bool:
    return _finite(values) and bool((values > 0).all())


def _are_ends(ends: NDArray[Any], total: int) -> bool:
    steps = np.diff(ends, prepend=0)
    return bool((steps >= 0).all()) and int(ends[-1] if len(ends) else 0) == total


def _users(arrays: Arrays) -> list[str]:
    content, ends = arrays["user_bytes"].tobytes(), arrays["user_ends"].tolist()
    return [content[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]
