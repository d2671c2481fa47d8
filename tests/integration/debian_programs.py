"""Programs of Debian that tests start by themselves: installed where they are missing, never left running."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NO_START = Path("/usr/sbin/policy-rc.d")
_LOCK = Path("/run/lock/labyard-test-install")


def ensure_program(name: str, package: str, service: str = "") -> str:
    """The path of a program, from Debian's package where it is missing; its service is not started."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if shutil.which(name, path=path) is None:
        with _one_at_a_time(), _services_not_started():
            subprocess.run(
                # roles under test may be installing something, too
                [
                    "apt-get",
                    "install",
                    "--yes",
                    "--no-install-recommends",
                    "-oDPkg::Lock::Timeout=300",
                    package,
                ],
                check=True,
                capture_output=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        if service:
            subprocess.run(["update-rc.d", service, "disable"], check=True, capture_output=True)
    found = shutil.which(name, path=path)
    assert found, f"{package} has no program {name}"
    return found


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep other processes of the tests from installing at the same time."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _services_not_started() -> Iterator[None]:
    """Have Debian's packages start nothing, in the way that Debian's policy has for it."""
    if _NO_START.exists():
        yield
        return
    _NO_START.write_text("#!/bin/sh\nexit 101\n")
    _NO_START.chmod(0o755)
    try:
        yield
    finally:
        _NO_START.unlink()


@contextmanager
def running(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program while this lasts; what it prints goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def log_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """What a program has printed; fails if it has ended."""
    text = log.read_text(errors="replace")
    if process.poll() is not None:
        pytest.fail(f"it ended with {process.returncode}: {text}")
    return text
