"""Budgets of money and storage: what usage costs, and what is refused then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from apiflask import APIFlask

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.budget_book import status_of
from labyard.billing.budget_check import check_budgets
from labyard.billing.budget_usage import Subject, used
from labyard.billing.spending import Who, spent_in_all, spent_in_month
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.errors import InvalidInput
from labyard.models import Budget, User
from labyard.models.base import begin_writing
from tests.billing_data import (
    JANUARY,
    LATER,
    add_standard_tariff,
    bill,
    by_number,
    hours,
    take,
    tariff,
    usage,
)
from tests.unit.conftest import make_person

MONTH = read_period("2026-01")
GIB = 1024**3
TIERS = {
    "name": "cores", "resource": "cpu", "per": "core_hour", "model": "graduated", "across": "account",
    "tiers": [{"up_to": "10", "price": "1"}, {"price": "0.5"}],
}  # fmt: skip


def set_budget(measure: str, most: str, action: str = "refuse", **changes: str) -> Budget:
    begin_writing()
    budget = Budget(**{"scope": "user", "subject": "ada", "currency": "EUR", **changes})
    budget.measure, budget.most, budget.action, budget.grace_minutes = measure, Decimal(most), action, 0
    budget.set_by = session().query(User).filter_by(username="root").one()
    session().add(budget)
    session().commit()
    return budget


def launch(name: str = "demo", now: datetime = LATER) -> None:
    begin_writing()
    ada = session().query(User).filter_by(username="ada").one()
    wanted = CommandRequest("install", plan="notebook", name=name, params={"cpu_limit": 1})
    submit_command(
        session(), ada, wanted, context().sealer, guard=lambda s, it: check_budgets(s, it, lambda: now)
    )
    session().commit()


@pytest.fixture(autouse=True)
def people(app: APIFlask) -> None:
    make_person("root", is_admin=True)
    make_person("ada")
    make_person("eve")


@pytest.mark.parametrize("prices", [tariff()["prices"], [TIERS]])
def test_spending_when_billed_then_is_what_the_invoice_says(prices: list[dict[str, object]]) -> None:
    add_standard_tariff(prices=prices)
    take(*hours(30), *hours(4, user="eve", deployment="bbbbbbbb"))
    before = spent_in_month(session(), Who(user="ada"), MONTH, "EUR")
    assert spent_in_all(session(), Who(user="ada"), "EUR") == before
    invoice = by_number(bill())
    assert before == invoice.net > 0
    assert spent_in_month(session(), Who(user="ada"), MONTH, "EUR") == before
    assert spent_in_all(session(), Who(user="ada"), "EUR") == before
    assert spent_in_month(session(), Who(user="ada"), MONTH, "USD") == 0
    assert spent_in_month(session(), Who(user="ada"), read_period("2026-02"), "EUR") == 0
    everybody = spent_in_month(session(), Who(), MONTH, "EUR")
    assert everybody == before + spent_in_month(session(), Who(user="eve"), MONTH, "EUR")
    assert spent_in_month(session(), Who(project="default"), MONTH, "EUR") == everybody


def test_month_when_billed_after_a_later_one_then_its_tiers_go_on_after_that() -> None:
    add_standard_tariff(prices=[TIERS])
    take(*hours(30))
    assert by_number(bill(month="2026-02")).net == 20  # ten hours of January at 1, and twenty at 0.5
    take(*hours(2, JANUARY + timedelta(days=3)))
    assert spent_in_all(session(), Who(user="ada"), "EUR") == 21
    assert by_number(bill(month="2026-01")).net == 1
    assert spent_in_all(session(), Who(user="ada"), "EUR") == 21


def test_spending_when_there_is_no_tariff_then_is_nothing() -> None:
    take(*hours(3))
    assert spent_in_month(session(), Who(user="ada"), MONTH, "EUR") == 0


def test_launch_when_the_money_of_the_month_is_used_up_then_is_refused_until_the_next_month() -> None:
    add_standard_tariff()
    take(*hours(20))  # 1.00 EUR
    budget = set_budget("money_month", "1.00")
    status = status_of(session(), budget, "ada", lambda: JANUARY + timedelta(days=20))
    assert (status.level.percent, status.level.exceeded, status.level.left) == (100, True, 0)
    with pytest.raises(InvalidInput) as refused:
        launch(now=JANUARY + timedelta(days=20))
    session().rollback()
    text = refused.value.errors["budget"]
    assert text.startswith("the budget of ada for money this month is 1.00 EUR: 1.00 EUR is used")
    assert "wait for the next month, or ask for more" in text
    launch(now=JANUARY + timedelta(days=40))


def test_launch_when_the_rest_does_not_pay_the_first_hour_then_is_refused() -> None:
    add_standard_tariff(
        prices=[{"name": "time", "resource": "wall", "per": "hour", "model": "unit", "price": "0.50"}]
    )
    budget = set_budget("money_total", "0.40")
    with pytest.raises(InvalidInput, match="A budget does not allow it") as refused:
        launch()
    session().rollback()
    assert "this takes 0.50 EUR an hour more" in refused.value.errors["budget"]
    begin_writing()
    budget.most = Decimal("0.50")
    session().commit()
    launch()


def test_storage_when_measured_then_the_last_size_of_each_volume_counts() -> None:
    about = {"resource": "volume", "unit": "byte_second", "deployment_name": "demo"}
    for hour, gib in enumerate((1, 2, 3)):
        start = datetime(2026, 1, 10, hour, tzinfo=UTC)
        size = {"quantity": str(gib * GIB * 3600), "start": start.isoformat()}
        take(usage(f"a{hour}", end=(start + timedelta(hours=1)).isoformat(), **size, **about))
    small = {"quantity": str(GIB * 1800), "start": "2026-01-10T02:00:00Z", "end": "2026-01-10T03:00:00Z"}
    take(usage("b", **{**about, **small, "deployment": "bbbbbbbb"}))
    now = datetime(2026, 1, 10, 4, tzinfo=UTC)
    assert used(session(), Subject("user", "ada"), "storage", "", now) == Decimal("3.5")
    assert used(session(), Subject("user", "ada"), "storage", "", now + timedelta(days=3)) == 0
    set_budget("storage", "3", currency="")
    with pytest.raises(InvalidInput, match="A budget does not allow it") as refused:
        launch(now=now)
    assert "3.5 GiB is used, and this would take more" in refused.value.errors["budget"]
