"""Versions of secrets and configs go by their exact names."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import DesiredFile
from ansible_collections.labyard.platform.plugins.module_utils._stack.files import (
    BASE,
    VERSION,
    plan_file,
    versions,
)

FILE = DesiredFile("s_key", data=b"new")


def live(**bases: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Live secrets by name (`__` stands for `-`), each with the name and number it is a version of."""
    found = {}
    for name, (base, number) in bases.items():
        real = name.replace("__", "-")
        labels = {BASE: base, VERSION: number} if base else {}
        found[real] = {"ID": real, "Spec": {"Name": real, "Labels": labels}}
    return found


@pytest.mark.parametrize(
    ("existing", "found"),
    [
        (live(s_key=("", "")), ["s_key"]),
        (live(s_key=("s_key", "1"), s_key__v2=("s_key", "2")), ["s_key", "s_key-v2"]),
        (live(s_key_vault=("", ""), s_keys=("s_keys", "1"), s_key__v2=("", "")), []),
        (live(s_key=("s", "3")), []),
    ],
)
def test_versions_then_only_those_of_the_very_name(existing: dict[str, Any], found: list[str]) -> None:
    assert [name for _, name in versions(FILE, existing)] == found


@pytest.mark.parametrize(
    ("existing", "taken", "name", "number"),
    [
        ({}, (), "s_key", "1"),
        (live(s_key=("", "")), (), "s_key-v2", "2"),
        (live(s_key__v2=("s_key", "2")), (), "s_key-v3", "3"),
        (live(s_key=("", "")), ("s_key-v2",), "s_key-v3", "3"),
        (live(s_key=("", ""), s_key__v2=("", "")), (), "s_key-v3", "3"),
        (live(s_key=("s", "3")), (), "s_key-v2", "2"),
    ],
)
def test_plan_file_when_content_is_new_then_a_name_that_nobody_has(
    existing: dict[str, Any], taken: tuple[str, ...], name: str, number: str
) -> None:
    plan = plan_file(FILE, existing, "digest", taken=taken)
    assert plan.create is not None
    assert (plan.current, plan.create.labels[VERSION]) == (name, number)
