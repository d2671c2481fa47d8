"""From records to lines: what is summed up, split and rounded."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import (
    BillingError,
    TariffError,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater
from tests.unit.billing.makers import CPU, JANUARY, make_record, make_tariff, rate

FEE = {"name": "Fee", "resource": "wall", "model": "flat", "price": "31.00"}
LADDER = {
    "name": "Ladder", "resource": "cpu", "model": "graduated", "per": "core_hour",
    "tiers": [{"up_to": "10", "price": "1"}, {"price": "0.5"}],
}  # fmt: skip


def hours(start: str, end: str) -> dict[str, str]:
    """Days and hours of January, as in 10T12."""
    return {"start": f"2026-01-{start}:00:00Z", "end": f"2026-01-{end}:00:00Z"}


def test_line_when_rated_then_it_explains_itself() -> None:
    (line,) = rate(
        make_tariff(), make_record("1"), make_record("2", quantity="5400", **hours("10T12", "10T13"))
    )
    assert (line.quantity, line.unit, line.unit_price) == (
        Decimal("2.500000000000"),
        "core_hour",
        Decimal("0.04"),
    )
    assert (line.amount, line.records, line.exact) == (Decimal("0.10"), 2, Fraction(1, 10))
    assert (line.start.hour, line.end.hour) == (10, 13)
    assert (line.description, line.deployment, line.plan, line.shape) == (
        "notes: Processor",
        "d1",
        "notebook",
        "small",
    )
    assert (line.tariff, line.tariff_version) == ("standard", make_tariff().valid_from)
    assert [(s.quantity, s.price, s.amount) for s in line.steps] == [
        (line.quantity, line.unit_price, Decimal("0.1"))
    ]


@pytest.mark.parametrize(
    ("quantity", "price", "currency", "amount"),
    [
        ("3600", "0.005", "EUR", "0.00"),  # halves go to even
        ("3600", "0.015", "EUR", "0.02"),
        ("3600", "0.025", "EUR", "0.02"),
        ("3600", "0.0250001", "EUR", "0.03"),
        ("3600", "2.5", "JPY", "2"),
        ("3600", "1.2345", "KWD", "1.234"),
        ("1", "1", "EUR", "0.00"),
        ("123456789012345678901234", "3600", "EUR", "123456789012345678901234.00"),
    ],
)
def test_amount_when_rounded_then_once_and_half_to_even(
    quantity: str, price: str, currency: str, amount: str
) -> None:
    tariff = make_tariff({**CPU, "price": price}, currency=currency)
    (line,) = rate(tariff, make_record(quantity=quantity))
    assert str(line.amount) == amount


def test_lines_when_many_small_ones_are_summed_then_only_the_sum_is_rounded() -> None:
    (line,) = rate(make_tariff(), *(make_record(str(n), quantity="36") for n in range(100)))
    assert line.amount == Decimal("0.04")


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"shape": "large"}, 2),
        ({"plan": "cluster"}, 2),
        ({"project": "physics"}, 2),
        ({"user": "bob"}, 2),
        ({"deployment": "d2"}, 2),
        ({"deployment_name": "renamed"}, 1),
        ({"resource": "gpu"}, 1),
    ],
)
def test_lines_when_names_differ_then_each_has_its_own(changes: dict[str, str], lines: int) -> None:
    later = hours("10T12", "10T13")
    assert len(rate(make_tariff(), make_record("1"), make_record("2", **later, **changes))) == lines


def test_line_when_the_deployment_was_renamed_then_it_has_the_last_name() -> None:
    (line,) = rate(
        make_tariff(), make_record("2", deployment_name="new", **hours("12T00", "12T01")), make_record("1")
    )
    assert line.deployment_name == "new"


def test_tiers_when_the_shape_changes_then_they_go_on_for_the_deployment() -> None:
    records = [
        make_record(str(n), quantity="28800", shape=shape) for n, shape in enumerate(["small", "large"])
    ]
    (line,) = rate(make_tariff(LADDER), *records)
    assert (line.amount, line.unit_price) == (Decimal("13.00"), None)  # 10 at 1, 6 at 0.5
    assert [str(step.amount) for step in line.steps] == ["10.000000000000", "3.000000000000"]


def test_tiers_when_across_the_account_then_one_line_has_all_deployments() -> None:
    tariff = make_tariff({**LADDER, "across": "account"})
    records = [make_record(name, quantity="28800", deployment=name, plan="notebook") for name in ("d1", "d2")]
    (line,) = rate(tariff, *records)
    assert (line.deployment, line.plan, line.amount) == ("", "notebook", Decimal("13.00"))
    assert line.description == "Ladder"


def test_usage_when_the_tariff_changes_within_then_it_is_split_in_proportion() -> None:
    turn = "2026-01-10T10:20:00Z"
    old = make_tariff({**CPU, "price": "3"}, valid_to=turn)
    new = make_tariff({**CPU, "price": "6"}, valid_from=turn)
    one, two = rate([new, old], make_record())
    assert [one.exact, two.exact] == [1, 4]
    assert (one.end, two.start, one.records, two.records) == (two.start, new.valid_from, 1, 1)
    assert one.quantity == Decimal("0.333333333333")


def test_usage_when_it_spans_months_then_each_month_has_its_own_line() -> None:
    record = make_record(start="2025-12-31T23:00:00Z", end="2026-01-01T03:00:00Z", quantity="14400")
    one, two = rate(make_tariff(valid_from="2025-01-01"), record)
    assert [str(one.quantity), str(two.quantity)] == ["1.000000000000", "3.000000000000"]
    assert one.end == JANUARY.start


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [
        ("2026-01-31T23:00:00Z", "2026-02-01T00:00:00Z", True),
        ("2026-01-31T23:00:00Z", "2026-02-01T00:00:00.000001Z", False),
        ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", False),
        ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ],
)
def test_record_when_it_ends_after_the_period_then_it_is_left_for_the_next(
    start: str, end: str, taken: bool
) -> None:
    rater = Rater([make_tariff()], JANUARY.start, JANUARY.end)
    assert rater.add(make_record(start=start, end=end)) is taken
    assert (rater.records, rater.later, len(rater.lines())) == (taken, not taken, taken)


@pytest.mark.parametrize(
    ("prorated", "intervals", "exact"),
    [
        (False, [("01T00", "01T01")], 31),
        (False, [("01T00", "01T01"), ("20T00", "21T00")], 31),
        (True, [("01T00", "02T00")], 1),
        (True, [("01T00", "02T00"), ("01T12", "03T00"), ("05T00", "05T12")], Fraction(5, 2)),
        (True, [("01T00", "01T00")], 0),
    ],
)
def test_fee_when_charged_then_once_a_month_or_for_the_part_that_is_covered(
    prorated: bool, intervals: list[tuple[str, str]], exact: Fraction
) -> None:
    records = [make_record(str(n), resource="wall", **hours(*times)) for n, times in enumerate(intervals)]
    (line,) = rate(make_tariff({**FEE, "prorated": prorated}), *records)
    assert (line.exact, line.unit) == (exact, "month")


def test_fee_when_the_tariff_changes_in_the_month_then_the_first_version_charges_it() -> None:
    old = make_tariff({**FEE, "price": "10"}, valid_to="2026-01-15")
    new = make_tariff({**FEE, "price": "20"}, valid_from="2026-01-15")
    wall = {"resource": "wall"}
    records = [
        make_record("1", **wall, **hours("20T00", "21T00")),
        make_record("2", **wall, **hours("02T00", "03T00")),
    ]
    (line,) = rate([old, new], *records)
    assert line.exact == 10


def test_coverage_when_it_comes_in_many_pieces_then_each_moment_counts_once() -> None:
    rater = Rater([make_tariff({**FEE, "prorated": True})], JANUARY.start, JANUARY.end)
    for number in range(10_000):
        minute = number * 7919 % 10_000  # all minutes from 0 to 9,999, out of order
        day, left = divmod(minute, 1440)
        start = JANUARY.start.replace(day=1 + day, hour=left // 60, minute=left % 60)
        rater.add(make_record(str(number), resource="wall", start=start, end=start.replace(second=59)))
    (line,) = rater.lines()
    assert line.exact == Fraction(10_000 * 59, 86400)


LATE = hours("20T00", "20T01")


@pytest.mark.parametrize(
    ("price", "first", "late"),
    [
        (LADDER, {"quantity": "28800"}, ({"quantity": "28800"}, 5)),  # 2 at 1, 6 at 0.5
        (
            {**LADDER, "across": "account"},
            {"quantity": "28800"},
            ({"quantity": "28800", "deployment": "d2"}, 5),
        ),
        (LADDER, {"quantity": "28800"}, ({"quantity": "28800", "deployment": "d2"}, 8)),
        ({**FEE, "prorated": True}, {"resource": "wall"}, ({"resource": "wall", **LATE}, Fraction(1, 24))),
    ],
)
def test_late_usage_when_its_month_was_billed_then_it_goes_on_from_there(
    price: dict[str, Any], first: dict[str, Any], late: tuple[dict[str, Any], int]
) -> None:
    tariff = make_tariff(price)
    billed = rate(tariff, make_record("1", **first))
    (line,) = rate(tariff, make_record("2", **late[0]), period=read_period("2026-02"), before=billed)
    assert line.exact == late[1]
    assert line.end < JANUARY.end


def test_late_usage_when_the_fee_was_charged_then_it_is_not_charged_again() -> None:
    tariff = make_tariff(FEE)
    billed = rate(tariff, make_record("1", resource="wall"))
    late = make_record("2", resource="wall", **LATE)
    assert rate(tariff, late, period=read_period("2026-02"), before=billed) == []
    of_other = [replace(line, deployment="d2") for line in billed]
    assert len(rate(tariff, late, period=read_period("2026-02"), before=of_other)) == 1


def test_record_when_no_tariff_is_valid_then_it_is_refused_and_nothing_of_it_is_counted() -> None:
    rater = Rater([make_tariff(valid_to="2026-01-10T10:30:00Z")], JANUARY.start, JANUARY.end)
    rater.add(make_record("1", **hours("02T00", "03T00")))
    before = rater.digest(), rater.lines()
    with pytest.raises(TariffError, match=r"no version is valid at 2026-01-10T10:30:00Z"):
        rater.add(make_record("2"))
    assert (rater.digest(), rater.lines()) == before


def test_record_when_the_price_counts_another_unit_then_it_is_refused() -> None:
    rater = Rater([make_tariff({**CPU, "resource": "pages", "per": "piece"})], JANUARY.start, JANUARY.end)
    rater.add(make_record("1", resource="pages"))
    with pytest.raises(BillingError, match="second cannot be expressed in piece"):
        rater.add(make_record("2", resource="pages", unit="second"))


def test_rater_when_tariffs_do_not_belong_together_then_they_are_refused() -> None:
    with pytest.raises(TariffError, match="versions of one tariff are needed, not of other, standard"):
        Rater([make_tariff(), make_tariff(name="other")], JANUARY.start, JANUARY.end)
    with pytest.raises(TariffError, match="overlaps with"):
        Rater([make_tariff(), make_tariff(valid_from="2026-01-02")], JANUARY.start, JANUARY.end)


def test_rater_when_the_currency_changes_within_its_usage_then_it_says_what_to_do() -> None:
    versions = [make_tariff(valid_to="2026-01-10"), make_tariff(valid_from="2026-01-10", currency="CHF")]
    with pytest.raises(TariffError, match="currency: usage in CHF and EUR cannot be on one invoice"):
        rate(versions, make_record("1"), make_record("2", **hours("02T00", "03T00")))
