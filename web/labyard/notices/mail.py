"""Sending one mail: plain text with a link."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .posting import NotSent

_SCHEMES = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
# An address as people have them; no quotes, comments or lists of RFC 5322.
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"]+@[A-Za-z0-9.-]+")
_TIMEOUT = 15.0  # seconds for one word with the server


@dataclass(frozen=True)
class Mailer:
    """Sends mails through the server at `url`: smtp://, smtp+starttls:// or smtps://[USER@]HOST[:PORT]."""

    url: str
    sender: str  # an address
    password_file: Path | None = None
    ca_bundle: Path | None = None
    public_url: str = ""  # links begin with it

    def send(self, recipient: str, ident: str, body: Mapping[str, Any], now: datetime) -> int:
        """Send the event `body` to `recipient`; the server's code. Raises NotSent."""
        if not self.url or not self.sender:
            raise NotSent("No mail can be sent: LABYARD_SMTP_URL and LABYARD_MAIL_FROM are not set.")
        try:
            message = compose(self.sender, recipient, ident, body, now, self.public_url)
            with self._open() as server:
                server.send_message(message)
        except smtplib.SMTPResponseException as error:
            said = _text(error.smtp_error)
            raise NotSent(f"The mail server answered {error.smtp_code}: {said}", error.smtp_code) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, refusal = next(iter(error.recipients.values()))
            raise NotSent(f"The mail server refused {recipient}: {_text(refusal)}", code) from error
        except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
            raise NotSent(f"The mail was not sent: {error}") from error
        return 250

    def _open(self) -> smtplib.SMTP:
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
            raise NotSent(f"LABYARD_SMTP_URL must begin with one of {known} and name a host.")
        host, port = parts.hostname, parts.port or _SCHEMES[parts.scheme]
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=self._trust())
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT)
        try:
            if parts.scheme == "smtp+starttls":
                server.starttls(context=self._trust())
            if parts.username:
                server.login(unquote(parts.username), self._password())
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_bundle)

    def _password(self) -> str:
        if self.password_file is None:
            raise NotSent("The mail server wants a password: name its file in LABYARD_SMTP_PASSWORD_FILE.")
        return self.password_file.read_text(encoding="utf-8").strip()


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def is_address(text: str) -> bool:
    """Whether mails can be sent to `text`."""
    return _ADDRESS.fullmatch(text) is not None


def compose(
    sender: str, recipient: str, ident: str, body: Mapping[str, Any], now: datetime, public_url: str
) -> EmailMessage:
    """The mail for the event `body`; its Message-ID is the same however often it is sent.

    Raises ValueError or MessageError for an address that is none.
    """
    if not is_address(recipient):
        raise ValueError(f"{recipient!r} is no mail address")
    subject, lines = (
        _of_command(body, public_url) if "command" in body["data"] else _of_event(body, public_url)
    )
    message = EmailMessage()
    message["From"] = Address(display_name="Labyard", addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{ident}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers
    message.set_content("\n".join(lines))
    return message


def _of_command(body: Mapping[str, Any], public_url: str) -> tuple[str, list[str]]:
    """Subject and lines of a mail about the end of a command."""
    command, deployment = body["data"]["command"], body["data"]["deployment"]
    verdict = "is done" if body["type"] == "command.completed" else "has failed"
    return f"{deployment['name']}: {command['phase']} {verdict}", [
        f"The command {command['phase']} for {deployment['name']} ({deployment['plan']}) {verdict}.",
        "",
        *([str(command["message"]), ""] if command["message"] else []),
        f"{public_url}/commands/{command['id']}",
        "",
        f"Issued by {command['issuer']} at {command['created_at']}. The deployment is now "
        f"{deployment['state_name']}, its health: {deployment['health']}.",
        "You get this mail because your profile asks for it.",
    ]


def _of_event(body: Mapping[str, Any], public_url: str) -> tuple[str, list[str]]:
    """Subject and lines of a mail about a budget."""
    data = body["data"]
    subject = " ".join(str(data["subject"]).split())  # one line, whatever a name holds
    why = "You get this mail because the budget is about you, or yours to look after."
    return subject, [str(data["message"]), "", public_url, "", why]
