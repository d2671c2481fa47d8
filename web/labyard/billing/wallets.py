"""Wallets: credits of an account, as a ledger to which lines are only ever added.

The balance is the sum of the lines. It may go below 0 by invoices alone, and no further than the debt that
an admin allows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import currency_decimals
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import BillingAccount, Invoice, Payment, User, Wallet, WalletEntry
from labyard.models.base import lock_row, random_id
from labyard.models.billing_payments import WALLET

from .accounts import accounts_of
from .balances import ZERO, show_amount
from .payments import NewPayment, lock_account, pay_invoice, receive_top_up, refund_payment

TOP_UP, CHARGE, REFUND, PAYOUT, CORRECTION = "top_up", "charge", "refund", "payout", "correction"
KINDS = (TOP_UP, CHARGE, REFUND, PAYOUT, CORRECTION)
# What an entry of each kind is called by those who read osparc's ledgers.
_ADD, _DEDUCT = "ADD_WALLET_EXCHANGE", "DEDUCT_WALLET_EXCHANGE"
_CLASSIFICATIONS = {TOP_UP: "ADD_WALLET_TOP_UP", CHARGE: "DEDUCT_SERVICE_RUN", REFUND: _ADD, PAYOUT: _DEDUCT}
CLASSIFICATIONS = ("ADD_WALLET_TOP_UP", "DEDUCT_SERVICE_RUN", _ADD, _DEDUCT)
BILLED, IN_DEBT = "BILLED", "IN_DEBT"  # what became of an entry: IN_DEBT, the wallet was below 0 after it
FINE, LOW, DEBT = "fine", "low", "in_debt"  # how a wallet is


def classify(kind: str, amount: Decimal) -> str:
    """The classification of an entry of `kind`; of a correction by its sign."""
    return _CLASSIFICATIONS.get(kind) or (_ADD if amount > 0 else _DEDUCT)


def wallet_status(balance: Decimal, low_at: Decimal) -> str:
    """FINE, LOW or DEBT. Pure."""
    if balance < 0:
        return DEBT
    return LOW if balance < low_at else FINE


def ensure_wallet(session: Session, account: BillingAccount, currency: str, clock: Clock = utc_now) -> Wallet:
    """The wallet of `account`, made if there is none; raises Conflict if it is in another currency."""
    lock_account(session, account)
    wallet = session.get(Wallet, account.id)
    if wallet is None:
        _check_currency(currency)
        wallet = Wallet(account=account, currency=currency, created_at=clock())
        session.add(wallet)
        session.flush()
    if wallet.currency != currency:
        raise Conflict(
            f"The wallet of {account.name} is in {wallet.currency}.",
            {"currency": f"must be {wallet.currency}"},
        )
    return wallet


def change_wallet(
    session: Session,
    account: BillingAccount,
    currency: str,
    *,
    debt_limit: Decimal | None = None,
    low_at: Decimal | None = None,
) -> Wallet:
    """Say how far the wallet of `account` may go below 0, and from where it is called low."""
    wallet = ensure_wallet(session, account, currency)
    if debt_limit is not None:
        wallet.debt_limit = debt_limit
    if low_at is not None:
        wallet.low_at = low_at
    session.flush()
    return wallet


def balance(session: Session, account_id: int) -> Decimal:
    """The balance of the wallet of that account; 0 if it has no entries."""
    last = _last(session, account_id)
    return ZERO if last is None else last.balance


def top_up(session: Session, account: BillingAccount, new: NewPayment, clock: Clock = utc_now) -> Payment:
    """Put money that came in into the wallet; known by its key, it is put in once."""
    wallet = ensure_wallet(session, account, new.currency, clock)
    payment = receive_top_up(session, account, new, clock)
    _append(session, wallet, TOP_UP, payment.amount, f"payment {payment.id}", clock, payment=payment)
    return payment


def pay_from_wallet(
    session: Session, invoice: Invoice, amount: Decimal, key: str, username: str, clock: Clock = utc_now
) -> Payment:
    """Pay `amount` of `invoice` by its account's wallet.

    Raises what `pay_invoice` does, and Conflict if that would be more debt than is allowed.
    """
    account = invoice.account
    wallet = ensure_wallet(session, account, invoice.currency, clock)
    new = NewPayment(amount, invoice.currency, WALLET, key, username=username)
    known = key and session.scalar(
        select(Payment.id).where(Payment.account_id == account.id, Payment.key == key)
    )
    if not known:
        _check_debt(session, wallet, amount)
    payment = pay_invoice(session, invoice, new, clock)
    _append(
        session, wallet, CHARGE, -amount, f"payment {payment.id}", clock, payment=payment, username=username
    )
    return payment


def refund_to_wallet(
    session: Session,
    payment: Payment,
    amount: Decimal,
    key: str,
    reason: str,
    username: str,
    clock: Clock = utc_now,
) -> Payment:
    """Give money of a payment back as credits; raises what `refund_payment` does."""
    wallet = ensure_wallet(session, payment.account, payment.currency, clock)
    if payment.invoice_id is None:
        raise Conflict("This payment went into the wallet: its money is there already.")
    new = NewPayment(amount, payment.currency, WALLET, key, username=username)
    made = refund_payment(session, payment, new, reason, clock)
    _append(
        session, wallet, REFUND, amount, f"payment {made.id}", clock,
        payment=made, reason=reason, username=username,
    )  # fmt: skip
    return made


def take_out(
    session: Session,
    payment: Payment,
    amount: Decimal,
    key: str,
    reason: str,
    username: str,
    clock: Clock = utc_now,
    *,
    may_owe: bool = False,
) -> WalletEntry:
    """Take money of the top-up `payment` that goes back out of the wallet.

    Raises Conflict if it was spent meanwhile, unless `may_owe`: the money is gone already.
    """
    wallet = ensure_wallet(session, payment.account, payment.currency, clock)
    held = balance(session, wallet.account_id)
    if amount > held and not may_owe and _find(session, wallet, key) is None:
        text = f"the wallet holds {show_amount(held, wallet.currency)}"
        raise Conflict(f"So much cannot be given back: {text}, the rest was spent.", {"amount": text})
    return _append(session, wallet, PAYOUT, -amount, key, clock, reason=reason, username=username)


def put_back(
    session: Session, payment: Payment, amount: Decimal, key: str, reason: str, clock: Clock
) -> None:
    """Put money that `take_out` took back into the wallet: it did not leave."""
    wallet = ensure_wallet(session, payment.account, payment.currency, clock)
    _append(session, wallet, CORRECTION, amount, key, clock, reason=reason)


def correct(
    session: Session,
    wallet: Wallet,
    amount: Decimal,
    reason: str,
    username: str,
    key: str = "",
    clock: Clock = utc_now,
) -> WalletEntry:
    """Add a correction by an admin, above or below 0, with its reason. Raises InvalidInput, Conflict."""
    if not reason.strip():
        raise InvalidInput("A correction needs a reason.", {"reason": "say why"})
    lock_account(session, wallet.account)
    name = f"correction {key or random_id(24)}"
    if amount < 0 and _find(session, wallet, name) is None:
        _check_debt(session, wallet, -amount)
    return _append(session, wallet, CORRECTION, amount, name, clock, reason=reason, username=username)


def wallets_of(person: User) -> Select[Any]:
    """The wallets that `person` may see; an admin's are all."""
    query = select(Wallet)
    if person.is_admin:
        return query
    return query.where(Wallet.account_id.in_(accounts_of(person).with_only_columns(BillingAccount.id)))


def get_wallet(session: Session, person: User, account: str) -> Wallet:
    """The wallet of the account of that name; raises NotFound."""
    found = session.scalar(wallets_of(person).join(BillingAccount).where(BillingAccount.name == account))
    if found is None:
        raise NotFound(
            f"There is no wallet of an account {account[:80]} of yours. Its first top-up makes it."
        )
    wallet: Wallet = found
    return wallet


def entries_of(wallet: Wallet) -> Select[Any]:
    """The ledger of `wallet`, to be sorted and cut by the caller."""
    return select(WalletEntry).where(WalletEntry.account_id == wallet.account_id)


def _append(
    session: Session,
    wallet: Wallet,
    kind: str,
    amount: Decimal,
    key: str,
    clock: Clock,
    *,
    payment: Payment | None = None,
    reason: str = "",
    username: str = "",
) -> WalletEntry:
    """A new line at the end, or the one that has the key already. The caller has locked the account."""
    lock_row(session, wallet)
    known = _find(session, wallet, key)
    if known is not None:
        if (known.kind, known.amount) != (kind, amount):
            raise Conflict(
                "The key stands for another entry of the wallet. Take a new key.",
                {"key": "stands for another entry"},
            )
        return known
    last = _last(session, wallet.account_id)
    entry = WalletEntry(
        account_id=wallet.account_id,
        position=1 if last is None else last.position + 1,
        key=key,
        kind=kind,
        classification=classify(kind, amount),
        amount=amount,
        balance=(ZERO if last is None else last.balance) + amount,
        payment_id=None if payment is None else payment.id,
        reason=reason,
        username=username,
        created_at=clock(),
    )
    session.add(entry)
    session.flush()
    return entry


def _last(session: Session, account_id: int) -> WalletEntry | None:
    query = select(WalletEntry).where(WalletEntry.account_id == account_id)
    found: WalletEntry | None = session.scalar(query.order_by(WalletEntry.position.desc()).limit(1))
    return found


def _find(session: Session, wallet: Wallet, key: str) -> WalletEntry | None:
    query = select(WalletEntry).where(WalletEntry.account_id == wallet.account_id, WalletEntry.key == key)
    found: WalletEntry | None = session.scalar(query)
    return found


def _check_debt(session: Session, wallet: Wallet, amount: Decimal) -> None:
    held = balance(session, wallet.account_id)
    if held - amount < -wallet.debt_limit:
        have = show_amount(held, wallet.currency)
        may = (
            f" and may go {show_amount(wallet.debt_limit, wallet.currency)} below 0"
            if wallet.debt_limit
            else ""
        )
        text = f"the wallet holds {have}{may}"
        raise Conflict(
            f"{show_amount(amount, wallet.currency)} is more than the wallet can pay: {text}. "
            "Top it up first.",
            {"amount": text},
        )


def _check_currency(currency: str) -> None:
    try:
        currency_decimals(currency)
    except BillingError as error:
        raise InvalidInput("The currency is not right.", {"currency": str(error)}) from error
