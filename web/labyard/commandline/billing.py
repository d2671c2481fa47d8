"""Billing on the console's own machine: usage, tariffs, invoices, and their proof."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from labyard.errors import InvalidInput

from . import output
from .billing_exports import export_command
from .billing_imports import BY, import_costs, import_usage
from .local import application, looking
from .options import json_option, read_yaml, yes_option

_period = click.argument("period", metavar="MONTH", callback=lambda _c, _p, value: _read_month(value))
_account = click.argument("account")
_invoice = click.argument("invoice")
_reason = click.option("--reason", required=True, help="Why; it stands in the document or the trail.")


def _read_month(text: str) -> Any:
    from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
    from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period

    try:
        return read_period(text, "MONTH")
    except BillingError as error:
        raise click.BadParameter(f"{text} is no month as 2026-01 is one") from error


@click.group()
def billing() -> None:
    """Usage, tariffs and invoices."""


@billing.command("run")
@_period
@json_option
def run(period: Any, as_json: bool) -> None:
    """Make all invoices of MONTH (as 2026-01) final; run again, it goes on with those that are missing."""
    from labyard.billing.finalizing import run_month
    from labyard.models.base import begin_writing

    failed = made = 0
    rows = []
    with looking() as session:
        for outcome in run_month(session, begin_writing, period, username=BY):
            failed += bool(outcome.error)
            made += bool(outcome.number)
            rows.append(vars(outcome))
            if not as_json:
                said = f"{outcome.number}  {outcome.total}" if outcome.number else f"FAILED  {outcome.error}"
                click.echo(f"{outcome.account}  {said}", err=bool(outcome.error))
    if as_json:
        output.show({"items": rows}, True, output.plain)
    else:
        click.echo(f"changed: {made} invoices were made" if made else "unchanged: no invoice was missing")
    sys.exit(1 if failed else 0)


@billing.command("draft")
@_account
@_period
@json_option
def draft(account: str, period: Any, as_json: bool) -> None:
    """Show what ACCOUNT would be billed for MONTH, as of now."""
    from labyard.billing.accounts import find_account
    from labyard.billing.drafting import draft_invoice

    with application() as session:
        made = draft_invoice(session, find_account(session, account), period)
        if made is None:
            click.echo("unchanged: nothing was used that is not billed")
            return
        output.show(made.document, as_json, _draw_document)


@billing.command("finalize")
@_account
@_period
def finalize_command(account: str, period: Any) -> None:
    """Make ACCOUNT's invoice of MONTH final."""
    from labyard.accounts.audit import record_action
    from labyard.billing.accounts import find_account
    from labyard.billing.finalizing import finalize

    with application() as session:
        made = finalize(session, find_account(session, account), period)
        if made is not None:
            record_action(session, BY, "invoice finalized", invoice=str(made.number), account=account)
            said = f"changed: {made.number}, {made.document['total']} {made.currency}"
    click.echo(said if made is not None else "unchanged: nothing was used that is not billed")


@billing.command("void")
@_invoice
@_reason
@yes_option
def void(invoice: str, reason: str, yes: bool) -> None:
    """Make INVOICE void: it keeps its number, and what it billed is on the next one."""
    from labyard.accounts.audit import record_action
    from labyard.billing.correcting import make_void

    if not yes:
        click.confirm(f"Make {invoice} void? That cannot be undone.", abort=True)
    with application() as session:
        found = _find(session, invoice)
        make_void(session, found, reason)
        record_action(session, BY, "invoice void", invoice=str(found.number), reason=reason)
    click.echo(f"changed: {invoice} is void")


@billing.command("credit")
@_invoice
@_reason
@click.option("--line", "lines", multiple=True, metavar="POSITION=AMOUNT", help="Repeatable; by default all.")
def credit_command(invoice: str, reason: str, lines: tuple[str, ...]) -> None:
    """Make a credit note: it gives back what INVOICE billed, all that is left or some of its lines."""
    from labyard.accounts.audit import record_action
    from labyard.billing.correcting import credit

    amounts = dict(_read_line(line) for line in lines) or None
    with application() as session:
        found = _find(session, invoice)
        note = credit(session, found, reason, amounts)
        detail = {"invoice": str(note.number), "corrects": str(found.number)}
        record_action(session, BY, "credit note made", **detail)
        said = f"changed: {note.number} gives back {note.document['total']} {note.currency} of {found.number}"
    click.echo(said)


@billing.command("verify")
@json_option
def verify_command(as_json: bool) -> None:
    """Prove the whole database: chain, sums, numbers, and that each record is billed once."""
    from labyard.billing.verify import look_at_one_state, verify

    with looking() as session:
        look_at_one_state(session)
        found = verify(session)
    document = {
        "documents": found.documents,
        "records": found.records,
        "billed": found.billed,
        "faults": [{"name": name, "fault": fault} for name, fault in found.faults],
    }
    output.show(document, as_json, _draw_verified)
    sys.exit(1 if found.faults else 0)


@billing.command("invoices")
@click.option("--account", help="Of this account.")
@click.option("--month", callback=lambda _c, _p, value: value and _read_month(value), help="As 2026-01.")
@json_option
def invoices(account: str | None, month: Any, as_json: bool) -> None:
    """List invoices, drafts and credit notes, the oldest first."""
    from sqlalchemy import select

    from labyard.models import BillingAccount, Invoice
    from labyard.views import show_invoice

    with looking() as session:
        found = select(Invoice).join(BillingAccount, BillingAccount.id == Invoice.account_id)
        if account:
            found = found.where(BillingAccount.name == account)
        if month:
            found = found.where(Invoice.period_start == month.start)
        items = [show_invoice(row) for row in session.scalars(found.order_by(Invoice.created_at, Invoice.id))]
    output.show({"items": items}, as_json, _draw_invoices)


@billing.group("tariffs")
def tariffs() -> None:
    """What things cost."""


@tariffs.command("list")
@json_option
def list_tariffs(as_json: bool) -> None:
    """List all versions of all tariffs."""
    from sqlalchemy import select

    from labyard.models import TariffVersion
    from labyard.views import show_time

    with looking() as session:
        rows = session.scalars(select(TariffVersion).order_by(TariffVersion.name, TariffVersion.valid_from))
        items = [
            {
                "id": row.id,
                "name": row.name,
                "currency": row.currency,
                "valid_from": show_time(row.valid_from),
                "valid_to": show_time(row.valid_to),
            }
            for row in rows
        ]
    output.show({"items": items}, as_json, _draw_tariffs)


@tariffs.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add_tariff_command(file: Path) -> None:
    """Add the version of a tariff in the YAML FILE; a second time it changes nothing."""
    from labyard.accounts.audit import record_action
    from labyard.billing.tariffs import add_tariff

    document = read_yaml(file)
    with application() as session:
        row, is_new = add_tariff(session, document)
        name, since = row.name, row.valid_from.date().isoformat()
        if is_new:
            record_action(session, BY, "tariff added", tariff=name, valid_from=since)
    click.echo(f"changed: {name} from {since}" if is_new else "unchanged")


billing.add_command(export_command)
billing.add_command(import_usage)
billing.add_command(import_costs)


def _find(session: Any, name: str) -> Any:
    from sqlalchemy import or_, select

    from labyard.errors import NotFound
    from labyard.models import Invoice

    found = session.scalar(select(Invoice).where(or_(Invoice.number == name, Invoice.id == name)))
    if found is None:
        raise NotFound(f"There is no invoice {name}; `labyard billing invoices` shows all.")
    return found


def _read_line(text: str) -> tuple[int, Decimal]:
    from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
    from ansible_collections.labyard.platform.plugins.module_utils._billing.money import read_decimal

    position, _, amount = text.partition("=")
    if not position.isdecimal():
        raise InvalidInput(f"--line {text}: write POSITION=AMOUNT, as 1=0.50.")
    try:
        return int(position), read_decimal(amount, f"--line {text}")
    except BillingError as error:
        raise InvalidInput(f"{error}.") from error


def _draw_document(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (line["description"], line["quantity"], line["unit"], line["unit_price"], line["amount"])
        for line in document["lines"]
    ]
    sums = ("subtotal", "discount", "minimum", "net", "tax", "total")
    rows += [(name, "", "", "", document[name]) for name in sums]
    return output.table(("LINE", "QUANTITY", "UNIT", "PRICE", f"AMOUNT, {document['currency']}"), rows)


def _draw_invoices(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (
            i["number"] or "draft",
            i["account"],
            i["period_start"][:7],
            i["kind"],
            i["state"],
            i["total"],
            i["currency"],
        )
        for i in document["items"]
    ]
    return output.table(("NUMBER", "ACCOUNT", "MONTH", "KIND", "STATE", "TOTAL", "CURRENCY"), rows)


def _draw_tariffs(document: Mapping[str, Any]) -> RenderableType:
    rows = [(t["id"], t["name"], t["currency"], t["valid_from"], t["valid_to"]) for t in document["items"]]
    return output.table(("ID", "TARIFF", "CURRENCY", "FROM", "TO"), rows)


def _draw_verified(document: Mapping[str, Any]) -> RenderableType:
    if document["faults"]:
        return output.table(("WHERE", "FAULT"), [(f["name"], f["fault"]) for f in document["faults"]])
    words = f"{document['documents']} documents and {document['records']} usage records"
    return output.plain(f"All is well: {words}, of which {document['billed']} are billed.")


@billing.command("claim-hub")
def claim_hub_command() -> None:
    """Be the one console that bills the hub of LABYARD_HUB_STACK; a worker does so at each look, too."""
    from labyard.billing.hub_claims import claim_own_hub
    from labyard.context import context
    from labyard.models import installation_id

    with looking() as session:
        console, settings = installation_id(session), context().settings
        session.rollback()
        changed = claim_own_hub(settings, console)
    click.echo(f"changed: the hub {settings.hub_stack} is billed here" if changed else "unchanged")
