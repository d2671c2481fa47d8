"""Payments, wallets and refunds on a console, over REST: `labyard billing pay|topup|refund|...`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from rich.console import RenderableType

from . import output
from .client import find_console
from .options import complete_from, json_option, limit_option

F = TypeVar("F", bound=Callable[..., Any])

_account = click.argument("account", shell_complete=complete_from("wallets", "account"))
_key = click.option("--key", help="Your own name of it: the same again does nothing again.")
_reference = click.option("--reference", help="Of the bank; for what is recorded by hand.")
_received = click.option("--received", metavar="TIME", help="When the money came, as 2026-01-31T12:00:00Z.")
_STRIPE, _HAND, _WALLET = "stripe", "hand", "wallet"


def _how(*ways: str) -> Callable[[F], F]:
    text = "hand: it came in already, and an admin records it."
    return click.option("--from", "source", type=click.Choice(ways), required=True, help=text)


@click.command("pay")
@click.argument("invoice")
@click.option("--amount", help="By default what is left to pay.")
@_how(_WALLET, _STRIPE, _HAND)
@_reference
@_received
@_key
@json_option
def pay_command(invoice: str, as_json: bool, **about: Any) -> None:
    """Pay INVOICE (its number) from the wallet, at Stripe, or record a payment that came in."""
    _pay({"invoice": invoice, **about}, as_json)


@click.command("topup")
@_account
@click.argument("amount")
@click.option("--currency", help="As EUR; by default that of the wallet.")
@_how(_STRIPE, _HAND)
@_reference
@_received
@_key
@json_option
def topup_command(account: str, amount: str, as_json: bool, **about: Any) -> None:
    """Put AMOUNT into the wallet of ACCOUNT, as user:ada."""
    _pay({"account": account, "amount": amount, **about}, as_json)


@click.command("refund")
@click.argument("payment")
@click.option("--amount", help="By default all that is left of it.")
@click.option("--reason", required=True, help="Why; it stands in the book.")
@click.option(
    "--to",
    type=click.Choice(("source", _WALLET)),
    default="source",
    show_default=True,
    help="Where it came from, or as credits.",
)
@_reference
@_key
@json_option
def refund_command(payment: str, as_json: bool, **about: Any) -> None:
    """Give money of PAYMENT (its id) back (admins)."""
    done = find_console().call("POST", f"payments/{payment}/refund", _said(about))
    output.show(done, as_json, lambda shown: output.facts(shown["payment"] or shown["order"]))


@click.command("payments")
@click.option("--account", help="Its name, as user:ada.")
@click.option("--invoice", help="Its number.")
@limit_option
@json_option
def payments_command(limit: int, as_json: bool, **filters: Any) -> None:
    """Payments and refunds, newest first."""
    output.show_list(find_console().items("payments", filters, limit), as_json, _draw_payments)


@click.command("orders")
@click.option("--account", help="Its name, as user:ada.")
@click.option("--state")
@limit_option
@json_option
def orders_command(limit: int, as_json: bool, **filters: Any) -> None:
    """What Stripe is asked for, with the addresses where it is paid."""
    output.show_list(find_console().items("payments/orders", filters, limit), as_json, _draw_orders)


@click.group("wallet")
def wallet_group() -> None:
    """Credits of accounts."""


@wallet_group.command("list")
@limit_option
@json_option
def list_wallets(limit: int, as_json: bool) -> None:
    """The wallets that you may see."""
    output.show_list(find_console().items("wallets", None, limit), as_json, _draw_wallets)


@wallet_group.command("show")
@_account
@limit_option
@json_option
def show_wallet(account: str, limit: int, as_json: bool) -> None:
    """The ledger of a wallet, newest first."""
    found = find_console().items(f"wallets/{account}/entries", None, limit)
    output.show_list(found, as_json, _draw_entries)


@wallet_group.command("change")
@_account
@click.option("--currency", required=True, help="As EUR.")
@click.option("--debt-limit", help="How far below 0 it may go.")
@click.option("--low-at", help="Below this it is called low.")
@json_option
def change_wallet(account: str, as_json: bool, **about: Any) -> None:
    """Say how far a wallet may go below 0 (admins); it is made if there is none."""
    output.show(find_console().call("PATCH", f"wallets/{account}", _said(about)), as_json, output.facts)


@wallet_group.command("correct")
@_account
@click.argument("amount")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@_key
@json_option
def correct_wallet(account: str, as_json: bool, **about: Any) -> None:
    """Correct the balance of a wallet by AMOUNT (admins); one below 0 is written behind `--`."""
    done = find_console().call("POST", f"wallets/{account}/corrections", _said(about))
    output.show(done, as_json, output.facts)


def _pay(about: Mapping[str, Any], as_json: bool) -> None:
    """A payment, or an order for one: the console says where to pay within seconds."""
    console, said = find_console(), _said(about)
    source = said.pop("source")
    if source == _STRIPE:
        body = {name: value for name, value in said.items() if name not in ("reference", "received")}
        order = console.call("POST", "payments/orders", body)
        output.show(order, as_json, output.facts)
        if not as_json:
            click.echo("`labyard billing orders` shows in a moment where to pay.", err=True)
        return
    body = {("received_at" if name == "received" else name): value for name, value in said.items()}
    body["gateway"] = "manual" if source == _HAND else source
    output.show(console.call("POST", "payments", body), as_json, output.facts)


def _said(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if value is not None}


def _cells(item: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(item[name] for name in names)


def _money(item: Mapping[str, Any]) -> str:
    return f"{item['amount']} {item['currency']}"


def _draw_payments(document: Mapping[str, Any]) -> RenderableType:
    names = ("id", "kind", "account", "invoice")
    rows = [
        (*_cells(p, *names), _money(p), *_cells(p, "gateway", "reference", "received_at"))
        for p in document["items"]
    ]
    columns = ("PAYMENT", "KIND", "ACCOUNT", "INVOICE", "AMOUNT", "BY", "REFERENCE", "RECEIVED")
    return output.table(columns, rows)


def _draw_orders(document: Mapping[str, Any]) -> RenderableType:
    names = ("id", "kind", "state", "account", "invoice")
    rows = [(*_cells(o, *names), _money(o), o["url"] or o["error"]) for o in document["items"]]
    return output.table(("ORDER", "KIND", "STATE", "ACCOUNT", "INVOICE", "AMOUNT", "WHERE, OR WHY"), rows)


def _draw_wallets(document: Mapping[str, Any]) -> RenderableType:
    rows = [
        (w["account"], w["balance"], w["currency"], w["status"], w["debt_limit"], w["low_at"])
        for w in document["items"]
    ]
    return output.table(("ACCOUNT", "BALANCE", "CURRENCY", "STATUS", "DEBT LIMIT", "LOW AT"), rows)


def _draw_entries(document: Mapping[str, Any]) -> RenderableType:
    names = ("position", "created_at", "classification", "amount", "balance", "status")
    rows = [(*_cells(e, *names), e["reason"] or e["payment"]) for e in document["items"]]
    return output.table(("ENTRY", "AT", "WHAT", "AMOUNT", "BALANCE", "STATUS", "FOR"), rows)


MONEY: tuple[click.Command, ...] = (
    pay_command,
    topup_command,
    refund_command,
    payments_command,
    orders_command,
    wallet_group,
)
