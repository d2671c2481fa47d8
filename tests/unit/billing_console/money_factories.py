"""Accounts, final invoices and a gateway for tests, with defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from labyard.billing.gateway_stripe import StripeGateway
from labyard.context import session
from labyard.models import BillingAccount, Invoice, User
from labyard.models.base import begin_writing
from labyard.settings_payments import PaymentSettings
from tests.services.stripe_server import KEY, WEBHOOK_SECRET, StripeServer

JANUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def make_account(name: str = "user:ada", *people: User, email: str = "") -> BillingAccount:
    """An account that `people` may see."""
    begin_writing()
    account = BillingAccount(name=name, holder=name, email=email, people=list(people))
    session().add(account)
    session().commit()
    return account


def make_invoice(
    account: BillingAccount, total: str = "100.00", number: str | None = "R-1", **changes: object
) -> Invoice:
    """A final invoice; a draft without a number."""
    begin_writing()
    count = session().query(Invoice).count()
    values: dict[str, object] = {
        "state": "finalized" if number else "draft",
        "number": number,
        "account": account,
        "currency": "EUR",
        "period_start": JANUARY[0].replace(year=2000 + count),
        "period_end": JANUARY[1].replace(year=2000 + count),
        "net": Decimal(total),
        "tax": Decimal(0),
        "total": Decimal(total),
        "paid": Decimal(0),
        "credited": Decimal(0),
        "document": {},
    }
    invoice = Invoice(**values | changes)
    session().add(invoice)
    session().commit()
    return invoice


def write_secrets(folder: Path, server: StripeServer) -> dict[str, str]:
    """Settings of a console that pays at `server`, as environment variables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stripe_key").write_text(KEY + "\n", encoding="ascii")
    (folder / "stripe_webhook").write_text(f"whsec_old\n{WEBHOOK_SECRET}\n", encoding="ascii")
    return {
        "LABYARD_STRIPE_KEY_FILE": str(folder / "stripe_key"),
        "LABYARD_STRIPE_WEBHOOK_SECRET_FILE": str(folder / "stripe_webhook"),
        "LABYARD_STRIPE_URL": server.url,
    }


def make_gateway(folder: Path, server: StripeServer) -> StripeGateway:
    """The gateway of a console that pays at `server`."""
    written = write_secrets(folder, server)
    return StripeGateway(
        PaymentSettings(
            Path(written["LABYARD_STRIPE_KEY_FILE"]),
            Path(written["LABYARD_STRIPE_WEBHOOK_SECRET_FILE"]),
            server.url,
        )
    )
