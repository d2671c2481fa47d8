"""git, as far as a configuration is fetched: a program that gets nothing of ours and runs nothing of theirs.

No configuration of the host or the person counts, no hook, filter, submodule or credential helper
runs, only https is spoken, no redirect is followed, and time and size end with a plain error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MIB = 1024 * 1024

_OPTIONS = {
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "10",
    "credential.helper": "",
    "core.hooksPath": os.devnull,
    "core.bigFileThreshold": "1m",  # larger files are never unpacked in memory
    "core.fsmonitor": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_PROXIES = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
_TOO_LARGE = "signal 25"  # SIGXFSZ: a file grew over the limit


class GitError(Exception):
    """git could not do it; the text says why."""


@dataclass(frozen=True)
class Limits:
    """How much a fetch may take."""

    seconds: float = 20.0  # in all; less than a worker's lease on a command
    pack: int = 64 * MIB  # bytes that travel
    tree: int = 16 * MIB  # bytes of the role's files
    files: int = 2000


@dataclass(frozen=True)
class Entry:
    """A file of a commit."""

    mode: str  # 100644, 100755, 120000 (link), 160000 (submodule)
    blob: str
    size: int  # bytes
    path: PurePosixPath  # below the folder that was asked for


@dataclass
class Git:
    """git in the bare repository `folder`, until the time is over."""

    folder: Path
    limits: Limits = Limits()
    ca_bundle: Path | None = None
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.seconds

    def create(self) -> None:
        """Make the empty repository."""
        self.run("init", "--quiet", "--bare", "--template=", str(self.folder))

    def find_ref(self, url: str, ref: str) -> tuple[str, str] | None:
        """The full name of the tag or branch `ref` at `url` and its commit; None if there is neither."""
        names = [f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}"]
        told = self.run("ls-remote", "--quiet", "--", url, *names).decode("utf-8", "replace")
        found = {name: commit for commit, _, name in (line.partition("\t") for line in told.splitlines())}
        for name in names:
            if name in found:
                return name.removesuffix("^{}"), found[name]
        return None

    def fetch(self, url: str, what: str) -> str:
        """Fetch the ref or commit `what` of `url` without its history; the commit's full number."""
        self.run(
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--force"),
            *("--", url, f"{what}:refs/fetched"),
        )
        return self.run("rev-parse", "--verify", "refs/fetched^{commit}").decode("ascii").strip()

    def entries(self, commit: str, path: str) -> list[Entry]:
        """The files below the folder `path` ("" for all) of `commit`; raises GitError if it is none."""
        told = self.run("ls-tree", "-r", "-z", "--long", f"{commit}:{path}")
        return [_entry(line) for line in told.decode("utf-8", "surrogateescape").split("\0") if line]

    def contents(self, blobs: Sequence[str]) -> list[bytes]:
        """What the files with these numbers hold, in order."""
        told = self.run("cat-file", "--batch", text="".join(f"{blob}\n" for blob in blobs).encode())
        found, at = [], 0
        for _ in blobs:
            end = told.index(b"\n", at)
            size = int(told[at:end].split()[-1])
            found.append(told[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        return found

    def run(self, *arguments: str, text: bytes = b"") -> bytes:
        """What git prints; raises GitError with its last words, or with the limit that it met."""
        left = self.deadline - time.monotonic()
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        output = self.folder.parent / "output"
        # The limit holds for every file that git or a child of it writes, and for what it prints.
        limited = ["prlimit", f"--fsize={self.limits.pack}", "--core=0", "--"]
        try:
            with output.open("w+b") as printed:
                child = subprocess.Popen(
                    [*limited, "git", *options, *arguments],
                    cwd=self.folder if self.folder.is_dir() else self.folder.parent,
                    env=self._environment(),
                    stdin=subprocess.PIPE,
                    stdout=printed,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                said = _finish(child, text, left)
                if child.returncode != 0:
                    raise GitError(self._explain(child.returncode, said))
                printed.seek(0)
                return printed.read()
        except FileNotFoundError as error:
            raise GitError(f"{error.filename} is not installed where the worker runs") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"it took longer than {self.limits.seconds:g} s") from error

    def _environment(self) -> dict[str, str]:
        given = {name: os.environ[name] for name in _PROXIES if name in os.environ}
        if self.ca_bundle:
            given["GIT_SSL_CAINFO"] = str(self.ca_bundle)
        return {
            **given,
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.devnull,
            "LC_ALL": "C",
            "GIT_DIR": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_ALLOW_PROTOCOL": "https",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }

    def _explain(self, code: int, said: str) -> str:
        if code == -signal.SIGXFSZ or _TOO_LARGE in said or "File too large" in said:
            return f"it is larger than {self.limits.pack // MIB} MiB"
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
        last = (fatal or lines or ["git ended without a word"])[-1]
        return last.removeprefix("fatal:").removeprefix("error:").strip()[:300]


def _finish(child: subprocess.Popen[bytes], text: bytes, seconds: float) -> str:
    """Wait until git has ended; it is killed with its children when the time is over."""
    try:
        _, said = child.communicate(text, timeout=max(seconds, 0.01))
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    return said.decode("utf-8", "replace")


def _entry(line: str) -> Entry:
    about, _, path = line.partition("\t")
    mode, _, blob, size = about.split()
    return Entry(mode, blob, int(size) if size.isdecimal() else 0, PurePosixPath(path))
