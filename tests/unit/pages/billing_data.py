"""What tests of the pages on costs begin with: a tariff, usage, invoices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Flask

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.accounts import find_account
from labyard.billing.finalizing import finalize
from labyard.billing.ingest import take_records
from labyard.billing.tariffs import add_tariff
from labyard.models import db

GIB = 1024**3
TARIFF: dict[str, Any] = {
    "name": "standard",
    "currency": "EUR",
    "valid_from": "2025-01-01",
    "tax": {"name": "VAT", "percent": "19"},
    "prices": [
        {"name": "cores", "resource": "cpu", "model": "unit", "per": "core_hour", "price": "0.04"},
        {
            "name": "memory",
            "resource": "memory",
            "model": "graduated",
            "per": "GiB_hour",
            "tiers": [{"up_to": "10", "price": "0.01"}, {"price": "0.005"}],
        },
    ],
}


def make_tariff(app: Flask, **changes: Any) -> None:
    """The tariff of the platform, with changes."""
    with app.app_context():
        add_tariff(db.session, {**TARIFF, **changes})
        db.session.commit()


def record(key: str, start: str, end: str, cores: str = "2", **changes: Any) -> dict[str, Any]:
    """So many core-hours for maria's deployment `notes`, between two moments of UTC."""
    return {
        "source": "swarm:one",
        "key": key,
        "resource": "cpu",
        "unit": "core_second",
        "quantity": str(int(cores) * 3600),
        "start": f"{start}:00Z",
        "end": f"{end}:00Z",
        "deployment": "abcd1234",
        "deployment_name": "Größe-Ж",
        "plan": "notebook",
        "shape": "small",
        "project": "default",
        "user": "maria",
        **changes,
    }


def memory(key: str, start: str, end: str, gib_hours: str, **changes: Any) -> dict[str, Any]:
    """The same of memory, in GiB-hours."""
    quantity = str(int(gib_hours) * GIB * 3600)
    return record(key, start, end, resource="memory", unit="byte_second", quantity=quantity, **changes)


def take(app: Flask, records: Iterable[dict[str, Any]]) -> None:
    """Take records in; all of them must be right."""
    with app.app_context():
        intake = take_records(db.session, list(records))
        assert intake.refused == []
        db.session.commit()


def january() -> list[dict[str, Any]]:
    """5 core-hours and 16 GiB-hours of maria's, and 3 core-hours of ben's."""
    return [
        record("a", "2026-01-05T10:00", "2026-01-05T11:00", "2"),
        record("b", "2026-01-06T10:00", "2026-01-06T11:00", "3"),
        memory("m", "2026-01-05T10:00", "2026-01-05T11:00", "8"),
        memory("n", "2026-01-06T10:00", "2026-01-06T11:00", "8"),
        record(
            "c",
            "2026-01-06T10:00",
            "2026-01-06T11:00",
            "3",
            user="ben",
            deployment="efgh5678",
            deployment_name="models",
        ),
    ]


def bill(app: Flask, account: str = "user:maria", period: str = "2026-01") -> str:
    """Make the final invoice of a month; gives its number."""
    with app.app_context():
        row = finalize(db.session, find_account(db.session, account), read_period(period))
        assert row is not None
        number = str(row.number)
        db.session.commit()
    return number
