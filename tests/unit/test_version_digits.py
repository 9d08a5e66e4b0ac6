"""Which digits a version is made of."""

from __future__ import annotations

import pytest

from mlops import ModelMetadata
from mlops.errors import InvalidMetadata


@pytest.mark.parametrize("version", ["1.0.3\u0663", "1.0.1\u0660", "1.0.1\uff12"])
def test_a_version_in_other_digits_is_refused_as_it_would_be_a_second_one_of_the_same_number(version: str) -> None:
    with pytest.raises(InvalidMetadata, match=r"version: must be major\.minor\.patch"):
        ModelMetadata("ranker", version)
