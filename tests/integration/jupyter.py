"""A person at a notebook, for tests: is the server there, and does a kernel compute?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import requests
import websocket

SECONDS_TO_ANSWER = 60


def server_status(base_url: str, token: str) -> requests.Response:
    """The answer of `<base_url>/api/status` to someone who has `token`."""
    return requests.get(f"{base_url}/api/status", headers=_who(token), timeout=60)


def compute(base_url: str, token: str, code: str, *, cookie: str = "", ca: str | None = None) -> str:
    """Run `code` in a new kernel of the server at `base_url` and return what it printed and its value.

    With a `cookie` in place of a token, as a browser behind the ingress, whose authority is in the file `ca`.
    Raises AssertionError with the kernel's words if the code fails.
    """
    with open_kernel(base_url, token, cookie=cookie, ca=ca) as channel:
        return ask(channel, code)


@contextmanager
def open_kernel(
    base_url: str, token: str, *, cookie: str = "", ca: str | None = None
) -> Iterator[websocket.WebSocket]:
    """A connection to a new kernel, which ends with it; `ask` sends code over it."""
    kernels = f"{base_url}/api/kernels"
    who = {"Cookie": cookie} if cookie else _who(token)
    with requests.Session() as session:
        session.headers.update(who)
        session.trust_env, session.verify = False, ca or True
        answer = session.post(kernels, json={"name": "python3"}, timeout=SECONDS_TO_ANSWER)
        answer.raise_for_status()
        kernel = answer.json()["id"]
        url = f"{kernels}/{kernel}/channels".replace("http", "ws", 1)
        trust = {"ca_certs": ca} if ca else None
        try:
            with closing(
                websocket.create_connection(url, SECONDS_TO_ANSWER, header=who, sslopt=trust)
            ) as channel:
                yield channel
        finally:
            session.delete(f"{kernels}/{kernel}", timeout=60).raise_for_status()


def ask(channel: websocket.WebSocket, code: str) -> str:
    """Run `code` in the kernel at the other end of `channel`, as `compute` does."""
    request = _execute_request(code)
    printed: list[str] = []
    channel.send(json.dumps(request))
    while True:
        message = json.loads(channel.recv())
        if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            printed.append(content["text"])
        elif kind == "execute_result":
            printed.append(content["data"]["text/plain"])
        elif kind == "error":
            raise AssertionError(f"{content['ename']}: {content['evalue']}")
        elif kind == "status" and content["execution_state"] == "idle":
            return "".join(printed)


def _who(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


def _execute_request(code: str) -> dict[str, Any]:
    return {
        "header": {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": uuid.uuid4().hex,
            "username": "",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": False, "allow_stdin": False},
    }
