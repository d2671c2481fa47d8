"""Bringing the tables to this version."""

from __future__ import annotations

import logging

from alembic.runtime.migration import MigrationContext
from flask_migrate import upgrade

from .context import context
from .models import db
from .queueing import prepare_queue


def upgrade_tables() -> tuple[str | None, str | None]:
    """Run the migrations that are missing; the version before and after (None: no tables).

    Several processes may do so at the same time: one does it, the others wait for it.
    """
    before = _version()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    upgrade()
    prepare_queue(context().settings)
    return before, _version()


def _version() -> str | None:
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
