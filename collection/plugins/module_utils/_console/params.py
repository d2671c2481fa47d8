# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parameters as a play gives them against those that a deployment has. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_YES = ("yes", "on", "1", "true", "y", "t")
_NO = ("no", "off", "0", "false", "n", "f")
_SECRET = re.compile(r"pass(word|wd|phrase)|secret|token|credential|(api|private|access)_?key", re.IGNORECASE)

HIDDEN = "VALUE_HIDDEN"


def differing(
    wanted: Mapping[str, Any], present: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What of `wanted` the deployment does not have, as the console will store it.

    `schemas` has the JSON Schema of each parameter by name: a text that stands for a number, as templates
    make them, is that number. Parameters that are not in `wanted` stay as they are.
    """
    found = {}
    for name, value in wanted.items():
        schema = schemas.get(name, {})
        clean = convert(value, schema)
        before = present[name] if name in present else schema.get("default")
        if not _same(clean, before):
            found[name] = clean
    return found


def convert(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` in the type that `schema` names, by the rules of Ansible's argument specs; unchanged where
    it cannot be: then the console says what is wrong."""
    kind = schema.get("type")
    if kind == "array":
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list):
            return value
        inner = schema.get("items") or {}
        return [convert(item, inner) for item in items]
    if isinstance(value, str) and kind == "boolean":
        word = value.strip().lower()
        return True if word in _YES else False if word in _NO else value
    if kind in ("integer", "number") and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if kind == "integer" and number.is_integer() else number
    if kind == "string" and isinstance(value, (int, float)):
        return str(value)
    return value


def hide_secrets(value: Any) -> Any:
    """`value` for a diff: what stands under a name that sounds like a secret is not shown."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _SECRET.search(str(key)) and inner not in (None, "") else hide_secrets(inner)
            for key, inner in value.items()
        }
    return [hide_secrets(item) for item in value] if isinstance(value, list) else value


def _same(wanted: Any, present: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(present, Mapping):
        return wanted.keys() == present.keys() and all(_same(wanted[k], present[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(present, list):
        return len(wanted) == len(present) and all(map(_same, wanted, present))
    if isinstance(wanted, bool) or isinstance(present, bool):
        return wanted is present
    return wanted == present or (_is_scalar(wanted) and _is_scalar(present) and str(wanted) == str(present))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float))
