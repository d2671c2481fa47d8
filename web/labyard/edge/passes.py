"""Tickets and passes: small signed texts. Pure but for the clock that itsdangerous reads."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

PASS_COOKIE = "__Host-labyard-app"  # noqa: S105 - a name
KNOCK_COOKIE = "__Host-labyard-knock"
PASS_SECONDS = 12 * 3600  # as long as a session of the console
KNOCK_SECONDS = 600  # long enough to sign in
TICKET_SECONDS = 30
_KNOCK = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True)
class Pass:
    """Somebody may pass to one deployment."""

    deployment: str  # its id
    user: int  # the person's id
    epoch: int  # of the person's sessions: when they end, so does the pass


@dataclass(frozen=True)
class Ticket:
    """The way from the console to a deployment: it is changed for a pass within TICKET_SECONDS."""

    entry: Pass
    knock: str  # the hash of what only the browser that asked holds
    path: str  # where it wanted to go


class Signer:
    """Signs and reads both with the console's `key`; each kind with a salt of its own."""

    def __init__(self, key: str) -> None:
        self._passes = URLSafeTimedSerializer(key, salt="labyard.edge.pass")
        self._tickets = URLSafeTimedSerializer(key, salt="labyard.edge.ticket")

    def sign_pass(self, entry: Pass) -> str:
        """The value of the cookie."""
        return str(self._passes.dumps([entry.deployment, entry.user, entry.epoch]))

    def read_pass(self, text: str) -> Pass | None:
        """The pass in a cookie, unless it is forged or too old."""
        return _pass(_read(self._passes, text, PASS_SECONDS))

    def sign_ticket(self, ticket: Ticket) -> str:
        """The text that stands in the address for a moment."""
        entry = ticket.entry
        return str(
            self._tickets.dumps([[entry.deployment, entry.user, entry.epoch], ticket.knock, ticket.path])
        )

    def read_ticket(self, text: str, deployment: str, knock: str) -> Ticket | None:
        """The ticket, unless it is forged, too old, or meant for another deployment or browser."""
        found = _read(self._tickets, text, TICKET_SECONDS)
        entry = _pass(found[0]) if found else None
        if entry is None or entry.deployment != deployment:
            return None
        if not is_knock(knock) or not secrets.compare_digest(str(found[1]), hash_knock(knock)):
            return None
        return Ticket(entry, str(found[1]), str(found[2]))


def make_knock() -> str:
    """What a browser holds while it is on its way through the console."""
    return secrets.token_urlsafe(24)


def is_knock(text: str) -> bool:
    """Whether `text` looks like one of ours."""
    return _KNOCK.fullmatch(text) is not None


def hash_knock(knock: str) -> str:
    """What of the knock may stand in an address."""
    return hashlib.sha256(knock.encode()).hexdigest()


def _read(serializer: URLSafeTimedSerializer, text: str, seconds: int) -> Any:
    try:
        return serializer.loads(text, max_age=seconds)
    except BadData:
        return None


def _pass(found: Any) -> Pass | None:
    return Pass(str(found[0]), int(found[1]), int(found[2])) if found else None
