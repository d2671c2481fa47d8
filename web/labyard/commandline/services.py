"""The service commands: offer a plan, deploy it, list what there is, remove it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Group, RenderableType
from rich.text import Text

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    RequestError,
    parse_plan,
)
from labyard.errors import InvalidInput

from . import output
from .client import Console, Refused, find_console
from .deployments import draw_deployments
from .issuing import issue
from .options import PHASES, complete_from, find_deployment, json_option, read_params, read_yaml, wait_options
from .plans import draw_plans

_PLAN_KEYS = ("title", "summary", "configuration", "fixed", "shapes", "visible", "projects", "source")

_service = click.option("--service", required=True, help="The plan.", shell_complete=complete_from("plans"))
_name = click.option(
    "--name", required=True, help="The deployment's name.", shell_complete=complete_from("deployments")
)
_project = click.option("--project", help="One of the owner's projects; the first by default.")
_user = click.option("--user", help="Whose it is, by default your own; for admins.")


@click.command()
@click.option(
    "--specs",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file with a list of plans, or one.",
)
@click.option("--check", is_flag=True, help="Only show what would change.")
@json_option
def createservice(specs: Path, check: bool, as_json: bool) -> None:
    """Make or change plans of the catalogue, from a file (admins). What it does not say has its default."""
    document = read_yaml(specs)
    plans = [document] if isinstance(document, dict) else document
    if not isinstance(plans, list) or not all(isinstance(plan, dict) and plan.get("name") for plan in plans):
        raise InvalidInput(f"{specs} must be a list of plans, each with a name.")
    console = find_console()
    if check:
        changes = [_preview_plan(console, plan) for plan in plans]
        output.show({"items": changes}, as_json, _draw_previews)
        return
    saved = [console.call("POST", "plans", plan) for plan in plans]
    output.show({"items": saved}, as_json, draw_plans)


@click.command()
@click.argument("plan", required=False, shell_complete=complete_from("plans"))
@click.option("--deployments", is_flag=True, help="List deployments instead of plans.")
@click.option("--phase", default="install", show_default=True, type=click.Choice(PHASES))
@json_option
def listservices(plan: str | None, deployments: bool, phase: str, as_json: bool) -> None:
    """List the plans, the parameters of one PLAN, or your deployments."""
    console = find_console()
    if deployments:
        output.show(console.items("deployments"), as_json, draw_deployments)
    elif plan:
        schema = console.call("GET", f"plans/{plan}/schema", query={"phase": phase})
        output.show(schema, as_json, draw_parameters)
    else:
        output.show(console.items("plans"), as_json, draw_plans)


@click.command()
@_service
@_name
@click.option("--phase", default="install", show_default=True, type=click.Choice(PHASES))
@_project
@_user
@click.option("--params", default="{}", help="A JSON object, @FILE with JSON or YAML, or NAME=VALUE,...")
@click.option(
    "-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="One parameter; repeatable."
)
@click.option("--check", is_flag=True, help="Change nothing; show what would change.")
@click.option(
    "--priority", type=click.IntRange(-1000, 1000), help="The larger goes first; above 0 for admins."
)
@wait_options
@json_option
def deployservice(
    service: str,
    name: str,
    phase: str,
    project: str | None,
    user: str | None,
    params: str,
    pairs: tuple[str, ...],
    check: bool,
    priority: int | None,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Run a phase of a service: install, update, start, stop, scale, check or remove.

    `labyard listservices PLAN` shows the parameters.
    """
    body = {
        "phase": phase,
        "params": read_params(params, pairs),
        "check": check or None,
        "priority": priority,
    }
    how: dict[str, Any] = {"wait": wait, "timeout": timeout, "as_json": as_json}
    _for_owner(find_console(), body, service, name, project, user, how)


@click.command()
@_service
@_name
@_project
@_user
@click.option("--delete-data", is_flag=True, help="Delete the volumes too; they are kept otherwise.")
@wait_options
@json_option
def deleteservice(
    service: str,
    name: str,
    project: str | None,
    user: str | None,
    delete_data: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Remove a deployment (phase remove). Its data are kept unless you say otherwise."""
    body = {"phase": "remove", "params": {"keep_data": False} if delete_data else {}}
    how: dict[str, Any] = {"wait": wait, "timeout": timeout, "as_json": as_json}
    _for_owner(find_console(), body, service, name, project, user, how)


@click.command()
@click.argument("name", shell_complete=complete_from("deployments"))
@json_option
def access(name: str, as_json: bool) -> None:
    """How to get into the deployment NAME: its address and token (for its owner)."""
    console = find_console()
    found = find_deployment(console, name)
    document = console.call("POST", f"deployments/{found['id']}/access")
    output.show(document, as_json, lambda d: Text(f"{d['url']}\ntoken: {d['token'] or 'none'}"))


def _for_owner(
    console: Console,
    body: dict[str, Any],
    service: str,
    name: str,
    project: str | None,
    user: str | None,
    how: dict[str, Any],
) -> None:
    """Issue `body` for the deployment `name` of `user`, or of the person who asks."""
    if user and body["phase"] != "install":
        found = find_deployment(console, name, user=user, project=project, plan=service)
        issue(console, {**body, "deployment": found["id"]}, **how)
        return
    issue(console, {**body, "plan": service, "name": name, "project": project, "owner": user}, **how)


def _preview_plan(console: Console, plan: dict[str, Any]) -> dict[str, str]:
    """The stored plan before and after: as with the saving itself, what is not said has its default."""
    try:
        then = parse_plan(plan)
    except RequestError as error:
        raise InvalidInput("The plan is not right.", error.errors) from error
    after = {key: getattr(then, key) for key in _PLAN_KEYS} | {"projects": sorted(set(then.projects))}
    preview = {"object": then.name, "before": "", "after": _as_yaml(after)}
    try:
        found = console.call("GET", f"plans/{then.name}")
    except Refused as error:
        if error.status != 404:
            raise
        return preview
    # What people read below the title may be the configuration's; only a plan's own is stored.
    now = {key: found[key] for key in _PLAN_KEYS} | {"summary": found["own_summary"]}
    return {**preview, "before": _as_yaml(now)}


def _as_yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=True, allow_unicode=True)


def _draw_previews(document: dict[str, Any]) -> RenderableType:
    changed = [item for item in document["items"] if item["before"] != item["after"]]
    return output.difference(changed)


def draw_parameters(schema: dict[str, Any]) -> RenderableType:
    """The parameters of a phase, in a table."""
    rows = []
    for name, about in schema["properties"].items():
        limits = [f"{key} {about[key]}" for key in ("minimum", "maximum") if key in about]
        limits += [" | ".join(map(str, about["enum"]))] if "enum" in about else []
        limits += [f"fixed: {json.dumps(about['const'])}"] if "const" in about else []
        default = json.dumps(about["default"]) if "default" in about else ""
        needed = "required" if name in schema.get("required", ()) else default
        rows.append((name, about["type"], needed, ", ".join(limits), about["description"]))
    return Group(output.table(("PARAMETER", "TYPE", "DEFAULT", "LIMITS", "MEANING"), rows))
