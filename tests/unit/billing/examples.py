"""Usage, invoices and a credit note that tests of exports share; small enough to be checked by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.credit_notes import build_credit_note
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Credit, Invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import (
    build_invoice,
    finalize_invoice,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import read_tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.units import RESOURCES
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord

GOLDEN = Path(__file__).parent / "golden"
START = datetime(2026, 1, 10, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIB = 1 << 30


def make_record(resource: str = "cpu", quantity: int | str = 3600, **changes: Any) -> UsageRecord:
    """A record of an hour of one notebook."""
    found: dict[str, Any] = {
        "source": "swarm:abc",
        "key": f"{resource}-1",
        "account": "project:physics",
        "resource": resource,
        "unit": RESOURCES[resource],
        "quantity": Decimal(quantity),
        "start": START,
        "end": START + HOUR,
        "deployment": "notebook-1a2b3c4d",
        "deployment_name": "demo",
        "plan": "notebook",
        "shape": "small",
        "project": "physics",
        "user": "ada",
        "details": {"image": "labyard/notebook:1"},
    }
    return UsageRecord(**{**found, **changes})


def notebook_records() -> list[UsageRecord]:
    """Ada's notebook of physics: 4 hours over midnight, 2 cores and 4 GiB; Bob's of chemistry: an hour.

    Somebody named a deployment so that a careless spreadsheet would run it.
    """
    records = []
    for hour in range(4):
        start = START + hour * HOUR
        when: dict[str, Any] = {"start": start, "end": start + HOUR}
        records += [
            make_record("wall", 3600, key=f"wall-{hour}", **when),
            make_record("cpu", 2 * 3600, key=f"cpu-{hour}", **when),
            make_record("memory", 4 * GIB * 3600, key=f"memory-{hour}", **when),
            make_record("network_out", 1_250_000_000, key=f"out-{hour}", **when),
        ]
    bobs: dict[str, Any] = {
        "account": "user:bob",
        "deployment": "notebook-5e6f7a8b",
        "deployment_name": '=cmd|"/c calc"!A1',
        "project": "chemistry",
        "user": "bob",
        "details": {},
    }
    records += [
        make_record("wall", "3600.5", key="bob-wall", **bobs),
        make_record("cpu", "3600.5", key="bob-cpu", **bobs),
        make_record("volume", 10 * 10**9 * 3600, key="bob-volume", **bobs),
    ]
    return records


TARIFF = {
    "name": "standard",
    "currency": "EUR",
    "valid_from": "2026-01-01",
    "tax": {"name": "VAT", "percent": "19"},
    "minimum": "5.00",
    "discounts": [{"name": "University", "percent": "20", "groups": ["university"]}],
    "prices": [
        {"name": "Processor", "resource": "cpu", "model": "unit", "per": "core_hour", "price": "0.333"},
        {
            "name": "Memory",
            "resource": "memory",
            "model": "graduated",
            "per": "GiB_hour",
            "tiers": [{"up_to": "10", "price": "0.05", "fee": "0.50"}, {"price": "0.004"}],
        },
        {
            "name": "Traffic",
            "resource": "network_out",
            "model": "package",
            "per": "GB",
            "size": 2,
            "price": "0.15",
        },
        {"name": "Desk", "resource": "wall", "model": "flat", "per": "month", "price": "3.00"},
        {"name": "Disk", "resource": "volume", "model": "unit", "per": "GB_day", "price": "0.01"},
    ],
}


def make_invoice(
    records: Iterable[UsageRecord],
    customer: Party,
    number: str = "",
    tariff: dict[str, Any] | None = None,
    credits: Iterable[Credit] = (),
) -> Invoice:
    """An invoice of January for the customer's records; without a number, a draft."""
    period = read_period("2026-01")
    versions = [read_tariff(tariff or TARIFF)]
    rater = Rater(versions, period.start, period.end)
    for record in records:
        if record.account == customer.account:
            rater.add(record)
    supplier = Party("Computing Centre")
    draft = build_invoice(rater.lines(), versions, customer, supplier, period, credits=credits)
    return finalize_invoice(draft, number, date(2026, 2, 1)) if number else draft


def make_invoices() -> list[Invoice]:
    """With discount, tiers, packages and prepaid credit; up to the minimum; a credit note on the first."""
    records = notebook_records()
    physics = Party("Institute of Physics", "project:physics", groups=("university",))
    first = make_invoice(records, physics, "CC-000001", credits=[Credit("Wallet", Decimal("1.00"))])
    second = make_invoice(records, Party("Bob", "user:bob"), "CC-000002")
    note = build_credit_note(first, "The notebook could not be reached", {1: Decimal("0.30")})
    return [first, second, finalize_invoice(note, "CC-000003", date(2026, 2, 3))]


def read_golden(name: str) -> str:
    """A file that a person checked."""
    return (GOLDEN / name).read_text(encoding="utf-8")
