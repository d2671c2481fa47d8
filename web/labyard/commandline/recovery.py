"""What is done on the console's machine once its database was restored."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from . import exits

_PAUSE = 1.0  # seconds between two looks


@click.command("bring-back")
@click.option(
    "--username", default="admin", show_default=True, help="The admin in whose name it is asked for."
)
@click.option(
    "--timeout",
    default=1800,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long until all of them run.",
)
def bring_back_command(username: str, timeout: int) -> None:
    """Put on the swarm again what ran and is not there, as after a restore; with their files.

    It waits until a worker has looked at the swarm. What had been stopped stays away: see `labyard orphans`.
    """
    from labyard.accounts.people import get_user
    from labyard.app import create_app
    from labyard.clock import utc_now
    from labyard.context import context, session
    from labyard.deployments.bring_back import bring_back, ended, looked_since
    from labyard.models.base import begin_writing

    app = create_app()
    with app.app_context():
        begun, deadline = utc_now(), time.monotonic() + timeout
        _wait(
            lambda: looked_since(session(), begun),
            deadline,
            "No worker has looked at the swarm. Is one running?",
        )
        begin_writing()
        done = bring_back(session(), get_user(session(), username), context().sealer)
        session().commit()
        for command in done.commands:
            context().notify(command)
        _wait(
            lambda: ended(session(), done.commands)[1] == 0,
            deadline,
            "Not all of them run yet. They go on: `labyard commands list`.",
        )
        problems = [
            *done.refused,
            *(f"{c.deployment.name}: {c.reason}" for c in ended(session(), done.commands)[0]),
        ]
    count = len(done.commands)
    click.echo(f"changed: {count} asked for" if count else "unchanged: nothing that ran is missing")
    if problems:
        raise exits.CommandFailed(
            f"Not brought back: {'; '.join(problems)}. `labyard orphans list` shows them."
        )


def _wait(is_so: Callable[[], bool], deadline: float, words: str) -> None:
    """Wait until something is so; raises TimedOut with `words` after the deadline."""
    from labyard.context import session

    while not is_so():
        if time.monotonic() > deadline:
            raise exits.TimedOut(words)
        # What others have committed meanwhile is seen by a transaction of its own.
        session().rollback()
        time.sleep(_PAUSE)
