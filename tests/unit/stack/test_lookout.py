"""When to look again."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack import lookout as module
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import EventStream
from ansible_collections.labyard.platform.plugins.module_utils._stack.lookout import Lookout
from ansible_collections.labyard.platform.plugins.module_utils._stack.wait import poll


class Script:
    """Events that come or do not come, as told beforehand; remembers how long each wait was to be."""

    def __init__(self, *comes: bool) -> None:
        self.comes = list(comes)
        self.waits: list[float] = []
        self.closed = False

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.comes.pop(0)

    def close(self) -> None:
        self.closed = True


def test_pause_without_an_event_then_longer_and_longer_up_to_a_limit(monkeypatch: Any) -> None:
    events = Script(*[False] * 9)
    lookout = Lookout(lambda: events)
    for _ in range(9):
        lookout.pause(60)
    assert events.waits[0] == module.SOON
    assert events.waits == sorted(events.waits)
    assert events.waits[-1] == module.WITH_EVENTS


def test_pause_after_an_event_then_short_again(monkeypatch: Any) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    events = Script(False, False, True, False)
    lookout = Lookout(lambda: events)
    for _ in range(4):
        lookout.pause(60)
    assert events.waits[3] == module.SOON < events.waits[2]
    assert slept == [module.SOON]


def test_pause_without_a_stream_then_sleeps_and_never_longer_than_told(monkeypatch: Any) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    lookout = Lookout(lambda: None)
    for longest in (60, 60, 60, 60, 60, 60, 0.01, -1):
        lookout.pause(longest)
    assert slept[0] == module.SOON
    assert slept[5] == module.WITHOUT_EVENTS
    assert slept[6:] == [0.01, 0.0]
    lookout.close()


def test_pause_then_subscribes_once_and_close_ends_it() -> None:
    events = Script(False, False)
    made: list[Script] = []
    lookout = Lookout(lambda: made.append(events) or events)
    lookout.close()
    assert made == []
    lookout.pause(0)
    lookout.pause(0)
    lookout.close()
    assert (len(made), events.closed) == (1, True)


def test_poll_then_true_at_once_or_false_in_time() -> None:
    begun = time.monotonic()
    assert poll(lambda: True, 60)
    assert not poll(lambda: False, 0.02)
    assert time.monotonic() - begun < 5


def stream_of(ours: socket.socket) -> EventStream:
    """An event stream that reads from a socket, as of an answer of the SDK."""
    raw = SimpleNamespace(_fp=SimpleNamespace(fp=SimpleNamespace(raw=ours)))
    return EventStream(SimpleNamespace(raw=raw, close=ours.close))


def test_event_stream_then_true_when_something_comes_and_false_at_its_end() -> None:
    ours, theirs = socket.socketpair()
    stream = stream_of(ours)
    assert not stream.wait(0.01)
    theirs.send(b"{}")
    assert stream.wait(5)
    theirs.close()
    assert not stream.wait(5)
    assert not stream.wait(0.01)
    stream.close()
    assert ours.fileno() == -1
