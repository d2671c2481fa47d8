# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What something would cost, before there is usage: for pages and forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .errors import BillingError
from .money import round_fraction, round_money
from .pricing import rate_quantity
from .tariff import Tariff, find_price
from .units import RESOURCES, factor_between

#: Hours of a month of which nobody knows which it is: 365 days / 12.
MONTH_HOURS = 730
#: Decimals of an estimate for one hour.
HOUR_PLACES = 6


@dataclass(frozen=True, slots=True)
class Cost:
    """What all needs together cost, without tax, discount and minimum."""

    per_hour: Decimal  # 6 decimals: a month's cost / 730
    per_month: Decimal  # in the decimals of the currency, for 730 hours
    currency: str


def estimate(
    tariff: Tariff,
    plan: str,
    shape: str,
    needs: Mapping[str, Decimal | int],
    project: str = "",
    user: str = "",
) -> Cost:
    """What a deployment costs that holds `needs` all the time.

    `needs` are amounts by resource: cores, bytes of memory and volumes, GPUs, 1 for wall time; of network
    traffic, bytes a second. Raises BillingError where a resource is measured in another unit than its price.
    """
    total = Fraction(0)
    for resource, amount in needs.items():
        price = find_price(tariff, plan, shape, project, user, resource)
        if price is None:
            continue
        if price.model == "flat":
            quantity = Fraction(1)
        else:
            if resource not in RESOURCES:
                raise BillingError(
                    f"{resource}: how much an hour uses of it is not known; there are {', '.join(RESOURCES)}"
                )
            seconds = MONTH_HOURS * 3600
            quantity = Fraction(amount) * seconds * factor_between(RESOURCES[resource], price.per)
        total += sum((step.amount for step in rate_quantity(price, quantity)), Fraction(0))
    return Cost(
        per_hour=round_fraction(total / MONTH_HOURS, HOUR_PLACES),
        per_month=round_money(total, tariff.currency),
        currency=tariff.currency,
    )
