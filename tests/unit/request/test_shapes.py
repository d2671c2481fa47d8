"""Which shape parameters are: the same for quotes, deployments and bills."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._request.shapes import shape_of

SHAPES = {
    "any": {},
    "lean": {"cpu": 1},
    "full": {"cpu": 1.0, "memory": 2},
    "bare": {"cpu": 4, "extras": False},
    "same": {"memory": 2, "cpu": 1},
}


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ({"cpu": 1, "memory": 2}, "full"),
        ({"cpu": "1", "memory": "2.0"}, "full"),
        ({"cpu": 1, "memory": 9}, "lean"),
        ({"cpu": 3}, ""),
        ({"cpu": None}, ""),
        ({"cpu": "many"}, ""),
        ({"cpu": 4, "extras": False}, "bare"),
        ({"cpu": 4, "extras": True}, ""),
        ({}, ""),
    ],
)
def test_shape_when_parameters_fit_several_then_the_one_that_says_most(
    values: dict[str, Any], shape: str
) -> None:
    assert shape_of(SHAPES, values) == shape


def test_shape_when_there_are_none_then_empty() -> None:
    assert shape_of({}, {"cpu": 1}) == ""
