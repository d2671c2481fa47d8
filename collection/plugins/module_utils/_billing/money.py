# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decimals from text alone, and amounts of money in the decimals of their currency.

Rounding is half-even (IEEE 754 roundTiesToEven): of many halves as many go up as down.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from typing import ParamSpec, TypeVar

from .currencies import DECIMALS
from .errors import BillingError

#: Decimals of quantities and unit prices that are stored.
PLACES = 12
#: For sums of decimals: no amount has so many digits, so nothing is rounded.
EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_NUMBER = re.compile(r"-?\d{1,24}(\.\d{1,12})?")


def exactly(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The function, with decimals of which no sum or difference is rounded (see EXACT)."""

    @functools.wraps(function)
    def call(*args: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        with localcontext(EXACT):
            return function(*args, **named)

    return call


def read_decimal(value: object, where: str) -> Decimal:
    """A decimal of at most 12 decimals from text or an integer; raises BillingError that begins with `where`.

    A floating-point number is refused: it is not the number that was written.
    """
    if isinstance(value, Decimal) and value.is_finite():
        value = f"{value:f}"
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise BillingError(f'{where}: write a decimal number in quotes, as in "0.05"; got {value!r}')
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise BillingError(
            f"{where}: {text[:60]!r} is no decimal number of at most 24 digits and 12 decimals"
        )
    return Decimal(text)


def currency_decimals(currency: str) -> int:
    """How many decimals amounts of a currency (ISO 4217) have; raises BillingError for unknown ones."""
    if currency not in DECIMALS:
        raise BillingError(f"unknown currency {currency!r}: write its three letters of ISO 4217, as in EUR")
    return DECIMALS[currency]


def round_fraction(value: Fraction, places: int) -> Decimal:
    """`value` with so many decimals, halves to even."""
    scaled = round(value * 10**places)  # of a Fraction, this rounds half to even
    with localcontext(EXACT):
        return Decimal(scaled).scaleb(-places)


def round_money(value: Fraction, currency: str) -> Decimal:
    """`value` in the decimals of the currency, halves to even."""
    return round_fraction(value, currency_decimals(currency))
