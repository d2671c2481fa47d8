"""A person's webhooks."""

from __future__ import annotations

import base64

import pytest
from apiflask import APIFlask

from labyard.context import context, session
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import User
from labyard.models.base import begin_writing
from labyard.notices import webhooks
from tests.unit.conftest import make_person


@pytest.fixture
def person(app: APIFlask) -> User:
    made = make_person()
    begin_writing()
    return made


def create(person: User, url: str = "https://example.org/", events: tuple[str, ...] = ()) -> str:
    made, _ = webhooks.create_webhook(session(), person, url, context().sealer, events)
    return str(made.id)


def test_secret_is_new_for_each_and_has_the_specified_form(person: User) -> None:
    _, one = webhooks.create_webhook(session(), person, "https://example.org/", context().sealer)
    _, two = webhooks.create_webhook(session(), person, "https://example.org/", context().sealer)
    assert one != two
    assert 24 <= len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) <= 64


def test_renewed_secret_is_another_one_and_is_sealed(person: User) -> None:
    ident = create(person)
    secret = webhooks.renew_secret(session(), person, ident, context().sealer)
    sealed = webhooks.get_webhook(session(), person, ident).sealed_secret
    assert context().sealer.open(sealed) == {"secret": secret}
    assert secret not in sealed


@pytest.mark.parametrize("url", ["", "ftp://example.org", "https://a:b@example.org", "https://exa mple.org"])
def test_bad_url_is_refused_at_its_field(person: User, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create(person, url)
    assert list(refused.value.errors) == ["url"]


def test_unknown_event_is_refused_with_the_known_ones(person: User) -> None:
    with pytest.raises(InvalidInput) as refused:
        create(person, events=("command.ended",))
    assert "command.completed, command.failed" in refused.value.errors["events"]


def test_change_keeps_what_is_not_named(person: User) -> None:
    ident = create(person, events=("command.failed",))
    made = webhooks.change_webhook(session(), person, ident, active=False)
    assert (made.url, made.events, made.active) == ("https://example.org/", ["command.failed"], False)
    webhooks.change_webhook(session(), person, ident, url="https://example.net/", events=[])
    assert (made.url, made.events, made.active) == ("https://example.net/", [], False)
    with pytest.raises(Conflict, match="switched off"):
        webhooks.send_test(session(), person, ident)


def test_nobody_else_sees_or_touches_it_not_even_an_admin(person: User) -> None:
    ident = create(person)
    for other in (make_person("bob"), make_person("root", is_admin=True)):
        begin_writing()
        assert webhooks.list_webhooks(session(), other) == []
        with pytest.raises(NotFound):
            webhooks.get_webhook(session(), other, ident)
        with pytest.raises(NotFound):
            webhooks.delete_webhook(session(), other, ident)
        with pytest.raises(NotFound):
            webhooks.notices_of(session(), other, ident)


def test_deleted_webhook_takes_its_messages_with_it(person: User) -> None:
    ident = create(person)
    webhooks.send_test(session(), person, ident)
    webhooks.delete_webhook(session(), person, ident)
    assert webhooks.list_webhooks(session(), person) == []


def test_only_a_message_that_was_given_up_is_sent_again(person: User) -> None:
    ident = create(person)
    notice = webhooks.send_test(session(), person, ident)
    with pytest.raises(Conflict, match="waits to be sent"):
        webhooks.send_again(session(), person, ident, notice.id)
    notice.next_at, notice.attempts, notice.error = None, 8, "gone"
    again = webhooks.send_again(session(), person, ident, notice.id)
    assert (again.attempts, again.error) == (0, "")
    assert again.next_at is not None


def test_too_many_are_refused(person: User) -> None:
    for _ in range(20):
        create(person)
    with pytest.raises(Conflict, match="delete one first"):
        create(person)
