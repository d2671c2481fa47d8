"""Which tests stay together, and which come first, when several processes share the work
(`pytest -n 3 --no-loadscope-reorder`).

The tests of a file stay together, because they share fixtures that are dear to make; so do all files that
share a swarm of three nodes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Those that take minutes: begun last, they would keep one process busy alone. Those that mostly wait
# come before and between those that use the processors all the time (scale-out, rest, faults).
_FIRST = (
    "nodes",
    "integration/test_hub.py",
    "integration/test_console_swarm.py",
    "integration/test_scale_out.py",
    "integration/test_console_failures.py",
    "integration/test_notebook_playbook.py",
    "integration/test_console_rest.py",
    "integration/test_console_modules.py",
    "faults",
    "integration/test_scale_out_by_inventory.py",
)

# The files of those take seconds each: whichever is the last, no process waits long for it.
_LAST = "unit"

# Folders whose files share what takes a minute to make.
_TOGETHER = ("nodes",)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long ones first and short ones last, where processes share the work."""
    if config.getoption("numprocesses", default=None) or hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Which comes when; the same number for those that stay in the order they have."""
    others = len(_FIRST)
    if _is_in(item, _LAST):
        return others + 1
    return next((n for n, place in enumerate(_FIRST) if _is_in(item, place)), others)


class Together(LoadScopeScheduling):
    """Hands out files, and folders whose files share what is dear, as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        place = str(nodeid.split("::", 1)[0])
        return next((folder for folder in _TOGETHER if place.startswith(f"tests/{folder}/")), place)


# xdist's own `loadgroup` does nothing with pytest 9.2, which keeps the ids of tests elsewhere.
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """What shares the work out among the processes."""
    return Together(config, log)


def _is_in(item: pytest.Item, place: str) -> bool:
    return item.path.is_relative_to(Path(__file__).parent / place)
