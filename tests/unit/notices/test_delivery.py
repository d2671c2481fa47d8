"""From the end of a command to a message that arrived, was tried again, or was given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from labyard.addresses import read_networks
from labyard.clock import utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, Notice, State, User, Webhook, db
from labyard.models.base import begin_writing
from labyard.notices.delivery import (
    Answer,
    Transports,
    claim_due,
    deliver_due,
    record_answer,
)
from labyard.notices.mail import Mailer
from labyard.notices.outbox import write_notices
from labyard.notices.posting import Poster
from labyard.notices.schedule import TRIES, next_try
from labyard.notices.webhooks import create_webhook, forget_notices, send_test
from tests.unit.conftest import make_person

from .mailbox import mailbox
from .receiver import Receiver, receiving


@pytest.fixture
def person(app: APIFlask) -> User:
    return make_person()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def transports(mailer: Mailer | None = None) -> Transports:
    return Transports(
        Poster(read_networks(["127.0.0.1"]), deadline=5),
        mailer or Mailer("", ""),
        context().sealer,
    )


def deliver(now: datetime | None = None, by: Transports | None = None) -> int:
    return deliver_due(session(), begin_writing, by or transports(), lambda: now or utc_now())


def hook(person: User, url: str, **about: Any) -> tuple[Webhook, str]:
    begin_writing()
    made = create_webhook(session(), person, url, context().sealer, **about)
    session().commit()
    return made


def ended(person: User, state: State = State.COMPLETED, name: str = "demo", **changes: Any) -> Command:
    """A command of `person` that has just ended, with its notices."""
    begin_writing()
    command = submit_command(
        session(), person, CommandRequest("install", plan="notebook", name=name), context().sealer
    )
    command.state = State.PENDING
    command.state, command.message, command.finished_at = state, "It runs.", utc_now()
    for column, value in changes.items():
        setattr(command, column, value)
    write_notices(session(), command)
    session().commit()
    return command


def notices() -> list[Notice]:
    db.session.expire_all()
    return list(session().scalars(select(Notice).order_by(Notice.created_at, Notice.id)))


def test_end_of_a_command_arrives_signed_and_only_once(person: User, receiver: Receiver) -> None:
    _, secret = hook(person, receiver.url())
    command = ended(person)
    assert deliver() == 1
    assert deliver() == 0
    ((_, headers, body),) = receiver.got
    told = Verifier(secret).verify(body, headers)
    (notice,) = notices()
    assert (notice.attempts, notice.status, notice.error, notice.next_at) == (1, 204, "", None)
    assert notice.sent_at is not None
    assert headers["webhook-id"] == notice.id
    assert (told["type"], told["data"]["command"]["id"]) == ("command.completed", command.id)
    assert told["data"]["deployment"]["name"] == "demo"


def test_notices_go_with_the_transaction_of_the_outcome(person: User) -> None:
    hook(person, "https://example.org/")
    begin_writing()
    command = submit_command(
        session(), person, CommandRequest("install", plan="notebook", name="x"), context().sealer
    )
    assert write_notices(session(), command) == []  # it has not ended
    command.state = State.FAILED
    assert [n.event for n in write_notices(session(), command)] == ["command.failed"]
    session().rollback()
    assert notices() == []


def test_webhook_hears_only_what_it_asked_for_and_only_of_its_owner(person: User) -> None:
    hook(person, "https://example.org/failures", events=["command.failed"])
    other = make_person("bob")
    hook(other, "https://example.org/bob")
    ended(person)
    assert notices() == []
    ended(person, State.FAILED, "two")
    assert [n.webhook.url for n in notices()] == ["https://example.org/failures"]


def test_owner_hears_of_what_an_admin_did(person: User) -> None:
    hook(person, "https://example.org/owner")
    admin = make_person("root", is_admin=True)
    hook(admin, "https://example.org/admin")
    command = ended(person)
    begin_writing()
    check = submit_command(
        session(), admin, CommandRequest("check", deployment=command.deployment_id), context().sealer
    )
    check.state = State.PENDING
    check.state = State.COMPLETED
    written = write_notices(session(), check)
    assert {n.user_id for n in written} == {person.id, admin.id}


def test_refused_message_is_sent_again_under_the_same_id(person: User, receiver: Receiver) -> None:
    hook(person, receiver.url())
    ended(person)
    receiver.statuses = [500]
    assert deliver() == 1
    (notice,) = notices()
    assert (notice.attempts, notice.status, notice.sent_at) == (1, 500, None)
    assert "answered with 500" in notice.error
    assert notice.next_at is not None
    assert deliver(notice.next_at - timedelta(seconds=1)) == 0
    assert deliver(notice.next_at) == 1
    (notice,) = notices()
    assert (notice.attempts, notice.status, notice.error) == (2, 204, "")
    first, second = receiver.got
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert json.loads(first[2]) == json.loads(second[2])


def test_message_that_nobody_takes_is_given_up_after_a_day(person: User, receiver: Receiver) -> None:
    hook(person, receiver.url())
    ended(person)
    receiver.statuses = [500] * TRIES
    now = start = utc_now()
    for _ in range(TRIES):
        assert deliver(now) == 1
        last, now = now, notices()[0].next_at or now
    (notice,) = notices()
    assert (notice.attempts, notice.next_at, notice.sent_at, notice.status) == (TRIES, None, None, 500)
    assert timedelta(hours=18) < last - start < timedelta(hours=28)
    assert deliver(now + timedelta(days=2)) == 0


def test_pauses_grow_and_differ() -> None:
    now = utc_now()
    pauses = [(next_try(n, now) or now) - now for n in range(1, TRIES)]
    assert sorted(pauses) == pauses
    assert next_try(TRIES, now) is None
    assert len({next_try(1, now) for _ in range(20)}) > 1


def test_receiver_that_is_gone_is_switched_off(person: User, receiver: Receiver) -> None:
    made, _ = hook(person, receiver.url())
    ended(person)
    ended(person, name="two")
    receiver.statuses = [410, 410]
    deliver()
    session().refresh(made)
    assert not made.active
    assert [n.next_at for n in notices()] == [None, None]
    ended(person, name="three")
    assert len(notices()) == 2


def test_message_of_a_webhook_switched_off_meanwhile_is_not_sent(person: User, receiver: Receiver) -> None:
    made, _ = hook(person, receiver.url())
    ended(person)
    made.active = False
    session().commit()
    assert deliver() == 0
    assert (notices()[0].error, receiver.got) == ("The webhook is switched off.", [])


def test_secret_sealed_with_another_key_is_said_and_others_go_on(person: User, receiver: Receiver) -> None:
    lost, _ = hook(person, receiver.url(path="/lost"))
    hook(person, receiver.url(path="/good"))
    lost.sealed_secret = "sealed with another key"
    ended(person)
    assert deliver() == 1
    assert [path for path, _, _ in receiver.got] == ["/good"]
    errors = [n.error for n in notices() if n.webhook_id == lost.id]
    assert "made again" in errors[0]


def test_two_workers_never_send_one_message_at_a_time(
    app: APIFlask, person: User, receiver: Receiver
) -> None:
    hook(person, receiver.url())
    for number in range(20):
        ended(person, name=f"demo-{number}")
    receiver.gate.clear()

    def worker() -> None:
        with app.app_context():
            deliver()

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    receiver.gate.set()
    for thread in threads:
        thread.join(60)
    assert len(receiver.got) == 20
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 20
    assert {n.attempts for n in notices()} == {1}


def test_message_of_a_worker_that_died_is_sent_by_another(person: User, receiver: Receiver) -> None:
    hook(person, receiver.url())
    ended(person)
    begin_writing()
    (lost,) = claim_due(session(), context().sealer, utc_now())
    session().commit()
    assert deliver() == 0
    assert deliver(utc_now() + timedelta(minutes=5)) == 1
    begin_writing()
    record_answer(session(), lost, Answer(500, "too late"), utc_now())  # the dead one was only slow
    session().commit()
    (notice,) = notices()
    assert (notice.attempts, notice.status, notice.error) == (2, 204, "")


def test_mail_is_sent_to_who_wants_it(person: User) -> None:
    quiet = make_person("bob")
    quiet.email = "bob@example.org"
    person.email, person.mail_on_end = "ada@example.org", True
    session().commit()
    ended(person, State.FAILED)
    ended(quiet, name="two")
    with mailbox() as box:
        by = transports(Mailer(f"smtp://127.0.0.1:{box.port}", "labyard@example.org"))
        assert deliver(by=by) == 1
    assert [(m["To"], m["Subject"]) for m in box.got] == [("ada@example.org", "demo: install has failed")]
    assert notices()[0].sent_at is not None


def test_message_that_trips_over_a_fault_of_ours_holds_up_no_other(
    person: User, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    bad, _ = hook(person, receiver.url(path="/bad"))
    hook(person, receiver.url(path="/good"))
    bad.sealed_secret = context().sealer.seal({"secret": "whsec_"})  # no key to sign with
    ended(person)
    assert deliver() == 2
    assert [path for path, _, _ in receiver.got] == ["/good"]
    (error,) = [n.error for n in notices() if n.webhook_id == bad.id]
    assert "made a mistake" in error
    assert "unexpected error" in caplog.text


def test_mail_without_a_server_waits_with_the_reason(person: User) -> None:
    person.email, person.mail_on_end = "ada@example.org", True
    session().commit()
    ended(person)
    deliver()
    (notice,) = notices()
    assert "LABYARD_SMTP_URL" in notice.error
    assert notice.next_at is not None


def test_test_message_arrives(person: User, receiver: Receiver) -> None:
    made, secret = hook(person, receiver.url())
    begin_writing()
    send_test(session(), person, made.id)
    session().commit()
    deliver()
    ((_, headers, body),) = receiver.got
    assert Verifier(secret).verify(body, headers)["type"] == "webhook.test"


def test_old_messages_are_forgotten_and_waiting_ones_kept(person: User, receiver: Receiver) -> None:
    hook(person, receiver.url())
    ended(person)
    deliver()
    ended(person, name="two")
    begin_writing()
    forget_notices(session(), utc_now() + timedelta(seconds=1))
    session().commit()
    assert [n.sent_at for n in notices()] == [None]


def test_secret_stands_nowhere_in_the_database(app: APIFlask, person: User, receiver: Receiver) -> None:
    _, secret = hook(person, receiver.url())
    ended(person)
    deliver()
    rows = [str(row) for table in db.metadata.sorted_tables for row in session().execute(select(table)).all()]
    assert not [row for row in rows if secret.removeprefix("whsec_") in row]
