"""Imported costs by day: sums that budgets and pages read.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

from labyard.models.decimals import exact_sum

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DECIMAL = sa.Numeric(38, 12).with_variant(sa.String(40), "sqlite")  # SQLite has no exact numbers
OF_A_SUM = ("source", "day", "account", "deployment", "project", "user", "currency")


def name_of(length):
    """Texts that every database sorts by their bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade():
    op.create_table(
        "imported_days",
        sa.Column("id", ROW, nullable=False),
        sa.Column("source", name_of(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account", name_of(64), nullable=False),
        sa.Column("deployment", name_of(64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_days")),
        sa.UniqueConstraint(*OF_A_SUM, name=op.f("uq_imported_days_sum")),
    )
    op.create_index("ix_imported_days_currency_day", "imported_days", ["currency", "day"])
    op.create_index("ix_imported_days_day", "imported_days", ["day"])
    op.create_index("ix_imported_days_project_day", "imported_days", ["project", "day"])
    op.create_index("ix_imported_days_user_day", "imported_days", ["user", "day"])
    sum_up_what_is_there()
    op.create_index("ix_imported_costs_source_day_id", "imported_costs", ["source", "day", "id"])
    op.create_index("ix_imported_costs_user_day_id", "imported_costs", ["user", "day", "id"])


def sum_up_what_is_there():
    costs = sa.table("imported_costs", *map(sa.column, (*OF_A_SUM, "amount")))
    days = sa.table("imported_days", *map(sa.column, (*OF_A_SUM, "amount", "lines")))
    names = [costs.c[name] for name in OF_A_SUM]
    sums = sa.select(*names, exact_sum(costs.c.amount), sa.func.count()).group_by(*names)
    op.execute(days.insert().from_select([*OF_A_SUM, "amount", "lines"], sums))


def downgrade():
    op.drop_index("ix_imported_costs_user_day_id", table_name="imported_costs")
    op.drop_index("ix_imported_costs_source_day_id", table_name="imported_costs")
    op.drop_index("ix_imported_days_user_day", table_name="imported_days")
    op.drop_index("ix_imported_days_project_day", table_name="imported_days")
    op.drop_index("ix_imported_days_day", table_name="imported_days")
    op.drop_index("ix_imported_days_currency_day", table_name="imported_days")
    op.drop_table("imported_days")
