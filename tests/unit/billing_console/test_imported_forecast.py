"""The forecast counts imported costs beside usage: as they are reported, and as their last days go on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from apiflask import APIFlask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.forecast import read_forecast
from labyard.billing.imported_days import add_to_days, imported_in_month
from labyard.billing.imported_forecast import DAYS
from labyard.billing.spending import Who
from labyard.context import session
from labyard.models import ImportedDay, User
from labyard.models.base import begin_writing
from tests.billing_data import add_standard_tariff, hours, take
from tests.cases import CASES
from tests.unit.conftest import make_person

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)


@pytest.fixture
def root(app: APIFlask) -> User:
    make_person("ada")
    return make_person("root", is_admin=True)


def report(*lines: tuple[date, str], **changes: str) -> None:
    """Imported costs of these days."""
    about = {"source": "cloud", "account": "user:ada", "deployment": "", "project": "", "user": "ada"}
    begin_writing()
    rows = [
        {**about, "currency": "EUR", **changes, "day": day, "amount": Decimal(amount)}
        for day, amount in lines
    ]
    add_to_days(session(), rows)
    session().commit()


def january(day: int) -> date:
    return date(2026, 1, day)


def test_forecast_when_nothing_is_imported_then_says_nothing_of_it(root: User) -> None:
    add_standard_tariff()
    take(*hours(20))
    found = read_forecast(session(), root, lambda: NOW)
    assert (found.so_far.imported, found.until_end.imported) == ({}, {})
    assert found.so_far.together == {"EUR": 1}


def test_forecast_when_a_report_goes_on_then_counts_the_mean_of_its_last_days(root: User) -> None:
    add_standard_tariff()
    take(*hours(20))
    report((january(1), "100"), *((january(day), "7.00") for day in range(13, 20)))
    report((january(19), "0.70"), source="store", currency="USD")
    found = read_forecast(session(), root, lambda: NOW)
    assert found.so_far.imported == {"EUR": 149, "USD": Decimal("0.70")}
    # 12 days are left after the 19th: of 7.00 EUR, and of 0.10 USD
    assert found.until_end.imported == {"EUR": 149 + 84, "USD": Decimal("1.90")}
    assert found.until_end.cost == {"EUR": 1}
    assert found.until_end.together == {"EUR": 234, "USD": Decimal("1.90")}


def test_forecast_when_a_report_is_silent_for_a_week_then_it_does_not_go_on(root: User) -> None:
    report((january(5), "5.00"), (january(12), "5.00"))
    assert read_forecast(session(), root, lambda: NOW).until_end.imported == {"EUR": 10}
    report((january(13), "1.00"))
    going_on = read_forecast(session(), root, lambda: NOW).until_end.imported
    assert going_on == {"EUR": 11 + Decimal("15.43")}  # 6 / 7 of 18 days


def test_forecast_when_a_month_begins_then_the_last_days_of_the_one_before_go_on(root: User) -> None:
    report(*((date(2025, 12, day), "1.00") for day in range(25, 32)))
    found = read_forecast(session(), root, lambda: datetime(2026, 1, 1, 5, tzinfo=UTC))
    assert found.so_far.imported == {}
    assert found.until_end.imported == {"EUR": 31}


def test_forecast_when_somebody_looks_then_counts_what_they_may_see(root: User) -> None:
    make_person("eve")
    report((january(19), "7.00"))
    report((january(19), "0.70"), user="eve", account="user:eve")
    eve = session().query(User).filter_by(username="eve").one()
    assert read_forecast(session(), eve, lambda: NOW).so_far.imported == {"EUR": Decimal("0.70")}
    assert read_forecast(session(), root, lambda: NOW).so_far.imported == {"EUR": Decimal("7.70")}


amounts = st.decimals("0.01", 1000, places=2)


@given(
    st.lists(st.tuples(st.integers(-10, 30), amounts, st.sampled_from(["EUR", "USD"])), max_size=12),
    st.integers(1, 31),
)
@settings(
    max_examples=max(1, CASES // 10),
    deadline=None,
    derandomize=CASES <= 300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_forecast_whatever_is_reported_then_holds_that_and_no_more_than_goes_on(
    root: User, lines: list[tuple[int, Decimal, str]], today: int
) -> None:
    begin_writing()
    session().query(ImportedDay).delete()
    session().commit()
    for offset, amount, currency in lines:
        report((january(1) + timedelta(days=offset), str(amount)), currency=currency)
    now = datetime(2026, 1, today, 1, tzinfo=UTC)
    found = read_forecast(session(), root, lambda: now)
    for currency in ("EUR", "USD"):
        known = imported_in_month(session(), Who(), read_period("2026-01"), currency)
        assert found.so_far.imported.get(currency, 0) == known
        most = max((amount for _, amount, of in lines if of == currency), default=Decimal(0))
        more = found.until_end.imported.get(currency, Decimal(0)) - known
        assert 0 <= more <= most * len(lines) * 31 / DAYS + 1
        assert found.until_end.together.get(currency, 0) == found.until_end.imported.get(currency, 0)
    session().rollback()
