"""What no invoice covers stands in a table of its own, so that a mark of an invoice costs no index.

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Triggers of the statement, not of the row, where there are any: months are marked by the thousand.
POSTGRESQL = """
CREATE FUNCTION unbilled_usage_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO unbilled_usage (usage_id, account, start, "end")
    SELECT id, account, start, "end" FROM new_rows WHERE invoice_id IS NULL;
  RETURN NULL;
END $$;
CREATE FUNCTION unbilled_usage_marked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  -- An array, so that the key is used however little is known of the tables.
  DELETE FROM unbilled_usage
    WHERE usage_id = ANY (ARRAY (SELECT id FROM new_rows WHERE invoice_id IS NOT NULL));
  INSERT INTO unbilled_usage (usage_id, account, start, "end")
    SELECT id, account, start, "end" FROM new_rows WHERE invoice_id IS NULL
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER unbilled_usage_new AFTER INSERT ON usage_records
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION unbilled_usage_new();
CREATE TRIGGER unbilled_usage_marked AFTER UPDATE ON usage_records
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION unbilled_usage_marked();
-- A row that gets its mark is written again beside itself: half of each page is left for that.
ALTER TABLE usage_records SET (fillfactor = 45);
"""
SQLITE = (
    """
CREATE TRIGGER unbilled_usage_new AFTER INSERT ON usage_records WHEN NEW.invoice_id IS NULL
BEGIN
  INSERT INTO unbilled_usage (usage_id, account, start, "end") VALUES (NEW.id, NEW.account, NEW.start, NEW."end");
END
""",
    """
CREATE TRIGGER unbilled_usage_marked AFTER UPDATE OF invoice_id ON usage_records
WHEN OLD.invoice_id IS NULL AND NEW.invoice_id IS NOT NULL
BEGIN
  DELETE FROM unbilled_usage WHERE usage_id = NEW.id;
END
""",
    """
CREATE TRIGGER unbilled_usage_let_go AFTER UPDATE OF invoice_id ON usage_records
WHEN OLD.invoice_id IS NOT NULL AND NEW.invoice_id IS NULL
BEGIN
  INSERT INTO unbilled_usage (usage_id, account, start, "end") VALUES (NEW.id, NEW.account, NEW.start, NEW."end");
END
""",
)


def upgrade():
    op.create_table(
        "unbilled_usage",
        sa.Column("usage_id", ROW, autoincrement=False, nullable=False),
        sa.Column(
            "account",
            sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("usage_id", name=op.f("pk_unbilled_usage")),
    )
    op.execute(
        'INSERT INTO unbilled_usage (usage_id, account, start, "end")'
        ' SELECT id, account, start, "end" FROM usage_records WHERE invoice_id IS NULL'
    )
    op.create_index("ix_unbilled_usage_account_end", "unbilled_usage", ["account", "end"])
    op.add_column("invoices", sa.Column("usage_from", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE invoices SET usage_from ="
        " (SELECT min(start) FROM usage_records WHERE usage_records.invoice_id = invoices.id)"
    )
    op.drop_index("ix_usage_records_unbilled", table_name="usage_records")
    op.drop_index("ix_usage_records_billed", table_name="usage_records")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRESQL)
    else:
        for trigger in SQLITE:
            op.execute(trigger)


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        for name in ("unbilled_usage_new", "unbilled_usage_marked"):
            op.execute(f"DROP TRIGGER {name} ON usage_records")
            op.execute(f"DROP FUNCTION {name}()")
        op.execute("ALTER TABLE usage_records RESET (fillfactor)")
    else:
        for name in ("unbilled_usage_new", "unbilled_usage_marked", "unbilled_usage_let_go"):
            op.execute(f"DROP TRIGGER {name}")
    op.create_index(
        "ix_usage_records_unbilled",
        "usage_records",
        ["account", "end"],
        sqlite_where=sa.text("invoice_id IS NULL"),
        postgresql_where=sa.text("invoice_id IS NULL"),
    )
    op.create_index(
        "ix_usage_records_billed",
        "usage_records",
        ["invoice_id"],
        sqlite_where=sa.text("invoice_id IS NOT NULL"),
        postgresql_where=sa.text("invoice_id IS NOT NULL"),
    )
    op.drop_column("invoices", "usage_from")
    op.drop_table("unbilled_usage")
