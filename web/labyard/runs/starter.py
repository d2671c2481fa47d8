"""The worker's side of the starter (starter_process.py): ask it for a run, replace it when it is gone."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from pathlib import Path

from .ident import CALLBACKS
from .title import ROOM

log = logging.getLogger(__name__)

_PATIENCE = 20.0  # seconds for an answer, the start of the starter included
_LONGEST_ANSWER = 1024  # bytes

# What ansible-runner adds to the environment of each play. Ansible takes it in when it is imported, so the
# starter has it from the beginning.
PLAY_SETTINGS = {
    "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
    "ANSIBLE_STDOUT_CALLBACK": "awx_display",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
}


def starter_command(descriptor: int) -> list[str]:
    """The program and arguments of a starter at the socket `descriptor`."""
    return [sys.executable, "-P", "-m", "labyard.runs.starter_process", str(descriptor), ROOM]


class StarterGone(Exception):
    """The starter did not answer; whether it started the run is not known."""


class Starter:
    """One starter process, whose plays have the settings of `environment`; it ends with this one.

    Any thread may ask; a starter that is gone is replaced at the next request.
    """

    def __init__(self, environment: dict[str, str]):
        self._environment = environment
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self.warm_up()

    @property
    def pid(self) -> int | None:
        """The number of the starter's process, if there is one."""
        return self._process.pid if self._process else None

    def warm_up(self) -> None:
        """Begin to start the process; a request that comes before it is ready waits for it."""
        with self._lock:
            self._ensure_process()

    def start(self, folder: Path, environment: dict[str, str]) -> tuple[int, float]:
        """Start the run in `folder`; number and start time (seconds since 1970) of its process.

        Raises StarterGone.
        """
        request = json.dumps({"folder": str(folder), "environment": environment}).encode()
        with self._lock:
            try:
                channel = self._ensure_process()
                channel.send(request)
                answer = channel.recv(_LONGEST_ANSWER)
                if answer:
                    document = json.loads(answer)
                    return document["pid"], document["started"]
            except OSError as error:
                self._drop()
                raise StarterGone(str(error)) from error
            self._drop()
            raise StarterGone("it has ended")

    def close(self) -> None:
        """End the process; its runs go on."""
        with self._lock:
            self._drop()

    def _ensure_process(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._drop()
        if self._socket is not None:
            return self._socket
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                starter_command(theirs.fileno()),
                env={**self._environment, **PLAY_SETTINGS},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                start_new_session=True,
            )
        self._socket = ours
        return ours

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
