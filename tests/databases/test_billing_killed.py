"""A run over all accounts, killed while it gives numbers: none is missing, nothing is billed twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from typing import Any

from apiflask import APIFlask
from sqlalchemy import func, select

from labyard.context import session
from labyard.models import Invoice, UsageRow, db
from labyard.settings import Settings
from tests.billing_data import add_standard_tariff, faults, hours, take
from tests.conftest import SCRIPTS, console_environment, wait_until

from .conftest import at_once

ACCOUNTS = 60
KILLS = 3


def numbered() -> list[str]:
    """All numbers that were given, in their order."""
    found = list(session().scalars(select(Invoice.number).where(Invoice.number.is_not(None))))
    db.session.remove()
    return sorted(str(number) for number in found)


def start_run(settings: Settings) -> subprocess.Popen[bytes]:
    """`labyard billing run 2026-01`, in a process of its own."""
    environment = console_environment(settings.home, LABYARD_DATABASE_URL=settings.database_url)
    command = [str(SCRIPTS / "labyard"), "billing", "run", "2026-01"]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)


def test_run_when_killed_again_and_again_then_numbers_have_no_gap(
    console: APIFlask, settings: Settings
) -> None:
    moments = random.Random(7)  # noqa: S311 - nothing secret
    with console.app_context():
        add_standard_tariff()
        take(*(record for n in range(ACCOUNTS) for record in hours(4, user=f"u{n:02}")))
        db.session.remove()
        for _ in range(KILLS):
            before = len(numbered())
            enough = before + moments.randint(1, 10)
            # Two at once get into each other's way, as an operator's and the schedule's may.
            runs = [start_run(settings), start_run(settings)]
            try:
                wait_until(lambda enough=enough: len(numbered()) >= enough, 120, f"{enough} invoices")
            finally:
                for run in runs:
                    os.kill(run.pid, signal.SIGKILL)
                    run.wait(30)
            found = numbered()
            assert found == [f"L-{n:06d}" for n in range(1, len(found) + 1)]
        last = start_run(settings)
        assert last.wait(180) == 0
        assert numbered() == [f"L-{n:06d}" for n in range(1, ACCOUNTS + 1)]
        assert session().scalar(select(func.count()).where(UsageRow.invoice_id.is_(None))) == 0
        assert faults() == []


def test_ingest_and_runs_at_once_leave_nothing_out(console: APIFlask) -> None:
    """Records come in while their month is being billed: each is on this invoice or on the next one."""
    from labyard.billing.finalizing import run_month
    from labyard.models.base import begin_writing
    from tests.billing_data import LATER, read_period

    def bill_month(month: str) -> list[Any]:
        found = run_month(session(), begin_writing, read_period(month), lambda: LATER)
        return [outcome.error for outcome in found if outcome.error]

    with console.app_context():
        add_standard_tariff()
        take(*(record for n in range(4) for record in hours(5, user=f"u{n}")))
        db.session.remove()
    jobs: list[Any] = [
        lambda n=n: [take(*hours(5 + 5 * k, user=f"u{n}")).refused for k in range(1, 5)] for n in range(4)
    ]
    results = at_once(console, [*jobs, lambda: bill_month("2026-01"), lambda: bill_month("2026-01")])
    assert not [r for r in results if isinstance(r, Exception)], results
    with console.app_context():
        assert bill_month("2026-02") == []
        billed = select(func.count()).where(UsageRow.invoice_id.is_not(None))
        assert session().scalar(billed) == 4 * 25
        assert faults() == []
