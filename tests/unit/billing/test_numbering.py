"""Numbers have no gaps, with several processes at once of which some are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.labyard.platform.plugins.module_utils._billing.chain import START
from ansible_collections.labyard.platform.plugins.module_utils._billing.ledger import Ledger
from tests.conftest import REPOSITORY, wait_until

ACCOUNTS = 24

# Each process wants an invoice for every account; only one of them can make it.
WRITER = """
import sys
from datetime import date
from pathlib import Path
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoicing import Order, make_final
from ansible_collections.labyard.platform.plugins.module_utils._billing.ledger import Ledger
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from tests.unit.billing.makers import JANUARY, SUPPLIER, make_record, make_tariff

for number in range(int(sys.argv[2])):
    name = f"user:u{number}"
    order = Order(Party(name, account=name), SUPPLIER, JANUARY, [make_tariff()], "", date(2026, 2, 1))
    make_final(Ledger(Path(sys.argv[1])), order, [("", make_record(str(number), account=name))], check=False)
"""


@contextmanager
def writers(folder: Path, number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that write to the folder at once."""
    command = [sys.executable, "-c", WRITER, str(folder), str(ACCOUNTS)]
    started = [subprocess.Popen(command, cwd=REPOSITORY, env=os.environ) for _ in range(number)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait(timeout=30)


def documents(folder: Path) -> int:
    """How many there are."""
    return len([path for path in folder.glob("*.json") if path.stem.isdecimal()])


def test_numbers_when_several_write_at_once_and_are_killed_then_they_have_no_gap(tmp_path: Path) -> None:
    folder = tmp_path / "invoices"
    for goal in (2, 7, 12):  # killed in the middle, each time somewhere else
        with writers(folder, 2) as started:
            wait_until(lambda goal=goal: documents(folder) >= goal, 120, f"{goal} documents")
            for process in started:
                process.send_signal(signal.SIGKILL)
    with writers(folder, 3) as started:
        assert [process.wait(timeout=120) for process in started] == [0, 0, 0]

    entries = Ledger(folder).entries()  # raises if the chain is broken
    assert [entry.invoice.number for entry in entries] == [f"{n:06d}" for n in range(1, ACCOUNTS + 1)]
    assert len({entry.invoice.customer.account for entry in entries}) == ACCOUNTS
    assert sum(len(Ledger(folder).records_of(entry)) for entry in entries) == ACCOUNTS
    assert entries[0].hash != START
    assert not list(folder.glob(".part-*"))
