# SPDX-License-Identifier: GPL-3.0-or-later
"""Several compose documents in normal form to one, in docker's manner: later ones win.

Services of the same name are merged key by key; entries of the other sections are replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Lists of a service whose items are replaced where this key is the same; other lists are joined.
_KEYED = {"ports": "published", "secrets": "source", "configs": "source", "volumes": "target"}
#: Lists that a later document replaces as a whole.
_REPLACED = {"command", "entrypoint", "test", "aliases"}

Document = dict[str, dict[str, Any]]


def merge_documents(documents: Sequence[Document]) -> Document:
    """Merge documents in normal form. None of them is changed."""
    result: Document = {}
    for document in documents:
        for section, entries in document.items():
            merged = dict(result.get(section, {}))
            for name, entry in entries.items():
                both = section == "services" and name in merged
                merged[name] = merge_services(merged[name], entry) if both else entry
            result[section] = merged
    return result


def merge_services(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The service that ``old`` becomes where ``new`` has something to say."""
    result = dict(old)
    for key, value in new.items():
        before = old.get(key)
        if key == "logging" and _other_driver(before, value):
            result[key] = value
        elif isinstance(before, dict) and isinstance(value, dict):
            result[key] = merge_services(before, value)
        elif isinstance(before, list) and isinstance(value, list) and key not in _REPLACED:
            result[key] = _merge_lists(before, value, _KEYED.get(key))
        elif value is not None or key not in old:
            result[key] = value
    return result


def _other_driver(old: Any, new: Any) -> bool:
    """The options of one driver mean nothing to another."""
    drivers = [part["driver"] for part in (old, new) if isinstance(part, dict) and part.get("driver")]
    return len(set(drivers)) == 2


def _merge_lists(old: list[Any], new: list[Any], key: str | None) -> list[Any]:
    if key is None:
        return old + [item for item in new if item not in old]
    by_key = {_identity(item, key): item for item in [*old, *new]}
    return sorted(by_key.values(), key=lambda item: (item[key], str(item)))


def _identity(item: dict[str, Any], key: str) -> Any:
    """What makes two items the same. Ports without a fixed published port are told apart by target."""
    if key == "published":
        return (item["published"] or -item["target"], item["protocol"])
    return item[key]
