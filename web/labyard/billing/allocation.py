"""What the nodes have against what was used, and who carries the cost of what lay idle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import (
    round_fraction,
    round_money,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period
from ansible_collections.labyard.platform.plugins.module_utils._billing.pricing import rate_quantity
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, find_price
from ansible_collections.labyard.platform.plugins.module_utils._billing.units import factor_between
from labyard.clock import Clock, utc_now
from labyard.models import User

from .capacity import read_node_hours
from .costs import Costs, Selection, read_costs
from .prices import tariff_now
from .tariffs import STANDARD

_UNITS = {"cpu": "core_hour", "memory": "GiB_hour", "gpu": "gpu_hour"}
_EVERYWHERE = ("cpu", "memory")  # what every node has


@dataclass(frozen=True)
class Capacity:
    """One resource of all nodes in a time, in core-hours, GiB-hours or GPU-hours."""

    resource: str
    unit: str
    there: Decimal
    used: Decimal
    idle: Decimal  # not below 0: limits may be set aside twice over
    percent: Decimal  # used, of what was there
    value: Decimal | None  # of what was idle, by the price of a plan that is named nowhere; None: no price


@dataclass(frozen=True)
class Part:
    """What one group carries."""

    name: str
    used: Mapping[str, Decimal]
    cost: Decimal  # of its usage
    idle: Decimal  # its part of what lay idle

    @property
    def total(self) -> Decimal:
        """Both together."""
        return self.cost + self.idle


@dataclass(frozen=True)
class Allocation:
    """A month, or what there is of it."""

    start: datetime
    end: datetime
    nodes: int  # that were up at some moment
    since: datetime | None  # from when on it is known what nodes have; None: it is not
    currency: str  # of the platform's tariff; empty without one
    capacities: tuple[Capacity, ...]
    parts: tuple[Part, ...]  # what costs most first
    faults: tuple[str, ...]

    @property
    def idle_value(self) -> Decimal:
        """What lay idle, in money."""
        return sum((one.value for one in self.capacities if one.value is not None), Decimal(0))


def read_allocation(
    session: Session, admin: User, period: Period, by: str = "project", clock: Clock = utc_now
) -> Allocation:
    """The month, up to now. A node counts for as long as the meter saw it up, with what it had then.

    Costs in other currencies than that of the platform's tariff are left out, and said.
    """
    end = min(period.end, clock())
    day = timedelta(days=1)
    last = period.start + -(-(end - period.start) // day) * day
    costs = read_costs(session, admin, Selection(period.start, max(last, period.start + day), by=by))
    tariff = tariff_now(session, STANDARD, clock)
    had = read_node_hours(session, period.start, end)
    known = [
        name for name in _UNITS if name in _EVERYWHERE or getattr(had, name) or name in costs.total.usage
    ]
    capacities = tuple(_capacity(name, getattr(had, name), costs, tariff) for name in known)
    currency = tariff.currency if tariff else ""
    faults = list(costs.faults)
    faults += [f"costs in {other} are left out" for other in sorted(costs.total.cost) if other != currency]
    return Allocation(
        start=period.start,
        end=end,
        nodes=had.nodes,
        since=had.since,
        currency=currency,
        capacities=capacities,
        parts=_parts(costs, capacities, currency),
        faults=tuple(faults),
    )


def _capacity(resource: str, there: Fraction, costs: Costs, tariff: Tariff | None) -> Capacity:
    used = costs.total.usage.get(resource, Fraction(0))
    idle = max(Fraction(0), there - used)
    percent = used / there * 100 if there else Fraction(0)
    return Capacity(
        resource,
        _UNITS[resource],
        there=round_fraction(there, 2),
        used=round_fraction(used, 2),
        idle=round_fraction(idle, 2),
        percent=round_fraction(percent, 1),
        value=_value(resource, idle, tariff),
    )


def _value(resource: str, idle: Fraction, tariff: Tariff | None) -> Decimal | None:
    price = find_price(tariff, "", "", "", "", resource) if tariff else None
    if tariff is None or price is None or price.model == "flat":
        return None
    quantity = idle * factor_between(_UNITS[resource], price.per)
    exact = sum((step.amount for step in rate_quantity(price, quantity)), Fraction(0))
    return round_money(exact, tariff.currency)


def _parts(costs: Costs, capacities: tuple[Capacity, ...], currency: str) -> tuple[Part, ...]:
    """What lay idle of a resource is carried by who used that resource, as much as they used.

    Of the cents that rounding leaves, each goes to who lost most by it, so that the parts add up.
    """
    idle: dict[str, Decimal] = dict.fromkeys(costs.groups, Decimal(0))
    for one in capacities:
        if one.value:
            shares = {name: sums.usage.get(one.resource, Fraction(0)) for name, sums in costs.groups.items()}
            for name, amount in _split(one.value, shares).items():
                idle[name] += amount
    parts = [
        Part(
            name,
            {one.resource: sums.used(one.resource) for one in capacities},
            sums.cost.get(currency, Decimal(0)),
            idle[name],
        )
        for name, sums in costs.groups.items()
    ]
    return tuple(sorted(parts, key=lambda part: (-part.total, part.name)))


def _split(amount: Decimal, shares: Mapping[str, Fraction]) -> dict[str, Decimal]:
    whole = sum(shares.values(), Fraction(0))
    if not whole:
        return {}
    places = -int(amount.as_tuple().exponent)
    cents = int(amount.scaleb(places))
    exact = {name: cents * share / whole for name, share in shares.items()}
    given = {name: int(part) for name, part in exact.items()}
    left = cents - sum(given.values())
    for name in sorted(exact, key=lambda name: (given[name] - exact[name], name))[:left]:
        given[name] += 1
    return {name: Decimal(part).scaleb(-places) for name, part in given.items()}
