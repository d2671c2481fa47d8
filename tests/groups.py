"""Which tests stay together when several processes share the work (`pytest -n`), and which come first.

A file is one group, because its tests share fixtures that are dear to make. The three nodes and
their tests are one group altogether: one such swarm at a time is enough for a small machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_TOGETHER = ("nodes", "faults", "browser", "oracle")  # folders of tests/ that are one group each
# The groups that take minutes: begun last, they would keep one process busy alone. Those that mostly wait
# come before and between those that use the processors all the time (scale-out, rest, faults).
_FIRST = (
    "nodes",
    "integration/test_scale_out.py",
    "integration/test_console_failures.py",
    "integration/test_notebook_playbook.py",
    "integration/test_console_rest.py",
    "integration/test_console_modules.py",
    "faults",
    "integration/test_scale_out_by_inventory.py",
)


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test the group of its file or folder; with several processes, the long groups come first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group_of(item)))
    if config.getoption("numprocesses", default=None) or hasattr(config, "workerinput"):
        items.sort(key=lambda item: _FIRST.index(g) if (g := _group_of(item)) in _FIRST else len(_FIRST))


def _group_of(item: pytest.Item) -> str:
    place = item.path.relative_to(Path(__file__).parent)
    return place.parts[0] if place.parts[0] in _TOGETHER else str(place)
