# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of usage and what one is in another, exactly.

A dimension has one base unit, in which usage records are written; people and tariffs may use any unit of it.
Binary prefixes are powers of 1024, decimal ones of 1000 (IEC 80000-13). A month is none of these units: it
has no fixed length.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .errors import BillingError

_TIME = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_SIZE = {
    "byte": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", start=1)},
}


@dataclass(frozen=True)
class Unit:
    """A unit of usage: `factor` of its dimension's base unit make one of it."""

    name: str
    base: str
    factor: Fraction


def _units() -> dict[str, Unit]:
    """All units by name: times, sizes, sizes times times, things times times, and things."""
    found = [Unit(name, "second", Fraction(factor)) for name, factor in _TIME.items()]
    found += [Unit(name, "byte", Fraction(factor)) for name, factor in _SIZE.items()]
    for time, seconds in _TIME.items():
        found += [Unit(f"{thing}_{time}", f"{thing}_second", Fraction(seconds)) for thing in ("core", "gpu")]
        found += [
            Unit(f"{size}_{time}", "byte_second", Fraction(factor * seconds))
            for size, factor in _SIZE.items()
        ]
    found.append(Unit("piece", "piece", Fraction(1)))
    return {unit.name: unit for unit in found}


UNITS = _units()

#: What is measured, and the base unit of its records. Other resources may be counted in any base unit.
RESOURCES = {
    "wall": "second",  # while a task of the deployment runs
    "cpu": "core_second",  # reserved or, without a reservation, the limit
    "cpu_used": "core_second",
    "memory": "byte_second",  # reserved or, without a reservation, the limit
    "memory_used": "byte_second",
    "gpu": "gpu_second",
    "volume": "byte_second",
    "network_in": "byte",
    "network_out": "byte",
}


def find_unit(name: str) -> Unit:
    """The unit of that name; raises BillingError that names units like it."""
    if name in UNITS:
        return UNITS[name]
    like = sorted(known for known in UNITS if known.lower() == name.lower()) or [
        "core_hour",
        "GiB_hour",
        "hour",
    ]
    raise BillingError(f"unknown unit {name!r}; there are, for example, {', '.join(like)}")


def factor_between(unit: str, per: str) -> Fraction:
    """How many of the unit `per` one `unit` is; raises BillingError if they measure different things."""
    one, other = find_unit(unit), find_unit(per)
    if one.base != other.base:
        raise BillingError(f"{unit} cannot be expressed in {per}: one is {one.base}, the other {other.base}")
    return one.factor / other.factor
