"""Budgets on a console, over REST: `labyard billing budget ...`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from rich.console import RenderableType

from . import output
from .client import find_console
from .options import complete_from, json_option, limit_option, yes_option

F = TypeVar("F", bound=Callable[..., Any])

_MEASURES = ("deployments", "cpu", "memory", "storage", "money_month", "money_total")
_budget = click.argument("budget", shell_complete=complete_from("budgets", "id"))
_request = click.argument("request")


def _what(command: F) -> F:
    for option in (
        click.option(
            "--action", type=click.Choice(("warn", "refuse", "stop")), help="What happens at 100 %."
        ),
        click.option("--grace", "grace_minutes", type=click.IntRange(0, 10080), help="Minutes until a stop."),
        click.option("--currency", help="Of money, as EUR."),
    ):
        command = option(command)
    return command


@click.group("budget")
def budget_group() -> None:
    """Budgets of people, projects and the platform."""


@budget_group.command("mine")
@json_option
def list_own(as_json: bool) -> None:
    """How all stands that counts for you."""
    output.show_list(find_console().items("budgets/mine"), as_json, _draw_statuses)


@budget_group.command("list")
@limit_option
@json_option
def list_budgets(limit: int, as_json: bool) -> None:
    """The budgets that are about you; an admin's are all."""
    output.show_list(find_console().items("budgets", None, limit), as_json, _draw_budgets)


@budget_group.command("status")
@_budget
@json_option
def show_status(budget: str, as_json: bool) -> None:
    """How a budget stands for each of whom it is."""
    output.show_list(find_console().items(f"budgets/{budget}/status"), as_json, _draw_statuses)


@budget_group.command("set")
@click.argument("scope", type=click.Choice(("user", "project", "platform")))
@click.argument("measure", type=click.Choice(_MEASURES))
@click.argument("limit")
@click.option("--for", "subject", help="A user name or a project; by default each that has no own.")
@_what
@json_option
def set_budget(as_json: bool, **about: Any) -> None:
    """Set a budget (admins): of MEASURE, at most LIMIT (deployments, cores, GiB or money)."""
    output.show(find_console().call("POST", "budgets", _said(about)), as_json, output.facts)


@budget_group.command("change")
@_budget
@click.option("--limit", help="Deployments, cores, GiB or money.")
@_what
@json_option
def change_budget(budget: str, as_json: bool, **about: Any) -> None:
    """Change what the options name of a budget (admins)."""
    output.show(find_console().call("PATCH", f"budgets/{budget}", _said(about)), as_json, output.facts)


@budget_group.command("delete")
@_budget
@yes_option
def delete_budget(budget: str, yes: bool) -> None:
    """Delete a budget, with what was asked about it (admins)."""
    if not yes:
        click.confirm(f"Delete the budget {budget}?", abort=True)
    find_console().call("DELETE", f"budgets/{budget}")
    click.echo(f"changed: the budget {budget} is deleted")


@budget_group.command("ask")
@_budget
@click.argument("limit")
@click.option("--reason", required=True, help="What for: an admin decides by it.")
@click.option("--for", "subject", help="A project of yours, where the budget is for each.")
@json_option
def ask_for_more(budget: str, as_json: bool, **about: Any) -> None:
    """Ask for LIMIT of a budget; the admins are told."""
    made = find_console().call("POST", "budget-requests", {"budget": budget, **_said(about)})
    output.show(made, as_json, output.facts)


@budget_group.command("requests")
@click.option("--state", type=click.Choice(("asked", "approved", "declined")))
@limit_option
@json_option
def list_requests(state: str | None, limit: int, as_json: bool) -> None:
    """Requests for more."""
    found = find_console().items("budget-requests", {"state": state}, limit)
    output.show_list(found, as_json, _draw_requests)


@budget_group.command("approve")
@_request
@click.option("--limit", help="By default what is asked for.")
@click.option("--answer", help="A word to who asked.")
@json_option
def approve_request(request: str, as_json: bool, **about: Any) -> None:
    """Give what is asked for (admins)."""
    done = find_console().call("POST", f"budget-requests/{request}/approve", _said(about))
    output.show(done, as_json, output.facts)


@budget_group.command("decline")
@_request
@click.option("--answer", required=True, help="Why not.")
@json_option
def decline_request(request: str, answer: str, as_json: bool) -> None:
    """Say no (admins)."""
    done = find_console().call("POST", f"budget-requests/{request}/decline", {"answer": answer})
    output.show(done, as_json, output.facts)


def _said(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if value is not None}


def _cells(item: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(item[name] for name in names)


def _limit(item: Mapping[str, Any]) -> str:
    return f"{item['limit']} {item['unit']}"


def _draw_budgets(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (
            b["id"],
            b["scope"],
            b["subject"] or "each",
            b["measure"],
            _limit(b),
            b["action"],
            b["grace_minutes"],
        )
        for b in document["items"]
    ]
    return output.table(("BUDGET", "SCOPE", "FOR", "MEASURE", "LIMIT", "AT 100 %", "GRACE"), rows)


def _draw_statuses(document: Mapping[str, Any]) -> RenderableType:
    names, more = ("budget", "scope", "subject", "measure", "used"), ("left", "action", "stop_at")
    rows = [
        (*_cells(s, *names), _limit(s), f"{s['percent']} %", *_cells(s, *more)) for s in document["items"]
    ]
    columns = ("BUDGET", "SCOPE", "FOR", "MEASURE", "USED", "OF", "", "LEFT", "AT 100 %", "STOPS AT")
    return output.table(columns, rows)


def _draw_requests(document: Mapping[str, Any]) -> RenderableType:
    names = ("id", "state", "username", "scope", "subject", "measure", "present_limit")
    rows = [(*_cells(r, *names), _limit(r), r["reason"], r["answer"]) for r in document["items"]]
    columns = ("REQUEST", "STATE", "WHO", "SCOPE", "FOR", "MEASURE", "HAS", "WANTS", "REASON", "ANSWER")
    return output.table(columns, rows)
