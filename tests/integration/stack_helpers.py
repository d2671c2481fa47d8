"""Stacks of the tests: a tiny image that no registry knows, documents, and calls of the module."""

from __future__ import annotations

import io
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import pytest
import requests
from docker.errors import ImageNotFound

from ansible_collections.labyard.platform.plugins.module_utils._stack.outcome import Outcome
from ansible_collections.labyard.platform.plugins.modules.swarm_stack import argument_spec, run

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY, TAG = "labyard-test/busybox", "1"
IMAGE = f"{REPOSITORY}:{TAG}"
APPLETS = ("sh", "sleep", "cat", "echo", "true", "false", "env", "httpd", "kill", "ls")
PREFIX = "h1test"
DEFAULTS: dict[str, Any] = {"endpoint_mode_default": "dnsrr", "wait_timeout": 60.0, "pending_grace": 2.0}


def ensure_image(engine: docker.DockerClient) -> str:
    """The test image, made of Debian's busybox-static where it is not there yet."""
    try:
        engine.images.get(IMAGE)
    except ImageNotFound:
        engine.api.import_image_from_data(_busybox_archive(), repository=REPOSITORY, tag=TAG)
    return IMAGE


def _busybox_archive() -> bytes:
    busybox = shutil.which("busybox")
    if busybox is None:
        subprocess.run(
            ["apt-get", "install", "--yes", "--no-install-recommends", "busybox-static"],
            check=True,
            capture_output=True,
        )
        busybox = shutil.which("busybox") or "/bin/busybox"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for folder in ("tmp", "etc", "run"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
    return archive.getvalue()


def service(**keys: Any) -> dict[str, Any]:
    """A service that sleeps and stops at once; keywords are added."""
    return {
        "image": IMAGE,
        "command": ["sleep", "100000"],
        "init": True,
        "stop_grace_period": "1s",
        **keys,
        "deploy": {"restart_policy": {"delay": "0s"}, **keys.get("deploy", {})},
    }


def stack_module(name: str, *documents: Any, check_mode: bool = False, **options: Any) -> Outcome:
    """Call the module within this process, with its defaults; raises StackError."""
    defaults = {key: option.get("default") for key, option in argument_spec().items()}
    given = {**defaults, **DEFAULTS, "name": name, "compose": list(documents), **options}
    return run(given, check_mode)


@contextmanager
def stack_names() -> Iterator[Callable[[], str]]:
    """Gives names for stacks; what is left of those stacks is removed at the end, all at once."""
    names: list[str] = []

    def make() -> str:
        names.append(f"{PREFIX}-{secrets.token_hex(4)}")
        return names[-1]

    try:
        yield make
    finally:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: stack_module(name, state="absent", remove_volumes=True), names))


@contextmanager
def recorded_calls() -> Iterator[list[tuple[str, str]]]:
    """Method and path (without the version) of every HTTP call of this process meanwhile."""
    sent: list[tuple[str, str]] = []
    send = requests.Session.send

    def record(session: requests.Session, request: requests.PreparedRequest, **parts: Any) -> Any:
        sent.append((str(request.method), re.sub(r"^/v[0-9.]+", "", urlsplit(request.url or "").path)))
        return send(session, request, **parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", record)
        yield sent


def run_play(folder: Path, task: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one swarm_stack task with ansible-playbook."""
    return run_tasks(folder, [{"labyard.platform.swarm_stack": {**DEFAULTS, **task}}], *arguments)


def run_tasks(
    folder: Path, tasks: list[dict[str, Any]], *arguments: str, **keywords: Any
) -> subprocess.CompletedProcess[str]:
    """Run tasks with ansible-playbook on this machine; keywords are added to the play."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": tasks,
        **keywords,
    }
    path = folder / "play.yml"
    path.write_text(json.dumps([play]))
    program = Path(sys.executable).parent / "ansible-playbook"
    return subprocess.run(
        [str(program), "-i", "localhost,", "-v", *arguments, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def port_held(port: int) -> Iterator[None]:
    """Hold a TCP port on all addresses, as some program might."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("0.0.0.0", port))  # noqa: S104 - docker publishes on all addresses too
        holder.listen()
        yield


def docker_command(*arguments: str) -> str:
    """What the docker command line prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
