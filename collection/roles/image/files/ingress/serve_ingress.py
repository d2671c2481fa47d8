"""Run nginx, and have it read its settings again when others are brought, without ending a connection.

    serve_ingress.py DRAIN OLD

DRAIN: seconds for which connections may go on when this program is told to end; then they are cut.
OLD: processes with former settings that may stay for their connections' sake; of more, the oldest are ended.

/run/labyard/settings      `current` leads to what is to serve, see bring_settings.py
/run/labyard/answers       answer.json: what serves, what was refused, and why

New processes of nginx take the new settings and all new connections. The former ones stay until what they
have open has ended, or until `worker_shutdown_timeout`.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD}
_ENDS = SIGNALS - {signal.SIGCHLD}
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_TAKE = 20


@dataclass(frozen=True)
class Places:
    """Where things lie."""

    settings: Path = Path("/run/labyard/settings")
    answers: Path = Path("/run/labyard/answers")
    errors: Path = Path("/tmp/errors.log")  # noqa: S108 - what nginx could not do; in a container
    health: str = "127.0.0.1:8081"  # where nginx tells its version

    @property
    def configuration(self) -> Path:
        """What nginx reads, and reads again; all else is named in it, relative to its folder."""
        return self.settings / "current" / "nginx.conf"

    @property
    def wanted(self) -> str:
        """The version that is to serve; none yet: ""."""
        current = self.settings / "current"
        return os.readlink(current) if current.is_symlink() else ""


@dataclass
class Answer:
    """What is said of versions."""

    serves: str = ""
    refused: str = ""
    words: str = ""  # why it was refused
    nginx: str = ""  # whose answer it is

    def write(self, places: Places) -> None:
        """Say it, all at once."""
        unfinished = places.answers / "unfinished"
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.rename(places.answers / "answer.json")


@dataclass(frozen=True)
class Worker:
    """A process of nginx that has connections."""

    pid: int
    started: int  # ticks since the machine was started
    is_ending: bool  # takes no new connections


def main(places: Places) -> int:
    """Run nginx until it ends or is told to; its exit code."""
    drain, old = float(sys.argv[1]), int(sys.argv[2])
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    Answer(nginx=version_of_nginx()).write(places)
    if not wait_for_settings(places):
        return 0
    while True:
        found = places.wanted
        nginx = start(places)
        try:
            code = serve(nginx, places, found, drain, old)
        finally:
            nginx.kill()
        if code is not None:
            return code


def wait_for_settings(places: Places) -> bool:
    """Wait until there are some; False when told to end before that."""
    while not places.configuration.exists():
        if signal.sigtimedwait(_ENDS, _SECONDS_BETWEEN_LOOKS) is not None:
            return False
    return True


def start(places: Places) -> subprocess.Popen[bytes]:
    """nginx, which gets all signals that are kept from this program."""
    return subprocess.Popen(
        ["nginx", "-e", "stderr", "-c", str(places.configuration)],
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, ()),
    )


def serve(nginx: subprocess.Popen[bytes], places: Places, found: str, drain: float, old: int) -> int | None:
    """Follow the settings until nginx ends or this program is told to; the exit code.

    :param found: the version that was to serve just before nginx was started
    :returns: None if nginx could not start because it read files of two versions: others came meanwhile
    """
    answer = Answer(nginx=version_of_nginx())
    words = begin(nginx, places)
    if places.wanted == found:
        answer = Answer("" if words else found, found if words else "", words, answer.nginx)
        answer.write(places)
    elif nginx.poll() is not None:
        return None
    while (code := nginx.poll()) is None:
        if (wanted := places.wanted) and wanted not in (answer.serves, answer.refused):
            words = take(nginx, places, wanted)
            serves, refused = (answer.serves, wanted) if words else (wanted, "")
            answer = Answer(serves, refused, words, answer.nginx)
            answer.write(places)
            end_oldest(nginx.pid, old)
        elif wanted == answer.serves and answer.refused:
            answer = Answer(answer.serves, nginx=answer.nginx)  # what was refused may be tried again
        got = signal.sigtimedwait(SIGNALS, _SECONDS_BETWEEN_LOOKS)
        if got is not None and got.si_signo in _ENDS:
            return end(nginx, drain)
    return code


def begin(nginx: subprocess.Popen[bytes], places: Places) -> str:
    """Wait until an nginx that was just started answers; why it does not, or ""."""
    return _wait(nginx, places, _size_of_errors(places), lambda: served(places) != "")


def take(nginx: subprocess.Popen[bytes], places: Places, version: str) -> str:
    """Have nginx read its settings again and wait until new connections meet them alone; why not, or ""."""
    former, known = _taking(nginx.pid), _size_of_errors(places)
    nginx.send_signal(signal.SIGHUP)
    return _wait(nginx, places, known, lambda: not _taking(nginx.pid) & former and served(places) == version)


def _wait(nginx: subprocess.Popen[bytes], places: Places, known: int, is_so: Callable[[], bool]) -> str:
    """Wait until something is so; why that does not come, or "". `known`: bytes of errors from before."""
    end = time.monotonic() + _SECONDS_TO_TAKE
    while time.monotonic() < end and nginx.poll() is None:
        if is_so():
            return ""
        if places.errors.exists() and (words := places.errors.read_text(encoding="utf-8")[known:].strip()):
            return words_of_nginx(words)
        time.sleep(0.05)
    if nginx.poll() is not None:
        return "it has ended by itself; its log says why"
    return f"it does not serve them after {_SECONDS_TO_TAKE} s"


def _taking(nginx: int) -> set[int]:
    """The processes of an nginx that take new connections."""
    return {worker.pid for worker in workers(nginx) if not worker.is_ending}


def _size_of_errors(places: Places) -> int:
    return places.errors.stat().st_size if places.errors.exists() else 0


def version_of_nginx() -> str:
    """As it says itself: nginx/1.22.1."""
    done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
    return done.stderr.rpartition(" ")[2].strip()


def served(places: Places) -> str:
    """The version that nginx says it serves; "" if it says nothing."""
    connection = http.client.HTTPConnection(places.health, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().getheader("X-Labyard-Version", "")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def workers(nginx: int) -> list[Worker]:
    """The processes of an nginx, the oldest first."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, in brackets: the second is the parent, the 20th the time of the start.
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            title = (folder / "cmdline").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == nginx and title.startswith("nginx: worker"):
            found.append(Worker(int(folder.name), int(fields[19]), "shutting down" in title))
    return sorted(found, key=lambda worker: (worker.started, worker.pid))


def words_of_nginx(text: str) -> str:
    """What nginx has written to its log of errors, in one line and without when and who."""
    lines = [
        re.sub(r"^(nginx: |[0-9/]+ [0-9:]+ )?\[\w+\] ([0-9#]+: )?", "", line) for line in text.splitlines()
    ]
    return " / ".join(line for line in lines if not line.endswith("test failed"))


def end_oldest(nginx: int, most: int) -> None:
    """End processes with former settings, and what they have open, until there are `most` at most."""
    ending = [worker for worker in workers(nginx) if worker.is_ending]
    for worker in ending[: max(len(ending) - most, 0)]:
        os.kill(worker.pid, signal.SIGTERM)


def end(nginx: subprocess.Popen[bytes], drain: float) -> int:
    """Take no new connections; cut those that are open after `drain` seconds."""
    nginx.send_signal(signal.SIGQUIT)
    try:
        return nginx.wait(drain)
    except subprocess.TimeoutExpired:
        nginx.send_signal(signal.SIGTERM)
        return nginx.wait()


if __name__ == "__main__":
    sys.exit(main(Places()))
