# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL databases: a dump and its fingerprint from one moment, and back again."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BackupError
from .fingerprint import Fingerprint
from .psql import TABLES, Server, Session, run_program

_CLEAR = """
DO $$ DECLARE thing text; BEGIN
  FOR thing IN SELECT format('VIEW IF EXISTS %I.%I', schemaname, viewname) FROM pg_views
      WHERE schemaname = 'public'
    UNION ALL
    SELECT format('TABLE IF EXISTS %I.%I', schemaname, tablename) FROM pg_tables
      WHERE schemaname = 'public'
  LOOP EXECUTE 'DROP ' || thing || ' CASCADE'; END LOOP;
  FOR thing IN SELECT format('SEQUENCE IF EXISTS %I.%I', schemaname, sequencename) FROM pg_sequences
      WHERE schemaname = 'public'
    UNION ALL SELECT format('TYPE IF EXISTS public.%I', typname) FROM pg_type
      WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
    UNION ALL SELECT format('ROUTINE IF EXISTS %s', oid::regprocedure) FROM pg_proc
      WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
  LOOP EXECUTE 'DROP ' || thing || ' CASCADE'; END LOOP;
END $$;
"""


def dump_database(server: Server, target: Path) -> Fingerprint:
    """Dump a database in use to a file; the fingerprint is of the very same moment."""
    with Session(server) as session:
        session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        moment = session.ask("SELECT pg_export_snapshot();")[0]
        # Not compressed: restic compresses, and finds what has not changed.
        options = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges", f"--snapshot={moment}"]
        target.touch(mode=0o600)
        run_program(server, "pg_dump", *options, "-d", server.address, target=target)
        return session.fingerprint()


def load_dump(server: Server, dump: Path, *, clear: bool = False) -> None:
    """Bring a dump into a database, all or nothing. With `clear` what is there goes in the same step."""
    with tempfile.TemporaryDirectory(dir=dump.parent) as folder:
        script = Path(folder, "load.sql")
        whose = [f"SET ROLE {_quoted(server.role)};\n"] if server.role else []
        script.write_text("".join([*whose, *([_CLEAR] if clear else [])]), encoding="utf-8")
        run_program(
            server, "pg_restore", "--no-owner", "--no-privileges", "--file=-", source=dump, target=script
        )
        words = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-"]
        run_program(server, "psql", *words, "-d", server.address, source=script)
    run_program(server, "psql", "-X", "-q", "-c", "ANALYZE", "-d", server.address)


def read_fingerprint(server: Server) -> Fingerprint:
    """Rows and checksums of all tables now."""
    with Session(server) as session:
        session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        return session.fingerprint()


def has_tables(server: Server) -> bool:
    """Whether there is a table in the database."""
    with Session(server) as session:
        return bool(session.ask(TABLES))


@contextmanager
def scratch_database(server: Server) -> Iterator[Server]:
    """An empty database beside the one that `server` names, for as long as this lasts."""
    name = f"labyard_proof_{secrets.token_hex(6)}"
    with Session(server) as session:
        try:
            session.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8';")
        except BackupError as error:
            raise BackupError(
                f"{error} The proof makes a database of its own: give the user CREATEDB, or "
                "name another server with verify_url."
            ) from error
    try:
        yield server.database(name)
    finally:
        with Session(server) as session:
            session.ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
