"""Commands that talk to a console over REST."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from labyard.errors import InvalidInput

from .client import Console, find_console

_EXIT_FAILED = 3  # the command was run and ended FAILED


@click.command()
@click.option("--specs", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def createservice(specs: Path, as_json: bool) -> None:
    """Make or change the plans of the YAML file SPECS (a list of plans)."""
    try:
        plans = yaml.safe_load(specs.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidInput(f"{specs} is not YAML: {error}") from error
    if not isinstance(plans, list):
        raise InvalidInput(f"{specs} must be a list of plans.")
    console = find_console()
    saved = [console.call("POST", "plans", plan) for plan in plans]
    _print({"items": saved}, as_json, _plan_table)


@click.command()
@click.argument("plan", required=False)
@click.option("--deployments", is_flag=True, help="List deployments instead of plans.")
@click.option("--phase", default="install", show_default=True, help="Whose parameters to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def listservices(plan: str | None, deployments: bool, phase: str, as_json: bool) -> None:
    """List the plans, the parameters of one PLAN, or your deployments."""
    console = find_console()
    if deployments:
        _print(console.call("GET", "deployments"), as_json, _deployment_table)
    elif plan:
        _print(console.call("GET", f"plans/{plan}/schema", query={"phase": phase}), as_json, _parameter_table)
    else:
        _print(console.call("GET", "plans"), as_json, _plan_table)


@click.command()
@click.option("--service", required=True, help="The plan, such as notebook.")
@click.option("--name", required=True, help="The deployment's name.")
@click.option("--phase", default="install", show_default=True)
@click.option("--project", help="One of your projects.")
@click.option("--params", default="{}", help="A JSON object, or @FILE with one.")
@click.option(
    "-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="One parameter; repeatable."
)
@click.option("--wait/--no-wait", default=False, help="Stay until the command has ended.")
@click.option("--timeout", default=900.0, show_default=True, help="Seconds to wait at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def deployservice(
    service: str,
    name: str,
    phase: str,
    project: str | None,
    params: str,
    pairs: tuple[str, ...],
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Run a phase of a service: install, update, start, stop, scale, check or remove.

    `labyard listservices PLAN` shows the parameters. The exit code is 3 if the command failed.
    """
    body = {"plan": service, "name": name, "phase": phase, "params": _read_params(params, pairs)}
    if project:
        body["project"] = project
    _run(find_console(), body, wait, timeout, as_json)


@click.command()
@click.option("--service", required=True, help="The plan, such as notebook.")
@click.option("--name", required=True, help="The deployment's name.")
@click.option("--delete-data", is_flag=True, help="Delete the volumes too; they are kept otherwise.")
@click.option("--wait/--no-wait", default=False, help="Stay until the command has ended.")
@click.option("--timeout", default=900.0, show_default=True, help="Seconds to wait at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def deleteservice(
    service: str, name: str, delete_data: bool, wait: bool, timeout: float, as_json: bool
) -> None:
    """Remove a deployment (phase remove). Its data is kept unless you say otherwise."""
    params = {"keep_data": False} if delete_data else {}
    body = {"plan": service, "name": name, "phase": "remove", "params": params}
    _run(find_console(), body, wait, timeout, as_json)


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def access(name: str, as_json: bool) -> None:
    """How to get into the deployment NAME: its address and token (for its owner)."""
    console = find_console()
    found = console.call("GET", "deployments", query={"name": name})["items"]
    if not found:
        raise InvalidInput(f"You have no deployment {name}; `labyard listservices --deployments` shows all.")
    document = console.call("POST", f"deployments/{found[0]['id']}/access")
    _print(document, as_json, lambda d: f"{d['url']}\ntoken: {d['token'] or 'none'}")


def _read_params(text: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    source = text
    if text.startswith("@"):
        try:
            source = Path(text[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"--params: {text[1:]} cannot be read ({error.strerror}).") from error
    try:
        params = json.loads(source)
    except ValueError as error:
        raise InvalidInput(f"--params is not JSON: {error}.") from error
    if not isinstance(params, dict):
        raise InvalidInput("--params must be a JSON object of names and values.")
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput(f"--param {pair}: write NAME=VALUE.")
        params[key] = value
    return params


def _run(console: Console, body: dict[str, Any], wait: bool, timeout: float, as_json: bool) -> None:
    command = console.call("POST", "commands", body)
    if wait:
        command = _wait(console, command, timeout)
    _print(command, as_json, _command_text)
    if command["state"] == 9:
        sys.exit(_EXIT_FAILED)


def _wait(console: Console, command: dict[str, Any], timeout: float) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as progress:
        bar = progress.add_task(command["phase"], total=1.0)

        def show(seen: dict[str, Any]) -> None:
            running = next((t["name"] for t in seen["tasks"] if t["state"] == 1), seen["phase"])
            progress.update(bar, description=running, completed=seen["progress"])

        return console.wait(command["id"], timeout, show)


def _print(document: Any, as_json: bool, show: Any) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    shown = show(document)
    if isinstance(shown, str):
        click.echo(shown)
    else:
        Terminal(width=None if sys.stdout.isatty() else 160).print(shown, markup=False)


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else Text(str(cell)) for cell in row))
    return table


def _plan_table(document: dict[str, Any]) -> Table:
    rows = [(p["name"], p["title"], p["summary"]) for p in document["items"]]
    return _table(("PLAN", "TITLE", "SUMMARY"), rows)


def _parameter_table(schema: dict[str, Any]) -> Table:
    rows = []
    for name, about in schema["properties"].items():
        limits = [f"{key} {about[key]}" for key in ("minimum", "maximum") if key in about]
        limits += [" | ".join(map(str, about["enum"]))] if "enum" in about else []
        default = json.dumps(about["default"]) if "default" in about else ""
        rows.append((name, about["type"], default, ", ".join(limits), about["description"]))
    return _table(("PARAMETER", "TYPE", "DEFAULT", "LIMITS", "MEANING"), rows)


def _deployment_table(document: dict[str, Any]) -> Table:
    rows = [
        (
            d["name"],
            d["plan"],
            d["state_name"],
            d["health"],
            " ".join(e["url"] for e in d["endpoints"]),
            d["id"],
        )
        for d in document["items"]
    ]
    return _table(("NAME", "PLAN", "STATE", "HEALTH", "ENDPOINT", "ID"), rows)


def _command_text(command: dict[str, Any]) -> str:
    deployment = command["deployment"]
    lines = [f"{command['phase']} {deployment['name']}: {command['state_name']} (command {command['id']})"]
    lines += [f"  {command['message']}"] if command["message"] else []
    lines += [f"  {e['name']}: {e['url']}" for e in deployment["endpoints"]]
    return "\n".join(lines)
