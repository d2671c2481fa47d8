# SPDX-License-Identifier: GPL-3.0-or-later
"""Several compose documents in normal form to one, in docker's manner: later ones win."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Lists of a service whose items are replaced where this key is the same; other lists are joined.
_KEYED = {"ports": "published", "secrets": "source", "configs": "source", "volumes": "target"}
#: Lists that a later document replaces as a whole.
_REPLACED = {"command", "entrypoint", "test"}

Document = dict[str, dict[str, Any]]


def merge_documents(documents: Sequence[Document]) -> Document:
    """Merge documents in normal form. None of them is changed."""
    result: Document = {}
    for document in documents:
        for section, entries in document.items():
            merged = dict(result.get(section, {}))
            for name, entry in entries.items():
                merged[name] = _merge(merged[name], entry) if name in merged else entry
            result[section] = merged
    return result


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = _merge(before, value)
        elif isinstance(before, list) and isinstance(value, list) and key not in _REPLACED:
            result[key] = _merge_lists(before, value, _KEYED.get(key))
        else:
            result[key] = value
    return result


def _merge_lists(old: list[Any], new: list[Any], key: str | None) -> list[Any]:
    if key is None:
        return old + [item for item in new if item not in old]
    by_key = {_identity(item, key): item for item in [*old, *new]}
    return [by_key[identity] for identity in sorted(by_key, key=str)]


def _identity(item: dict[str, Any], key: str) -> Any:
    """What makes two items the same. Ports without a fixed published port are told apart by target."""
    if key == "published":
        return item["published"] or (item["target"], item["protocol"])
    return item[key]
