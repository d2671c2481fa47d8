# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prices of a tariff: what a resource costs, for whom, by which model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .errors import BillingError, TariffError
from .fields import (
    join,
    read_choice,
    read_flag,
    read_list,
    read_mapping,
    read_names,
    read_number,
    read_text,
)
from .units import RESOURCES, factor_between

#: The models, and which keys each needs. flat: a fee for each calendar month; unit: so much for each unit;
#: package: so much for each begun package of `size` units; graduated: each unit at the price of the tier it
#: falls in; volume: all units at the price of the tier that the whole falls in.
MODELS = {
    "flat": ("price",),
    "unit": ("price", "per"),
    "package": ("price", "per", "size"),
    "graduated": ("tiers", "per"),
    "volume": ("tiers", "per"),
}
#: The unit of lines by the model flat.
MONTH = "month"
_KEYS = (
    *("name", "resource", "per", "model", "price", "size", "tiers", "prorated"),
    *("plans", "shapes", "projects", "users", "across"),
)
_OF_MODELS = {"price", "size", "tiers", "prorated"}


@dataclass(frozen=True, slots=True)
class Tier:
    """Units above the tier before it, up to and with `up_to`; the last has none and goes on for ever."""

    up_to: Decimal | None
    price: Decimal
    fee: Decimal = Decimal(0)  # once a month, when the first unit falls in this tier


@dataclass(frozen=True, slots=True)
class Price:
    """What a resource costs. Where `plans`, `shapes`, `projects` or `users` are given, each must fit."""

    name: str
    resource: str
    per: str  # a unit of units.py; `month` of the model flat
    model: str  # of MODELS
    price: Decimal = Decimal(0)
    size: Decimal = Decimal(1)
    tiers: tuple[Tier, ...] = ()
    prorated: bool = False  # flat: only for the part of the month that usage covers
    across: str = "deployment"  # what is summed up in one line and counted in tiers: deployment or account
    plans: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def fits(self, plan: str, shape: str, project: str, user: str) -> bool:
        """Whether usage of these names is priced by it."""
        return (
            (not self.plans or plan in self.plans)
            and (not self.shapes or shape in self.shapes)
            and (not self.projects or project in self.projects)
            and (not self.users or user in self.users)
        )

    def covers(self, other: Price) -> bool:
        """Whether all that `other` fits fits this as well, so that `other` after it is never used."""
        pairs = (
            (self.plans, other.plans),
            (self.shapes, other.shapes),
            (self.projects, other.projects),
            (self.users, other.users),
        )
        return self.resource == other.resource and all(
            not mine or (theirs and set(theirs) <= set(mine)) for mine, theirs in pairs
        )


def read_price(value: object, where: str) -> Price:
    """A price from a mapping; raises TariffError that begins with the place."""
    found = read_mapping(value, where, _KEYS, ("resource", "model"))
    model = read_choice(found["model"], join(where, "model"), MODELS)
    read_mapping(value, where, _KEYS, MODELS[model])
    _refuse_keys_of_other_models(found, where, model)
    resource = read_text(found["resource"], join(where, "resource"), 32)
    size = read_number(found.get("size", 1), join(where, "size"))
    if size == 0:
        raise TariffError(f"{join(where, 'size')}: a package of nothing; write how many units it has")
    return Price(
        name=read_text(found.get("name") or resource, join(where, "name")),
        resource=resource,
        per=_read_per(found, where, model, resource),
        model=model,
        price=read_number(found.get("price", 0), join(where, "price")),
        size=size,
        tiers=_read_tiers(found.get("tiers"), join(where, "tiers")),
        prorated=read_flag(found.get("prorated", False), join(where, "prorated")),
        across=read_choice(
            found.get("across", "deployment"), join(where, "across"), ("deployment", "account")
        ),
        **{
            name: read_names(found.get(name), join(where, name))
            for name in ("plans", "shapes", "projects", "users")
        },
    )


def show_price(price: Price) -> dict[str, Any]:
    """The price as a tariff has it; what is left out is what it would be."""
    shown: dict[str, Any] = {"name": price.name, "resource": price.resource, "model": price.model}
    if price.model != "flat":
        shown["per"] = price.per
    if price.tiers:
        shown["tiers"] = [_show_tier(tier) for tier in price.tiers]
    else:
        shown["price"] = f"{price.price:f}"
    if price.model == "package":
        shown["size"] = f"{price.size:f}"
    if price.prorated:
        shown["prorated"] = True
    shown["across"] = price.across
    for name in ("plans", "shapes", "projects", "users"):
        if names := getattr(price, name):
            shown[name] = list(names)
    return shown


def _show_tier(tier: Tier) -> dict[str, str]:
    bound = {} if tier.up_to is None else {"up_to": f"{tier.up_to:f}"}
    return {**bound, "price": f"{tier.price:f}", "fee": f"{tier.fee:f}"}


def _refuse_keys_of_other_models(found: Mapping[str, Any], where: str, model: str) -> None:
    allowed = {*MODELS[model], *(("prorated",) if model == "flat" else ())}
    for name in found:
        if name in _OF_MODELS - allowed:
            raise TariffError(f"{join(where, name)}: the model {model} has none; leave it out")


def _read_per(found: Mapping[str, Any], where: str, model: str, resource: str) -> str:
    """The unit of a price, which must measure what the resource is counted in."""
    if model == "flat":
        return read_choice(found.get("per", MONTH), join(where, "per"), (MONTH,))
    per = read_text(found["per"], join(where, "per"), 32)
    try:
        factor_between(RESOURCES.get(resource, per), per)
    except BillingError as error:
        raise TariffError(f"{join(where, 'per')}: {error}") from error
    return per


def _read_tiers(value: object, where: str) -> tuple[Tier, ...]:
    """Tiers one after the other without a gap: each begins where the one before it ends."""
    tiers: list[Tier] = []
    items: Sequence[Any] = read_list(value, where)
    below = Decimal(0)
    for index, item in enumerate(items):
        place = f"{where}[{index}]"
        found = read_mapping(item, place, ("up_to", "price", "fee"), ("price",))
        is_last = index == len(items) - 1
        up_to = found.get("up_to")
        if is_last and up_to is not None:
            raise TariffError(
                f"{join(place, 'up_to')}: the last tier has no end; leave it out, or add a tier without it"
            )
        if not is_last and up_to is None:
            raise TariffError(f"{join(place, 'up_to')}: is missing; only the last tier has no end")
        bound = None if up_to is None else read_number(up_to, join(place, "up_to"))
        if bound is not None and bound <= below:
            raise TariffError(
                f"{join(place, 'up_to')}: {bound} is not above {below}, where the tier begins; sort the tiers"
            )
        below = bound or below
        tiers.append(
            Tier(
                bound,
                read_number(found["price"], join(place, "price")),
                read_number(found.get("fee", 0), join(place, "fee")),
            )
        )
    return tuple(tiers)
