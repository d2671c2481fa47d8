"""PostgreSQL of Debian's packages, with databases that are made for one test each."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from .process import ServerProcess

USER = "labyard"


class PostgresServer(ServerProcess):
    """A server on a free port and on a socket in its folder. Everybody needs the password."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        super().__init__("postgresql", "postgres", addresses)
        self.password = secrets.token_urlsafe(16)
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
        self._make_data()

    def command(self) -> list[str]:
        """The server; what is in memory only is lost with the machine, not with the process."""
        settings = {
            "listen_addresses": ",".join(self.addresses),
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": "200",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        """Whether one can sign in."""
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy of `template`, to which nobody is connected; its name."""
        name = f"test_{secrets.token_hex(6)}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template or "template1")
        return name

    def drop_database(self, name: str) -> None:
        """Take a database away, from those as well who are still connected to it."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def end_sessions(self, name: str) -> None:
        """Break all connections to a database, as a restart of the server does."""
        with self._connect() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(query, [name])
        connection.close()

    def empty_database(self, name: str) -> None:
        """Take all rows out of the tables of a database but those of migrations, and end its sessions."""
        self.end_sessions(name)
        tables = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'installations')"
        )
        with self._connect(name) as connection:
            names = sql.SQL(", ").join(sql.Identifier(row[0]) for row in connection.execute(tables))
            connection.execute("SET session_replication_role = replica")  # triggers keep some of the rows
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
        connection.close()

    def url(self, database: str, address: str | None = None) -> str:
        """SQLAlchemy's address of a database, with the password; over TCP if an address is given."""
        if address:
            return f"postgresql+psycopg://{USER}:{self.password}@{address}:{self.port}/{database}"
        place = f"host={self.folder}&port={self.port}"
        return f"postgresql+psycopg://{USER}:{self.password}@/{database}?{place}"

    def _run(self, statement: str, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        connection.close()

    def _connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user=USER,
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def _make_data(self) -> None:
        words = self.folder / "password"
        words.write_text(self.password, encoding="ascii")
        words.chmod(0o644)
        command = [str(self.programs / "initdb"), "-D", str(self.folder / "data"), "-U", USER]
        command += ["--auth=scram-sha-256", f"--pwfile={words}", "--encoding=UTF8", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, **self.as_user())
        words.unlink()
        if len(self.addresses) > 1 or self.addresses[0] != "127.0.0.1":
            with (self.folder / "data" / "pg_hba.conf").open("a", encoding="ascii") as rules:
                rules.write("host all all samenet scram-sha-256\n")


def _version(programs: Path) -> float:
    return float(programs.parent.name)
