"""The queue on each kind of storage: messages arrive, and a storage that is away is no disaster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huey.api import Huey

from labyard.jobs import register_job, sender
from labyard.queueing import QUEUE_ERRORS, check_queue, close_queue, open_queue, prepare_queue
from labyard.settings import Settings, read_settings
from tests.conftest import wait_until
from tests.services.postgres_server import PostgresServer
from tests.services.process import running
from tests.services.redis_server import RedisServer

MakeSettings = Callable[[str], Settings]
Open = Callable[[Settings], Huey]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Settings with a queue at an address."""

    def make(url: str) -> Settings:
        environment = {"LABYARD_HOME": str(tmp_path), "LABYARD_QUEUE_URL": url}
        return read_settings(environment)

    return make


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens queues and closes them after the test."""
    queues: list[Huey] = []

    def open_one(settings: Settings) -> Huey:
        queues.append(open_queue(settings))
        return queues[-1]

    yield open_one
    for queue in queues:
        close_queue(queue)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis server that the test may kill."""
    with running(RedisServer()) as server:
        yield server


@pytest.fixture(params=["file", "redis", "redis over TCP", "postgresql"])
def queue_settings(request: pytest.FixtureRequest, make_settings: MakeSettings) -> Settings:
    """Settings with each kind of queue in turn."""
    if request.param == "file":
        return make_settings("")
    if request.param == "postgresql":
        settings = make_settings(request.getfixturevalue("postgresql_url"))
        prepare_queue(settings)
        return settings
    request.getfixturevalue("redis_url")
    server: RedisServer = request.getfixturevalue("redis_server")
    return make_settings(server.url("127.0.0.1" if "TCP" in request.param else None))


def _note_messages(queue: Huey) -> list[str]:
    """What `queue` was told so far, as it reads."""
    seen: list[str] = []
    register_job(queue, seen.append)
    return seen


def _take(queue: Huey) -> bool:
    task = queue.dequeue()
    if task is not None:
        queue.execute(task)
    return task is not None


def test_message_when_sent_then_is_received_once(queue_settings: Settings, opened: Open) -> None:
    send, queue = sender(opened(queue_settings)), opened(queue_settings)
    seen = _note_messages(queue)
    send("one")
    send("two")
    check_queue(queue_settings)
    assert queue.pending_count() == 2
    assert _take(queue)
    assert _take(queue)
    assert not _take(queue)
    assert seen == ["one", "two"]


def test_reader_when_it_waits_already_then_is_woken_by_the_message(
    queue_settings: Settings, opened: Open
) -> None:
    queue = opened(queue_settings)
    seen = _note_messages(queue)

    def read() -> bool:
        try:
            return bool(wait_until(lambda: _take(queue), 90, "a message"))
        finally:
            close_queue(queue)

    if queue.storage.blocking:
        queue.storage.read_timeout = 60  # so that it can only be the message that ends the wait
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        send = sender(opened(queue_settings))

        def is_read() -> bool:
            send("one")  # again, for the first may have come before the reader began to wait
            return reading.done()

        wait_until(is_read, 30, "the message was read")
        assert reading.result()
    assert seen == ["one"]


def test_tables_of_the_queue_when_prepared_by_many_at_once_then_are_made_once(
    make_settings: MakeSettings, postgresql_url: str, opened: Open
) -> None:
    settings = make_settings(postgresql_url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: prepare_queue(settings), range(8)))
    assert opened(settings).pending_count() == 0


def test_redis_when_it_is_away_then_sender_and_reader_go_on_and_say_so(
    own_redis: RedisServer, make_settings: MakeSettings, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "labyard")
    settings = make_settings(own_redis.url())
    send, queue = sender(opened(settings)), opened(settings)
    seen = _note_messages(queue)
    send("before")
    assert _take(queue)
    own_redis.kill()
    send("lost")
    assert not _take(queue)
    assert not _take(queue)
    with pytest.raises(QUEUE_ERRORS):
        check_queue(settings)
    assert caplog.text.count("no worker was told of command lost") == 1
    assert caplog.text.count("the queue does not answer") == 1
    own_redis.start()
    send("after")
    wait_until(lambda: _take(queue), 60, "a message after the restart")
    assert seen == ["before", "after"]
    assert "the queue answers again" in caplog.text


def test_redis_when_restarted_then_what_it_held_is_still_to_be_read(
    own_redis: RedisServer, make_settings: MakeSettings, opened: Open
) -> None:
    settings = make_settings(own_redis.url())
    send, queue = sender(opened(settings)), opened(settings)
    seen = _note_messages(queue)
    send("before")
    own_redis.stop()
    own_redis.start()
    send("after")
    wait_until(lambda: _take(queue) and len(seen) == 2, 60, "both messages")
    assert seen == ["before", "after"]


def test_postgresql_when_it_drops_all_connections_then_sender_and_reader_go_on(
    postgresql: PostgresServer, postgresql_url: str, make_settings: MakeSettings, opened: Open
) -> None:
    settings = make_settings(postgresql_url)
    prepare_queue(settings)
    send, queue = sender(opened(settings)), opened(settings)
    seen = _note_messages(queue)
    send("before")
    assert _take(queue)
    assert not _take(queue)  # now it listens
    postgresql.end_sessions(postgresql_url.rpartition("/")[2].partition("?")[0])
    send("after")
    wait_until(lambda: _take(queue), 60, "a message on a new connection")
    assert seen == ["before", "after"]
