"""What a version came from is checked when it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops.errors import InvalidMetadata
from mlops.model_registry import Lineage


@pytest.mark.parametrize("seed", [None, 0, -3, np.int64(7)])
def test_a_seed_is_any_whole_number(seed: Any) -> None:
    assert Lineage(seed=seed).seed == seed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": "7"}, "lineage.seed: must be a whole number or nothing, got '7'"),
        ({"seed": True}, "lineage.seed: must be a whole number or nothing, got True"),
        ({"code_version": 7}, "lineage.code_version: must be text or nothing, got 7"),
        ({"data_fingerprint": b"x"}, "lineage.data_fingerprint: must be text or nothing, got b'x'"),
    ],
)
def test_what_is_no_lineage_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidMetadata) as refused:
        Lineage(**fields)
    assert str(refused.value) == message
