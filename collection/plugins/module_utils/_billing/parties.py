# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends an invoice, and who gets it; copied into it, as they were when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .fields import join, read_mapping, read_names, read_text


@dataclass(frozen=True, slots=True)
class Party:
    """A supplier or a customer. `account` and `groups` are the customer's: by them discounts are found."""

    name: str
    account: str = ""
    address: str = ""
    tax_id: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


_LENGTHS = {"name": 200, "account": 80, "address": 1000, "tax_id": 64, "email": 254}


def read_party(value: object, where: str) -> Party:
    """A party from a mapping; raises TariffError that begins with the place."""
    known = [field.name for field in fields(Party)]
    found = read_mapping(value, where, known, ("name",))
    texts = {
        name: read_text(found.get(name) or "", join(where, name), length) for name, length in _LENGTHS.items()
    }
    return Party(**texts, groups=read_names(found.get("groups"), join(where, "groups")))


def show_party(party: Party) -> dict[str, Any]:
    """The party as JSON has it."""
    shown: Mapping[str, Any] = {name: getattr(party, name) for name in _LENGTHS}
    return {**shown, "groups": list(party.groups)}
