"""A real git server over https: git's own http-backend behind a small TLS server."""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.integration.tls_engine import write_certificates

_NOBODY = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"]}


@dataclass
class GitServer:
    """Repositories below `folder`, served at `url`."""

    folder: Path
    port: int = 0
    asked: list[str] = field(default_factory=list)  # paths of the requests so far
    redirect: str = ""  # where every request is sent, if anywhere
    gate: threading.Event = field(default_factory=threading.Event)  # cleared: answers wait

    @property
    def host(self) -> str:
        """As LABYARD_SOURCE_HOSTS names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> Path:
        """What signed its certificate."""
        return self.folder / "ca.pem"

    def url(self, name: str) -> str:
        """The address of the repository `name`."""
        return f"https://{self.host}/{name}.git"

    def commit(
        self,
        name: str,
        files: Mapping[str, str | bytes],
        *,
        links: Mapping[str, str] | None = None,
        branch: str = "main",
    ) -> str:
        """Put `files` (whole tree) into a new commit of `branch`; its number. Makes the repository."""
        work = self.folder / f"{name}.work"
        if not work.exists():
            git(self.folder, "init", "--quiet", "--bare", f"{name}.git")
            git(self.folder, "clone", "--quiet", f"{name}.git", work.name)
        git(work, "checkout", "--quiet", "-B", branch)
        git(work, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
        for path, content in files.items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        for path, target in (links or {}).items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        git(work, "add", "--all", "--force")
        git(work, "commit", "--quiet", "--allow-empty", "--message", "change")
        git(work, "push", "--quiet", "--force", "origin", branch)
        return git(work, "rev-parse", "HEAD")

    def tag(self, name: str, tag: str) -> None:
        """Give the newest commit an annotated tag."""
        work = self.folder / f"{name}.work"
        git(work, "tag", "--annotate", "--force", "--message", tag, tag)
        git(work, "push", "--quiet", "--force", "origin", tag)


def git(folder: Path, *arguments: str) -> str:
    """Run git as a person who sets things up for a test."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=_NOBODY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def serving(folder: Path) -> Iterator[GitServer]:
    """A server for the repositories in `folder`, on a free port of 127.0.0.1."""
    write_certificates(folder)
    server = GitServer(folder)
    server.gate.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.gate.wait(60)
            if server.redirect:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer(subprocess.run(
                ["git", "http-backend"], env=self._environment(len(body)), input=body,
                capture_output=True, check=True,
            ).stdout)  # fmt: skip

        do_POST = do_GET

        def _environment(self, length: int) -> dict[str, str]:
            path, _, query = self.path.partition("?")
            return {
                **_NOBODY,
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }

        def _answer(self, told: bytes) -> None:
            head, _, body = told.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    https = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    https.daemon_threads = True
    https.handle_error = lambda *_: None  # git was ended in mid-answer
    https.socket = context.wrap_socket(https.socket, server_side=True, do_handshake_on_connect=False)
    server.port = https.server_address[1]
    thread = threading.Thread(target=https.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        https.shutdown()
        https.server_close()
        thread.join(10)
