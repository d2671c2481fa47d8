"""Exports on the console's own machine: usage, invoices and imported costs in the formats of others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from .local import looking

_FORMATS = ("csv", "jsonl", "apel", "eosc", "focus", "dlab")


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text} is neither a day as 2026-01-31 nor a time") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _time_option(name: str, words: str) -> Any:
    return click.option(
        f"--{name}", name, metavar="TIME", callback=lambda _c, _p, value: _read_time(value), help=words
    )


@click.command("export")
@click.argument("what", type=click.Choice(("usage", "invoices", "costs")))
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="csv",
    show_default=True,
    help="Whose format; not each has all three.",
)
@_time_option("from", "A day as 2026-01-01, or a time; in UTC where it says no zone.")
@_time_option("to", "The same; not included.")
@click.option("--site", default="", help="For APEL: the name of the site, as in GOCDB.")
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="A file, written whole or not at all; by default standard output.",
)
def export_command(what: str, form: str, site: str, output: Any, **times: datetime | None) -> None:
    """Write all usage, final invoices or imported costs in a format of others.

    Usage has csv, jsonl, apel and eosc; invoices have csv, jsonl, focus and dlab; costs have csv and jsonl.
    """
    from labyard.billing.all_exports import EXPORTS, export_lines
    from labyard.context import context

    if form not in EXPORTS[what]:
        raise click.BadParameter(f"{what}: there are {', '.join(EXPORTS[what])}", param_hint="--format")
    query = {"format": form, "site": site, **{name: at for name, at in times.items() if at is not None}}
    with looking() as session:
        for line in export_lines(session, None, what, query, context().settings.eosc_file):
            output.write(line)
