"""How payments come in, read from the environment. Secrets stay in their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .errors import InvalidInput

STRIPE_URL = "https://api.stripe.com"


@dataclass(frozen=True)
class PaymentSettings:
    """Stripe's, where it is used: the files of its secrets, which are read when they are needed."""

    stripe_key_file: Path
    stripe_webhook_secret_file: Path | None  # None: no messages are taken; payments are asked about
    stripe_url: str = STRIPE_URL

    def stripe_key(self) -> str:
        """The secret key; raises InvalidInput if its file cannot be read."""
        return _read("LABYARD_STRIPE_KEY_FILE", self.stripe_key_file)

    def webhook_secrets(self) -> tuple[str, ...]:
        """What messages are signed with, one in each line of the file: two while one is replaced."""
        if self.stripe_webhook_secret_file is None:
            return ()
        return tuple(_read("LABYARD_STRIPE_WEBHOOK_SECRET_FILE", self.stripe_webhook_secret_file).split())


def read_payment_settings(env: Mapping[str, str]) -> PaymentSettings | None:
    """The settings in `env`; None if no key of Stripe's is named. Raises InvalidInput."""
    key = env.get("LABYARD_STRIPE_KEY_FILE")
    secret = env.get("LABYARD_STRIPE_WEBHOOK_SECRET_FILE")
    url = (env.get("LABYARD_STRIPE_URL") or STRIPE_URL).rstrip("/")
    if not key:
        if secret:
            raise InvalidInput(
                "LABYARD_STRIPE_WEBHOOK_SECRET_FILE is set, but LABYARD_STRIPE_KEY_FILE is not."
            )
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidInput(f"LABYARD_STRIPE_URL: {url} is no address as {STRIPE_URL} is one.")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise InvalidInput(
            "LABYARD_STRIPE_URL: the secret key is sent over https alone, but to this machine."
        )
    return PaymentSettings(Path(key).resolve(), Path(secret).resolve() if secret else None, url)


def _read(variable: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidInput(
            f"{variable}: {path} cannot be read ({error.strerror}). Write the secret to it."
        ) from error
    if not text:
        raise InvalidInput(f"{variable}: {path} is empty. Write the secret to it.")
    return text
