"""A program that answers as a hub does, as far as the console asks; tests/integration meet the real one."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "the-consoles-token-at-the-hub-0123456789"
_PAGE = 2  # people on one page, however many are asked for


class HubServer:
    """A hub whose people are in `people`: name to servers, as the hub describes them."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, dict[str, Any]]] = {}
        self.stopped: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(outer.find)

            def do_DELETE(self) -> None:
                self._answer(outer.stop)

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

            def _answer(self, act: Any) -> None:
                known = self.headers["Authorization"] == f"token {TOKEN}"
                status, document = act(self.path) if known else (403, {"message": "Forbidden"})
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def run(self, owner: str, name: str = "", **changes: Any) -> None:
        """Have a person run a server."""
        server = {"name": name, "ready": True, "pending": None, "started": "2026-11-21T10:00:00.000000Z"}
        server |= {"last_activity": "2026-11-21T10:05:00.000000Z", "user_options": {"profile": "small"}}
        self.people.setdefault(owner, {})[name] = server | changes

    def find(self, path: str) -> tuple[int, Any]:
        """One person, or a page of those who have a server."""
        parts = urlsplit(path)
        if parts.path == "/hub/api/users":
            offset = int(parse_qs(parts.query)["offset"][0])
            page = [self._person(name) for name in sorted(self.people)[offset : offset + _PAGE]]
            more = {"offset": offset + _PAGE} if offset + _PAGE < len(self.people) else None
            return 200, {"items": page, "_pagination": {"next": more}}
        name = unquote(parts.path.removeprefix("/hub/api/users/"))
        return (200, self._person(name)) if name in self.people else (404, {})

    def stop(self, path: str) -> tuple[int, Any]:
        """End one server."""
        found = re.fullmatch(r"/hub/api/users/([^/]+)/(?:server|servers/([^/]+))", path)
        assert found, path
        owner, name = unquote(found[1]), unquote(found[2] or "")
        server = self.people.get(owner, {}).get(name)
        if server is None:
            return 404, {}
        if server["pending"]:
            return 400, {"message": f"{owner} is pending"}
        self.stopped.append((owner, name))
        return 202, None

    def _person(self, name: str) -> dict[str, Any]:
        return {"name": name, "servers": self.people[name]}
