"""What is left to pay of an invoice, and which state that is. Pure.

For every final invoice that is not void: total - credited = payments - refunds + payable - overpaid,
and neither payable nor overpaid is below 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import read_decimal, round_money
from labyard.errors import InvalidInput
from labyard.models.billing_invoices import FINALIZED, PAID, PARTLY_PAID

ZERO = Decimal(0)
_MOST = Decimal(10) ** 15


@dataclass(frozen=True)
class Balance:
    """What is owed and what came in, in one currency: `paid` is payments less refunds."""

    total: Decimal
    credited: Decimal
    paid: Decimal

    @property
    def payable(self) -> Decimal:
        """What is left to pay; never below 0."""
        return max(ZERO, self.total - self.credited - self.paid)

    @property
    def overpaid(self) -> Decimal:
        """What was paid and is no longer owed: a credit note came later. Never below 0."""
        return max(ZERO, self.paid - max(ZERO, self.total - self.credited))

    @property
    def state(self) -> str:
        """The state of a final invoice with this balance."""
        if self.payable == 0:
            return PAID
        return PARTLY_PAID if self.paid > 0 else FINALIZED


def read_amount(value: object, currency: str, field: str = "amount") -> Decimal:
    """An amount of money above 0 in the decimals of its currency; raises InvalidInput at `field`."""
    try:
        amount = read_decimal(value, field)
        rounded = round_money(Fraction(amount), currency)
    except BillingError as error:
        text = str(error).removeprefix(f"{field}: ")
        raise InvalidInput("The amount is not right.", {field: text}) from error
    if amount != rounded:
        places = -int(rounded.as_tuple().exponent)
        text = f"an amount of {currency} has {places} decimals; got {amount}"
        raise InvalidInput("The amount is not right.", {field: text})
    if not ZERO < amount < _MOST:
        raise InvalidInput("The amount is not right.", {field: "must be above 0 and below 10^15"})
    return rounded


def read_limit(value: object, currency: str, field: str) -> Decimal:
    """An amount that may be 0; raises InvalidInput at `field`."""
    return ZERO if str(value).strip("0.") == "" else read_amount(value, currency, field)


def read_change(value: str, currency: str, field: str = "amount") -> Decimal:
    """An amount above or below 0; raises InvalidInput at `field`."""
    amount = read_amount(value.removeprefix("-"), currency, field)
    return -amount if value.startswith("-") else amount


def show_amount(amount: Decimal, currency: str) -> str:
    """An amount with its currency, for people: 12.50 EUR."""
    return f"{round_money(Fraction(amount), currency):f} {currency}"
