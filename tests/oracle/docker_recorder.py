"""An engine that says yes to everything and remembers what it was sent, newer than the one that runs here."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.oracle.oracle import VARIABLES

API_VERSION = "1.50"
Calls = dict[str, list[dict[str, Any]]]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, outside: Sequence[str]) -> None:
        self.outside = outside
        self.calls: Calls = {kind: [] for kind in ("services", "networks", "secrets", "configs")}
        super().__init__(path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(None)

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.endswith("/info"):
            self._answer({"Swarm": {"ControlAvailable": True, "LocalNodeState": "active"}})
        elif path.rsplit("/", 1)[-1] in {"secrets", "configs"}:
            made = [body["Name"] for body in self.server.calls[path.rsplit("/", 1)[-1]]]
            found = [{"ID": name, "Spec": {"Name": name}} for name in (*made, *self.server.outside)]
            self._answer(found)
        elif "/networks/" in path and path.rsplit("/", 1)[-1] in self.server.outside:
            name = path.rsplit("/", 1)[-1]
            self._answer({"Name": name, "Id": name, "Scope": "swarm"})
        elif path.rsplit("/", 1)[-1] in {"networks", "services"}:
            self._answer([])
        elif path.endswith("/_ping"):
            self._answer(None)
        else:
            self._answer({"message": "not found"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls[self.path.split("/")[-2]].append(body)
        self._answer({"ID": body["Name"], "Id": body["Name"]}, 201)

    def _answer(self, value: Any, status: int = 200) -> None:
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        """Nobody in particular: a Unix socket has no address."""
        return "local"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep quiet."""


@contextmanager
def recorder(folder: Path, outside: Sequence[str] = ()) -> Iterator[tuple[str, Calls]]:
    """The address of a recording engine, and what it is sent: bodies of create calls by kind.

    :param outside: names of external secrets, configs and networks that it has; their ids are their names
    """
    path = folder / "engine.sock"
    with _Server(str(path), outside) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"unix://{path}", server.calls
        finally:
            server.shutdown()
            thread.join()
            path.unlink()


def recorded_deploy(
    stack: str, paths: Sequence[str], folder: Path, outside: Sequence[str] = (), **environment: str
) -> Calls:
    """What `docker stack deploy` sends for some compose files; keywords are added to its environment."""
    arguments = [part for path in paths for part in ("--compose-file", path)]
    with recorder(folder, outside) as (address, calls):
        done = subprocess.run(
            ["docker", "stack", "deploy", "--detach", "--resolve-image", "never", *arguments, stack],
            env={**os.environ, **VARIABLES, **environment, "DOCKER_HOST": address},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return calls
