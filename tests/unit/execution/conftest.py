"""Commands without real plays and without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from labyard.errors import Unavailable
from labyard.execution import ending, start
from tests.unit.execution.plays import Plays


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plays]:
    """Programs that stand for plays; those that still run are ended."""
    made = Plays()
    monkeypatch.setattr(start, "start_process", made.start)
    monkeypatch.setattr(start, "engine", no_engine)
    monkeypatch.setattr(ending, "engine", no_engine)
    yield made
    made.end()


def no_engine(_host: str | None) -> Any:
    raise Unavailable("There is no engine in these tests.")
