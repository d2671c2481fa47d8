"""The events of a run: lines of JSON that its callback adds to one file (runs/callback/awx_display.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labyard.runs.ident import EVENTS

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class EventTail:
    """The events of the artifact folder as they come: each look reads on where the last one stopped."""

    def __init__(self, folder: Path):
        self._path = folder / EVENTS
        self._offset = 0  # bytes; the first one of a line

    def look(self) -> list[dict[str, Any]]:
        """The events that were added since the last look, in order; [] before the file is there.

        A line without an end is still being written, or was cut off by a crash: it is left for the
        next look. A whole line that is no event was cut off by a full disk: it is passed over, and
        its counter is missing.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return list(_parse(whole))


def read_events(folder: Path, after: int = 0) -> Iterator[dict[str, Any]]:
    """The events in the artifact folder with a counter above `after`, in order."""
    return (event for event in EventTail(folder).look() if event["counter"] > after)


def event_text(event: Mapping[str, Any]) -> str:
    """What the event printed, without colours."""
    return clean_text(str(event.get("stdout") or "")).strip("\r\n")


def clean_text(text: str) -> str:
    """`text` without colours and without what no database takes: NUL, and halves of characters."""
    text = _COLOURS.sub("", text).replace("\0", "")
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _parse(lines: bytes) -> Iterator[dict[str, Any]]:
    for line in lines.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("counter"), int):
            yield event
