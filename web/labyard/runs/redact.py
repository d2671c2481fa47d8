"""Taking secrets out of events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MARK = "********"


def redact_event(event: dict[str, Any], secrets: Sequence[str]) -> None:
    """Replace every occurrence of each secret in `event`, in place, however deep."""
    found = [s for s in secrets if s]
    if found:
        _redact_mapping(event, found)


def redact_text(text: str, secrets: Sequence[str]) -> str:
    """`text` with every secret replaced by the mark."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MARK)
    return text


def _redact_mapping(mapping: dict[str, Any], secrets: Sequence[str]) -> None:
    for key, value in list(mapping.items()):
        mapping[key] = _redact(value, secrets)


def _redact(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, dict):
        return {redact_text(str(k), secrets): _redact(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [_redact(item, secrets) for item in value]
    return value
