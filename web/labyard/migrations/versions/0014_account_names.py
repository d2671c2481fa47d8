"""Names of accounts have room for `project:` and the longest name of a project, or `user:` and that of a person.

SQLite does not look at the length of a text: nothing changes there.

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-22

"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = (
    ("billing_accounts", "name"),
    ("usage_records", "account"),
    ("unbilled_usage", "account"),
    ("imported_costs", "account"),
    ("imported_days", "account"),
    ("spending_sums", "account"),
)
# PostgreSQL changes no column that a trigger names, so the one that keeps records is taken away meanwhile;
# nobody can write before the transaction ends. Its function stays.
KEPT = (
    'id, source, key, account, resource, unit, quantity, start, deployment, deployment_name, plan, shape,'
    ' project, details, fingerprint, received_at, "end", "user"'
)


def change(length):
    """Give all names of accounts so much room. A larger one writes no row anew."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP TRIGGER usage_records_keep ON usage_records")
    for table, column in COLUMNS:
        op.alter_column(table, column, type_=sa.String(length, collation="C"), existing_nullable=False)
    op.execute(
        f"CREATE TRIGGER usage_records_keep BEFORE UPDATE OF {KEPT} ON usage_records"
        " FOR EACH ROW EXECUTE FUNCTION usage_records_keep()"
    )


def upgrade():
    change(80)


def downgrade():
    change(64)
