"""Money: payments, what gateways are asked for, wallets, budgets; triggers that keep what was written down.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

from labyard.migrations.guards import drop_guards, guard, guard_whole

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = (
    "gateway_events",
    "budgets",
    "wallets",
    "budget_alerts",
    "budget_requests",
    "payments",
    "gateway_orders",
    "wallet_entries",
)
GUARDED = ("payments", "wallet_entries", "gateway_events")
DECIMAL = sa.Numeric(38, 12).with_variant(sa.String(40), "sqlite")  # SQLite has no exact numbers


def name_of(length):
    """Texts that every database sorts by their bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def only(condition):
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade():
    create_tables()
    for table in GUARDED:
        words = table.replace("_", " ")
        guard_whole(table, f"{words} are never emptied")
        guard(f"{table}_keep", table, "UPDATE", f"{words} do not change: write another one")
        guard(f"{table}_stay", table, "DELETE", f"{words} are not deleted")


def create_tables():
    op.create_table(
        "gateway_events",
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("event_id", name_of(255), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "event_id", name=op.f("pk_gateway_events")),
    )
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject", name_of(64), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("most", DECIMAL, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("grace_minutes", sa.Integer(), nullable=False),
        sa.Column("set_by_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["set_by_id"], ["users.id"], name=op.f("fk_budgets_set_by_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("scope", "subject", "measure", name=op.f("uq_budgets_scope_subject_measure")),
    )
    op.create_index("ix_budgets_created_at_id", "budgets", ["created_at", "id"])

    op.create_table(
        "wallets",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("debt_limit", DECIMAL, nullable=False),
        sa.Column("low_at", DECIMAL, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["billing_accounts.id"], name=op.f("fk_wallets_account_id_billing_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_wallets")),
    )
    op.create_table(
        "budget_alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("budget_id", sa.String(length=12), nullable=False),
        sa.Column("subject", name_of(64), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("used", DECIMAL, nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budgets.id"], name=op.f("fk_budget_alerts_budget_id_budgets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_alerts")),
    )
    op.create_index(
        "uq_budget_alerts_open",
        "budget_alerts",
        ["budget_id", "subject", "threshold"],
        unique=True,
        **only("ended_at IS NULL"),
    )

    op.create_table(
        "budget_requests",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("budget_id", sa.String(length=12), nullable=False),
        sa.Column("subject", name_of(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("most", DECIMAL, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.String(length=64), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["budget_id"],
            ["budgets.id"],
            name=op.f("fk_budget_requests_budget_id_budgets"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_budget_requests_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_requests")),
    )
    op.create_index("ix_budget_requests_budget_id", "budget_requests", ["budget_id"])
    op.create_index("ix_budget_requests_created_at_id", "budget_requests", ["created_at", "id"])
    op.create_index("ix_budget_requests_user_id", "budget_requests", ["user_id"])

    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("key", name_of(128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=12), nullable=True),
        sa.Column("refund_of", sa.String(length=12), nullable=True),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("reference", name_of(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["billing_accounts.id"], name=op.f("fk_payments_account_id_billing_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_payments_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(["refund_of"], ["payments.id"], name=op.f("fk_payments_refund_of_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_payments_account_id_key")),
    )
    op.create_index("ix_payments_account_id_created_at_id", "payments", ["account_id", "created_at", "id"])
    op.create_index("ix_payments_created_at_id", "payments", ["created_at", "id"])
    op.create_index("ix_payments_invoice_id", "payments", ["invoice_id"])
    op.create_index("ix_payments_refund_of", "payments", ["refund_of"])

    op.create_table(
        "gateway_orders",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("key", name_of(128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=12), nullable=True),
        sa.Column("payment_id", sa.String(length=12), nullable=True),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("reference", name_of(255), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["billing_accounts.id"],
            name=op.f("fk_gateway_orders_account_id_billing_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_gateway_orders_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_gateway_orders_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_orders")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_gateway_orders_account_id_key")),
    )
    op.create_index("ix_gateway_orders_created_at_id", "gateway_orders", ["created_at", "id"])
    op.create_index("ix_gateway_orders_next_at", "gateway_orders", ["next_at"])
    op.create_index("ix_gateway_orders_payment_id", "gateway_orders", ["payment_id"])
    op.create_index("ix_gateway_orders_reference", "gateway_orders", ["reference"])
    op.create_index(
        "uq_gateway_orders_invoice_id",
        "gateway_orders",
        ["invoice_id"],
        unique=True,
        **only("kind = 'checkout' AND invoice_id IS NOT NULL AND state IN ('waiting', 'open')"),
    )

    op.create_table(
        "wallet_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", name_of(140), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("classification", sa.String(length=32), nullable=False),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("balance", DECIMAL, nullable=False),
        sa.Column("payment_id", sa.String(length=12), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["wallets.account_id"], name=op.f("fk_wallet_entries_account_id_wallets")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_wallet_entries_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_entries")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_wallet_entries_account_id_key")),
        sa.UniqueConstraint("account_id", "position", name=op.f("uq_wallet_entries_account_id_position")),
    )


def downgrade():
    drop_guards(*GUARDED)
    for table in reversed(TABLES):
        op.drop_table(table)
