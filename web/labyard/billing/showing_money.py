"""Payments, orders and wallets as the documents that every interface shows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import round_money
from labyard.models import GatewayOrder, Payment, Wallet, WalletEntry

from .wallets import BILLED, IN_DEBT, wallet_status


def show_payment(payment: Payment) -> dict[str, Any]:
    """A payment or a refund."""
    return {
        "id": payment.id,
        "kind": payment.kind,
        "account": payment.account.name,
        "invoice": payment.invoice.number if payment.invoice else None,
        "refund_of": payment.refund_of,
        "amount": plain_money(payment.amount, payment.currency),
        "currency": payment.currency,
        "gateway": payment.gateway,
        "reference": payment.reference,
        "reason": payment.reason,
        "key": payment.key,
        "username": payment.username,
        "received_at": _time(payment.received_at),
        "created_at": _time(payment.created_at),
    }


def show_order(order: GatewayOrder) -> dict[str, Any]:
    """What a gateway is asked for; its own name of the order is not shown."""
    return {
        "id": order.id,
        "kind": order.kind,
        "state": order.state,
        "account": order.account.name,
        "invoice": order.invoice.number if order.invoice else None,
        "payment": order.payment_id,
        "amount": plain_money(order.amount, order.currency),
        "currency": order.currency,
        "url": order.url if order.state == "open" else "",
        "error": order.error,
        "key": order.key,
        "username": order.username,
        "created_at": _time(order.created_at),
        "settled_at": _time(order.settled_at),
    }


def show_wallet(wallet: Wallet, balance: Decimal) -> dict[str, Any]:
    """A wallet with its balance."""
    currency = wallet.currency
    return {
        "account": wallet.account.name,
        "currency": currency,
        "balance": plain_money(balance, currency),
        "debt_limit": plain_money(wallet.debt_limit, currency),
        "low_at": plain_money(wallet.low_at, currency),
        "status": wallet_status(balance, wallet.low_at),
        "version": wallet.version,
        "created_at": _time(wallet.created_at),
    }


def show_entry(entry: WalletEntry, currency: str) -> dict[str, Any]:
    """A line of the ledger."""
    return {
        "position": entry.position,
        "kind": entry.kind,
        "classification": entry.classification,
        "status": IN_DEBT if entry.balance < 0 else BILLED,
        "amount": plain_money(entry.amount, currency),
        "balance": plain_money(entry.balance, currency),
        "payment": entry.payment_id,
        "reason": entry.reason,
        "username": entry.username,
        "created_at": _time(entry.created_at),
    }


def plain_money(amount: Decimal, currency: str) -> str:
    """An amount as text, in the decimals of its currency."""
    return f"{round_money(Fraction(amount), currency):f}"


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
