"""The servers of tests of faults: their own, for these tests kill them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .house import Servers, open_servers


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Iterator[Servers | None]:
    """PostgreSQL and Redis of the test's own, or None for SQLite; a parameter of the test says which."""
    if request.param == "sqlite":
        yield None
        return
    with open_servers() as opened:
        yield opened
