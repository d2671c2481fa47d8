"""Bring databases and their users to what is wanted, then become PostgreSQL.

    /run/secrets/settings      what is wanted, as JSON: see `Settings` below
    /run/secrets/key           the key of the certificate
    /run/secrets/certificate

Databases and users are made while the server listens to nobody else, so nobody ever sees half of it.
What is not named is left alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SECONDS_TO_START = 600  # after a crash the log of changes is read again


@dataclass(frozen=True)
class Settings:
    """What is wanted."""

    databases: list[dict[str, Any]]  # each with name, user, password, may_create
    memory: int  # MiB that the container may take
    connections: int
    options: dict[str, str] = field(default_factory=dict)  # further settings of the server


@dataclass(frozen=True)
class Places:
    """Where files lie."""

    settings: Path = Path("/run/secrets/settings")
    certificate: Path = Path("/run/secrets/certificate")
    key: Path = Path("/run/secrets/key")
    data: Path = Path("/var/lib/postgresql/data")
    run: Path = Path("/run/postgresql")
    packages: Path = Path("/usr/lib/postgresql")

    @property
    def programs(self) -> Path:
        """The programs of the newest version that is there."""
        return max(self.packages.glob("*/bin"), key=lambda path: int(path.parent.name))

    @property
    def configuration(self) -> Path:
        """The server's settings; they are made at each start."""
        return self.run / "postgresql.conf"

    @property
    def setup(self) -> Path:
        """Where the server's socket is while only this program may talk to it."""
        return self.run / "setup"


def main() -> None:
    """Converge and become the server; a start that cannot succeed ends with its cause in the last line."""
    places = Places()
    os.umask(0o077)
    settings = Settings(**json.loads(places.settings.read_text(encoding="utf-8")))
    ensure_data(places)
    write_configuration(settings, places)
    for word in converge_alone(settings, places):
        print(f"start-database: {word}", file=sys.stderr, flush=True)
    os.execv(places.programs / "postgres", server(places))  # noqa: S606 - no shell is wanted


def ensure_data(places: Places) -> None:
    """Make the folder of the data, unless it is there; end if it belongs to another version."""
    version = places.programs.parent.name
    mark = places.data / "PG_VERSION"
    if not mark.exists():
        _run([str(places.programs / "initdb"), "-D", str(places.data), *_INITDB])
    elif (found := mark.read_text(encoding="ascii").strip()) != version:
        _end(
            f"the data are those of PostgreSQL {found}, and this is {version}. Save them with the image that "
            f"made them (pg_dump), empty the volume, and bring them back with this one."
        )


_INITDB = ("-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=peer", "--data-checksums")


def write_configuration(settings: Settings, places: Places) -> None:
    """The server's settings and who may come in, as files that go with the container."""
    places.setup.mkdir(parents=True, exist_ok=True)
    (places.run / "pg_hba.conf").write_text(_ACCESS, encoding="ascii")
    places.configuration.write_text(configuration(settings, places), encoding="utf-8")


# Over the network nobody without TLS and a password; into which database is a matter of rights.
_ACCESS = """\
local   all all     peer
hostssl all postgres all reject
hostssl all all     all  scram-sha-256
"""


def configuration(settings: Settings, places: Places) -> str:
    """The text of postgresql.conf: tuned to the memory, and by `options` to whatever else is wanted."""
    memory = settings.memory
    chosen = {
        "data_directory": str(places.data),
        "hba_file": str(places.run / "pg_hba.conf"),
        "ident_file": "/dev/null",
        "external_pid_file": str(places.run / "postgresql.pid"),
        "unix_socket_directories": str(places.run),
        "listen_addresses": "*",
        "port": "5432",
        "max_connections": str(settings.connections),
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_cert_file": str(places.certificate),
        "ssl_key_file": str(places.key),
        "ssl_min_protocol_version": "TLSv1.2",
        "shared_buffers": f"{memory // 4}MB",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        "maintenance_work_mem": f"{max(16, memory // 16)}MB",
        "work_mem": f"{max(1024, memory * 1024 // 4 // settings.connections)}kB",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_timezone": "UTC",
        "timezone": "UTC",
        **settings.options,
    }
    return "".join(f"{name} = '{_text(value)}'\n" for name, value in chosen.items())


def converge_alone(settings: Settings, places: Places) -> Iterator[str]:
    """Start the server for this program alone, converge, and stop it; says each change in words."""
    command = [*server(places), "-c", "listen_addresses=", "-c", f"unix_socket_directories={places.setup}"]
    running = subprocess.Popen(command)
    try:
        _wait_until_it_answers(running, places)
        yield from converge(settings, places)
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()


def server(places: Places) -> list[str]:
    """The command line of the server."""
    return [str(places.programs / "postgres"), "-c", f"config_file={places.configuration}"]


def converge(settings: Settings, places: Places) -> Iterator[str]:
    """Make the users and databases that are missing, and set all passwords anew; says what is new."""
    users = _ask(places, "SELECT rolname FROM pg_roles")
    databases = _ask(places, "SELECT datname FROM pg_database")
    statements = ["REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC"]
    for wanted in settings.databases:
        name, user = wanted["name"], wanted["user"]
        if user not in users:
            yield f"the user {user} is made"
            users.append(user)
            statements.append(f"CREATE ROLE {_name(user)}")
        create = "CREATEDB" if wanted["may_create"] else "NOCREATEDB"
        password = f"PASSWORD '{_text(wanted['password'])}'"
        statements.append(f"ALTER ROLE {_name(user)} LOGIN {create} {password}")
        if name not in databases:
            yield f"the database {name} is made"
            statements.append(f"CREATE DATABASE {_name(name)} TEMPLATE template0 OWNER {_name(user)}")
        statements += [
            f"ALTER DATABASE {_name(name)} OWNER TO {_name(user)}",
            f"REVOKE ALL ON DATABASE {_name(name)} FROM PUBLIC",
        ]
    # Statements that fail would stand in the log, with the passwords in them.
    _ask(places, ";\n".join(["SET log_min_error_statement = panic", *statements]))


def _wait_until_it_answers(running: subprocess.Popen[bytes], places: Places) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    question = [str(places.programs / "pg_isready"), "-q", "-h", str(places.setup)]
    while subprocess.run(question, check=False).returncode != 0:
        if running.poll() is not None:
            _end("the server ended by itself; what it says stands above")
        if time.monotonic() > deadline:
            _end(f"the server does not answer after {_SECONDS_TO_START} s")
        time.sleep(0.1)


def _ask(places: Places, statements: str) -> list[str]:
    """Run statements as the server's own user, stopping at the first error; the lines of the answer."""
    command = [str(places.programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    return _run(
        [*command, "-h", str(places.setup), "-U", "postgres", "-d", "postgres"], statements
    ).splitlines()


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return str(text).replace("'", "''")


def _run(command: list[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _end(f"{Path(command[0]).name} failed: {' / '.join(done.stderr.splitlines())}")
    return done.stdout


def _end(words: str) -> None:
    sys.exit(f"start-database: {words}")


if __name__ == "__main__":
    main()
