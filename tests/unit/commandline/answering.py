"""A small HTTP server that gives the answers a test has laid out, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """One answer; without a status the line is cut before any."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None  # instead of the document


@dataclass
class Answering:
    """The server: gives `replies` one after another, the last one for ever."""

    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def next_reply(self) -> Reply:
        """The answer to the next request."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def answering(*replies: Reply) -> Iterator[Answering]:
    """A server on a free port of this machine, with these answers."""
    server_state = Answering(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            server_state.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            reply = server_state.next_reply()
            if not reply.status:
                self.close_connection = True
                return
            text = json.dumps(reply.document) if reply.text is None else reply.text
            data = b"" if reply.status == 204 else text.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *_arguments: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server_state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server_state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **errors: str) -> Reply:
    """A refusal as the console words it."""
    document = {"type": "urn:labyard:problem:x", "status": status, "detail": detail}
    return Reply(status, {**document, "errors": errors} if errors else document, headers or {})
