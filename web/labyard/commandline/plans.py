"""Plans of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from . import output
from .client import find_console
from .options import PHASES, complete_from, json_option, limit_option, yes_option

_plan_argument = click.argument("plan", shell_complete=complete_from("plans"))


@click.group()
def plans() -> None:
    """Plans of the catalogue; `createservice` makes and changes them."""


@plans.command("list")
@click.option("--search", help="The name begins with this.")
@limit_option
@json_option
def list_plans(search: str | None, limit: int, as_json: bool) -> None:
    """The plans that you can order."""
    output.show_list(find_console().items("plans", {"search": search}, limit), as_json, draw_plans)


@plans.command("show")
@_plan_argument
@json_option
def show_plan(plan: str, as_json: bool) -> None:
    """One PLAN with its phases and their steps."""
    output.show(find_console().call("GET", f"plans/{plan}"), as_json, draw_plan)


@plans.command("schema")
@_plan_argument
@click.option("--phase", default="install", show_default=True, type=click.Choice(PHASES))
def show_schema(plan: str, phase: str) -> None:
    """The JSON Schema of the parameters of a phase of PLAN."""
    schema = find_console().call("GET", f"plans/{plan}/schema", query={"phase": phase})
    output.show(schema, True, output.plain)


@plans.command("retire")
@_plan_argument
@yes_option
def retire_plan(plan: str, yes: bool) -> None:
    """Take PLAN out of the catalogue (admins). Its deployments go on."""
    if not yes:
        click.confirm(f"Nobody can order {plan} any more then; its deployments go on. Retire it?", abort=True)
    find_console().call("DELETE", f"plans/{plan}")
    click.echo(f"changed: {plan} is retired")


@click.command()
@json_option
def configurations(as_json: bool) -> None:
    """The service configurations that plans can be made of."""
    output.show(find_console().items("configurations"), as_json, _draw_configurations)


def draw_plans(document: Mapping[str, Any]) -> RenderableType:
    """Plans in a table; one that cannot be ordered now says why."""
    rows = [
        (p["name"], p["title"], p["summary"] if p["available"] else f"unavailable: {p['unavailable_reason']}")
        for p in document["items"]
    ]
    return output.table(("PLAN", "TITLE", "SUMMARY"), rows)


def draw_plan(plan: Mapping[str, Any]) -> RenderableType:
    """A plan and its phases."""
    names = ("name", "title", "summary", "configuration", "fixed", "shapes", "visible", "projects", "source")
    known = {name: plan[name] for name in names}
    if not plan["available"]:
        known["unavailable"] = plan["unavailable_reason"]
    rows = [(p["name"], p["title"], f"{p['timeout']} s", ", ".join(p["steps"])) for p in plan["phases"]]
    return Group(output.facts(known), Text(), output.table(("PHASE", "TITLE", "AT MOST", "STEPS"), rows))


def _draw_configurations(document: Mapping[str, Any]) -> RenderableType:
    rows = [(c["name"], c["title"], c["phases"], c["summary"]) for c in document["items"]]
    return output.table(("CONFIGURATION", "TITLE", "PHASES", "SUMMARY"), rows)
