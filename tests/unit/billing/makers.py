"""Tariffs and usage for tests: factories with defaults, and strategies for Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.lines import Line
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period, read_period
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, read_tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.units import RESOURCES
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord, read_record

JANUARY = read_period("2026-01")
CUSTOMER = Party("Ada", account="user:ada", groups=("staff",))
SUPPLIER = Party("Computing Centre")
CPU = {"name": "Processor", "resource": "cpu", "model": "unit", "per": "core_hour", "price": "0.04"}


def tariff_document(*prices: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A tariff of euros from 2026 on; a price for processors unless others are given."""
    about = {"name": "standard", "currency": "EUR", "valid_from": "2026-01-01"}
    return {**about, "prices": list(prices or (CPU,)), **changes}


def make_tariff(*prices: dict[str, Any], **changes: Any) -> Tariff:
    """The same, read."""
    return read_tariff(tariff_document(*prices, **changes))


def record_document(key: str = "1", **changes: Any) -> dict[str, Any]:
    """One hour of one core."""
    return {
        "source": "test",
        "key": key,
        "account": "user:ada",
        "resource": "cpu",
        "unit": RESOURCES.get(changes.get("resource", "cpu"), "piece"),
        "quantity": "3600",
        "start": "2026-01-10T10:00:00Z",
        "end": "2026-01-10T11:00:00Z",
        "deployment": "d1",
        "deployment_name": "notes",
        "plan": "notebook",
        "shape": "small",
        "user": "ada",
        **changes,
    }


def make_record(key: str = "1", **changes: Any) -> UsageRecord:
    """The same, read."""
    return read_record(record_document(key, **changes))


def rate(
    tariffs: Tariff | Sequence[Tariff],
    *records: UsageRecord,
    period: Period = JANUARY,
    before: Sequence[Line] = (),
) -> list[Line]:
    """The lines of the records."""
    versions = [tariffs] if isinstance(tariffs, Tariff) else tariffs
    rater = Rater(versions, period.start, period.end, before)
    for record in records:
        rater.add(record)
    return rater.lines()


def decimals(most: int, places: int = 4) -> st.SearchStrategy[str]:
    """Numbers from 0 to `most` as text."""
    return st.integers(0, most * 10**places).map(lambda number: f"{Decimal(number).scaleb(-places):f}")


@st.composite
def tiers(draw: st.DrawFn, fees: bool = True) -> list[dict[str, str]]:
    """One to four tiers, the last without end."""
    bounds = sorted(draw(st.sets(st.integers(1, 50_000), max_size=3)))
    made = [{"up_to": f"{Decimal(bound).scaleb(-2):f}"} for bound in bounds]
    return [
        {**tier, "price": draw(decimals(3)), "fee": draw(decimals(5, 2)) if fees else "0"}
        for tier in [*made, {}]
    ]


@st.composite
def prices(draw: st.DrawFn, resource: str, per: str, models: Sequence[str]) -> dict[str, Any]:
    """A price of any of the models."""
    model = draw(st.sampled_from(models))
    made: dict[str, Any] = {"name": f"price of {resource}", "resource": resource, "model": model}
    made["across"] = draw(st.sampled_from(["deployment", "account"]))
    if model == "flat":
        return {**made, "price": draw(decimals(20, 2)), "prorated": draw(st.booleans())}
    made["per"] = per
    if model in ("graduated", "volume"):
        return {**made, "tiers": draw(tiers())}
    if model == "package":
        made["size"] = draw(st.integers(1, 50).map(str))
    return {**made, "price": draw(decimals(3))}


ALL_MODELS = ("flat", "unit", "package", "graduated", "volume")
START = datetime(2025, 12, 1, tzinfo=UTC)


@st.composite
def tariffs(draw: st.DrawFn, models: Sequence[str] = ALL_MODELS, versions: int = 3) -> list[Tariff]:
    """Versions that follow each other, from long before the usage on and without an end."""
    minutes = st.integers(0, 62 * 24 * 60)
    turns = sorted(draw(st.sets(minutes, max_size=versions - 1)))
    moments = [datetime(2025, 1, 1, tzinfo=UTC), *(START + timedelta(minutes=turn) for turn in turns), None]
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    places = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    return [
        make_tariff(
            draw(prices("cpu", "core_hour", models)),
            draw(prices("wall", "hour", models)),
            currency=currency,
            valid_from=start,
            valid_to=end,
            tax=draw(st.none() | st.fixed_dictionaries({"name": st.just("VAT"), "percent": decimals(30, 1)})),
            minimum=draw(st.none() | decimals(30, places)),
            discounts=draw(st.lists(discounts(), max_size=2)),
        )
        for start, end in pairwise(moments)
        if start is not None
    ]


@st.composite
def discounts(draw: st.DrawFn) -> dict[str, Any]:
    """For some of the names that usage and customer have."""
    who = draw(
        st.sampled_from(
            [
                {},
                {"users": ["ada"]},
                {"projects": ["physics"]},
                {"groups": ["staff"]},
                {"accounts": ["other"]},
            ]
        )
    )
    return {"name": draw(st.sampled_from(["Staff", "Spring"])), "percent": draw(decimals(100, 1)), **who}


@st.composite
def usage(draw: st.DrawFn, key: str) -> dict[str, Any]:
    """A record between December 2025 and the end of January 2026."""
    resource = draw(st.sampled_from(["cpu", "wall", "network_in"]))
    start = START + timedelta(seconds=draw(st.integers(0, 61 * 86400)))
    length = draw(st.sampled_from([0, 1, 300, 3600, 7 * 86400]) | st.integers(0, 20 * 86400))
    deployment = draw(st.sampled_from(["d1", "d2"]))
    return record_document(
        key,
        resource=resource,
        quantity=draw(decimals(10**6, 3)),
        start=start,
        end=min(start + timedelta(seconds=length), JANUARY.end),
        deployment=deployment,
        deployment_name=draw(st.sampled_from([f"{deployment}-old", f"{deployment}-new"])),
        shape=draw(st.sampled_from(["small", "large"])),
        project=draw(st.sampled_from(["", "physics"])),
    )


@st.composite
def records(draw: st.DrawFn, most: int = 12) -> list[UsageRecord]:
    """Records with keys of their own."""
    return [read_record(draw(usage(str(number)))) for number in range(draw(st.integers(0, most)))]
