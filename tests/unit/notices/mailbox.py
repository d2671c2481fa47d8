"""A mail server that keeps what it is sent."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.conftest import free_port


@dataclass
class Mailbox:
    """Where mails arrive."""

    port: int = 0
    answer: str = "250 taken"
    got: list[EmailMessage] = field(default_factory=list)
    signed_in: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """aiosmtpd's hook for a whole mail."""
        if self.answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.got.append(message)
        return self.answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
        """Take every name with the password `open sesame`."""
        self.signed_in.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame", handled=False)


@contextmanager
def mailbox(certificates: Path | None = None) -> Iterator[Mailbox]:
    """A mail server on a free port of 127.0.0.1; STARTTLS and a password with `certificates` (a folder)."""
    box = Mailbox(port=free_port())
    options: dict[str, Any] = {}
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        options = {
            "tls_context": context,
            "require_starttls": True,
            "authenticator": box.authenticate,
            "auth_required": True,
        }
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
