"""Tariffs as people write them: what is taken, and what is refused with its place."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import TariffError
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import (
    Tariff,
    check_no_gap,
    find_price,
    find_version,
    read_tariff,
    show_tariff,
)
from tests.cases import many_cases
from tests.unit.billing.makers import CPU, make_tariff, tariff_document, tariffs

TIERED = {"name": "Memory", "resource": "memory", "model": "graduated", "per": "GiB_hour"}


def tiered(*tiers: dict[str, Any]) -> dict[str, Any]:
    return {**TIERED, "tiers": list(tiers)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "name: is missing"),
        ({"prices": []}, "prices: is missing"),
        ({"colour": "red"}, "colour: unknown; there are name, currency"),
        ({"currency": "EURO"}, "currency: unknown currency 'EURO': write its three letters"),
        ({"valid_from": "2026-02-30"}, "valid_from: '2026-02-30' is no day"),
        ({"valid_from": "2026-01-01T00:00:00"}, "valid_from: a time with its zone is needed"),
        ({"valid_to": "2026-01-01"}, "valid_to: 2026-01-01T00:00:00Z is not after valid_from"),
        ({"tax": {"name": "VAT"}}, "tax.percent: is missing"),
        ({"tax": {"name": "VAT", "percent": 0.19}}, "tax.percent: write a decimal number in quotes"),
        ({"tax": {"name": "VAT", "percent": "119"}}, "tax.percent: 119 is above 100"),
        ({"minimum": "5.001"}, "minimum: 5.001 is finer than EUR goes, 2 decimals"),
        ({"minimum": "-1"}, "minimum: -1 is below 0"),
        ({"due_days": "30"}, "due_days: a whole number from 0 to 3650 is needed; got '30'"),
        ({"supplier": {"address": "here"}}, "supplier.name: is missing"),
        ({"discounts": [{"name": "A", "percent": "101"}]}, "discounts[0].percent: 101 is above 100"),
        (
            {"discounts": [{"name": "A", "percent": "1", "users": "ada"}]},
            "discounts[0].users: a list is needed",
        ),
        ({"prices": {"cpu": "1"}}, "prices: a list is needed"),
        ({"prices": [CPU, CPU]}, "prices[1].name: 'Processor' is the name of prices[0]"),
        ({"prices": [CPU, {**CPU, "name": "x"}]}, "prices[1]: is never used, for prices[0] fits"),
        ({"prices": [CPU, {**CPU, "name": "x", "plans": ["a"]}]}, "prices[1]: is never used, for"),
    ],
)  # fmt: skip
def test_tariff_when_something_is_wrong_in_it_then_its_place_is_said(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(TariffError) as caught:
        read_tariff(tariff_document(**changes))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ({**CPU, "resource": None}, "resource: is missing"),
        ({**CPU, "model": "cheap"}, "model: must be one of flat, unit, package"),
        ({**CPU, "per": "core_fortnight"}, "per: unknown unit 'core_fortnight'"),
        ({**CPU, "per": "GiB_hour"}, "per: core_second cannot be expressed in GiB_hour"),
        ({**CPU, "price": 0.04}, "price: write a decimal number in quotes"),
        ({**CPU, "price": "-1"}, "price: -1 is below 0"),
        ({**CPU, "price": "1e3"}, "price: '1e3' is no decimal number"),
        ({**CPU, "size": "10"}, "size: the model unit has none; leave it out"),
        ({**CPU, "model": "package"}, "size: is missing"),
        ({**CPU, "model": "package", "size": "0"}, "size: a package of nothing"),
        ({**CPU, "model": "flat"}, "per: must be one of month"),
        ({**CPU, "across": "world"}, "across: must be one of deployment, account"),
        ({**CPU, "prorated": True}, "prorated: the model unit has none"),
        (tiered(), "tiers: is missing"),
        (tiered({"up_to": "5", "price": "1"}), "tiers[0].up_to: the last tier has no end"),
        (tiered({"price": "1"}, {"price": "2"}), "tiers[0].up_to: is missing; only the last"),
        (
            tiered({"up_to": "5", "price": "1"}, {"up_to": "5", "price": "2"}, {"price": "3"}),
            "tiers[1].up_to: 5 is not above 5, where the tier begins; sort the tiers",
        ),
        (tiered({"up_to": "0", "price": "1"}, {"price": "1"}), "tiers[0].up_to: 0 is not above"),
        (tiered({"prize": "1"}), "tiers[0].prize: unknown; there are up_to, price, fee"),
    ],
)  # fmt: skip
def test_price_when_something_is_wrong_in_it_then_its_place_is_said(price: dict[str, Any], said: str) -> None:
    other = {**CPU, "name": "Other", "plans": ["database"]}
    with pytest.raises(TariffError) as caught:
        read_tariff(tariff_document(other, price))
    assert str(caught.value).startswith(f"prices[1].{said}")


@pytest.mark.parametrize("document", [None, [], "standard", 7])
def test_tariff_when_it_is_no_mapping_then_it_is_refused(document: object) -> None:
    with pytest.raises(TariffError, match=r"^tariff: a mapping is needed"):
        read_tariff(document)


@pytest.mark.parametrize("day", ["2026-01-01", date(2026, 1, 1), "2026-01-01T01:00:00+01:00"])
def test_tariff_when_dated_in_any_form_then_it_is_the_same_moment(day: object) -> None:
    assert make_tariff(valid_from=day).valid_from == datetime(2026, 1, 1, tzinfo=UTC)


@many_cases
@given(tariffs(versions=1))
def test_tariff_when_shown_as_json_then_it_is_read_back_to_the_same(made: list[Tariff]) -> None:
    for tariff in made:
        assert read_tariff(json.loads(json.dumps(show_tariff(tariff)))) == tariff


def test_price_when_several_fit_then_the_first_counts() -> None:
    tariff = make_tariff(
        {**CPU, "name": "large", "shapes": ["large"], "plans": ["notebook"]},
        {**CPU, "name": "physics", "projects": ["physics"]},
        {**CPU, "name": "ada", "users": ["ada"]},
        {**CPU, "name": "rest", "plans": ["notebook", "cluster"]},
    )

    def price(plan: str, shape: str = "", project: str = "", user: str = "", resource: str = "cpu") -> str:
        found = find_price(tariff, plan, shape, project, user, resource)
        return found.name if found else "nothing"

    assert price("notebook", "large", "physics") == "large"
    assert price("cluster", "large", "physics", "ada") == "physics"
    assert price("cluster", user="ada") == "ada"
    assert price("notebook", "small") == "rest"
    assert price("database") == "nothing"
    assert price("notebook", resource="gpu") == "nothing"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("2026-02-01", None),
        ("2026-01-31", "to 2026-01-31T00:00:00Z leaves a gap before"),
        ("2026-02-02", "to 2026-02-02T00:00:00Z overlaps with"),
        (None, "without end overlaps with"),
    ],
)
def test_versions_when_they_do_not_follow_each_other_then_it_is_said_what_to_set(
    end: str | None, said: str | None
) -> None:
    first = make_tariff(valid_to=end)
    second = make_tariff(valid_from="2026-02-01")
    other = make_tariff(name="other")
    if said is None:
        check_no_gap([second, other, first])
        return
    with pytest.raises(TariffError) as caught:
        check_no_gap([second, other, first])
    turn = "2026-02-01T00:00:00Z"
    assert str(caught.value) == (
        f"valid_to: tariff standard from 2026-01-01T00:00:00Z {said} the version from {turn};"
        f" set its valid_to to {turn}"
    )


@many_cases
@given(tariffs(), st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_versions_when_there_is_no_gap_then_exactly_one_holds_at_each_moment(
    versions: list[Tariff], moment: datetime
) -> None:
    check_no_gap(versions)
    assert [find_version(versions, moment)] == [one for one in versions if one.holds_at(moment)]


def test_version_when_none_holds_then_it_is_said_what_to_do() -> None:
    with pytest.raises(
        TariffError, match=r"tariff standard: no version is valid at 2025-12-31.*; add one, or"
    ):
        find_version([make_tariff()], datetime(2025, 12, 31, tzinfo=UTC))
