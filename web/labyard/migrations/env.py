"""How alembic reaches the database: through the application's own engine, one upgrade at a time."""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db

_LOCK = 7213006  # an advisory lock of PostgreSQL: any number of ours


def _mine(name, kind, _parents):
    """The queue's tables are not the models'."""
    return kind != "table" or not name.startswith("huey_")


# All migrations are one transaction, on SQLite as well: cut off, they leave the tables as they were. A
# second process that upgrades waits at the start of its own and then finds nothing left to do.
with database.engine.connect() as connection:
    connection = connection.execution_options(labyard_writing=True)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_as_batch=True,
            compare_type=True,
            transactional_ddl=True,
            include_name=_mine,
        )
        with context.begin_transaction():
            context.run_migrations()
