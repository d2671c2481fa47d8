"""Files of usage records and cost reports, taken in on the console's own machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from labyard.errors import InvalidInput

from . import output
from .local import looking
from .options import json_option, read_yaml

BY = "command line"  # who did it, in the audit trail


@click.command("import-usage")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"))
@json_option
def import_usage(file: Any, as_json: bool) -> None:
    """Take in the usage records of FILE (- : standard input), one JSON object a line."""
    from labyard.accounts.audit import record_action
    from labyard.billing.importing import import_lines
    from labyard.models.base import begin_writing

    with looking() as session:
        found = import_lines(session, begin_writing, file)
        if found.taken:
            begin_writing()
            record_action(session, BY, "usage taken in", records=str(found.taken))
            session.commit()
    _tell(found, as_json)


@click.command("import-costs")
@click.argument("file", type=click.File("rb"))
@click.option("--source", required=True, help="Whose report it is: its lines are known by it.")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file with columns, currency, delimiter, ...; by default a report of DLab.",
)
@json_option
def import_costs(file: Any, source: str, mapping: Path | None, as_json: bool) -> None:
    """Take in the lines of a cost report, a CSV file; they are kept beside our own usage."""
    from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_lines import split_lines
    from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import read_mapping
    from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
    from labyard.accounts.audit import record_action
    from labyard.billing.imported_costs import SOURCE, import_report
    from labyard.models.base import begin_writing

    if not re.fullmatch(SOURCE, source):
        raise click.BadParameter("1 to 64 printable characters of ASCII are needed", param_hint="--source")
    try:
        known = read_mapping(read_yaml(mapping) if mapping else {})
        with looking() as session:
            found = import_report(session, begin_writing, source, split_lines(file), known)
            if found.taken:
                begin_writing()
                record_action(session, BY, "costs imported", source=source, lines=str(found.taken))
                session.commit()
    except BillingError as error:
        raise InvalidInput(f"{error}.") from error
    _tell(found, as_json)


def _tell(found: Any, as_json: bool) -> None:
    """What became of the lines of a file; ends with 1 if some were refused."""
    refused = [{"line": r.index, "error": r.error, "conflict": r.conflict} for r in found.refused]
    counts = {"taken": found.taken, "known": found.known, "late": found.late, "refused": len(refused)}
    if as_json:
        output.show({**counts, "refused": refused}, True, output.plain)
    else:
        for refusal in refused:
            click.echo(f"line {refusal['line']}: {refusal['error']}", err=True)
        click.echo(", ".join(f"{word} {number}" for word, number in counts.items()))
    sys.exit(1 if refused else 0)
