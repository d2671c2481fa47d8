"""What nodes had, and when.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

from labyard.models.base import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "node_capacities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("cpu", sa.BigInteger(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.Integer(), nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("end", UtcDateTime(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_capacities")),
    )
    op.create_index("ix_node_capacities_end", "node_capacities", ["end"])
    op.create_index(
        "uq_node_capacities_open",
        "node_capacities",
        ["node"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )


def downgrade():
    op.drop_index("uq_node_capacities_open", table_name="node_capacities")
    op.drop_index("ix_node_capacities_end", table_name="node_capacities")
    op.drop_table("node_capacities")
