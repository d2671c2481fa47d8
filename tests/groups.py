"""Which tests stay together when several processes share the work (`pytest -n`).

A file is one group, because its tests share fixtures that are dear to make. The three nodes and
their tests are one group altogether: one such swarm at a time is enough for a small machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_TOGETHER = ("nodes", "faults", "browser", "oracle")  # folders of tests/ that are one group each


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test the group of its file or folder."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent)
        group = place.parts[0] if place.parts[0] in _TOGETHER else str(place)
        item.add_marker(pytest.mark.xdist_group(group))
