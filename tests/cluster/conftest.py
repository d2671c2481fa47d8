"""The platform that these tests are about; the scenario cluster makes it, and runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.platform import GROUP_VARIABLE, VARIABLE, Platform


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The platform in the folder that the variable names."""
    folder = os.environ.get(VARIABLE, "")
    assert folder, f"set {VARIABLE} to the folder of a platform: `make test-cluster` makes one and runs this"
    made = Platform(Path(folder), os.environ.get(GROUP_VARIABLE, "cluster"))
    with pytest.MonkeyPatch.context() as patch:
        made.lead_names_here(patch)
        yield made
