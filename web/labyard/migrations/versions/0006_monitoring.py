"""Nodes: whether they are up, whether they take tasks, and whether a manager can be reached.

Revision ID: 0006
Revises: 0004
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("state", "availability", "manager")


def upgrade():
    with op.batch_alter_table("nodes", recreate="never") as batch_op:
        for column in COLUMNS:
            batch_op.add_column(sa.Column(column, sa.String(16), nullable=False, server_default=""))


def downgrade():
    with op.batch_alter_table("nodes", recreate="never") as batch_op:
        for column in reversed(COLUMNS):
            batch_op.drop_column(column)
