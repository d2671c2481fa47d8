"""Triggers that refuse what must not happen to rows, on SQLite and PostgreSQL alike."""

from alembic import op


def guard(name, table, event, message, when="", condition=""):
    """Refuse `event` (DELETE, INSERT, UPDATE, `UPDATE OF a, b`) of rows of `table` with `message`.

    `when` is about OLD and NEW alone; `condition` may look into other tables. Both must hold; without
    them every row is kept. What is refused fails as a broken constraint does.
    """
    if op.get_bind().dialect.name == "postgresql":
        body = f"RAISE EXCEPTION '{message}' USING ERRCODE = '23514'; "
        if condition:
            body = f"IF {condition} THEN {body}END IF; "
        back = "OLD" if event == "DELETE" else "NEW"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body}RETURN {back}; END $$"
        )
        only = f" WHEN ({when})" if when else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW{only} EXECUTE FUNCTION {name}()"
        )
    else:
        holds = " AND ".join(f"({part})" for part in (when, condition) if part)
        only = f" WHEN {holds}" if holds else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW{only}"
            f" BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def guard_whole(table, message):
    """Refuse to empty the whole table at once, where the database has a statement for that."""
    if op.get_bind().dialect.name == "postgresql":
        name = f"{table}_not_emptied"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '23514'; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {name}()")


def drop_guards(*tables):
    """Take away all that `guard` and `guard_whole` made for these tables; the tables may go then."""
    bind = op.get_bind()
    for table in tables:
        if bind.dialect.name == "postgresql":
            names = bind.exec_driver_sql(
                "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = CAST(%s AS regclass)",
                (table,),
            )
            for (name,) in names.fetchall():
                op.execute(f"DROP TRIGGER {name} ON {table}")
                op.execute(f"DROP FUNCTION {name}()")
        else:
            names = bind.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
            )
            for (name,) in names.fetchall():
                op.execute(f"DROP TRIGGER {name}")
