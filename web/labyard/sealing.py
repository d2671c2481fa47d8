"""Secrets at rest: sealed with a key that lies outside the database."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken


class SealError(Exception):
    """A sealed value was made with another key, or was altered."""


class Sealer:
    """Seals small mappings of texts; `key` is any secret text (it is stretched by SHA-256)."""

    def __init__(self, key: str):
        self._fernet = Fernet(
            base64.urlsafe_b64encode(hashlib.sha256(b"labyard.seal:" + key.encode()).digest())
        )

    def seal(self, values: Mapping[str, str]) -> str:
        """`values` as a text that tells nothing without the key."""
        return self._fernet.encrypt(json.dumps(dict(values)).encode()).decode("ascii")

    def open(self, sealed: str) -> dict[str, str]:
        """What was sealed; raises SealError if this key did not seal it."""
        try:
            values: dict[str, str] = json.loads(self._fernet.decrypt(sealed.encode("ascii")))
        except InvalidToken as error:
            raise SealError("the stored secret was sealed with another key") from error
        return values
