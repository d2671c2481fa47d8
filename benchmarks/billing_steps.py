"""What the benchmark of billing does, each step in a process of its own, so that its memory is its own."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import text

OF_ACCOUNT = 1000  # usage records of each account: 5 deployments, 2 resources, 100 hours
PERIOD = "2026-01"
_PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
_START = datetime(2026, 1, 1, tzinfo=UTC)
_RESOURCES = (("cpu", "core_second", 3600), ("memory", "byte_second", 3600 * 2**30))
_TARIFF = {
    "name": "standard",
    "currency": "EUR",
    "valid_from": "2026-01-01",
    "tax": {"name": "VAT", "percent": "20"},
    "prices": [
        {"name": "cores", "resource": "cpu", "per": "core_hour", "model": "unit", "price": "0.05"},
        {"name": "memory", "resource": "memory", "per": "GiB_hour", "model": "unit", "price": "0.004"},
    ],
}
# The least that has to be done: one look at the same rows, by the database itself.
_FLOOR = """
SELECT account, deployment, resource,
  sum(CAST(quantity AS numeric) * CASE resource WHEN 'cpu' THEN 0.05 / 3600 ELSE 0.004 / 3865470566400 END)
FROM usage_records WHERE start >= :start GROUP BY account, deployment, resource
"""


@dataclass(frozen=True)
class Step:
    """What one step took."""

    seconds: float
    cpu: float  # seconds of the processor, in this process, its helper and the database's server
    memory: float  # MiB, the most that the process and its helper ever held
    count: int  # what it made: records, invoices, rows


def write_records(path: Path, number: int) -> None:
    """A file of so many usage records, one JSON object a line, in the order of their time."""
    accounts = number // OF_ACCOUNT
    with path.open("w", encoding="utf-8") as file:
        for hour in range(100):
            start, end = _START + timedelta(hours=hour), _START + timedelta(hours=hour + 1)
            for account in range(accounts):
                file.writelines(_lines(account, hour, start, end))


def _lines(account: int, hour: int, start: datetime, end: datetime) -> Iterator[str]:
    for deployment in range(5):
        for resource_name, unit, base in _RESOURCES:
            record = {
                "source": "swarm:benchmark",
                "key": f"{account}/{deployment}/{resource_name}/{hour}",
                "resource": resource_name,
                "unit": unit,
                "quantity": f"{base + hour}.25",
                "start": start.isoformat(),
                "end": end.isoformat(),
                "deployment": f"d{account:05}{deployment:02}",
                "deployment_name": f"notebook-{deployment}",
                "plan": "notebook",
                "shape": "small",
                "project": "default",
                "user": f"person{account:05}",
            }
            yield json.dumps(record) + "\n"


def in_a_process(step: Callable[..., Step], environment: Mapping[str, str], *arguments: Any) -> Step:
    """What `step` gives in a fresh process."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(step, (dict(environment), *arguments))


def ingest(environment: Mapping[str, str], path: Path) -> Step:
    """Take in all records of the file."""
    from labyard.billing.importing import import_lines
    from labyard.billing.tariffs import add_tariff
    from labyard.models.base import begin_writing

    def job(session: Any) -> int:
        begin_writing()
        add_tariff(session, _TARIFF)
        session.commit()
        with path.open(encoding="utf-8") as file:
            found = import_lines(session, begin_writing, file)
        assert not found.refused, found.refused[:3]
        return found.taken

    return _measured(environment, job)


def floor(environment: Mapping[str, str]) -> Step:
    """One SQL SUM over the same rows."""

    def job(session: Any) -> int:
        return len(session.execute(text(_FLOOR), {"start": datetime(2026, 1, 1)}).all())

    return _measured(environment, job)


def bill(environment: Mapping[str, str]) -> Step:
    """Rate all records and make all invoices of the month final."""
    from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
    from labyard.billing.finalizing import run_month
    from labyard.models.base import begin_writing

    def job(session: Any) -> int:
        made = list(run_month(session, begin_writing, read_period(PERIOD)))
        assert not [outcome for outcome in made if outcome.error], made[:3]
        return len(made)

    return _measured(environment, job)


def prove(environment: Mapping[str, str]) -> Step:
    """Verify the whole database."""
    from labyard.billing.verify import verify

    def job(session: Any) -> int:
        found = verify(session)
        assert not found.faults, found.faults[:3]
        return found.records

    return _measured(environment, job)


def _measured(environment: Mapping[str, str], job: Callable[[Any], int]) -> Step:
    from labyard.app import create_app
    from labyard.context import session
    from labyard.migrate import upgrade_tables
    from labyard.models import db
    from labyard.settings import read_settings

    with create_app(read_settings(environment)).app_context():
        upgrade_tables()
        db.session.remove()
        began, busy = time.perf_counter(), _busy()
        count = job(session())
        seconds, cpu = time.perf_counter() - began, _busy() - busy
        db.session.remove()
        db.engine.dispose()
    # The most that each held, though hardly at the same moment. The kernel counts what this process held when
    # it started the other one as held by that one, too, so this is rather too much.
    most = sum(resource.getrusage(who).ru_maxrss for who in _PROCESSES) / 1024
    return Step(seconds, cpu, most, count)


def _busy() -> float:
    """Seconds of the processor, of this process and of those that it has waited for."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, _PROCESSES))
