"""People of a directory: who checks a password, which entry it is, since when it is missing.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ("source", "directory_id", "absent_since")


def upgrade():
    with op.batch_alter_table("users", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("source", sa.String(16), nullable=False, server_default="local"))
        batch_op.add_column(sa.Column("directory_id", sa.String(64), nullable=True))
        batch_op.add_column(sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True))


def downgrade():
    with op.batch_alter_table("users", recreate="never") as batch_op:
        for column in reversed(COLUMNS):
            batch_op.drop_column(column)
