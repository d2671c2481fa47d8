# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the fields of a tariff; all functions raise TariffError that begins with the place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from .errors import BillingError, TariffError
from .money import currency_decimals, read_decimal
from .usage import read_moment


def join(where: str, name: str) -> str:
    """The place of a field: `tax` and `percent` give `tax.percent`."""
    return f"{where}.{name}" if where else name


def read_mapping(
    value: object, where: str, known: Collection[str], needed: Collection[str] = ()
) -> Mapping[str, Any]:
    """`value` itself, if it is a mapping with `known` keys alone and with all that are `needed`."""
    if not isinstance(value, Mapping):
        raise TariffError(f"{where or 'tariff'}: a mapping is needed; got {value!r:.60}")
    for name in value:
        if name not in known:
            raise TariffError(f"{join(where, str(name))}: unknown; there are {', '.join(known)}")
    for name in needed:
        if value.get(name) in (None, "", []):
            raise TariffError(f"{join(where, name)}: is missing")
    return value


def read_list(value: object, where: str) -> Sequence[Any]:
    """A list; nothing gives an empty one."""
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TariffError(f"{where}: a list is needed; got {value!r:.60}")
    return value


def read_text(value: object, where: str, length: int = 64) -> str:
    """Printable text of at most `length` characters; lines may be parted."""
    if not isinstance(value, str) or len(value) > length or not value.replace("\n", "").isprintable():
        raise TariffError(f"{where}: at most {length} printable characters are needed; got {value!r:.60}")
    return value.strip()


def read_choice(value: object, where: str, choices: Collection[str]) -> str:
    """One of the words."""
    if not isinstance(value, str) or value not in choices:
        raise TariffError(f"{where}: must be one of {', '.join(choices)}; got {value!r:.60}")
    return value


def read_names(value: object, where: str) -> tuple[str, ...]:
    """A list of names, each once, in the order of the alphabet."""
    names = [read_text(name, f"{where}[{index}]") for index, name in enumerate(read_list(value, where))]
    return tuple(sorted(set(names)))


def read_flag(value: object, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise TariffError(f"{where}: true or false is needed; got {value!r:.60}")
    return value


def read_count(value: object, where: str, most: int) -> int:
    """A whole number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise TariffError(f"{where}: a whole number from 0 to {most} is needed; got {value!r:.60}")
    return value


def read_number(value: object, where: str) -> Decimal:
    """A decimal number of at least 0."""
    try:
        number = read_decimal(value, where)
    except BillingError as error:
        raise TariffError(str(error)) from error
    if number < 0:
        raise TariffError(f"{where}: {number} is below 0")
    return number


def read_percent(value: object, where: str) -> Decimal:
    """A number from 0 to 100."""
    percent = read_number(value, where)
    if percent > 100:
        raise TariffError(f"{where}: {percent} is above 100")
    return percent


def read_currency(value: object, where: str) -> str:
    """The three letters of a currency."""
    try:
        currency_decimals(str(value))
    except BillingError as error:
        raise TariffError(f"{where}: {error}") from error
    return str(value)


def read_money(value: object, where: str, currency: str) -> Decimal:
    """An amount of at least 0 in the decimals of its currency, no finer."""
    amount = read_number(value, where)
    cents = amount.quantize(Decimal(1).scaleb(-currency_decimals(currency)))
    if cents != amount:
        raise TariffError(
            f"{where}: {amount} is finer than {currency} goes, {currency_decimals(currency)} decimals"
        )
    return cents


def read_day(value: object, where: str) -> datetime:
    """A moment in UTC; of a day (2026-01-31) its first."""
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            raise TariffError(f"{where}: {value!r} is no day as 2026-01-31 is one") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    try:
        return read_moment(value, where)
    except BillingError as error:
        raise TariffError(f"{error}, or a day as 2026-01-31") from error
