"""What operators look at: orphans, workers, the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import RenderableType

from . import output
from .client import find_console
from .issuing import draw_command
from .options import complete_from, json_option, limit_option, yes_option


@click.group()
def orphans() -> None:
    """What stands on the swarm without a deployment, or the other way round (admins)."""


@orphans.command("list")
@limit_option
@json_option
def list_orphans(limit: int, as_json: bool) -> None:
    """List orphans, with what can be done about each."""
    output.show_list(find_console().items("orphans", None, limit), as_json, _draw_orphans)


@orphans.command("repair")
@click.argument("orphan", type=int)
@click.option("--action", required=True, help="One of its actions, as `list` shows them.")
@yes_option
@json_option
def repair_orphan(orphan: int, action: str, yes: bool, as_json: bool) -> None:
    """Do ACTION about ORPHAN (its number)."""
    if not yes:
        click.confirm(f"{action} the orphan {orphan}? What it removes is gone.", abort=True)
    done = find_console().call("POST", f"orphans/{orphan}/repair", {"action": action})
    output.show(done, as_json, _draw_repair)


@click.command()
@json_option
def workers(as_json: bool) -> None:
    """The worker processes and whether they live (admins)."""
    output.show(find_console().items("workers"), as_json, _draw_workers)


@click.command()
@click.option("--user", help="Of this user.", shell_complete=complete_from("users", "username"))
@click.option("--action", help="Exactly this action.")
@click.option("--after", metavar="TIME", help="From then on, as 2030-01-31T12:00:00Z.")
@click.option("--before", metavar="TIME", help="Until then.")
@limit_option
@json_option
def audit(
    user: str | None, action: str | None, after: str | None, before: str | None, limit: int, as_json: bool
) -> None:
    """Who did what, newest first (admins)."""
    query = {"username": user, "action": action, "created_after": after, "created_before": before}
    output.show_list(find_console().items("audit", query, limit), as_json, _draw_audit)


def _draw_orphans(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (o["id"], o["kind"], o["ident"], o["deployment"], o["actions"], o["error"] or o["detail"])
        for o in document["items"]
    ]
    columns = ("ORPHAN", "KIND", "IDENT", "DEPLOYMENT", "ACTIONS", "DETAIL")
    return output.table(columns, rows)


def _draw_repair(done: Mapping[str, Any]) -> RenderableType:
    if done["command"]:
        return draw_command(done["command"])
    return output.plain(f"changed: {done['action']} is done")


def _draw_workers(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (w["name"], w["host"], w["concurrency"], w["alive"], w["started_at"], w["beat_at"])
        for w in document["items"]
    ]
    return output.table(("WORKER", "HOST", "AT A TIME", "ALIVE", "SINCE", "HEARD OF"), rows)


def _draw_audit(document: Mapping[str, Any]) -> RenderableType:
    rows = [(e["at"], e["username"], e["action"], e["address"], e["detail"]) for e in document["items"]]
    return output.table(("AT", "USER", "ACTION", "FROM", "DETAIL"), rows)
