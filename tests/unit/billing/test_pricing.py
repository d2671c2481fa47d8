"""What a quantity costs by each model, in tables and as properties."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.estimate import Cost, estimate
from ansible_collections.labyard.platform.plugins.module_utils._billing.prices import Price, read_price
from ansible_collections.labyard.platform.plugins.module_utils._billing.pricing import rate_quantity
from tests.cases import many_cases
from tests.unit.billing.makers import CPU, make_tariff, prices, tiers

LADDER = [{"up_to": "10", "price": "1"}, {"up_to": "20", "price": "0.5", "fee": "2"}, {"price": "0.1"}]
GIB = 1024**3


def price_of(**about: Any) -> Price:
    return read_price({"resource": "cpu", "per": "core_hour", **about}, "price")


def cost(price: Price, quantity: Fraction | int | str, before: Fraction | int | str = 0) -> Fraction:
    steps = rate_quantity(price, Fraction(quantity), Fraction(before))
    return sum((step.amount for step in steps), Fraction(0))


@pytest.mark.parametrize(
    ("about", "quantity", "before", "expected"),
    [
        ({"model": "unit", "price": "0.04"}, "2.5", 0, "0.1"),
        ({"model": "unit", "price": "0.04"}, 0, 0, "0"),
        ({"model": "package", "price": "3", "size": "10"}, 0, 0, "0"),
        ({"model": "package", "price": "3", "size": "10"}, "0.001", 0, "3"),
        ({"model": "package", "price": "3", "size": "10"}, 10, 0, "3"),
        ({"model": "package", "price": "3", "size": "10"}, "10.001", 0, "6"),
        ({"model": "package", "price": "3", "size": "10"}, 5, 12, "0"),
        ({"model": "package", "price": "3", "size": "10"}, 9, 12, "3"),
        ({"model": "graduated", "tiers": LADDER}, 0, 0, "0"),
        ({"model": "graduated", "tiers": LADDER}, 10, 0, "10"),
        ({"model": "graduated", "tiers": LADDER}, 11, 0, "12.5"),
        ({"model": "graduated", "tiers": LADDER}, 30, 0, "18"),
        ({"model": "graduated", "tiers": LADDER}, 10, 15, "3"),
        ({"model": "graduated", "tiers": LADDER}, 5, 10, "4.5"),
        ({"model": "volume", "tiers": LADDER}, 0, 0, "0"),
        ({"model": "volume", "tiers": LADDER}, 10, 0, "10"),
        ({"model": "volume", "tiers": LADDER}, 11, 0, "7.5"),
        ({"model": "volume", "tiers": LADDER}, 30, 0, "3"),
        ({"model": "volume", "tiers": LADDER}, 5, 8, "2.5"),
    ],
)
def test_quantity_when_rated_then_it_costs_what_a_hand_computes(
    about: dict[str, Any], quantity: Any, before: Any, expected: str
) -> None:
    assert cost(price_of(**about), quantity, before) == Fraction(expected)


def test_flat_when_rated_then_the_part_of_the_month_counts() -> None:
    price = read_price({"resource": "wall", "model": "flat", "price": "31"}, "price")
    assert cost(price, Fraction(3, 31)) == 3


QUANTITIES = st.fractions(0, 2000, max_denominator=10**6)
SMALL = st.fractions(Fraction(1, 10**6), Fraction(1, 100), max_denominator=10**7)


@many_cases
@given(tiers(fees=False), SMALL)
def test_graduated_when_a_bound_is_crossed_then_the_cost_does_not_jump(
    steps: list[dict[str, str]], little: Fraction
) -> None:
    price = price_of(model="graduated", tiers=steps)
    for place, tier in enumerate(price.tiers[:-1]):
        bound = Fraction(tier.up_to or 0)
        at = cost(price, bound)
        assert cost(price, bound - min(little, bound)) == at - min(little, bound) * Fraction(tier.price) or (
            place > 0 and bound - little < Fraction(price.tiers[place - 1].up_to or 0)
        )
        dearest = max(Fraction(other.price) for other in price.tiers)
        assert at <= cost(price, bound + little) <= at + little * dearest


@many_cases
@given(prices("cpu", "core_hour", ("package", "graduated", "unit")), QUANTITIES, QUANTITIES)
def test_model_when_usage_comes_in_two_parts_then_they_cost_what_the_whole_costs(
    about: dict[str, Any], first: Fraction, second: Fraction
) -> None:
    price = read_price(about, "price")
    assert cost(price, first) + cost(price, second, first) == cost(price, first + second)


@many_cases
@given(prices("cpu", "core_hour", ("unit", "package", "graduated")), QUANTITIES, QUANTITIES)
def test_model_when_more_is_used_then_it_never_costs_less(
    about: dict[str, Any], first: Fraction, more: Fraction
) -> None:
    price = read_price(about, "price")
    assert 0 <= cost(price, first) <= cost(price, first + more)


@many_cases
@given(tiers(), QUANTITIES)
def test_volume_when_rated_then_all_units_have_the_price_of_one_tier(
    steps: list[dict[str, str]], quantity: Fraction
) -> None:
    price = price_of(model="volume", tiers=steps)
    rated = rate_quantity(price, quantity)
    assert len(rated) == (quantity > 0)
    for step in rated:
        below = [Fraction(t.up_to) for t in price.tiers if t.up_to is not None and t.up_to < quantity]
        tier = price.tiers[len(below)]
        assert (step.quantity, step.price, step.fee) == (quantity, Fraction(tier.price), Fraction(tier.fee))


def test_estimate_when_asked_then_it_says_an_hour_and_a_month() -> None:
    tariff = make_tariff(
        CPU,
        {"name": "Memory", "resource": "memory", "model": "unit", "per": "GiB_hour", "price": "0.005"},
        {"name": "Fee", "resource": "wall", "model": "flat", "price": "7.30"},
    )
    found = estimate(
        tariff, "notebook", "small", {"cpu": Decimal("0.5"), "memory": 2 * GIB, "wall": 1, "gpu": 1}
    )
    # (0.5 * 0.04 + 2 * 0.005) * 730 + 7.30 = 21.90 + 7.30
    assert found == Cost(Decimal("0.040000"), Decimal("29.20"), "EUR")


def test_estimate_when_the_unit_of_a_resource_is_not_known_then_it_is_said() -> None:
    tariff = make_tariff({"resource": "pages", "model": "unit", "per": "piece", "price": "1"})
    with pytest.raises(BillingError, match="pages: how much an hour uses of it is not known"):
        estimate(tariff, "notebook", "", {"pages": 3})
