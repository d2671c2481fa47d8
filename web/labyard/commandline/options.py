"""Options and arguments that several commands share, and how a person names things."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from labyard.errors import DomainError, InvalidInput

from .client import Console, Refused, find_console

F = TypeVar("F", bound=Callable[..., Any])
PHASES = ("install", "update", "start", "stop", "scale", "check", "remove")
STATES = {"INITIATED": 0, "PENDING": 1, "COMPLETED": 5, "REMOVED": 8, "FAILED": 9}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
limit_option = click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(min=0), help="Rows; 0: all."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
state_option = click.option("--state", type=click.Choice(list(STATES), case_sensitive=False))


def wait_options(command: F) -> F:
    """--wait and --timeout."""
    wait = click.option("--wait/--no-wait", default=False, help="Stay until the command has ended.")
    timeout = click.option("--timeout", default=900.0, show_default=True, help="Seconds to wait at most.")
    return wait(timeout(command))


def complete_from(path: str, key: str = "name") -> Callable[..., list[str]]:
    """Completes a name from a list of the console; without a console there is nothing to choose from."""

    def complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        try:
            found = find_console().call("GET", path, query={"limit": 200})["items"]
        except DomainError:
            return []
        return sorted({item[key] for item in found if item[key].startswith(begun)})

    return complete


def deployment_argument(command: F) -> F:
    """The argument DEPLOYMENT and the option --user that tells whose it is."""
    argument = click.argument("deployment", shell_complete=complete_from("deployments"))
    user = click.option(
        "--user", help="Whose it is; for admins.", shell_complete=complete_from("users", "username")
    )
    return argument(user(command))


def find_deployment(
    console: Console,
    name: str,
    *,
    user: str | None = None,
    project: str | None = None,
    plan: str | None = None,
) -> dict[str, Any]:
    """The deployment that a person calls `name`: its id or its name, of `user` (by default their own).

    An admin who does not say whose gets their own, or that of others if the name is no one else's.
    Raises Refused (404), InvalidInput if several have that name.
    """
    if re.fullmatch("[a-z0-9]{8}", name):
        try:
            found: dict[str, Any] = console.call("GET", f"deployments/{name}")
        except Refused as error:
            if error.status != 404:
                raise
        else:
            return found
    query = {"name": name, "project": project, "plan": plan}
    owners = [user] if user else [console.call("GET", "user")["username"], None]
    for owner in owners:
        items = console.items("deployments", {**query, "owner": owner})["items"]
        if len(items) == 1:
            return dict(items[0])
        if items:
            ways = ", ".join(f"{d['id']} ({d['owner']}, {d['project']})" for d in items)
            raise InvalidInput(
                f"Several deployments are called {name}. Say the id of the one you mean: {ways}."
            )
    whose = f"{user} has" if user else "You have"
    raise Refused(404, f"{whose} no deployment {name}; `labyard deployments list` shows all.")


def read_params(text: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Parameters: a JSON object, @FILE with JSON or YAML, or NAME=VALUE,...; then `pairs` of NAME=VALUE."""
    params = _read_object(text)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--param {pair}: write NAME=VALUE.")
        params[key] = value
    return params


def read_password() -> str:
    """A new password, asked for twice on a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def read_yaml(path: Path) -> Any:
    """The document in the file `path`; raises InvalidInput."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not YAML: {error}") from error


def _read_object(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        params = read_yaml(Path(text[1:]))
    elif text.lstrip()[:1] in ("", "{", "["):
        try:
            params = json.loads(text or "{}")
        except ValueError as error:
            raise InvalidInput(f"--params is not JSON: {error}.") from error
    else:
        return read_params("{}", text.split(","))
    if not isinstance(params, dict):
        raise InvalidInput("--params must be an object of names and values.")
    return params
