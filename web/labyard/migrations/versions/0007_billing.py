"""Billing: accounts, usage records, tariffs, invoices; triggers that keep what is final.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

from labyard.migrations.guards import drop_guards, guard, guard_whole

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = (
    "billing_accounts",
    "imported_costs",
    "invoice_series",
    "tariffs",
    "usage_records",
    "billing_account_people",
    "billing_account_projects",
    "invoices",
    "invoice_lines",
)
GUARDED = ("usage_records", "imported_costs", "tariffs", "invoice_series", "invoices", "invoice_lines")
ONE_PER_PERIOD = "kind = 'invoice' AND state <> 'void'"
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DECIMAL = sa.Numeric(38, 12).with_variant(sa.String(40), "sqlite")  # SQLite has no exact numbers

# What stands in a usage record for ever; the invoice that covers it is written once.
OF_RECORDS = (
    "id, source, key, account, resource, unit, quantity, start, deployment, deployment_name, plan, shape,"
    ' project, details, fingerprint, received_at, "end", "user"'
)
OF_INVOICES = (
    "id, kind, number, series, sequence, account_id, corrects_id, currency, period_start, period_end, net,"
    " tax, total, records, records_digest, document, hash, previous_hash, reason, created_at, finalized_at,"
    " due_at"
)
OF_TARIFFS = "id, name, currency, valid_from, document, created_at"
WAS_USED = (
    "EXISTS (SELECT 1 FROM invoice_lines JOIN invoices ON invoices.id = invoice_lines.invoice_id"
    " WHERE invoice_lines.tariff = OLD.name AND invoice_lines.tariff_version = OLD.valid_from"
    " AND invoices.number IS NOT NULL)"
)


def name_of(length):
    """Texts that every database sorts by their bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def only(condition):
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade():
    create_tables()
    for table in GUARDED:
        guard_whole(table, f"{table} is never emptied")
    guard_records()
    guard_invoices()
    guard(
        "tariffs_keep",
        "tariffs",
        f"UPDATE OF {OF_TARIFFS}",
        "a tariff that was used keeps all but its end",
        condition=WAS_USED,
    )
    guard("tariffs_stay", "tariffs", "DELETE", "a tariff that was used is not deleted", condition=WAS_USED)


def guard_records():
    kept = "usage records do not change"
    guard("usage_records_keep", "usage_records", f"UPDATE OF {OF_RECORDS}", kept)
    guard("usage_records_stay", "usage_records", "DELETE", "usage records are not deleted")
    guard(
        "usage_records_billed_once",
        "usage_records",
        "UPDATE OF invoice_id",
        "a usage record is billed by one invoice alone",
        "OLD.invoice_id IS NOT NULL",
        "NEW.invoice_id IS NOT NULL OR NOT EXISTS"
        " (SELECT 1 FROM invoices WHERE invoices.id = OLD.invoice_id AND invoices.state = 'void')",
    )
    guard("imported_costs_keep", "imported_costs", "UPDATE", "imported costs do not change")
    guard("imported_costs_stay", "imported_costs", "DELETE", "imported costs are not deleted")


def guard_invoices():
    is_final = "OLD.number IS NOT NULL"
    guard("invoices_keep", "invoices", f"UPDATE OF {OF_INVOICES}", "what is final does not change", is_final)
    guard(
        "invoices_go_on",
        "invoices",
        "UPDATE OF state",
        "a final invoice does not go back",
        f"{is_final} AND (NEW.state = 'draft' OR OLD.state = 'void')",
    )
    guard("invoices_stay", "invoices", "DELETE", "what is final is not deleted", is_final)
    for event, row in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")):
        guard(
            f"invoice_lines_{event.lower()}",
            "invoice_lines",
            event,
            "lines of what is final do not change",
            condition="EXISTS (SELECT 1 FROM invoices"
            f" WHERE invoices.id = {row}.invoice_id AND invoices.number IS NOT NULL)",
        )
    guard(
        "invoice_series_count",
        "invoice_series",
        "UPDATE OF name, last",
        "numbers go up one by one",
        "NEW.last <> OLD.last + 1 OR NEW.name <> OLD.name",
    )
    guard("invoice_series_stay", "invoice_series", "DELETE", "a series stays")


def create_tables():
    op.create_table(
        "billing_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", name_of(64), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tax_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("tariff", name_of(64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_billing_accounts_name")),
    )
    op.create_table(
        "imported_costs",
        sa.Column("id", ROW, nullable=False),
        sa.Column("source", name_of(64), nullable=False),
        sa.Column("key", name_of(128), nullable=False),
        sa.Column("account", name_of(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("deployment", name_of(64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_costs")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_imported_costs_source_key")),
    )
    op.create_index(
        "ix_imported_costs_account_day_id", "imported_costs", ["account", "day", "id"], unique=False
    )
    op.create_index("ix_imported_costs_day_id", "imported_costs", ["day", "id"], unique=False)

    op.create_table(
        "invoice_series",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("last_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_invoice_series")),
    )
    op.create_table(
        "tariffs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", name_of(64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariffs")),
        sa.UniqueConstraint("name", "valid_from", name=op.f("uq_tariffs_name_valid_from")),
    )
    op.create_index("ix_tariffs_valid_from_id", "tariffs", ["valid_from", "id"], unique=False)
    op.create_table(
        "usage_records",
        sa.Column("id", ROW, nullable=False),
        sa.Column("source", name_of(64), nullable=False),
        sa.Column("key", name_of(128), nullable=False),
        sa.Column("account", name_of(64), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("quantity", DECIMAL, nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployment", name_of(64), nullable=False),
        sa.Column("deployment_name", sa.String(length=63), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("shape", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("user", name_of(64), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("invoice_id", sa.String(length=12), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_records")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_usage_records_source_key")),
    )
    op.create_index(
        "ix_usage_records_account_start_id", "usage_records", ["account", "start", "id"], unique=False
    )
    op.create_index(
        "ix_usage_records_billed",
        "usage_records",
        ["invoice_id"],
        unique=False,
        **only("invoice_id IS NOT NULL"),
    )
    op.create_index(
        "ix_usage_records_deployment_start_id", "usage_records", ["deployment", "start", "id"], unique=False
    )
    op.create_index("ix_usage_records_start_id", "usage_records", ["start", "id"], unique=False)
    op.create_index(
        "ix_usage_records_unbilled",
        "usage_records",
        ["account", "end"],
        unique=False,
        **only("invoice_id IS NULL"),
    )
    op.create_index("ix_usage_records_user_start_id", "usage_records", ["user", "start", "id"], unique=False)

    op.create_table(
        "billing_account_people",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["billing_accounts.id"],
            name=op.f("fk_billing_account_people_account_id_billing_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_billing_account_people_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "user_id", name=op.f("pk_billing_account_people")),
    )
    op.create_index("ix_billing_account_people_user_id", "billing_account_people", ["user_id"], unique=False)

    op.create_table(
        "billing_account_projects",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["billing_accounts.id"],
            name=op.f("fk_billing_account_projects_account_id_billing_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_billing_account_projects_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_billing_account_projects")),
    )
    op.create_index(
        "ix_billing_account_projects_account_id", "billing_account_projects", ["account_id"], unique=False
    )

    op.create_table(
        "invoices",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("number", name_of(32), nullable=True),
        sa.Column("series", sa.String(length=16), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("corrects_id", sa.String(length=12), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("net", DECIMAL, nullable=False),
        sa.Column("tax", DECIMAL, nullable=False),
        sa.Column("total", DECIMAL, nullable=False),
        sa.Column("paid", DECIMAL, nullable=False),
        sa.Column("credited", DECIMAL, nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("records_digest", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("void_reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finalized_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["billing_accounts.id"], name=op.f("fk_invoices_account_id_billing_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["invoices.id"], name=op.f("fk_invoices_corrects_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["series"], ["invoice_series.name"], name=op.f("fk_invoices_series_invoice_series")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("number", name=op.f("uq_invoices_number")),
        sa.UniqueConstraint("series", "sequence", name=op.f("uq_invoices_series_sequence")),
    )
    op.create_index(
        "ix_invoices_account_id_created_at_id", "invoices", ["account_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_invoices_corrects_id", "invoices", ["corrects_id"], unique=False)
    op.create_index("ix_invoices_created_at_id", "invoices", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_invoices_state_created_at_id", "invoices", ["state", "created_at", "id"], unique=False
    )
    op.create_index(
        "uq_invoices_account_period",
        "invoices",
        ["account_id", "period_start"],
        unique=True,
        **only(ONE_PER_PERIOD),
    )

    op.create_table(
        "invoice_lines",
        sa.Column("invoice_id", sa.String(length=12), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("deployment_name", sa.String(length=63), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("shape", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("price_name", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=16), nullable=False),
        sa.Column("tariff", sa.String(length=64), nullable=False),
        sa.Column("tariff_version", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("quantity", DECIMAL, nullable=False),
        sa.Column("unit_price", DECIMAL, nullable=True),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoices.id"],
            name=op.f("fk_invoice_lines_invoice_id_invoices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("invoice_id", "position", name=op.f("pk_invoice_lines")),
    )
    op.create_index("ix_invoice_lines_deployment", "invoice_lines", ["deployment"], unique=False)
    op.create_index("ix_invoice_lines_tariff", "invoice_lines", ["tariff", "tariff_version"], unique=False)


def downgrade():
    drop_guards(*GUARDED)
    for table in reversed(TABLES):
        op.drop_table(table)
