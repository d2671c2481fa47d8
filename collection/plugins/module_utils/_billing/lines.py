# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of an invoice: what usage of one resource by one deployment costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .usage import read_moment, show_moment


@dataclass(frozen=True, slots=True)
class Step:
    """How a part of an amount came about: `quantity` at `price`, and `fee`; the amount has 12 decimals."""

    quantity: Decimal
    price: Decimal
    fee: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """Usage of one price within one version of its tariff and one calendar month, with its cost.

    A line that ends before the invoice's period begins is late usage of an earlier month.
    """

    deployment: str  # its id; empty for a price across the account
    deployment_name: str
    plan: str
    shape: str
    project: str
    user: str
    resource: str
    description: str
    price_name: str
    model: str
    tariff: str
    tariff_version: datetime  # the valid_from of the version
    unit: str  # the price's `per`
    quantity: Decimal  # 12 decimals
    unit_price: Decimal | None  # of a package the package's; none where several tiers made the amount
    amount: Decimal  # in the decimals of the currency
    start: datetime  # of the first usage
    end: datetime  # of the last
    records: int  # how many usage records are in it
    steps: tuple[Step, ...] = ()
    exact: Fraction = field(default=Fraction(0), compare=False)  # the amount before rounding; not stored


_MOMENTS = ("tariff_version", "start", "end")
_SHOWN = [known.name for known in fields(Line) if known.name != "exact"]


def show_line(line: Line) -> dict[str, Any]:
    """The line as JSON has it: decimals and times as text."""
    shown: dict[str, Any] = {name: getattr(line, name) for name in _SHOWN}
    shown.update({name: show_moment(shown[name]) for name in _MOMENTS})
    shown.update(
        quantity=f"{line.quantity:f}",
        unit_price=None if line.unit_price is None else f"{line.unit_price:f}",
        amount=f"{line.amount:f}",
        steps=[
            {name: f"{getattr(step, name):f}" for name in ("quantity", "price", "fee", "amount")}
            for step in line.steps
        ],
    )
    return shown


def read_line(document: Mapping[str, Any]) -> Line:
    """A line from what `show_line` gave; `exact` is the rounded amount."""
    found = {name: document[name] for name in _SHOWN}
    found.update({name: read_moment(found[name], name) for name in _MOMENTS})
    price = found["unit_price"]
    amount = Decimal(found["amount"])
    steps = [Step(**{name: Decimal(text) for name, text in step.items()}) for step in found["steps"]]
    found.update(
        quantity=Decimal(found["quantity"]),
        unit_price=None if price is None else Decimal(price),
        amount=amount,
        steps=tuple(steps),
    )
    return Line(**found, exact=Fraction(amount))
