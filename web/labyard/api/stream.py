"""The live stream of a command, as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from labyard.context import session
from labyard.models import Command, Event
from labyard.views import show_command, show_event

_LOOK_EVERY = 0.3  # seconds between looks at the database
_KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent, so that proxies keep the line
_LONGEST = 3600.0  # seconds; the browser comes back with Last-Event-ID
_BATCH = 500


def follow_command(command_id: str, after: int) -> Iterator[str]:
    """Messages until the command has ended: `log` for each event above `after`, `command` for each
    change of the command or its tasks, `end` at last."""
    shown: dict[str, Any] | None = None
    quiet_since = started = time.monotonic()
    while time.monotonic() - started < _LONGEST:
        command = session().get_one(Command, command_id)
        document = show_command(command)
        ended = command.state.final
        events = _events_after(command_id, after)
        session().rollback()  # the next look must see what others have written since
        for event in events:
            after = event["id"]
            yield _message("log", event, after)
        if document != shown:
            shown = document
            yield _message("command", document)
            quiet_since = time.monotonic()
        if ended and len(events) < _BATCH:
            yield _message("end", {})
            return
        if time.monotonic() - quiet_since > _KEEP_ALIVE:
            quiet_since = time.monotonic()
            yield ": still here\n\n"
        time.sleep(_LOOK_EVERY)


def _events_after(command_id: str, after: int) -> list[dict[str, Any]]:
    found = select(Event).where(Event.command_id == command_id, Event.id > after)
    return [show_event(event) for event in session().scalars(found.order_by(Event.id).limit(_BATCH))]


def _message(kind: str, data: dict[str, Any], event_id: int | None = None) -> str:
    number = f"id: {event_id}\n" if event_id is not None else ""
    return f"{number}event: {kind}\ndata: {json.dumps(data)}\n\n"
