"""Answers of an engine, and of no engine, in words."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.client import _log_lines
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import Engine, connect_engine
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import (
    ApiTooOld,
    Conflict,
    EngineError,
    EngineUnreachable,
    NotAManager,
    NotFound,
    OutOfSequence,
)


class Answer:
    """An HTTP answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status_code, self.text = status, message

    def json(self) -> Any:
        return {"message": self.text}


class Api:
    """An APIClient that always gives one answer."""

    _version = "1.41"
    timeout = 5

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.sent: dict[str, Any] = {}

    def _url(self, path: str, *, versioned_api: bool) -> str:
        return path

    def request(self, method: str, url: str, **parts: Any) -> Answer:
        self.sent = {"method": method, "url": url, **parts}
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (
            503,
            'This node is not a swarm manager. Use "docker swarm init"',
            NotAManager,
            "is not a swarm manager; run",
        ),
        (
            400,
            "client version 1.50 is too new. Maximum supported API version is 1.41",
            ApiTooOld,
            "api_version",
        ),
        (500, "rpc error: code = Unknown desc = update out of sequence", OutOfSequence, "out of sequence"),
        (404, "service x not found", NotFound, "service x not found"),
        (409, "name conflicts with an existing object", Conflict, "conflicts"),
        (500, "anything", EngineError, "anything"),
    ],
)
def test_request_when_refused_then_kind_and_words(status: int, message: str, kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        Engine(Api(Answer(status, message))).get("/x")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ConnectionError("FileNotFoundError(2, 'No such file or directory')"),
            "its socket is not there; start it",
        ),
        (ConnectionError("PermissionError(13, 'Permission denied')"), "refuses this user; use become"),
        (ConnectionError("[Errno 111] Connection refused"), "nothing listens there"),
        (TimeoutError("Read timed out."), "did not answer in time"),
        (OSError("certificate verify failed"), "cannot be trusted"),
        (
            OSError(
                "Max retries (SSLError(1, '[SSL] certificate verify failed: self-signed (_ssl.c:1002)'))"
            ),
            "cannot be trusted (self-signed); check ca_path",
        ),
        (OSError("Install paramiko package to enable ssh:// support"), "pip install paramiko"),
        (OSError("odd"), "cannot be reached (odd)"),
    ],
)
def test_request_when_nobody_answers_then_what_to_do(error: Exception, words: str) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        Engine(Api(error), "unix:///x").get("/x")
    assert words in str(caught.value)
    assert "unix:///x" in str(caught.value)


def test_request_sends_filters_as_json_and_counts_calls() -> None:
    api = Api(Answer(200, ""))
    engine = Engine(api)
    engine.get("/tasks", {"filters": {"label": ["a=b"]}})
    assert json.loads(api.sent["params"]["filters"]) == {"label": ["a=b"]}
    assert engine.calls == {"GET": 1}


def test_require_api_when_older_then_what_needs_it() -> None:
    engine = Engine(Api(Answer(200, "")))
    engine.require_api("1.41", "This")
    engine.require_api("1.9", "This")
    with pytest.raises(ApiTooOld, match=r"A job needs Docker Engine API 1\.44"):
        engine.require_api("1.44", "A job")


def test_connect_engine_when_there_is_none_then_error_names_the_address(tmp_path: Any) -> None:
    with pytest.raises(EngineUnreachable, match="is not running"):
        connect_engine({"docker_host": f"unix://{tmp_path}/none.sock"})


def test_connect_engine_takes_the_address_from_the_environment(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/from-env.sock")
    with pytest.raises(EngineUnreachable, match=r"from-env\.sock"):
        connect_engine({"docker_host": None})


def test_log_lines_with_and_without_frames_then_the_same() -> None:
    frames = b"".join(
        bytes([stream, 0, 0, 0]) + struct.pack(">I", len(text)) + text
        for stream, text in ((1, b"one\n"), (2, b"two\n\n"))
    )
    assert _log_lines(frames) == ["one", "two"]
    assert _log_lines(b"one\ntwo\n") == ["one", "two"]
