"""The command line `labyard`."""

from __future__ import annotations

import sys
from typing import Any

import click

from . import __version__
from .commandline.billing import billing
from .commandline.billing_budgets import budget_group
from .commandline.billing_money import MONEY
from .commandline.completion import PROGRAM, VARIABLE
from .commandline.exits import exit_code
from .commandline.issuing import until_interrupted
from .commandline.local import apikey, db_group, user, web, worker
from .commandline.recovery import bring_back_command
from .commandline.remote import REMOTE
from .errors import DomainError

db_group.add_command(bring_back_command)
for command in (*MONEY, budget_group):  # these talk to a console
    billing.add_command(command)
LOCAL: tuple[click.Command, ...] = (user, apikey, db_group, billing, web, worker)


class Sections(click.Group):
    """Shows in its help which commands talk to a console and which work on this machine."""

    def invoke(self, context: click.Context) -> Any:
        """Carry out a command; Ctrl-C ends it with a code of its own."""
        with until_interrupted():
            return super().invoke(context)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two lists."""
        for title, commands in (("On a console, over REST", REMOTE), ("On the console's machine", LOCAL)):
            with formatter.section(title):
                formatter.write_dl([(str(c.name), c.get_short_help_str(80)) for c in commands])


@click.group(cls=Sections)
@click.version_option(__version__)
def cli() -> None:
    """Labyard: notebooks, databases and clusters on your own machines.

    The commands that talk to a console take its address and your key from LABYARD_URL and
    LABYARD_API_KEY, or from a credentials file (LABYARD_CREDENTIALS, .local/admin.json by default).
    LABYARD_CA_PATH names a file with further authorities whose certificates are trusted.

    \b
    Exit codes: 0 done   1 a command FAILED   2 wrong input   3 no answer   4 not allowed
                5 not found   6 conflict   7 not in time   130 interrupted
    """


for command in (*REMOTE, *LOCAL):
    cli.add_command(command)


def main() -> None:
    """Entry point: a domain error ends with its words and an exit code, never with a stack trace."""
    try:
        cli(prog_name=PROGRAM, complete_var=VARIABLE)
    except DomainError as error:
        click.echo(f"labyard: {error.detail}", err=True)
        for name, text in error.errors.items():
            click.echo(f"  {name}: {text}", err=True)
        sys.exit(exit_code(error))
