"""The profile: mail settings and webhooks."""

from __future__ import annotations

import re

import pytest

from labyard.models import Notice, User, Webhook, db

URL = "https://example.org/hook?token=abc"


def webhook_of(app):
    with app.app_context():
        return db.session.query(Webhook).one_or_none()


def add(maria, url=URL, **more):
    return maria.post("/profile/webhooks", data={"url": url, **more})


def test_profile_when_a_webhook_is_added_then_its_secret_is_shown_once(app, maria):
    page = add(maria).text
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", page)
    assert "it is not shown again" in page
    later = maria.get("/profile").text
    assert URL in later
    assert secret not in later


def test_profile_when_only_failures_are_wanted_then_only_those_are_told(app, maria):
    add(maria, failures="y")
    assert webhook_of(app).events == ["command.failed"]
    assert "Told only of failures." in maria.get("/profile").text


@pytest.mark.parametrize("url", ["", "ftp://example.org", "javascript:alert(1)"])
def test_profile_when_the_address_is_wrong_then_says_so_at_the_field(app, maria, url):
    answer = add(maria, url)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "must begin with https://" in answer.text
    assert webhook_of(app) is None


def test_profile_when_a_webhook_is_switched_off_tested_and_deleted_then_it_follows(app, maria):
    add(maria)
    base = f"/profile/webhooks/{webhook_of(app).id}"
    assert maria.post(f"{base}/test").status_code == 303
    with app.app_context():
        assert db.session.query(Notice).one().event == "webhook.test"
    assert "webhook.test" in maria.get("/profile").text
    maria.post(f"{base}/off")
    assert not webhook_of(app).active
    maria.post(f"{base}/test")
    assert "The webhook is switched off" in maria.get("/profile").text
    maria.post(f"{base}/on")
    assert webhook_of(app).active
    maria.post(f"{base}/delete")
    assert webhook_of(app) is None
    assert maria.post(f"{base}/on").status_code == 404


def test_profile_when_a_webhook_is_anothers_then_it_is_not_there(app, maria, make_person, sign_in):
    add(maria)
    other = sign_in(make_person("bob", is_admin=True))
    assert URL not in other.get("/profile").text
    assert other.post(f"/profile/webhooks/{webhook_of(app).id}/delete").status_code == 404


def test_profile_when_mail_is_wanted_then_it_is_kept(app, maria):
    answer = maria.post("/profile/mail", data={"email": " maria@example.org ", "mail_on_end": "y"})
    assert answer.status_code == 303
    with app.app_context():
        person = db.session.query(User).filter_by(username="maria").one()
        assert (person.email, person.mail_on_end) == ("maria@example.org", True)
    assert 'value="maria@example.org"' in maria.get("/profile").text


@pytest.mark.parametrize("email", ["", "maria", "a@b\nBcc: c@d", "a@b, c@d"])
def test_profile_when_the_mail_address_is_none_then_says_so(maria, email):
    answer = maria.post("/profile/mail", data={"email": email, "mail_on_end": "y"})
    assert answer.status_code == 422
    assert "is no mail address" in answer.text


def test_profile_when_a_message_was_given_up_then_the_reason_is_shown_as_text(app, maria):
    add(maria)
    hook = webhook_of(app)
    with app.app_context():
        about = {"webhook_id": hook.id, "user_id": hook.owner_id, "event": "command.failed"}
        notice = Notice(channel="webhook", attempts=8, error="<b>answered</b> with 500.", **about)
        db.session.add(notice)
        db.session.flush()
        notice.next_at = None
        db.session.commit()
    page = maria.get("/profile").text
    assert "given up: &lt;b&gt;answered&lt;/b&gt; with 500." in page
