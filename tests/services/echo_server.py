"""A program behind the ingress: it says what reached it, sends back what it is sent, and streams."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    go_on: ClassVar[threading.Event]  # what `/stream` waits for between its two parts

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._talk()
        elif self.path == "/stream":
            self._stream()
        else:
            self._say({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"path": self.path, "length": len(body), "sha256": hashlib.sha256(body).hexdigest()})

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _say(self, document: object) -> None:
        text = json.dumps(document).encode()
        self.send_response(403 if self.path == "/own-403" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"first\n")
        assert self.go_on.wait(30)
        self.wfile.write(b"second\n")
        self.close_connection = True

    def _talk(self) -> None:
        """Send back each short text frame until the other side ends."""
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET, usedforsecurity=False).digest()).decode()
        self.send_response(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept),
        ):
            self.send_header(name, value)
        self.end_headers()
        while head := self.rfile.read(2):
            length = head[1] & 0x7F
            mask, body = self.rfile.read(4), self.rfile.read(length)
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))
            self.wfile.write(bytes([head[0], length]) + text)
            if head[0] & 0x0F == 8:
                break
        self.close_connection = True


class EchoServer:
    """The program, in threads, on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        handler = type("Handler", (_Handler,), {"go_on": self.go_on})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
