"""Which files of tests come first when several processes share the work (`pytest -n 3 --dist loadfile`).

The tests of a file stay together, because they share fixtures that are dear to make.
"""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long ones first where several processes share the work."""
    if config.getoption("numprocesses", default=None) or hasattr(config, "workerinput"):
        items.sort(
            key=lambda item: next((n for n, place in enumerate(_FIRST) if _is_in(item, place)), len(_FIRST))
        )


def _is_in(item: pytest.Item, place: str) -> bool:
    return item.path.is_relative_to(Path(__file__).parent / place)
