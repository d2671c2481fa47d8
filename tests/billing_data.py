"""Factories of what billing works on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.accounts import find_account
from labyard.billing.finalizing import finalize
from labyard.billing.ingest import Intake, take_records
from labyard.billing.tariffs import add_tariff
from labyard.billing.verify import verify
from labyard.context import session
from labyard.models import Invoice
from labyard.models.base import begin_writing

Result = TypeVar("Result")
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 6, 1, 3, tzinfo=UTC)  # when all months of the tests are over


def usage(key: str = "1", **changes: Any) -> dict[str, Any]:
    """A usage record as it is sent: an hour of one core, by ada."""
    return {
        "source": "swarm:test",
        "key": key,
        "resource": "cpu",
        "unit": "core_second",
        "quantity": "3600",
        "start": "2026-01-10T10:00:00Z",
        "end": "2026-01-10T11:00:00Z",
        "deployment": "aaaaaaaa",
        "deployment_name": "demo",
        "plan": "notebook",
        "shape": "small",
        "project": "default",
        "user": "ada",
        **changes,
    }


def hours(number: int, first: datetime = JANUARY, **changes: Any) -> list[dict[str, Any]]:
    """So many records of one hour each, one after another."""
    found = []
    for n in range(number):
        start, end = first + timedelta(hours=n), first + timedelta(hours=n + 1)
        key = f"{changes.get('user', 'ada')}-{start:%Y%m%d%H}"
        found.append(usage(key, **{"start": start.isoformat(), "end": end.isoformat(), **changes}))
    return found


def write(job: Callable[[], Result]) -> Result:
    """What `job` gives, in a transaction of its own."""
    begin_writing()
    result = job()
    session().commit()
    return result


def take(*documents: Any) -> Intake:
    """Take records in, in a transaction of their own."""
    return write(lambda: take_records(session(), documents))


def tariff(**changes: Any) -> dict[str, Any]:
    """A tariff as it is written: 0.05 EUR for an hour of a core, from 2026 on, 20 % tax."""
    return {
        "name": "standard",
        "currency": "EUR",
        "valid_from": "2026-01-01",
        "tax": {"name": "VAT", "percent": "20"},
        "prices": [
            {"name": "cores", "resource": "cpu", "per": "core_hour", "model": "unit", "price": "0.05"},
            {"name": "memory", "resource": "memory", "per": "GiB_hour", "model": "unit", "price": "0.004"},
        ],
        **changes,
    }


def add_standard_tariff(**changes: Any) -> int:
    """Add it in a transaction of its own; the number of its row."""
    return write(lambda: add_tariff(session(), tariff(**changes))[0].id)


def bill(account: str = "user:ada", month: str = "2026-01", now: datetime = LATER) -> str | None:
    """Make an account's invoice of a month final, in a transaction of its own; its number."""

    def job() -> str | None:
        made = finalize(session(), find_account(session(), account), read_period(month), lambda: now)
        return made.number if made else None

    return write(job)


def by_number(number: str | None) -> Invoice:
    """The invoice with that number."""
    return session().scalars(select(Invoice).where(Invoice.number == number)).one()


def faults() -> list[tuple[str, str]]:
    """What `labyard billing verify` finds wrong."""
    found = verify(session()).faults
    session().rollback()
    return found
