"""An administrator whose password and key were made elsewhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from labyard.accounts.keys import create_key
from labyard.accounts.people import create_user
from labyard.context import session
from labyard.errors import InvalidInput
from tests.conftest import RunningConsole, console_environment

KEY = "lyk_" + "k" * 43


def test_admin_when_given_then_has_that_password_and_key_and_is_made_once(tmp_path: Path) -> None:
    console = RunningConsole("https://x", tmp_path, console_environment(tmp_path))
    console.labyard("db", "upgrade")
    credentials = tmp_path / "credentials"
    ensure = ("user", "ensure-admin", "--given", "--credentials", str(credentials), "--url", console.url)

    assert "must be readable JSON" in console.labyard(*ensure, check=False).stderr
    text = json.dumps({"username": "admin", "password": "correct horse battery", "api_key": KEY})
    credentials.write_text(text, encoding="ascii")
    assert "changed: admin was made" in console.labyard(*ensure).stdout
    assert "unchanged" in console.labyard(*ensure).stdout

    assert credentials.read_text(encoding="ascii") == text
    hashes = console.query("SELECT key_hash FROM api_keys")
    assert hashes == [(hashlib.sha256(KEY.encode()).hexdigest(),)]


@pytest.mark.parametrize("text", ["", "lyk_short", "k" * 60])
def test_key_when_its_text_is_none_of_a_key_then_is_refused(app: object, text: str) -> None:
    person = create_user(session(), "eve", "correct horse battery")
    with pytest.raises(InvalidInput):
        create_key(session(), person, "first", text=text)
