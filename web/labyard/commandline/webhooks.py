"""Webhooks: addresses that are told when commands end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import RenderableType

from . import output
from .client import find_console
from .options import complete_from, json_option, limit_option

_webhook = click.argument("webhook", shell_complete=complete_from("webhooks", "id"))
_events = click.option("--event", "events", multiple=True, help="Only this kind; repeatable. All by default.")


@click.group()
def webhooks() -> None:
    """Your webhooks: addresses that are told when commands end."""


@webhooks.command("list")
@limit_option
@json_option
def list_webhooks(limit: int, as_json: bool) -> None:
    """List your webhooks."""
    output.show_list(find_console().items("webhooks", None, limit), as_json, _draw_webhooks)


@webhooks.command("create")
@click.argument("url")
@_events
@json_option
def create_webhook(url: str, events: tuple[str, ...], as_json: bool) -> None:
    """Let URL be told. The secret that messages are signed with is shown this once."""
    made = find_console().call("POST", "webhooks", {"url": url, "events": list(events)})
    output.show(made, as_json, output.facts)


@webhooks.command("change")
@_webhook
@click.option("--url")
@_events
@click.option("--active/--paused", default=None)
@json_option
def change_webhook(
    webhook: str, url: str | None, events: tuple[str, ...], active: bool | None, as_json: bool
) -> None:
    """Change what the options name of a webhook."""
    wanted = {"url": url, "events": list(events) or None, "active": active}
    document = {name: value for name, value in wanted.items() if value is not None}
    output.show(find_console().call("PATCH", f"webhooks/{webhook}", document), as_json, output.facts)


@webhooks.command("delete")
@_webhook
def delete_webhook(webhook: str) -> None:
    """Delete a webhook with its messages."""
    find_console().call("DELETE", f"webhooks/{webhook}")
    click.echo(f"changed: the webhook {webhook} is deleted")


@webhooks.command("notices")
@_webhook
@limit_option
@json_option
def list_notices(webhook: str, limit: int, as_json: bool) -> None:
    """The messages to a webhook, newest first, and how their sending went."""
    output.show_list(find_console().items(f"webhooks/{webhook}/notices", None, limit), as_json, _draw_notices)


@webhooks.command("test")
@_webhook
@json_option
def test_webhook(webhook: str, as_json: bool) -> None:
    """Let a test message be sent; `notices` shows how that went."""
    output.show(find_console().call("POST", f"webhooks/{webhook}/test"), as_json, output.facts)


def _draw_webhooks(document: Mapping[str, Any]) -> RenderableType:
    rows = [(w["id"], w["url"], w["events"] or "all", w["active"]) for w in document["items"]]
    return output.table(("WEBHOOK", "URL", "EVENTS", "ACTIVE"), rows)


def _draw_notices(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (n["event"], n["command"], n["attempts"], n["sent_at"], n["status"], n["error"], n["next_at"])
        for n in document["items"]
    ]
    return output.table(("EVENT", "COMMAND", "TRIES", "SENT", "STATUS", "ERROR", "NEXT TRY"), rows)
