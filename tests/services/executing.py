"""Commands in containers of this machine's engine, with all that they print."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from docker.models.containers import Container


class Executed(NamedTuple):
    """How a command ended, and what it wrote to either stream."""

    exit_code: int
    output: bytes


def execute(container: Container, command: Sequence[str]) -> Executed:
    """Run a command in a container and wait for its end.

    docker's `exec_run` reads the bare socket, and so loses what came in one piece with the answer's head
    (docker/docker-py#2042): on a busy machine, output is empty now and then. Here the answer is read to its
    end as any other is.
    """
    api = container.client.api
    number = api.exec_create(container.id, list(command))["Id"]
    place = f"{api.base_url}/v{api.api_version}/exec/{number}/start"
    answer = api.post(place, json={"Detach": False, "Tty": False}, timeout=None)
    answer.raise_for_status()
    return Executed(api.exec_inspect(number)["ExitCode"], b"".join(_pieces(answer.content)))


def _pieces(content: bytes) -> Iterator[bytes]:
    """What was written, without the head of eight bytes before each piece: stream and length."""
    place = 0
    while place < len(content):
        _, length = struct.unpack_from(">BxxxL", content, place)
        yield content[place + 8 : place + 8 + length]
        place += 8 + length
