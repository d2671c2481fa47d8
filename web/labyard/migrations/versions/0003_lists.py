"""Lists: indexes to filter, sort and go on by; owner, plan and project in the rows of commands.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-21

"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Each index ends with the id, so that a page can go on where the last one ended.
COMMANDS = (
    ("owner_id", "created_at"),
    ("plan_id", "created_at"),
    ("project_id", "created_at"),
    ("deployment_id", "created_at"),
    ("state", "created_at"),
    ("phase", "created_at"),
)
COPIES = ("owner_id", "plan_id", "project_id")  # in commands, of their deployments
COMMANDS_BEFORE = ("deployment_id", "state")
DEPLOYMENTS = (
    ("updated_at",),
    ("name",),
    ("owner_id", "name"),
    ("plan_id", "created_at"),
    ("project_id", "created_at"),
    ("state", "created_at"),
)
DEPLOYMENTS_BEFORE = ("owner_id", "plan_id", "project_id", "state")
# Those of deployments that are not removed.
LIVING = (
    ("created_at",),
    ("updated_at",),
    ("name",),
    ("health", "created_at"),
    ("owner_id", "created_at"),
    ("owner_id", "updated_at"),
    ("plan_id", "created_at"),
    ("project_id", "created_at"),
)
# Names that lists are sorted and searched by, on every database by their bytes.
NAMES = (("deployments", "name", 63), ("plans", "name", 30), ("projects", "name", 64), ("users", "username", 64))


def index_name(table, columns):
    return f"ix_{table}_{'_'.join(columns)}_id"


def sort_names(collation):
    if op.get_bind().dialect.name != "postgresql":
        return  # SQLite does so anyway
    for table, column, length in NAMES:
        op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR({length}) COLLATE "{collation}"')


def upgrade():
    with op.batch_alter_table("commands", recreate="never") as batch_op:
        for column in COPIES:
            batch_op.add_column(sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
    for column in COPIES:
        op.execute(
            f"UPDATE commands SET {column} ="
            f" (SELECT deployments.{column} FROM deployments WHERE deployments.id = commands.deployment_id)"
        )
    sort_names("C")
    for table, before, after in (
        ("commands", COMMANDS_BEFORE, COMMANDS),
        ("deployments", DEPLOYMENTS_BEFORE, DEPLOYMENTS),
    ):
        for column in before:
            op.drop_index(f"ix_{table}_{column}", table)
        for columns in after:
            op.create_index(index_name(table, columns), table, [*columns, "id"], unique=False)
    op.create_index("ix_deployments_health_at", "deployments", ["health_at"], unique=False)
    for columns in LIVING:
        op.create_index(
            index_name("deployments_living", columns),
            "deployments",
            [*columns, "id"],
            unique=False,
            sqlite_where=sa.text("state != 8"),
            postgresql_where=sa.text("state != 8"),
        )


def downgrade():
    for columns in LIVING:
        op.drop_index(index_name("deployments_living", columns), "deployments")
    op.drop_index("ix_deployments_health_at", "deployments")
    for table, before, after in (
        ("deployments", DEPLOYMENTS_BEFORE, DEPLOYMENTS),
        ("commands", COMMANDS_BEFORE, COMMANDS),
    ):
        for columns in after:
            op.drop_index(index_name(table, columns), table)
        for column in before:
            op.create_index(f"ix_{table}_{column}", table, [column], unique=False)
    sort_names("default")
    with op.batch_alter_table("commands", recreate="never") as batch_op:
        for column in COPIES:
            batch_op.drop_column(column)
