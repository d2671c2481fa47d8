"""Wallets: credits of accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response

from labyard.accounts.audit import record_action
from labyard.billing.accounts import get_account
from labyard.billing.balances import read_change, read_limit
from labyard.billing.showing_money import show_entry, show_wallet
from labyard.billing.wallets import balance, change_wallet, correct, entries_of, get_wallet, wallets_of
from labyard.context import session
from labyard.models import Wallet, WalletEntry
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer
from .paging import Listing, answer_page
from .schemas.lists import list_of, query_of
from .schemas.payments import CorrectionIn, EntryOut, WalletChange, WalletOut

_WALLETS = Listing("wallets", Wallet.account_id, {"number": Wallet.account_id}, "number")
_ENTRIES = Listing("wallet_entries", WalletEntry.id, {"position": WalletEntry.position}, "-position")


@blueprint.get("/wallets")
@blueprint.input(query_of(_WALLETS, WalletOut), location="query", arg_name="query")
@blueprint.output(list_of(WalletOut))
@blueprint.doc(summary="The wallets of your accounts (an admin's: all)", security="key")
def list_wallets(query: dict[str, Any]) -> Response:
    found = wallets_of(require_person())
    return answer_page(found, _WALLETS, query, lambda rows: [_show(row) for row in rows])


@blueprint.get("/wallets/<account>")
@blueprint.output(WalletOut)
@blueprint.doc(summary="One wallet, by the name of its account", security="key")
def show_one_wallet(account: str) -> Response:
    return answer(_show(get_wallet(session(), require_person(), account)))


@blueprint.patch("/wallets/<account>")
@blueprint.input(WalletChange, arg_name="document", example={"currency": "EUR", "debt_limit": "50.00"})
@blueprint.output(WalletOut)
@blueprint.doc(summary="Say how far a wallet may go below 0; made if there is none (admins)", security="key")
def change_one_wallet(account: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    currency = document["currency"]
    limits: dict[str, Decimal] = {
        name: read_limit(document[name], currency, name)
        for name in ("debt_limit", "low_at")
        if name in document
    }
    wallet = change_wallet(session(), get_account(session(), admin, account), currency, **limits)
    detail = {name: str(value) for name, value in limits.items()}
    record_action(session(), admin.username, "wallet changed", remote_address(), account=account, **detail)
    commit_request()
    return answer(_show(wallet))


@blueprint.get("/wallets/<account>/entries")
@blueprint.input(query_of(_ENTRIES, EntryOut), location="query", arg_name="query")
@blueprint.output(list_of(EntryOut))
@blueprint.doc(summary="The ledger of a wallet, newest first", security="key")
def list_entries(account: str, query: dict[str, Any]) -> Response:
    wallet = get_wallet(session(), require_person(), account)
    show = lambda rows: [show_entry(row, wallet.currency) for row in rows]  # noqa: E731
    return answer_page(entries_of(wallet), _ENTRIES, query, show)


@blueprint.post("/wallets/<account>/corrections")
@blueprint.input(CorrectionIn, arg_name="document", example={"amount": "-5.00", "reason": "paid out in cash"})
@blueprint.output(EntryOut, status_code=201)
@blueprint.doc(summary="Correct the balance of a wallet, with a reason (admins)", security="key")
def correct_wallet(account: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    wallet = get_wallet(session(), admin, account)
    amount = read_change(document["amount"], wallet.currency)
    entry = correct(session(), wallet, amount, document["reason"], admin.username, document.get("key", ""))
    about = {"account": account, "amount": str(amount), "reason": document["reason"]}
    record_action(session(), admin.username, "wallet corrected", remote_address(), **about)
    commit_request()
    return answer(show_entry(entry, wallet.currency), 201)


def _show(wallet: Wallet) -> dict[str, Any]:
    return show_wallet(wallet, balance(session(), wallet.account_id))
