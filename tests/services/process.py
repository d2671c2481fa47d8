"""A server that the tests run as a process of their own, in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.conftest import free_port, wait_until

_NAME = "labyard-test"
_SECONDS_TO_START = 30
_SECONDS_TO_STOP = 20


class ServerProcess(ABC):
    """One server: made with its folder, started, stopped, killed, started again on the same data.

    :param kind: a word for the folder's name
    :param user: whose process it is when the tests run as root; such servers refuse to be root's
    :param addresses: addresses of this machine on which it listens
    """

    def __init__(self, kind: str, user: str, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        remove_leftovers(kind)
        self.user = user if os.geteuid() == 0 else ""
        self.addresses = tuple(addresses)
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}-{kind}-{os.getpid()}-"))
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What is run, in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server can be used now."""

    def start(self) -> None:
        """Start the server, on the data it had before, and wait until it answers."""
        assert self.process is None, "it runs already"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **self.as_user()
            )
        (self.folder / "pid").write_text(str(self.process.pid), encoding="ascii")
        wait_until(self._is_up, _SECONDS_TO_START, f"{self.command()[0]} answers; its log: {self.log()}")

    def stop(self) -> None:
        """End the server as an operator does, data safe."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server, all its processes at once, as a crash does."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """End the server and take away its folder."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """The last words of the server."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def as_user(self) -> dict[str, Any]:
        """Arguments for subprocess: the user of the server and its folder."""
        who = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        return {**who, "cwd": self.folder, "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}}

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.command()[0]} ended by itself: {self.log()}"
        return self.answers()

    def _end(self, how: signal.Signals) -> None:
        assert self.process is not None, "it does not run"
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(how)
        if how == signal.SIGKILL:
            _kill(family)
        self.process.wait(timeout=_SECONDS_TO_STOP)
        self.process = None
        (self.folder / "pid").unlink()


Server = TypeVar("Server", bound=ServerProcess)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, started; it goes at the end, started or not."""
    try:
        server.start()
        yield server
    finally:
        server.remove()


def remove_leftovers(kind: str) -> None:
    """Take away servers of test runs that were killed: their folder tells whose they were."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_NAME}-{kind}-*"):
        owner = folder.name.removeprefix(f"{_NAME}-{kind}-").partition("-")[0]
        if owner.isdigit() and psutil.pid_exists(int(owner)):
            continue
        _kill([p for p in psutil.process_iter() if _works_in(p, folder)])
        shutil.rmtree(folder, ignore_errors=True)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except psutil.Error:
        return False


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=_SECONDS_TO_STOP)
