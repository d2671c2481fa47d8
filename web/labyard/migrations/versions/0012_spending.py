"""What usage costs, summed up for budgets of money.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

from labyard.models.base import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DECIMAL = sa.Numeric(38, 12).with_variant(sa.String(40), "sqlite")  # SQLite has no exact numbers


def name_of(length):
    """Texts that every database sorts by their bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade():
    op.create_table(
        "spending_marks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spending_marks")),
    )
    op.create_table(
        "spending_sums",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", name_of(64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("user", name_of(64), nullable=False),
        sa.Column("month", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("prices", sa.String(length=64), nullable=False),
        sa.Column("sums", sa.JSON(), nullable=False),
        sa.Column("apart", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spending_sums")),
        sa.UniqueConstraint(
            "account", "project", "user", "month", name=op.f("uq_spending_sums_account_project_user_month")
        ),
    )
    op.create_index("ix_spending_sums_month", "spending_sums", ["month"])
    op.create_index("ix_spending_sums_user_month", "spending_sums", ["user", "month"])
    op.create_index("ix_spending_sums_project_month", "spending_sums", ["project", "month"])


def downgrade():
    op.drop_table("spending_sums")
    op.drop_table("spending_marks")
