# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tariffs: prices, discounts, tax and minimum, valid from one moment to another.

A tariff has versions, told apart by `valid_from`. They follow each other without gap or overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from .errors import TariffError
from .fields import (
    join,
    read_count,
    read_currency,
    read_day,
    read_list,
    read_mapping,
    read_money,
    read_names,
    read_percent,
    read_text,
)
from .parties import Party, read_party, show_party
from .prices import Price, read_price, show_price
from .usage import show_moment

_KEYS = (
    *("name", "currency", "valid_from", "valid_to", "tax", "minimum", "due_days"),
    *("supplier", "discounts", "prices"),
)
_WHO = ("accounts", "projects", "users", "groups")


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax on what is left after discounts, of `percent` per cent."""

    name: str = ""
    percent: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Discount:
    """So much per cent less for whom one of the lists has; without any list, for all."""

    name: str
    percent: Decimal
    accounts: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()  # of who pays

    def fits(self, customer: Party, project: str, user: str) -> bool:
        """Whether a line of this project and user, for this customer, gets it."""
        if not (self.accounts or self.projects or self.users or self.groups):
            return True
        return (
            customer.account in self.accounts
            or project in self.projects
            or user in self.users
            or any(group in self.groups for group in customer.groups)
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a tariff, valid in [valid_from, valid_to), UTC."""

    name: str
    currency: str
    valid_from: datetime
    prices: tuple[Price, ...]
    valid_to: datetime | None = None
    tax: Tax | None = None
    minimum: Decimal | None = None  # of an invoice, before tax, in the currency
    due_days: int = 30
    supplier: Party | None = None
    discounts: tuple[Discount, ...] = ()

    def holds_at(self, moment: datetime) -> bool:
        """Whether this version is valid at the moment."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


def read_tariff(document: object) -> Tariff:
    """A tariff from a mapping as YAML or JSON have it; raises TariffError that begins with the place."""
    found = read_mapping(document, "", _KEYS, ("name", "currency", "valid_from", "prices"))
    currency = read_currency(found["currency"], "currency")
    start = read_day(found["valid_from"], "valid_from")
    end = None if found.get("valid_to") is None else read_day(found["valid_to"], "valid_to")
    if end is not None and end <= start:
        raise TariffError(f"valid_to: {show_moment(end)} is not after valid_from, {show_moment(start)}")
    minimum = found.get("minimum")
    return Tariff(
        name=read_text(found["name"], "name"),
        currency=currency,
        valid_from=start,
        valid_to=end,
        tax=None if found.get("tax") is None else _read_tax(found["tax"]),
        minimum=None if minimum is None else read_money(minimum, "minimum", currency),
        due_days=read_count(found.get("due_days", 30), "due_days", 3650),
        supplier=None if found.get("supplier") is None else read_party(found["supplier"], "supplier"),
        discounts=_read_discounts(found.get("discounts")),
        prices=_read_prices(found["prices"]),
    )


def show_tariff(tariff: Tariff) -> dict[str, Any]:
    """The tariff as JSON has it; `read_tariff` reads it back to the same."""
    tax, supplier = tariff.tax, tariff.supplier
    return {
        "name": tariff.name,
        "currency": tariff.currency,
        "valid_from": show_moment(tariff.valid_from),
        "valid_to": None if tariff.valid_to is None else show_moment(tariff.valid_to),
        "tax": None if tax is None else {"name": tax.name, "percent": f"{tax.percent:f}"},
        "minimum": None if tariff.minimum is None else f"{tariff.minimum:f}",
        "due_days": tariff.due_days,
        "supplier": None if supplier is None else show_party(supplier),
        "discounts": [_show_discount(discount) for discount in tariff.discounts],
        "prices": [show_price(price) for price in tariff.prices],
    }


def find_price(tariff: Tariff, plan: str, shape: str, project: str, user: str, resource: str) -> Price | None:
    """The first price that fits; None where the resource costs nothing."""
    for price in tariff.prices:
        if price.resource == resource and price.fits(plan, shape, project, user):
            return price
    return None


def find_discount(tariff: Tariff, customer: Party, project: str, user: str) -> Discount | None:
    """The first discount that fits a line of the customer; None if none does."""
    return next((found for found in tariff.discounts if found.fits(customer, project, user)), None)


def find_version(tariffs: Iterable[Tariff], moment: datetime) -> Tariff:
    """The version that is valid at the moment; raises TariffError if there is none."""
    names = set()
    for tariff in tariffs:
        if tariff.holds_at(moment):
            return tariff
        names.add(tariff.name)
    raise TariffError(
        f"tariff {', '.join(sorted(names)) or 'of the account'}: no version is valid at"
        f" {show_moment(moment)}; add one, or set valid_from and valid_to so that it is covered"
    )


def check_no_gap(tariffs: Iterable[Tariff]) -> None:
    """Raises TariffError if versions of the same name overlap, or if there is a gap between them."""
    by_name: dict[str, list[Tariff]] = {}
    for tariff in tariffs:
        by_name.setdefault(tariff.name, []).append(tariff)
    for name, versions in by_name.items():
        versions.sort(key=lambda version: version.valid_from)
        for one, after in pairwise(versions):
            if one.valid_to == after.valid_from:
                continue
            first, second = show_moment(one.valid_from), show_moment(after.valid_from)
            end = "without end" if one.valid_to is None else f"to {show_moment(one.valid_to)}"
            fault = (
                "leaves a gap before" if one.valid_to and one.valid_to < after.valid_from else "overlaps with"
            )
            raise TariffError(
                f"valid_to: tariff {name} from {first} {end} {fault} the version from {second};"
                f" set its valid_to to {second}"
            )


def _read_tax(value: object) -> Tax:
    found = read_mapping(value, "tax", ("name", "percent"), ("name", "percent"))
    return Tax(read_text(found["name"], "tax.name"), read_percent(found["percent"], "tax.percent"))


def _read_discounts(value: object) -> tuple[Discount, ...]:
    discounts = []
    for index, item in enumerate(read_list(value, "discounts")):
        where = f"discounts[{index}]"
        found = read_mapping(item, where, ("name", "percent", *_WHO), ("name", "percent"))
        names = {who: read_names(found.get(who), join(where, who)) for who in _WHO}
        percent = read_percent(found["percent"], join(where, "percent"))
        discounts.append(Discount(read_text(found["name"], join(where, "name")), percent, **names))
    return tuple(discounts)


def _read_prices(value: object) -> tuple[Price, ...]:
    prices: list[Price] = []
    for index, item in enumerate(read_list(value, "prices")):
        where = f"prices[{index}]"
        price = read_price(item, where)
        for earlier, other in enumerate(prices):
            if other.name == price.name:
                raise TariffError(
                    f"{where}.name: {price.name!r} is the name of prices[{earlier}]; give another"
                )
            if other.covers(price):
                raise TariffError(
                    f"{where}: is never used, for prices[{earlier}] fits all that it fits; put it before that"
                )
        prices.append(price)
    return tuple(prices)


def _show_discount(discount: Discount) -> dict[str, Any]:
    who: dict[str, Sequence[str]] = {name: list(getattr(discount, name)) for name in _WHO}
    return {"name": discount.name, "percent": f"{discount.percent:f}"} | {
        name: names for name, names in who.items() if names
    }
