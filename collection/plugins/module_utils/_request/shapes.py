# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a plan's shapes some parameters are: one rule for what is quoted, deployed and billed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shape_of(shapes: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> str:
    """The name of the shape whose values all stand in `values`, by public name; empty if none does.

    Of several the one that says most, and of those the first. What a form holds as text is the same as the
    number.
    """
    fits = [
        name
        for name, wanted in shapes.items()
        if wanted and all(_same(values.get(field), value) for field, value in wanted.items())
    ]
    return str(max(fits, key=lambda name: len(shapes[name]), default=""))


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    return bool(one == other) or str(one) == str(other) or _number(one) == _number(other) is not None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
