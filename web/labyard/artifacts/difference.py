"""What a run changed, or in check mode would change, from the events of its modules. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .events import clean_text
from .steps import task_name

_LONGEST = 8000  # characters of one side
_MOST = 200  # objects


def read_difference(events: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What differs, object by object: `object`, `before`, `after`, in the order of the events.

    `events` are ansible-runner's job events of a run with `--diff`. An object that is new has an
    empty `before`; one that goes, an empty `after`. Results that Ansible censors are left out.
    """
    found: list[dict[str, str]] = []
    for event in events:
        result = (event.get("event_data") or {}).get("res") or {}
        if event.get("event") != "runner_on_ok" or result.get("censored"):
            continue
        for one in (result, *(r for r in result.get("results") or () if isinstance(r, Mapping))):
            if one.get("changed") and one.get("diff"):
                found.extend(_objects(one["diff"], task_name(event)))
    return found[:_MOST]


def _objects(diff: Any, task: str) -> Iterator[dict[str, str]]:
    """A module's diff, which is a mapping or a list of mappings, as objects that differ."""
    for part in diff if isinstance(diff, list) else [diff]:
        if not isinstance(part, Mapping):
            continue
        before, after = part.get("before", ""), part.get("after", "")
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for key in dict.fromkeys((*before, *after)):
                yield from _object(str(key), before.get(key, ""), after.get(key, ""))
        elif "prepared" in part:
            yield from _object(str(part.get("after_header") or task), "", part["prepared"])
        else:
            name = part.get("after_header") or part.get("before_header") or task
            yield from _object(str(name), before, after)


def _object(name: str, before: Any, after: Any) -> Iterator[dict[str, str]]:
    old, new = _text(before), _text(after)
    if old != new:
        yield {"object": name[:200], "before": _shorten(old), "after": _shorten(new)}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return clean_text(value)
    return "" if value is None else clean_text(json.dumps(value, indent=2, ensure_ascii=False))


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n[{len(text) - _LONGEST} more characters]"
