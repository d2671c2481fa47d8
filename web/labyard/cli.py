"""The command line `labyard`."""

from __future__ import annotations

import sys

import click

from . import __version__
from .commandline.local import apikey, db_group, user, web, worker
from .commandline.remote import access, createservice, deleteservice, deployservice, listservices
from .errors import DomainError


@click.group()
@click.version_option(__version__)
def cli() -> None:
    """Labyard: notebooks, databases and clusters on your own machines.

    The service commands talk to a console: its address and your key come from LABYARD_URL and
    LABYARD_API_KEY, or from a credentials file (LABYARD_CREDENTIALS, .local/admin.json by default).
    """


for command in (createservice, listservices, deployservice, deleteservice, access):
    cli.add_command(command)
for command in (user, apikey, db_group, web, worker):
    cli.add_command(command)


def main() -> None:
    """Entry point: a domain error ends with its words and exit code 1, never with a stack trace."""
    try:
        cli(prog_name="labyard")
    except DomainError as error:
        click.echo(f"labyard: {error.detail}", err=True)
        for name, text in error.errors.items():
            click.echo(f"  {name}: {text}", err=True)
        sys.exit(1)
