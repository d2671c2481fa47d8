"""A ring wakes one who waits; lost and doubled rings do no harm."""

from __future__ import annotations

import threading
from pathlib import Path

from labyard.doorbell import Doorbell, RungStorage

LONG = 60.0  # seconds; a test that waits so long has failed


def test_ring_before_the_wait_is_heard(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path / "bell")
    bell.wait(0)  # makes the pipe
    Doorbell(tmp_path / "bell").ring()
    bell.wait(LONG)


def test_ring_that_nobody_can_hear_is_lost_without_an_error(tmp_path: Path) -> None:
    Doorbell(tmp_path / "bell").ring()
    assert not (tmp_path / "bell").exists()


def test_each_ring_wakes_one_of_those_who_wait(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path / "bell")
    bell.wait(0)
    waiting = [threading.Thread(target=bell.wait, args=(LONG,)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    for _ in waiting:
        bell.ring()
    for thread in waiting:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in waiting)


def test_message_of_another_process_is_read_by_one_reader(tmp_path: Path) -> None:
    path = str(tmp_path / "queue.db")
    reader = RungStorage("q", filename=path)
    assert reader.dequeue() is None
    taken: list[bytes | None] = []
    threads = [threading.Thread(target=lambda: taken.append(reader.dequeue())) for _ in range(2)]
    for thread in threads:
        thread.start()
    RungStorage("q", filename=path).enqueue(b"message")
    for thread in threads:
        thread.join(LONG)
    assert sorted(map(bool, taken)) == [False, True]
    reader.close()


def test_messages_that_came_before_the_reader_are_read(tmp_path: Path) -> None:
    path = str(tmp_path / "queue.db")
    RungStorage("q", filename=path).enqueue(b"one")
    reader = RungStorage("q", filename=path)
    assert reader.dequeue() == b"one"
    reader.close()
