"""The one message of the queue: look at a command."""

from __future__ import annotations

import logging
from collections.abc import Callable

from huey.api import Huey

from .queueing import QUEUE_ERRORS

log = logging.getLogger(__name__)


def register_job(queue: Huey, handler: Callable[[str], None]) -> Callable[[str], None]:
    """Let `queue` run `handler` for each message; the function returned sends one.

    A queue that is away is no error for the sender: the row waits, and the sweep sends it later.
    """

    def look_at_command(command_id: str) -> None:
        handler(command_id)

    message = queue.task(name="look_at_command")(look_at_command)

    def send(command_id: str) -> None:
        try:
            message(command_id)
        except QUEUE_ERRORS:
            _send_once_more(message, command_id)

    return send


def _send_once_more(message: Callable[[str], object], command_id: str) -> None:
    """A connection that a restart of the server has broken is found out by using it; the next one is new."""
    try:
        message(command_id)
    except QUEUE_ERRORS as error:
        log.warning("no worker was told of command %s, the sweep will send it: %s", command_id, error)


def sender(queue: Huey) -> Callable[[str], None]:
    """A function that sends messages through `queue` and never runs one."""

    def refuse(command_id: str) -> None:
        raise RuntimeError(f"command {command_id} was run where it should only have been sent")

    return register_job(queue, refuse)
