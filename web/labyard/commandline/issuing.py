"""Asking for a command, and staying with it until it has ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from . import exits, output
from .client import Console
from .follow import wait_for_command

FAILED, FINAL = 9, (5, 8, 9)  # states


def issue(
    console: Console,
    body: Mapping[str, Any],
    *,
    wait: bool,
    timeout: float,
    as_json: bool,
    match: int | None = None,
) -> None:
    """Ask for the command in `body`, then `finish` it. A check is always waited for."""
    asked = {name: value for name, value in body.items() if value is not None}
    command = console.call("POST", "commands", asked, match=match)
    finish(console, command, wait=wait or bool(body.get("check")), timeout=timeout, as_json=as_json)


def finish(console: Console, command: dict[str, Any], *, wait: bool, timeout: float, as_json: bool) -> None:
    """Wait for `command` if that is wanted, print it, and end with exit code 1 if it FAILED."""
    if wait and command["state"] not in FINAL:
        command = watch(console, command, timeout)
    output.show(command, as_json, draw_command)
    if command["state"] == FAILED:
        sys.exit(exits.FAILED)


def watch(console: Console, command: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The command as it ended, with a bar on standard error meanwhile.

    Raises TimedOut after `timeout` seconds; it goes on, and so it does when the person presses Ctrl-C.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    terminal = Terminal(stderr=True)
    ident = command["id"]
    goes_on = f"The command {ident} goes on: `labyard commands follow {ident}`."
    try:
        with (
            until_interrupted(goes_on),
            Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar,
        ):
            line = bar.add_task(command["phase"], total=1.0)
            for command in wait_for_command(console, ident, timeout):
                bar.update(line, description=_doing(command), completed=command["progress"])
    except exits.TimedOut as error:
        raise exits.TimedOut(f"It has not ended within {timeout:g} s. {goes_on}") from error
    return command


@contextmanager
def until_interrupted(words: str = "") -> Iterator[None]:
    """Ctrl-C ends the program with exit code 130, after `words`."""
    try:
        yield
    except KeyboardInterrupt:
        if words:
            click.echo(words, err=True)
        sys.exit(exits.INTERRUPTED)


def draw_command(command: Mapping[str, Any]) -> RenderableType:
    """A command in a few lines: state, message, where the deployment answers; what a check found."""
    deployment = command["deployment"]
    title = Text(f"{command['phase']} {deployment['name']}: ").append_text(output.state(command))
    lines: list[RenderableType] = [title.append(f" (command {command['id']})")]
    if command["queue_position"]:
        lines.append(Text(f"  waits; number {command['queue_position']} in the queue"))
    if command["message"]:
        lines.append(Text("  ").append_text(output.plain(command["message"])))
    lines += [
        Text("  ").append_text(output.plain(f"{e['name']}: {e['url']}")) for e in deployment["endpoints"]
    ]
    if command["check"] and command["difference"]:
        lines.append(output.difference(command["difference"]))
    return Group(*lines)


def _doing(command: Mapping[str, Any]) -> str:
    if command["queue_position"]:
        return f"{command['phase']}: number {command['queue_position']} in the queue"
    running = (task["name"] for task in command["tasks"] if task["state"] == 1)
    return next(running, str(command["phase"]))
