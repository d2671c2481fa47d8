# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a quantity costs by a price, exactly: fractions in, fractions out; rounding is for lines."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from .prices import Price


@dataclass(frozen=True, slots=True)
class RatedStep:
    """A part of an amount: `quantity` at `price`, and `fee`."""

    quantity: Fraction
    price: Decimal
    fee: Decimal = Decimal(0)

    @property
    def amount(self) -> Fraction:
        """What the step costs."""
        return self.quantity * Fraction(self.price) + Fraction(self.fee)


def rate_quantity(price: Price, quantity: Fraction, before: Fraction = Fraction(0)) -> list[RatedStep]:
    """The steps whose amounts together are what `quantity` (in units of `price.per`) costs.

    `before` was billed already in the same month: tiers and packages go on from there. Of the model flat,
    `quantity` is the part of the month; of a package, the quantity of its step is the number of packages.
    """
    if price.model in ("flat", "unit"):
        return [RatedStep(quantity, price.price)]
    if price.model == "package":
        size = Fraction(price.size)
        packages = ceil((before + quantity) / size) - ceil(before / size)
        return [RatedStep(Fraction(packages), price.price)]
    rate = _rate_graduated if price.model == "graduated" else _rate_volume
    return rate(price, quantity, before)


def _rate_graduated(price: Price, quantity: Fraction, before: Fraction) -> list[RatedStep]:
    """Each unit at the price of its tier; a tier's fee is due with the first unit in it."""
    steps = []
    below = Fraction(0)
    for tier in price.tiers:
        above = before + quantity if tier.up_to is None else min(Fraction(tier.up_to), before + quantity)
        part = above - max(below, before)
        if part > 0:
            fee = tier.fee if before <= below else Decimal(0)
            steps.append(RatedStep(part, tier.price, fee))
        below = Fraction(tier.up_to or 0)
    return steps


def _rate_volume(price: Price, quantity: Fraction, before: Fraction) -> list[RatedStep]:
    """All units at the price of the tier in which the whole lies; what was billed before stays as it was."""
    if quantity == 0:
        return []
    tier = next(tier for tier in price.tiers if tier.up_to is None or before + quantity <= tier.up_to)
    return [RatedStep(quantity, tier.price, tier.fee if before == 0 else Decimal(0))]
