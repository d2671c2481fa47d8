"""Bring the settings of nginx, which the swarm has handed to this container, to the nginx of the same node.

/run/labyard/given         what the swarm has handed over: see `FILES` below
/run/labyard/settings      a folder for each version, and `current`, which leads to the one that is to serve
/run/labyard/answers       what nginx says of it, see serve_ingress.py

nginx reads them again without ending a connection. What it cannot read never comes so far, and this program
ends with the cause in its last line. As long as it is well, it stays and does nothing, so that an nginx that
is started later finds the newest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from serve_ingress import version_of_nginx, words_of_nginx

#: Read by the first of them, from the folder in which it lies.
FILES = ("nginx.conf", "ingress.crt", "ingress.key", "proof.conf")
ENDS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Places:
    """Where files lie."""

    given: Path = Path("/run/labyard/given")
    settings: Path = Path("/run/labyard/settings")
    answers: Path = Path("/run/labyard/answers")
    taken: Path = Path("/tmp/taken")  # noqa: S108 - there once nginx serves what is given; in a container

    @property
    def current(self) -> Path:
        """What nginx is to serve."""
        return self.settings / "current"


def main(places: Places) -> None:
    """Bring what is given, and stay until told to end."""
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    version = write(places)
    ensure_readable(places, version)
    former = lead_to(places, version)
    _say(f"version {version} is there; waiting for nginx of this node to take it")
    if (words := wait_for_answer(places, version)) is None:
        return
    if words:
        lead_to(places, former)
        _refuse(f"nginx does not take it: {words}")
    tidy(places, version)
    places.taken.touch()
    _say(f"nginx serves version {version}")
    signal.sigwait(ENDS)


def write(places: Places) -> str:
    """Put what is given into a folder of its own; the version, 16 letters and digits.

    The folder is whole or not there at all. nginx tells the version of what it serves, by `version.conf`.
    """
    contents = {name: (places.given / name).read_bytes() for name in FILES}
    digest = hashlib.sha256(b"".join(hashlib.sha256(contents[name]).digest() for name in FILES))
    version = digest.hexdigest()[:16]
    contents["version.conf"] = f'map "" $labyard_version {{ default "{version}"; }}\n'.encode("ascii")
    folder = places.settings / version
    if not folder.exists():
        unfinished = places.settings / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        for name, content in contents.items():
            (unfinished / name).write_bytes(content)
            (unfinished / name).chmod(0o400)
        unfinished.rename(folder)
    return version


def ensure_readable(places: Places, version: str) -> None:
    """Have an nginx that serves nobody read it; end if it cannot."""
    folder = places.settings / version
    done = subprocess.run(
        ["nginx", "-e", "stderr", "-t", "-q", "-c", str(folder / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        if not _leads_to(places, version):
            shutil.rmtree(folder)
        _refuse(words_of_nginx(done.stderr).replace(f"{folder}/", ""))


def lead_to(places: Places, version: str) -> str:
    """Have `current` lead to a version from now on ("": to none); the version it led to before."""
    former = os.readlink(places.current) if places.current.is_symlink() else ""
    if not version:
        places.current.unlink(missing_ok=True)
    elif version != former:
        link = places.settings / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(version)
        link.rename(places.current)
    return former


def wait_for_answer(places: Places, version: str) -> str | None:
    """Wait until nginx serves a version ("") or has said why not; None when told to end before that.

    An nginx of another version is about to be replaced: it may not know what its successor will.
    """
    nginx = version_of_nginx()
    while True:
        answer = read_answer(places)
        if answer.get("serves") == version:
            return ""
        if answer.get("refused") == version and answer["nginx"] == nginx:
            return answer["words"]
        if signal.sigtimedwait(ENDS, _SECONDS_BETWEEN_LOOKS) is not None:
            return None


def read_answer(places: Places) -> dict[str, str]:
    """What nginx has said last; nothing yet: {}."""
    file = places.answers / "answer.json"
    answer: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return answer


def tidy(places: Places, version: str) -> None:
    """Take away all other versions."""
    for folder in places.settings.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder.name != version:
            shutil.rmtree(folder)


def _leads_to(places: Places, version: str) -> bool:
    return places.current.is_symlink() and os.readlink(places.current) == version


def _say(words: str) -> None:
    print(f"bring-settings: {words}", file=sys.stderr, flush=True)


def _refuse(words: str) -> NoReturn:
    sys.exit(f"bring-settings: refused, so what served before goes on: {words}")


if __name__ == "__main__":
    main(Places())
