"""Mails through a real server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labyard.notices.mail import Mailer
from labyard.notices.posting import NotSent
from tests.conftest import free_port
from tests.integration.tls_engine import write_certificates

from .mailbox import Mailbox, mailbox

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SENDER = "labyard@example.org"


def event(**command: Any) -> dict[str, Any]:
    about = {"id": "c1", "phase": "install", "message": "It runs.", "issuer": "ada", "created_at": "then"}
    deployment = {"name": "demo", "plan": "notebook", "state_name": "COMPLETED", "health": "running"}
    return {"type": "command.completed", "data": {"command": {**about, **command}, "deployment": deployment}}


def mailer(box: Mailbox, **changes: Any) -> Mailer:
    options = {"url": f"smtp://127.0.0.1:{box.port}", "sender": SENDER, "public_url": "https://labyard.test"}
    return Mailer(**{**options, **changes})


def test_mail_says_what_ended_and_links_to_it() -> None:
    with mailbox() as box:
        assert mailer(box).send("ada@example.org", "n1", event(), NOW) == 250
    (mail,) = box.got
    assert (mail["From"], mail["To"]) == (f"Labyard <{SENDER}>", "ada@example.org")
    assert mail["Subject"] == "demo: install is done"
    assert mail["Message-ID"] == "<n1@example.org>"
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    assert "It runs." in text
    assert "https://labyard.test/commands/c1" in text


def test_message_in_any_script_arrives() -> None:
    with mailbox() as box:
        mailer(box).send("ada@example.org", "n1", event(message="Kein Platz für 検査\n.\nmore"), NOW)
    assert "Kein Platz für 検査\n.\nmore" in box.got[0].get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("recipient", ["a@b.c\nBcc: d@e.f", "no address", "", "a@b.c, d@e.f"])
def test_address_that_is_none_is_refused(recipient: str) -> None:
    with mailbox() as box, pytest.raises(NotSent, match="was not sent"):
        mailer(box).send(recipient, "n1", event(), NOW)
    assert box.got == []


def test_refusal_of_the_server_is_told() -> None:
    with mailbox() as box:
        box.answer = "452 no room"
        with pytest.raises(NotSent, match="452: no room") as refused:
            mailer(box).send("ada@example.org", "n1", event(), NOW)
    assert refused.value.status == 452


def test_password_goes_over_tls_alone(tmp_path: Path) -> None:
    write_certificates(tmp_path)
    password = tmp_path / "password"
    password.write_text("open sesame\n", encoding="utf-8")
    with mailbox(tmp_path) as box:
        url = f"smtp+starttls://labyard%40x@127.0.0.1:{box.port}"
        about: dict[str, Any] = {"url": url, "password_file": password}
        mailer(box, ca_bundle=tmp_path / "ca.pem", **about).send("ada@example.org", "n1", event(), NOW)
        with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
            mailer(box, **about).send("ada@example.org", "n2", event(), NOW)
    assert box.signed_in == [(b"labyard@x", b"open sesame")]
    assert len(box.got) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": ""}, "LABYARD_SMTP_URL and LABYARD_MAIL_FROM are not set"),
        ({"sender": ""}, "LABYARD_SMTP_URL and LABYARD_MAIL_FROM are not set"),
        ({"url": "http://127.0.0.1"}, "must begin with one of smtp://"),
        ({"url": f"smtp://127.0.0.1:{free_port()}"}, "Connection refused"),
    ],
)
def test_setting_that_is_not_right_is_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(NotSent, match=words):
        mailer(Mailbox(), **changes).send("ada@example.org", "n1", event(), NOW)
