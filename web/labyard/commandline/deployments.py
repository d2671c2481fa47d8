"""Deployments: look at them, their logs and their changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from . import output
from .client import find_console
from .commands import draw_commands
from .follow import follow_deployments
from .issuing import finish
from .options import (
    STATES,
    complete_from,
    deployment_argument,
    find_deployment,
    json_option,
    limit_option,
    state_option,
    wait_options,
    yes_option,
)

HEALTHS = ("unknown", "running", "stopped", "degraded", "missing")


@click.group()
def deployments() -> None:
    """What was deployed: your own, an admin's all."""


@deployments.command("list")
@click.option("--name", help="Exactly this name.")
@click.option("--search", help="The name begins with this.")
@click.option("--plan", shell_complete=complete_from("plans"))
@click.option("--project")
@click.option("--user", help="Of this user; for admins.")
@state_option
@click.option("--health", type=click.Choice(HEALTHS))
@click.option("--removed", is_flag=True, help="Removed ones too.")
@click.option(
    "--sort", default="-created_at", show_default=True, help="created_at, updated_at or name; - for down."
)
@limit_option
@json_option
def list_deployments(limit: int, as_json: bool, user: str | None, state: str | None, **filters: Any) -> None:
    """List deployments, newest first."""
    query = {**filters, "owner": user, "state": STATES[state.upper()] if state else None}
    output.show_list(find_console().items("deployments", query, limit), as_json, draw_deployments)


@deployments.command("show")
@deployment_argument
@json_option
def show_deployment(deployment: str, user: str | None, as_json: bool) -> None:
    """One DEPLOYMENT (name or id) and its last commands."""
    console = find_console()
    found = find_deployment(console, deployment, user=user)
    if as_json:
        output.show(found, True, draw_deployment)
        return
    history = console.items("commands", {"deployment": found["id"]}, 10)
    output.show(found, False, lambda d: Group(draw_deployment(d), Text(), draw_commands(history)))


@deployments.command("logs")
@deployment_argument
@click.option(
    "--lines", default=200, show_default=True, type=click.IntRange(1, 5000), help="Of each service."
)
@json_option
def show_logs(deployment: str, user: str | None, lines: int, as_json: bool) -> None:
    """The last lines that the services of DEPLOYMENT wrote."""
    console = find_console()
    found = find_deployment(console, deployment, user=user)
    document = console.call("GET", f"deployments/{found['id']}/logs", query={"lines": lines})
    if as_json:
        output.show(document, True, output.plain)
        return
    for item in document["items"]:
        click.echo(f"{item['service']}  {output.plain(item['line'].rstrip()).plain}")


@deployments.command("events")
@click.option("--once", is_flag=True, help="Show them as they are now, and end.")
@json_option
def show_events(once: bool, as_json: bool) -> None:
    """Your deployments as they are, then each whenever it has changed, until Ctrl-C. --json: one a line."""
    console = find_console()
    if once:
        output.show(console.items("deployments"), as_json, draw_deployments)
        return
    for document in follow_deployments(console):
        if as_json:
            click.echo(json.dumps(document, ensure_ascii=False))
        else:
            words = (document["updated_at"], document["id"], document["name"], document["state_name"])
            click.echo("  ".join((*words, document["health"])))


@deployments.command("remove")
@deployment_argument
@click.option("--delete-data", is_flag=True, help="Delete the volumes too; they are kept otherwise.")
@yes_option
@wait_options
@json_option
def remove_deployment(
    deployment: str, user: str | None, delete_data: bool, yes: bool, wait: bool, timeout: float, as_json: bool
) -> None:
    """Remove DEPLOYMENT (name or id), if nobody changes it meanwhile."""
    console = find_console()
    found = find_deployment(console, deployment, user=user)
    if not yes:
        loses = "ALL ITS DATA ARE LOST" if delete_data else "its data volumes are kept"
        click.confirm(f"Remove {found['name']} ({found['plan']} of {found['owner']}); {loses}?", abort=True)
    query = {"keep_data": False} if delete_data else None
    command = console.call("DELETE", f"deployments/{found['id']}", query=query, match=found["version"])
    finish(console, command, wait=wait, timeout=timeout, as_json=as_json)


def draw_deployments(document: Mapping[str, Any]) -> RenderableType:
    """Deployments in a table."""
    rows = [
        (
            d["name"],
            d["plan"],
            d["owner"],
            output.state(d),
            output.health(d),
            [e["url"] for e in d["endpoints"]],
            d["id"],
        )
        for d in document["items"]
    ]
    return output.table(("NAME", "PLAN", "OWNER", "STATE", "HEALTH", "ENDPOINT", "ID"), rows)


def draw_deployment(deployment: Mapping[str, Any]) -> RenderableType:
    """One deployment with what it runs."""
    names = ("id", "name", "plan", "project", "owner", "stack")
    known: dict[str, Any] = {name: deployment[name] for name in names}
    known |= {"state": output.state(deployment), "health": output.health(deployment)}
    known |= {name: deployment[name] for name in ("health_detail", "message", "params")}
    known |= {f"endpoint {e['name']}": e["url"] for e in deployment["endpoints"]}
    known |= {"volumes": [v["name"] for v in deployment["volumes"]]}
    known |= {name: deployment[name] for name in ("created_at", "updated_at", "removed_at")}
    rows = [(s["name"], s["image"], f"{s['running']}/{s['replicas']}") for s in deployment["services"]]
    parts: list[RenderableType] = [output.facts(known)]
    parts += [Text(), output.table(("SERVICE", "IMAGE", "RUNNING"), rows)] if rows else []
    return Group(*parts)
