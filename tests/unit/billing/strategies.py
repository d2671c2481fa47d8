"""Usage and invoices by Hypothesis: any text that a record may have, and any tariff in a small world."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Credit, Invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from ansible_collections.labyard.platform.plugins.module_utils._billing.units import RESOURCES
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord, read_record
from tests.unit.billing.examples import make_invoice, make_record

#: For each property; a machine that is busy is no reason to fail.
cases = settings(
    max_examples=int(os.environ.get("LABYARD_TEST_CASES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
# Anything printable, and often what a spreadsheet would run.
printable = st.characters(categories=["L", "N", "P", "S", "Zs"]).filter(str.isprintable)
signs = st.sampled_from(["=1+1", "+1", "-1", "@A1", "'=1", "''-2", "\uff1d1", "'x", "Total"])
texts = st.text(printable, max_size=20) | signs
names = texts.filter(str.strip)
quantities = st.decimals(0, 10**18, places=6, allow_nan=False, allow_infinity=False)
moments = st.integers(0, 30 * 86400 * 1000).map(lambda ms: JANUARY + timedelta(milliseconds=ms))


@st.composite
def records(draw: st.DrawFn, **changes: Any) -> UsageRecord:
    """A record of January as the console would take it."""
    resource = draw(st.sampled_from(sorted(RESOURCES)))
    start, end = sorted([draw(moments), draw(moments)])
    found = {
        "source": draw(names),
        "key": draw(names),
        "account": draw(names),
        "resource": resource,
        "unit": RESOURCES[resource],
        "quantity": draw(quantities),
        "start": start,
        "end": end,
        "details": draw(st.dictionaries(texts, texts, max_size=2)),
        **{
            name: draw(texts)
            for name in ("deployment", "deployment_name", "plan", "shape", "project", "user")
        },
    }
    return read_record({**found, **changes})


prices = st.decimals(0, 5, places=4, allow_nan=False, allow_infinity=False).map(str)
percents = st.integers(0, 100).map(str)


@st.composite
def tariffs(draw: st.DrawFn) -> dict[str, Any]:
    """A tariff of all models."""
    tiers = [
        {"up_to": "10", "price": draw(prices), "fee": draw(prices)},
        {"price": draw(prices), "fee": "0.1"},
    ]
    return {
        "name": "standard",
        "currency": draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        "valid_from": "2026-01-01",
        "tax": {"name": "VAT", "percent": draw(percents)},
        "minimum": draw(st.sampled_from([None, "7"])),
        "discounts": [{"name": "University", "percent": draw(percents), "groups": ["university"]}],
        "prices": [
            {"name": "P", "resource": "cpu", "model": "unit", "per": "core_hour", "price": draw(prices)},
            {
                "name": "M",
                "resource": "memory",
                "model": draw(st.sampled_from(["graduated", "volume"])),
                "per": "GiB_hour",
                "tiers": tiers,
            },
            {
                "name": "T",
                "resource": "network_out",
                "model": "package",
                "per": "GB",
                "size": 2,
                "price": draw(prices),
            },
            {
                "name": "D",
                "resource": "wall",
                "model": "flat",
                "per": "month",
                "price": draw(prices),
                "prorated": draw(st.booleans()),
            },
        ],
    }


@st.composite
def invoices(draw: st.DrawFn) -> Invoice:
    """An invoice of a few deployments."""
    used = []
    for place in range(draw(st.integers(0, 6))):
        start, end = sorted([draw(moments), draw(moments)])
        amount = draw(st.integers(0, 10**6))
        resource = draw(st.sampled_from(["cpu", "memory", "network_out", "wall"]))
        scale = {"memory": 10**9, "network_out": 10**6}.get(resource, 1)
        used.append(
            make_record(
                resource,
                amount * scale,
                key=str(place),
                start=start,
                end=end,
                deployment=draw(st.sampled_from(["a", "b"])),
                deployment_name=draw(texts),
                plan=draw(st.sampled_from(["notebook", "", "Platform"])),
                project=draw(texts),
            )
        )
    customer = Party(draw(names), "project:physics", groups=draw(st.sampled_from([(), ("university",)])))
    paid = draw(st.sampled_from([(), (Credit("Wallet", Decimal(3)),)]))
    return make_invoice(used, customer, "CC-1", draw(tariffs()), paid)
