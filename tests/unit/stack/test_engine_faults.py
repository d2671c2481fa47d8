"""Which exceptions below a call mean that the connection failed, and which are faults of our own."""

from __future__ import annotations

from http.client import IncompleteRead
from typing import Any

import docker
import pytest
import requests
import urllib3
from docker.errors import DockerException

from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import Engine, connect_engine
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import EngineUnreachable


class Api:
    """An APIClient of which every call fails."""

    _version = "1.41"
    timeout = 5

    def __init__(self, error: Exception) -> None:
        self.error = error

    def _url(self, path: str, *, versioned_api: bool) -> str:
        return path

    def request(self, *_arguments: Any, **_parts: Any) -> Any:
        raise self.error


OF_THE_CONNECTION = [
    DockerException("Install paramiko package to enable ssh:// support"),
    requests.ConnectionError("gone"),
    requests.exceptions.ChunkedEncodingError("cut"),
    urllib3.exceptions.ProtocolError("cut"),
    ConnectionResetError("reset"),
    EOFError(),
    IncompleteRead(b""),
]
OF_OURS = [TypeError("ours"), KeyError("ours"), AttributeError("ours"), ValueError("ours")]


@pytest.mark.parametrize("error", OF_THE_CONNECTION, ids=repr)
def test_call_when_the_connection_fails_then_said_in_words(error: Exception) -> None:
    with pytest.raises(EngineUnreachable, match="The Docker engine at"):
        Engine(Api(error)).get("/info")


@pytest.mark.parametrize("error", OF_OURS, ids=repr)
def test_call_when_the_fault_is_our_own_then_it_is_not_taken_for_the_connection(error: Exception) -> None:
    with pytest.raises(type(error), match="ours"):
        Engine(Api(error)).get("/info")


@pytest.mark.parametrize("host", ["tcp://[::1", "tcp://host:port", "gopher://host", "ssh://"])
def test_connect_when_the_host_is_no_address_then_said_in_words(host: str) -> None:
    with pytest.raises(EngineUnreachable, match=r"check docker_host|paramiko"):
        connect_engine({"docker_host": host})


def test_connect_when_the_fault_is_our_own_then_it_is_not_taken_for_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def client(**_options: Any) -> Any:
        raise TypeError("ours")

    monkeypatch.setattr(docker, "APIClient", client)
    with pytest.raises(TypeError, match="ours"):
        connect_engine({"docker_host": "tcp://127.0.0.1:1"})
