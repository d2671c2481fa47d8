# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums and products of decimals without rounding; plain text of them, without exponents."""

from __future__ import annotations

from decimal import Decimal

from .money import EXACT

#: The exact sum and product of two decimals.
add, multiply = EXACT.add, EXACT.multiply


def show_number(number: Decimal) -> str:
    """Plain notation, as many decimals as are needed: `1.50` gives `1.5`, `1E+3` gives `1000`."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
