"""People, their keys and their projects, on a console. Most of it is for admins.

`labyard user` and `labyard apikey` (local.py) do the like on the console's own machine, without a console.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from rich.console import RenderableType

from . import output
from .client import find_console
from .options import complete_from, json_option, limit_option, read_password, yes_option

F = TypeVar("F", bound=Callable[..., Any])

_username = click.argument("username", shell_complete=complete_from("users", "username"))
_project = click.argument("project", shell_complete=complete_from("projects"))
_members = click.option("--member", "members", multiple=True, help="A user name; repeatable.")
_whose = click.option("--user", help="Whose, by default your own; for admins.")


def _person_options(command: F) -> F:
    for option in (
        click.option("--admin/--no-admin", "is_admin", default=None, help="May do everything."),
        click.option("--email", help="Where mail goes."),
        click.option(
            "--mail/--no-mail", "mail_on_end", default=None, help="A mail when a command has ended."
        ),
        click.option("--command-limit", type=click.IntRange(0, 10000), help="Commands that run at once."),
        click.option("--project", "projects", multiple=True, help="All their projects; repeatable."),
    ):
        command = option(command)
    return command


@click.group()
def users() -> None:
    """People who can sign in (admins)."""


@users.command("list")
@click.option("--search", help="The name begins with this.")
@click.option("--project", help="Who is in it.")
@limit_option
@json_option
def list_users(limit: int, as_json: bool, **filters: Any) -> None:
    """List people."""
    output.show_list(find_console().items("users", filters, limit), as_json, _draw_users)


@users.command("show")
@_username
@json_option
def show_user(username: str, as_json: bool) -> None:
    """One person."""
    output.show(find_console().call("GET", f"users/{username}"), as_json, output.facts)


@users.command("create")
@click.argument("username")
@_person_options
@json_option
def create_user(username: str, as_json: bool, projects: tuple[str, ...], **about: Any) -> None:
    """Make a person; the password is read from the terminal or from standard input."""
    document = {"username": username, "password": read_password(), **_said(about, projects)}
    output.show(find_console().call("POST", "users", document), as_json, output.facts)


@users.command("change")
@_username
@_person_options
@click.option("--active/--disabled", default=None, help="May sign in.")
@click.option("--password", is_flag=True, help="A new one, read from the terminal or standard input.")
@json_option
def change_user(
    username: str, as_json: bool, projects: tuple[str, ...], password: bool, **about: Any
) -> None:
    """Change what the options name of a person."""
    document = _said(about, projects)
    document |= {"password": read_password()} if password else {}
    console = find_console()
    person = console.call("GET", f"users/{username}")
    changed = console.call("PATCH", f"users/{username}", document, match=person["version"])
    output.show(changed, as_json, output.facts)


@users.command("disable")
@_username
@yes_option
def disable_user(username: str, yes: bool) -> None:
    """Take away all ways in: sessions end, keys are revoked. What they own stays."""
    if not yes:
        click.confirm(f"Disable {username}? All their keys end for good.", abort=True)
    find_console().call("DELETE", f"users/{username}")
    click.echo(f"changed: {username} is disabled")


@click.group()
def keys() -> None:
    """API keys, your own or, for admins, somebody's."""


@keys.command("list")
@_whose
@limit_option
@json_option
def list_keys(user: str | None, limit: int, as_json: bool) -> None:
    """List keys; not the keys themselves, which nobody can see again."""
    output.show_list(find_console().items(_keys_of(user), None, limit), as_json, _draw_keys)


@keys.command("create")
@click.argument("name")
@_whose
@click.option("--expires", metavar="TIME", help="When it ends, as 2030-01-31T12:00:00Z; by default never.")
@json_option
def create_key(name: str, user: str | None, expires: str | None, as_json: bool) -> None:
    """Make a key; it is shown this once and never again."""
    made = find_console().call("POST", _keys_of(user), {"name": name, "expires_at": expires})
    output.show(made, as_json, lambda key: output.plain(key["key"]))


@keys.command("revoke")
@click.argument("name")
@_whose
def revoke_key(name: str, user: str | None) -> None:
    """End a key."""
    find_console().call("DELETE", f"{_keys_of(user)}/{name}")
    click.echo(f"changed: the key {name} has ended")


@click.group()
def projects() -> None:
    """Projects and who is in them (admins)."""


@projects.command("list")
@click.option("--search", help="The name begins with this.")
@limit_option
@json_option
def list_projects(search: str | None, limit: int, as_json: bool) -> None:
    """List projects."""
    output.show_list(find_console().items("projects", {"search": search}, limit), as_json, _draw_projects)


@projects.command("show")
@_project
@json_option
def show_project(project: str, as_json: bool) -> None:
    """One project."""
    output.show(find_console().call("GET", f"projects/{project}"), as_json, output.facts)


@projects.command("create")
@click.argument("project")
@_members
@json_option
def create_project(project: str, members: tuple[str, ...], as_json: bool) -> None:
    """Make a project."""
    document = {"name": project, "members": list(members)}
    output.show(find_console().call("POST", "projects", document), as_json, output.facts)


@projects.command("members")
@_project
@click.option("--add", multiple=True, help="A user name; repeatable.")
@click.option("--remove", multiple=True, help="A user name; repeatable. Their deployments stay.")
@json_option
def change_members(project: str, add: tuple[str, ...], remove: tuple[str, ...], as_json: bool) -> None:
    """Let people into a project, or take them out."""
    console = find_console()
    present = console.call("GET", f"projects/{project}")["members"]
    members = sorted((set(present) | set(add)) - set(remove))
    changed = console.call("PATCH", f"projects/{project}", {"members": members})
    output.show(changed, as_json, output.facts)


@click.command()
@json_option
def whoami(as_json: bool) -> None:
    """Who you are to the console."""
    output.show(find_console().call("GET", "user"), as_json, output.facts)


def _keys_of(user: str | None) -> str:
    return f"users/{user}/keys" if user else "user/keys"


def _said(about: Mapping[str, Any], projects: tuple[str, ...]) -> dict[str, Any]:
    said = {name: value for name, value in about.items() if value is not None}
    return {**said, **({"projects": list(projects)} if projects else {})}


def _draw_users(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (u["username"], u["is_admin"], u["active"], u["projects"], u["email"], u["created_at"])
        for u in document["items"]
    ]
    return output.table(("USER", "ADMIN", "ACTIVE", "PROJECTS", "EMAIL", "SINCE"), rows)


def _draw_keys(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (k["name"], "revoked" if k["revoked_at"] else "living", k["expires_at"] or "never", k["created_at"])
        for k in document["items"]
    ]
    return output.table(("KEY", "STATE", "EXPIRES", "SINCE"), rows)


def _draw_projects(document: Mapping[str, Any]) -> RenderableType:
    rows = [(p["name"], p["members"], p["created_at"]) for p in document["items"]]
    return output.table(("PROJECT", "MEMBERS", "SINCE"), rows)
