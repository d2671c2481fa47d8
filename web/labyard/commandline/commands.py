"""Commands: what was asked for, how it went, and doing something about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from . import exits, output
from .client import find_console, read_answer
from .follow import follow_command
from .issuing import FAILED, draw_command, finish
from .options import PHASES, STATES, complete_from, find_deployment, json_option, limit_option, state_option
from .options import wait_options as waiting

_command_argument = click.argument("command", shell_complete=complete_from("commands", "id"))


@click.group()
def commands() -> None:
    """What was asked for, on your deployments or, for an admin, on all."""


@commands.command("list")
@click.option("--deployment", help="Of this one (name or id).", shell_complete=complete_from("deployments"))
@click.option("--plan", shell_complete=complete_from("plans"))
@click.option("--project")
@click.option("--user", help="On deployments of this user; for admins.")
@click.option("--phase", type=click.Choice(PHASES))
@state_option
@limit_option
@json_option
def list_commands(
    deployment: str | None, user: str | None, state: str | None, limit: int, as_json: bool, **filters: Any
) -> None:
    """List commands, newest first."""
    console = find_console()
    query = {**filters, "owner": user, "state": STATES[state.upper()] if state else None}
    if deployment:
        query["deployment"] = find_deployment(console, deployment, user=user)["id"]
    output.show_list(console.items("commands", query, limit), as_json, draw_commands)


@commands.command("show")
@_command_argument
@json_option
def show_command(command: str, as_json: bool) -> None:
    """One COMMAND with its steps and what it changed."""
    output.show(find_console().call("GET", f"commands/{command}"), as_json, draw_whole_command)


@commands.command("follow")
@_command_argument
@click.option("--timeout", type=float, help="Seconds to follow it at most.")
@json_option
def follow(command: str, timeout: float | None, as_json: bool) -> None:
    """Show what COMMAND says as it says it, until it has ended. --json: one message a line."""
    console = find_console()
    last: dict[str, Any] = {}
    for kind, document in follow_command(console, command, timeout):
        last = document if kind == "command" else last
        if as_json:
            click.echo(json.dumps({"kind": kind, kind: document}, ensure_ascii=False))
        elif kind == "log" and document["text"]:
            click.echo(output.plain(document["text"]).plain)
    if last and not as_json:
        output.show(last, False, draw_command)
    if last.get("state") == FAILED:
        click.get_current_context().exit(exits.FAILED)


@commands.command("events")
@_command_argument
@click.option("--after", default=0, type=click.IntRange(min=0), help="The last id that was seen.")
@limit_option
@json_option
def list_events(command: str, after: int, limit: int, as_json: bool) -> None:
    """What COMMAND has said so far."""
    query = {"after": after, "limit": limit or 10000}
    answer = find_console().request(
        "GET", f"commands/{command}/events", {"Accept": "application/json"}, params=query
    )
    document = read_answer(answer, find_console().url)
    if as_json:
        output.show(document, True, output.plain)
        return
    for event in document["items"]:
        click.echo(f"{event['at']}  {output.plain(event['text']).plain}")


@commands.command("cancel")
@_command_argument
@waiting
@json_option
def cancel(command: str, wait: bool, timeout: float, as_json: bool) -> None:
    """Stop COMMAND. With --wait, the exit code is 1 then: a cancelled command is FAILED."""
    console = find_console()
    document = console.call("POST", f"commands/{command}/cancel")
    finish(console, document, wait=wait, timeout=timeout, as_json=as_json)


@commands.command("retry")
@_command_argument
@waiting
@json_option
def retry(command: str, wait: bool, timeout: float, as_json: bool) -> None:
    """Ask again for what the failed COMMAND asked for, from the step where it failed."""
    console = find_console()
    document = console.call("POST", f"commands/{command}/retry")
    finish(console, document, wait=wait, timeout=timeout, as_json=as_json)


def draw_commands(document: Mapping[str, Any]) -> RenderableType:
    """Commands in a table."""
    rows = [
        (
            c["id"],
            f"{c['phase']} (check)" if c["check"] else c["phase"],
            c["deployment"]["name"],
            c["issuer"],
            output.state(c),
            c["reason"],
            c["created_at"],
            c["message"],
        )
        for c in document["items"]
    ]
    columns = ("COMMAND", "PHASE", "DEPLOYMENT", "BY", "STATE", "REASON", "ASKED", "MESSAGE")
    return output.table(columns, rows)


def draw_whole_command(command: Mapping[str, Any]) -> RenderableType:
    """A command with its steps, and the difference it made."""
    names = ("reason", "plan", "params", "issuer", "retry_of", "source_commit", "priority", "attempts")
    known: dict[str, Any] = {name: command[name] for name in names}
    known |= {name: command[name] for name in ("created_at", "started_at", "finished_at")}
    rows = [
        (
            task["name"],
            output.state(task),
            _took(task),
            task["error"],
        )
        for task in command["tasks"]
    ]
    parts: list[RenderableType] = [draw_command(command), output.facts(known), Text()]
    parts.append(output.table(("STEP", "STATE", "TOOK", "ERROR"), rows))
    if command["difference"] and not command["check"]:
        parts += [Text(), output.difference(command["difference"])]
    return Group(*parts)


def _took(task: Mapping[str, Any]) -> str:
    if task["done_before"]:
        return "done before"
    return "" if task["seconds"] is None else f"{task['seconds']:.1f} s"
