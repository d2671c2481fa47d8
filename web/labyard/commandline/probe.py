"""`labyard probe`: whether people can deploy, as monitoring systems ask it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from labyard.errors import DomainError

from .client import find_console
from .options import complete_from, read_params
from .probing import UNKNOWN, Result, Wanted, judge, probe


class _Plugin(click.Command):
    """A command that ends with UNKNOWN where its options are wrong: 2 would read as CRITICAL."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read the options."""
        try:
            return super().parse_args(context, args)
        except click.UsageError as error:
            error.show()
            context.exit(UNKNOWN)


@click.command(cls=_Plugin, name="probe")
@click.option(
    "--service",
    default="notebook",
    show_default=True,
    help="The plan.",
    shell_complete=complete_from("plans"),
)
@click.option("--project", help="One of your projects; the first by default.")
@click.option(
    "-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="One parameter; repeatable."
)
@click.option(
    "--warning", default=60.0, show_default=True, help="Seconds until it answers, above which it is late."
)
@click.option(
    "--critical", default=300.0, show_default=True, help="Seconds until it answers, then it is given up."
)
@click.option("--removal", default=300.0, show_default=True, help="Seconds that the removal may take.")
@click.option("--answer/--no-answer", default=True, help="Ask the address of the deployment as well.")
@click.option(
    "--textfile",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures there too, for node-exporter (PATH.prom).",
)
def probe_command(
    service: str,
    project: str | None,
    pairs: tuple[str, ...],
    warning: float,
    critical: float,
    removal: float,
    answer: bool,
    textfile: Path | None,
) -> None:
    """Deploy something small, see that it answers, remove it; one line and an exit code as Nagios has them.

    \b
    Exit codes: 0 OK   1 WARNING: late   2 CRITICAL: not deployed, not reached, not removed, no console
                3 UNKNOWN: the options, the key or the plan are wrong
    """
    verify: bool | str = os.environ.get("LABYARD_CA_PATH") or True
    try:
        params = read_params("{}", pairs)
        wanted = Wanted(service, params, project, warning, critical, removal, answer, verify)
        result = probe(find_console(), wanted)
    except DomainError as error:
        wanted, result = Wanted(service), Result()
        result.worsen(judge(error), error.detail)
    click.echo(result.line(wanted))
    if textfile is not None:
        try:
            _write(textfile, result.metrics(service, time.time()))
        except OSError as error:
            click.echo(f"{textfile} cannot be written: {error.strerror}.", err=True)
            sys.exit(max(result.code, UNKNOWN))
    sys.exit(result.code)


def _write(path: Path, text: str) -> None:
    """Replace the file as a whole: node-exporter may read it at any moment."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(path)
