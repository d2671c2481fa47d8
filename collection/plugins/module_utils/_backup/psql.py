# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with PostgreSQL by its own programs: no Python package is needed on the host."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from .errors import BackupError
from .fingerprint import Fingerprint, Table

_END = "labyard-end-of-answer"
_SOCKET = "/run/postgresql"
_FOREIGN = "('pg_catalog', 'information_schema')"
# So that a value has the same text on every server.
_TEXT_FORM = (
    "SET TIME ZONE 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; "
    "SET bytea_output = 'hex'; SET extra_float_digits = 3;"
)
TABLES = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "  # noqa: S608 - all of it is ours
    f"WHERE schemaname NOT IN {_FOREIGN} ORDER BY 1;"
)
_HASH = "('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint::numeric"


@dataclass(frozen=True)
class Server:
    """An address for PostgreSQL's programs; the password is no part of it."""

    address: str
    password: str = ""
    inside: tuple[str, ...] = ()  # the words before a program that run it beside the server
    role: str = ""  # whose tables those are that are loaded; empty: of the user of the address

    def command(self, name: str, *arguments: str) -> list[str]:
        """The command line of one of PostgreSQL's programs; raises BackupError if there is none."""
        return [*self.inside, name, *arguments] if self.inside else [program(name), *arguments]

    def environment(self) -> dict[str, str]:
        """Variables for the programs. A password on a command line is everybody's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        return {**kept, "LC_ALL": "C.UTF-8", **({"PGPASSWORD": self.password} if self.password else {})}

    def database(self, name: str) -> Server:
        """The same server, another database, whose tables are those of the user of the address."""
        parts = urlsplit(self.address)
        address = _address(parts.netloc, f"/{quote(name, safe='')}", parts.query)
        return replace(self, address=address, role="")

    @property
    def name(self) -> str:
        """The database's name."""
        return unquote(urlsplit(self.address).path.lstrip("/"))


def find_server(url: str, password_file: str = "") -> Server:
    """The server behind an address as the console has it; raises BackupError."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres", "postgresql+psycopg") or not parts.path.strip("/"):
        raise BackupError("A url of PostgreSQL is written postgresql://USER@HOST/NAME.")
    place = parts.netloc.rpartition("@")[2]
    user = quote(unquote(parts.username or ""), safe="")
    query = urlencode(parse_qsl(parts.query))
    netloc = f"{user}@{place}" if user else place
    address = _address(netloc, parts.path, query)
    if not password_file:
        return Server(address, unquote(parts.password or ""))
    try:
        return Server(address, Path(password_file).read_text(encoding="utf-8").strip())
    except OSError as error:
        raise BackupError(f"{password_file} cannot be read ({error.strerror}).") from error


def server_inside(url: str, inside: tuple[str, ...]) -> Server:
    """The server behind an address, asked on its own machine as its own user, by its socket.

    No password is needed. `inside`: the words before a program that run it there. Raises BackupError.
    """
    outside = find_server(url)
    path = urlsplit(outside.address).path
    role = unquote(urlsplit(outside.address).username or "") or outside.name
    return Server(_address("postgres@", path, urlencode({"host": _SOCKET})), "", inside, role)


def _address(netloc: str, path: str, query: str) -> str:
    """As urlunsplit, which leaves out the slashes where there is no host."""
    return f"postgresql://{netloc}{path}{'?' if query else ''}{query}"


class Session:
    """One session of psql: questions see one state of the database from BEGIN on."""

    def __init__(self, server: Server):
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - lives as long as the session
        words = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        self._process = subprocess.Popen(
            server.command("psql", *words, "-d", server.address),
            env=server.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._input, self._output = (
            cast("IO[str]", self._process.stdin),
            cast("IO[str]", self._process.stdout),
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(BrokenPipeError):
            self._input.close()
        self._output.close()
        self._process.wait()
        self._errors.close()

    def ask(self, statement: str) -> list[str]:
        """The lines of an answer; raises BackupError with the server's words."""
        try:
            self._input.write(f"{statement}\n\\echo {_END}\n")
            self._input.flush()
        except BrokenPipeError:
            raise self._failure() from None
        lines: list[str] = []
        for line in self._output:
            if line.rstrip("\n") == _END:
                return lines
            lines.append(line.rstrip("\n"))
        raise self._failure()

    def fingerprint(self) -> Fingerprint:
        """Rows and checksums of all tables, in the transaction that this session is in."""
        self.ask(_TEXT_FORM)
        found: Fingerprint = {}
        for name in self.ask(TABLES):
            query = f"SELECT count(*), coalesce(sum({_HASH}), 0) FROM {name} AS t;"  # noqa: S608 - quoted by the server
            rows, checksum = self.ask(query)[0].split("\t")
            found[name] = Table(int(rows), checksum)
        return found

    def _failure(self) -> BackupError:
        self._process.wait()
        self._errors.seek(0)
        return BackupError(f"PostgreSQL: {' '.join(self._errors.read().split())[-500:]}")


def program(name: str) -> str:
    """A program of PostgreSQL's: Debian's newest version of it, else the one on the PATH."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda p: float(p.parents[1].name), default=None)
    found = str(newest) if newest else shutil.which(name)
    if not found:
        raise BackupError(f"There is no {name} on this host. Install postgresql-client.")
    return found


def run_program(
    server: Server, name: str, *arguments: str, source: Path | None = None, target: Path | None = None
) -> None:
    """Carry out one program, which reads `source` and writes at the end of `target`.

    Files go by its input and output, for it may run where they are not. Raises BackupError with its words.
    """
    with (
        Path(source or os.devnull).open("rb") as given,
        Path(target or os.devnull).open("ab") as made,
    ):
        done = subprocess.run(
            server.command(name, *arguments),
            env=server.environment(),
            stdin=given,
            stdout=made,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode != 0:
        words = " ".join(done.stderr.decode("utf-8", "replace").split())[-600:]
        hint = ""
        if "version mismatch" in words:
            hint = " Install a postgresql-client that is as new as the server."
        raise BackupError(f"{name}: {words}{hint}")
