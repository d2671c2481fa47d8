"""Following what a console says of a command or of all deployments, as it happens (server-sent events)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import requests

from labyard.errors import Unavailable

from .client import Console, read_answer
from .exits import TimedOut

_SILENCE = 40.0  # seconds; the console says something every 15
_PAUSE = 1.0  # seconds before a broken line is taken up again
_PATIENCE = 120.0  # seconds without any word after which the console is given up

Message = tuple[str, dict[str, Any]]  # kind and document


def follow_command(console: Console, command_id: str, timeout: float | None = None) -> Iterator[Message]:
    """`log` for each event of the run, `command` for each change of the command, until it has ended.

    A broken line is taken up where it broke. Raises TimedOut after `timeout` seconds (the command goes
    on), Unavailable if the console stays away.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    for kind, document in _follow(console, f"commands/{command_id}/events", deadline):
        if kind == "end":
            return
        yield kind, document


def wait_for_command(console: Console, command_id: str, timeout: float) -> Iterator[dict[str, Any]]:
    """The command at each change, at last as it ended. Raises like `follow_command`."""
    for kind, document in follow_command(console, command_id, timeout):
        if kind == "command":
            yield document


def follow_deployments(console: Console) -> Iterator[dict[str, Any]]:
    """All deployments as they are, then each again whenever it has changed; without an end."""
    for kind, document in _follow(console, "deployments/events", None):
        if kind == "deployment":
            yield document


def _follow(console: Console, path: str, deadline: float | None) -> Iterator[Message]:
    """Messages of a stream, over as many connections as it takes. `end` is the last one, if there is one."""
    last_id, heard = "", time.monotonic()
    while True:
        try:
            with _open(console, path, last_id, deadline) as answer:
                for kind, document, ident in _messages(answer):
                    heard, last_id = time.monotonic(), ident or last_id
                    yield kind, document
                    if kind == "end":
                        return
                    _check(deadline)
        except (requests.RequestException, Unavailable) as error:
            if time.monotonic() - heard > _PATIENCE:
                raise Unavailable(f"The console at {console.url} does not answer any more.") from error
        _check(deadline)
        time.sleep(_PAUSE)


def _open(console: Console, path: str, last_id: str, deadline: float | None) -> requests.Response:
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
    left = _SILENCE if deadline is None else max(0.1, min(_SILENCE, deadline - time.monotonic()))
    answer = console.request("GET", path, headers, stream=True, timeout=(10, left))
    if answer.status_code != 200:
        with answer:
            read_answer(answer, console.url)  # raises with the console's words
    return answer


def _check(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        raise TimedOut("It has not ended in the time given; it goes on in the console.")


def _messages(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Kind, document and id of each message of the stream, by the rules of server-sent events."""
    fields: dict[str, str] = {}
    for raw in answer.iter_lines(chunk_size=1):
        line = raw.decode("utf-8")
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            yield fields.get("event", "message"), json.loads(fields["data"]), fields.get("id", "")
            fields = {}
