"""Usage that the database sums up first is rated as the records themselves are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater
from labyard.billing.cost_sums import Selection
from labyard.billing.costs import read_costs, tariffs_of
from labyard.billing.rated import read_rows
from labyard.billing.summed import read_sums
from labyard.context import session
from labyard.models import UsageRow
from tests.billing_data import add_standard_tariff, take, usage
from tests.unit.conftest import make_person

FAR = datetime.max.replace(tzinfo=UTC)
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
PRICES: dict[str, list[dict[str, Any]]] = {
    "unit": [{"model": "unit", "price": "0.07"}],
    "graduated": [
        {"model": "graduated", "tiers": [{"up_to": "5", "price": "1", "fee": "2"}, {"price": "0.1"}]}
    ],
    "volume of the account": [
        {"model": "volume", "across": "account", "tiers": [{"up_to": "9", "price": "1"}, {"price": "0.3"}]}
    ],
    "package": [{"model": "package", "size": "7", "price": "3"}],
    "monthly fee": [{"model": "flat", "per": "month", "price": "9.99"}],
    "fee by time": [{"model": "flat", "per": "month", "price": "9.99", "prorated": True}],
}


def records() -> list[dict[str, Any]]:
    """Two months in steps of 7 hours, that cross days, months and versions; a deployment has two names."""
    found = []
    for n in range(195):
        start = FIRST + timedelta(hours=7 * n)
        end = start + timedelta(hours=5 + n % 4, minutes=n % 60)
        found.append(
            usage(
                str(n),
                start=start.isoformat(),
                end=end.isoformat(),
                quantity=f"{3600 + n}.{n:012}",
                deployment=f"box{n % 3}",
                deployment_name="old" if n < 90 else "new",
                shape="small" if n % 2 else "large",
            )
        )
    return found


@pytest.mark.parametrize("model", PRICES)
def test_usage_when_summed_up_first_then_lines_are_those_of_its_records(app: APIFlask, model: str) -> None:
    prices = [{"name": "p", "resource": "cpu", "per": "core_hour", **price} for price in PRICES[model]]
    add_standard_tariff(prices=prices)
    add_standard_tariff(prices=[{**prices[0], "name": "q"}], valid_from="2026-02-10T12:30:00Z")
    assert take(*records()).refused == []
    tariffs = tariffs_of(session(), "user:ada")
    lines = []
    for parts in (
        read_sums(session(), "user:ada", FIRST, LAST, tariffs),
        read_rows(session(), (UsageRow.account == "user:ada") & (UsageRow.start < LAST)),
    ):
        rater = Rater(tariffs, FIRST, FAR)
        for rows in parts:
            rater.add_many(rows)
        lines.append(rater.lines())
    summed, whole = ([{**vars_of(line), "records": 0} for line in found] for found in lines)
    assert summed == whole
    assert len(whole) >= 3


def vars_of(line: Any) -> dict[str, Any]:
    return {name: getattr(line, name) for name in line.__slots__}


def test_usage_when_summed_up_then_is_fewer_rows_and_the_same_amount(app: APIFlask) -> None:
    add_standard_tariff()
    day = [
        usage(str(n), start=f"2026-01-10T{n:02}:00:00Z", end=f"2026-01-10T{n:02}:59:00Z") for n in range(24)
    ]
    take(*day)
    (row,) = [row for part in read_sums(session(), "user:ada", FIRST, LAST, []) for row in part]
    assert (row[8], row[9].hour, row[10].hour) == (24 * 3600, 0, 23)
    person = make_person("root", is_admin=True)
    costs = read_costs(session(), person, Selection(FIRST, LAST))
    assert str(costs.total.cost["EUR"]) == "1.20"
