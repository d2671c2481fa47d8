"""Lifecycle: priorities, retries, differences, idempotency, notices, orphans.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-21

"""

import secrets
import string
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    installations = op.create_table(
        "installations",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installations")),
    )
    ident = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    op.bulk_insert(installations, [{"id": ident, "created_at": datetime.now(UTC)}])

    op.create_table(
        "nodes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("cpus", sa.Float(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("generic", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
    op.create_table(
        "orphans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ident", sa.String(length=255), nullable=False),
        sa.Column("deployment_id", sa.String(length=8), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphans")),
        sa.UniqueConstraint("kind", "ident", name=op.f("uq_orphans_kind_ident")),
    )
    with op.batch_alter_table("orphans", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_orphans_deployment_id"), ["deployment_id"], unique=False)

    op.create_table(
        "given_answers",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_given_answers_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_given_answers")),
    )
    with op.batch_alter_table("given_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_given_answers_created_at"), ["created_at"], unique=False)

    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_webhooks_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhooks_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("webhook_id", sa.String(length=12), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("command_id", sa.String(length=12), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["command_id"], ["commands.id"], name=op.f("fk_notices_command_id_commands")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notices_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_notices_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_next_at"), ["next_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_webhook_id"), ["webhook_id"], unique=False)

    with op.batch_alter_table("commands", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("check_only", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("difference", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("retry_of", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("steps_done", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(
            sa.Column("source_commit", sa.String(length=64), nullable=False, server_default="")
        )
        batch_op.drop_index(batch_op.f("ix_commands_created_at"))
        batch_op.create_index("ix_commands_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index("ix_commands_issuer_id_started_at", ["issuer_id", "started_at"], unique=False)

    with op.batch_alter_table("deployments", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        batch_op.drop_index(batch_op.f("ix_deployments_created_at"))
        batch_op.create_index("ix_deployments_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index(
            "ix_deployments_owner_id_created_at_id", ["owner_id", "created_at", "id"], unique=False
        )

    with op.batch_alter_table("plans", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("projects", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("source", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("fetched", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))

    with op.batch_alter_table("runs", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("host", sa.String(length=64), nullable=False, server_default=""))

    with op.batch_alter_table("users", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("email", sa.String(length=254), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("mail_on_end", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("command_limit", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))

    with op.batch_alter_table("workers", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("host", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("concurrency", sa.Integer(), nullable=False, server_default="0"))


def downgrade():
    with op.batch_alter_table("workers", recreate="never") as batch_op:
        batch_op.drop_column("concurrency")
        batch_op.drop_column("host")

    with op.batch_alter_table("users", recreate="never") as batch_op:
        batch_op.drop_column("version")
        batch_op.drop_column("command_limit")
        batch_op.drop_column("mail_on_end")
        batch_op.drop_column("email")

    with op.batch_alter_table("runs", recreate="never") as batch_op:
        batch_op.drop_column("host")

    with op.batch_alter_table("plans", recreate="never") as batch_op:
        batch_op.drop_column("version")
        batch_op.drop_column("fetched_at")
        batch_op.drop_column("fetched")
        batch_op.drop_column("source")
        batch_op.drop_column("projects")

    with op.batch_alter_table("deployments", recreate="never") as batch_op:
        batch_op.drop_index("ix_deployments_owner_id_created_at_id")
        batch_op.drop_index("ix_deployments_created_at_id")
        batch_op.create_index(batch_op.f("ix_deployments_created_at"), ["created_at"], unique=False)
        batch_op.drop_column("version")

    with op.batch_alter_table("commands", recreate="never") as batch_op:
        batch_op.drop_index("ix_commands_issuer_id_started_at")
        batch_op.drop_index("ix_commands_created_at_id")
        batch_op.create_index(batch_op.f("ix_commands_created_at"), ["created_at"], unique=False)
        batch_op.drop_column("source_commit")
        batch_op.drop_column("steps_done")
        batch_op.drop_column("retry_of")
        batch_op.drop_column("difference")
        batch_op.drop_column("check_only")
        batch_op.drop_column("priority")

    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notices_webhook_id"))
        batch_op.drop_index(batch_op.f("ix_notices_user_id"))
        batch_op.drop_index(batch_op.f("ix_notices_next_at"))

    op.drop_table("notices")
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhooks_owner_id"))

    op.drop_table("webhooks")
    with op.batch_alter_table("given_answers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_given_answers_created_at"))

    op.drop_table("given_answers")
    with op.batch_alter_table("orphans", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_orphans_deployment_id"))

    op.drop_table("orphans")
    op.drop_table("nodes")
    op.drop_table("installations")
