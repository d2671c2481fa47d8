"""The one message of the queue: look at a command."""

from __future__ import annotations

from collections.abc import Callable

from huey.api import Huey


def register_job(queue: Huey, handler: Callable[[str], None]) -> Callable[[str], None]:
    """Let `queue` run `handler` for each message; the function returned sends one."""

    def look_at_command(command_id: str) -> None:
        handler(command_id)

    message = queue.task(name="look_at_command")(look_at_command)

    def send(command_id: str) -> None:
        message(command_id)

    return send


def sender(queue: Huey) -> Callable[[str], None]:
    """A function that sends messages through `queue` and never runs one."""

    def refuse(command_id: str) -> None:
        raise RuntimeError(f"command {command_id} was run where it should only have been sent")

    return register_job(queue, refuse)
