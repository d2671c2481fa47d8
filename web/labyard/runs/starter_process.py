"""The starter: a process that has imported all that a run needs, and forks off a run for each request.

Started by the worker (starter.py) as `python -m labyard.runs.starter_process DESCRIPTOR`, a connected
socket. A request is JSON, {"folder", "environment"}; the answer is {"pid", "started"} of the run's
process. It ends with its worker, when the socket closes; its runs live on, as all runs do.

It has one thread, so that a fork is whole, and it waits for its own children alone: a run waits for its.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from . import play_process
from .ident import LOG
from .playbook_runner import carry_out
from .start_time import start_time
from .starter import starter_command
from .title import show_as

LONGEST_MESSAGE = 128 * 1024  # bytes


def main() -> None:
    """Serve requests until the worker is gone."""
    show_as(["labyard.runs.starter_process"])
    signal.signal(signal.SIGCHLD, _reap)
    play_process.play_here()
    # What is there now stays for good: not looked through again, and so not copied into each run.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as worker:
        while message := worker.recv(LONGEST_MESSAGE):
            _answer(worker, message)
            if play_process.config_stamp() != play_process.IMPORTED_CONFIG:
                _start_anew(worker)


def _answer(worker: socket.socket, message: bytes) -> None:
    request = json.loads(message)
    # Not reaped before its start time is read: until then its number stays its own.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid == 0:
        worker.close()
        _run(Path(request["folder"]), request["environment"])
    started = start_time(pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    with suppress(BrokenPipeError):  # the worker is gone; the next look at the socket says so
        worker.send(json.dumps({"pid": pid, "started": started}).encode())


def _run(folder: Path, environment: dict[str, str]) -> NoReturn:
    """Be the process of the run in `folder`, with nothing of this one's but its memory."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.setsid()
        os.umask(0o077)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        _redirect(folder / LOG)
        show_as(["labyard.runs.playbook_runner", str(folder)])
        code = carry_out(folder)
    except BaseException:  # the end of a process: whatever it was, it is said, and nothing runs after it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    """Nothing to read; what is printed goes to `log`."""
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(1, 2)


def _reap(_signal: int, _frame: Any) -> None:
    """Collect the exits of runs; who watches them sees their end by itself."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _start_anew(worker: socket.socket) -> NoReturn:
    """Become a new starter, on the same socket: what Ansible read at import has changed."""
    worker.set_inheritable(True)
    os.execv(sys.executable, starter_command(worker.fileno()))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
