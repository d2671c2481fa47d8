"""Where Stripe's secrets are read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from labyard.errors import InvalidInput
from labyard.settings_payments import read_payment_settings

KEY, SECRET, URL = "LABYARD_STRIPE_KEY_FILE", "LABYARD_STRIPE_WEBHOOK_SECRET_FILE", "LABYARD_STRIPE_URL"


def test_settings_when_no_key_is_named_then_nobody_pays_there() -> None:
    assert read_payment_settings({KEY: "", SECRET: ""}) is None
    with pytest.raises(InvalidInput, match=f"{SECRET} is set, but {KEY} is not"):
        read_payment_settings({SECRET: "/somewhere"})


def test_secrets_when_read_then_come_from_their_files_each_time(tmp_path: Path) -> None:
    key, secret = tmp_path / "key", tmp_path / "secret"
    found = read_payment_settings({KEY: str(key), SECRET: str(secret)})
    assert found is not None
    with pytest.raises(InvalidInput, match="cannot be read"):
        found.stripe_key()
    key.write_text("sk_live_1\n", encoding="ascii")
    secret.write_text("whsec_1\nwhsec_2\n", encoding="ascii")
    assert found.stripe_key() == "sk_live_1"
    assert found.webhook_secrets() == ("whsec_1", "whsec_2")
    assert "sk_live_1" not in repr(found)
    key.write_text("\n", encoding="ascii")
    with pytest.raises(InvalidInput, match="is empty"):
        found.stripe_key()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://stripe", "is no address"),
        ("https://", "is no address"),
        ("http://stripe.example.org", "over https alone"),
    ],
)
def test_address_when_the_key_would_be_seen_on_the_way_then_is_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_payment_settings({KEY: "/key", URL: url})
