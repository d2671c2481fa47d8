"""The meter: its beats, and its runs.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

from labyard.models.base import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "meters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("beats", sa.JSON(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("beat_at", UtcDateTime(), nullable=True),
        sa.Column("volumes_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meters")),
    )
    op.create_table(
        "meter_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_runs")),
    )
    op.create_index("ix_meter_runs_started_at", "meter_runs", ["started_at"])


def downgrade():
    op.drop_index("ix_meter_runs_started_at", table_name="meter_runs")
    op.drop_table("meter_runs")
    op.drop_table("meters")
