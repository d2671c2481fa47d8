"""Commands that work on this machine: the database, people, the web and worker processes."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from labyard.settings import python_folder, write_private

from .options import read_password


@contextmanager
def application() -> Iterator[Any]:
    """The application with a writing transaction, committed at a good end."""
    from labyard.app import create_app
    from labyard.context import session
    from labyard.models.base import begin_writing

    keep_private()
    app = create_app()
    with app.app_context():
        begin_writing()
        yield session()
        session().commit()


@contextmanager
def looking() -> Iterator[Any]:
    """The application with a session that writes nothing, or begins its own transactions."""
    from labyard.app import create_app
    from labyard.context import session

    keep_private()
    with create_app().app_context():
        yield session()


def keep_private() -> None:
    """What this process writes, the database above all, is for its own user alone."""
    os.umask(0o077)


@click.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, help="Address and port to serve.")
@click.option("--threads", default=64, show_default=True, help="Of a process; an open live page holds one.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
def web(bind: str, threads: int, processes: int) -> None:
    """Serve the console, in the foreground."""
    keep_private()
    # Some threads are left for whatever is no live page, the question whether this process is well among it.
    os.environ.setdefault("LABYARD_LIVE_STREAMS", str(max(1, threads * 3 // 4)))
    arguments = ["gunicorn", f"--bind={bind}", "--worker-class=gthread", f"--threads={threads}"]
    arguments += [f"--workers={processes}", "--access-logfile=-", "--graceful-timeout=5", "--timeout=120"]
    arguments += [f"--access-logformat={_ACCESS_LINE}"]
    arguments += ["--no-control-socket"] if _has_control_socket() else []
    os.execv(str(python_folder() / "gunicorn"), [*arguments, "labyard.wsgi:application"])  # noqa: S606 - no shell is wanted


# No query and no referrer: both may hold what lets somebody in.
_ACCESS_LINE = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms'


def _has_control_socket() -> bool:
    from gunicorn.config import KNOWN_SETTINGS

    return any(s.name == "control_socket_disable" for s in KNOWN_SETTINGS)


@click.command()
@click.option(
    "--concurrency", default=4, show_default=True, type=click.IntRange(min=1), help="Commands at a time."
)
@click.option(
    "--finish-within",
    default=0,
    metavar="SECONDS",
    type=click.IntRange(min=0),
    help="Told to end, take nothing new and wait so long for what is in hand. 0: runs go on alone.",
)
def worker(concurrency: int, finish_within: int) -> None:
    """Run commands, in the foreground."""
    from labyard.app import create_app
    from labyard.worker import run_worker

    keep_private()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run_worker(create_app(), concurrency, finish_within)


@click.group("db")
def db_group() -> None:
    """The database: its tables and its plans."""


@db_group.command()
def upgrade() -> None:
    """Bring the tables to this version; a second run changes nothing.

    Usage that is in no sum yet is summed up then, so that budgets of money are looked up in sums from
    the first launch on. Whoever ends it early loses nothing: workers go on with it.
    """
    from labyard.app import create_app
    from labyard.billing.kept_spending import add_new
    from labyard.context import session
    from labyard.migrate import upgrade_tables
    from labyard.models.base import begin_writing

    keep_private()
    app = create_app()
    with app.app_context():
        old, new = upgrade_tables()
        added = add_new(session(), begin_writing)
    click.echo(f"changed: tables from {old or 'nothing'} to {new}" if old != new else "unchanged")
    if added:
        click.echo(f"{added} usage records were summed up for budgets")


@db_group.command("load-plans")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load_plans(file: Path) -> None:
    """Make or change the plans of the YAML FILE."""
    from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
        RequestError,
        read_plans,
    )
    from labyard.catalog.plans import parse_error, save_plans
    from labyard.context import context

    try:
        specs = read_plans(file)
    except RequestError as error:
        raise parse_error(error) from error
    with application() as session:
        changed = save_plans(session, specs.values(), source_hosts=context().settings.source_hosts)
    click.echo(f"changed: {', '.join(changed)}" if changed else "unchanged")


@click.group()
def user() -> None:
    """People who can sign in."""


@user.command("create")
@click.argument("username")
@click.option("--admin", is_flag=True, help="May do everything.")
def user_create(username: str, admin: bool) -> None:
    """Make a person; the password is read from the terminal or from standard input."""
    from labyard.accounts.people import create_user

    password = read_password()
    with application() as session:
        create_user(session, username, password, is_admin=admin)
    click.echo(f"changed: {username} was made")


@user.command("list")
def user_list() -> None:
    """All people."""
    from sqlalchemy import select

    from labyard.models import User
    from labyard.models.accounts import LDAP

    with application() as session:
        for person in session.scalars(select(User).order_by(User.username)):
            marks = ["admin"] if person.is_admin else []
            marks += [] if person.active else ["disabled"]
            marks += ["directory"] if person.source == LDAP else []
            click.echo(f"{person.username}  {' '.join(marks)}".rstrip())


@user.command("password")
@click.argument("username")
def user_password(username: str) -> None:
    """Give a person a new password; their sessions end."""
    from labyard.accounts.people import get_user, set_password

    password = read_password()
    with application() as session:
        set_password(session, get_user(session, username), password)
    click.echo("changed: the password; all sessions of the person have ended")


@user.command("source")
@click.argument("username")
@click.argument("source", type=click.Choice(["local", "ldap"]))
def user_source(username: str, source: str) -> None:
    """Say who knows a person's password: this console (local) or the directory (ldap).

    Of the directory, it is the entry that signs in next by that name; sessions end. Here, the person
    has no password until `labyard user password` gives them one.
    """
    from labyard.accounts.administration import end_sessions
    from labyard.accounts.audit import record_action
    from labyard.accounts.people import get_user

    with application() as session:
        person = get_user(session, username)
        person.source, person.password_hash, person.directory_id = source, None, None
        end_sessions(session, person)
        record_action(session, username, "user changed", user=username, fields="source", source=source)
    click.echo(f"changed: the password of {username} is known to {_KNOWN_TO[source]}")


_KNOWN_TO = {"local": "this console", "ldap": "the directory"}


@user.command("sync")
@click.option("--force", is_flag=True, help="Even if the directory knows less than half of them.")
def user_sync(force: bool) -> None:
    """Look who of the directory is still there, at once; a worker does it every few minutes."""
    from labyard.accounts.directory import DirectoryAway
    from labyard.accounts.ldap_client import LdapDirectory
    from labyard.accounts.ldap_sync import sync_people
    from labyard.accounts.sign_in import Door
    from labyard.context import context
    from labyard.models.base import begin_writing

    with application() as session:
        directory = context().settings.directory
        if directory is None:
            raise click.ClickException("There is no directory: LABYARD_LDAP_URL is not set.")
        try:
            outcome = sync_people(
                session, begin_writing, Door(LdapDirectory(directory), directory), force=force
            )
        except DirectoryAway as error:
            raise click.ClickException(f"The directory cannot be asked: {error.cause}") from error
    for word, names in (("back", outcome.back), ("gone", outcome.gone)):
        click.echo(f"changed: {word}: {', '.join(names)}" if names else f"unchanged: nobody is {word}")


@user.command("ensure-admin")
@click.option("--credentials", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The console's address, for the credentials file.")
@click.option("--username", default="admin", show_default=True)
@click.option("--given", is_flag=True, help="Take password and key from the file, which is there already.")
def ensure_admin(credentials: Path, url: str, username: str, given: bool) -> None:
    """Make the first admin, with a random password and a key, in the CREDENTIALS file (0600)."""
    from labyard.accounts.keys import create_key
    from labyard.accounts.people import create_user, find_user

    with application() as session:
        if find_user(session, username) is not None:
            click.echo("unchanged")
            return
        known = _read_credentials(credentials) if given else {}
        password = known.get("password") or secrets.token_urlsafe(18)
        person = create_user(session, username, password, is_admin=True)
        key = create_key(session, person, "first", text=known.get("api_key"))
        if not given:
            document = {"url": url, "username": username, "password": password, "api_key": key}
            credentials.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(credentials, json.dumps(document, indent=2) + "\n")
    click.echo(f"changed: {username} was made")


def _read_credentials(path: Path) -> dict[str, str]:
    """Password and key of the file; raises ClickException if it has not both."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(document[name]) for name in ("password", "api_key")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"{path} must be readable JSON with password and api_key ({type(error).__name__}: {error})."
        ) from error


@click.group()
def apikey() -> None:
    """Keys for programs."""


@apikey.command("create")
@click.argument("username")
@click.argument("name")
def apikey_create(username: str, name: str) -> None:
    """Make a key; it is shown this once and never again."""
    from labyard.accounts.keys import create_key
    from labyard.accounts.people import get_user

    with application() as session:
        key = create_key(session, get_user(session, username), name)
    click.echo(key)


@apikey.command("list")
@click.argument("username")
def apikey_list(username: str) -> None:
    """The names of a person's keys."""
    from labyard.accounts.keys import list_keys
    from labyard.accounts.people import get_user

    with application() as session:
        for key in list_keys(session, get_user(session, username)):
            click.echo(f"{key.name}  {'revoked' if key.revoked_at else 'living'}  {key.created_at:%Y-%m-%d}")


@apikey.command("revoke")
@click.argument("username")
@click.argument("name")
def apikey_revoke(username: str, name: str) -> None:
    """End a key."""
    from labyard.accounts.keys import revoke_key
    from labyard.accounts.people import get_user

    with application() as session:
        revoke_key(session, get_user(session, username), name)
    click.echo(f"changed: the key {name} has ended")
