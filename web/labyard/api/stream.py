"""Live streams, as server-sent events."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, current_app, request
from sqlalchemy import or_, select

from labyard.accounts.scope import NOT_REMOVED, deployments_of
from labyard.context import context, session
from labyard.errors import Unavailable
from labyard.models import Command, Deployment, Event, User
from labyard.views import show_command, show_deployment, show_event

_LOOK_EVERY = 0.3  # seconds between looks at a command
_LOOK_AT_ALL_EVERY = 1.0  # seconds between looks at all deployments of a person
_KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent, so that proxies keep the line
_LONGEST = 3600.0  # seconds; the browser comes back with Last-Event-ID
_BATCH = 500
_LARGEST_ID = 2**31 - 1
# A change may be written down a little later than its time says: so long is looked back.
_LOOK_BACK = timedelta(seconds=10)


class _Streams:
    """How many an application keeps open. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def open(self, most: int) -> None:
        """Count one more; raises Unavailable if there are `most`."""
        with self._lock:
            if self._count >= most:
                words = f"{most} live streams are open here, and no more can be. Ask for JSON, or come again."
                raise Unavailable(words, retry_after=10)
            self._count += 1

    def close(self) -> None:
        """Count one less."""
        with self._lock:
            self._count -= 1


def last_event_id(otherwise: int) -> int:
    """The number in `Last-Event-ID`, or `otherwise` if there is none that could be."""
    last = request.headers.get("Last-Event-ID", "")
    return min(int(last), _LARGEST_ID) if re.fullmatch("[0-9]{1,18}", last) else otherwise


def streamed(messages: Iterator[str]) -> Response:
    """`messages` as an answer that no proxy holds back.

    Raises Unavailable if this process has as many open as it may: each holds a thread, and without one
    nobody is answered any more. Pages then look every second instead.
    """
    streams: _Streams = current_app.extensions.setdefault("labyard_streams", _Streams())
    streams.open(context().settings.live_streams)
    response = Response(messages, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    response.call_on_close(streams.close)
    return response


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


def follow_deployments(user_id: int, epoch: int, since: datetime | None) -> Iterator[str]:
    """A message `deployment` for each deployment that the person may see, and again whenever it has
    changed; removed ones too, with state 8. With `since` only what changed from then on.

    Ends when the person may not sign in any more, or after an hour: the reader comes back.
    """
    sent: dict[str, dict[str, Any]] = {}
    quiet_since = started = time.monotonic()
    while time.monotonic() - started < _LONGEST:
        looked = datetime.now(UTC)
        person = session().get(User, user_id)
        if person is None or not person.active or person.session_epoch != epoch:
            return
        changed = [d for d in _changed_deployments(person, since) if sent.get(d["id"]) != d]
        session().rollback()
        for document in changed:
            sent[document["id"]] = document
            yield _message("deployment", document, looked.isoformat())
        since = looked - _LOOK_BACK
        if changed:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > _KEEP_ALIVE:
            quiet_since = time.monotonic()
            yield ": still here\n\n"
        time.sleep(_LOOK_AT_ALL_EVERY)


def read_moment(text: str) -> datetime | None:
    """The time in an id that `follow_deployments` gave, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment - _LOOK_BACK if moment.tzinfo is not None and 1971 <= moment.year < 9990 else None


def _changed_deployments(person: User, since: datetime | None) -> list[dict[str, Any]]:
    found = deployments_of(person)
    if since is None:
        found = found.where(NOT_REMOVED)
    else:
        found = found.where(or_(Deployment.updated_at >= since, Deployment.health_at >= since))
    return [show_deployment(d) for d in session().scalars(found.order_by(Deployment.updated_at))]


def _events_after(command_id: str, after: int) -> list[dict[str, Any]]:
    found = select(Event).where(Event.command_id == command_id, Event.id > after)
    return [show_event(event) for event in session().scalars(found.order_by(Event.id).limit(_BATCH))]


def _message(kind: str, data: dict[str, Any], event_id: int | str | None = None) -> str:
    number = f"id: {event_id}\n" if event_id is not None else ""
    return f"{number}event: {kind}\ndata: {json.dumps(data)}\n\n"
