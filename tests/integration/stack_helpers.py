"""Stacks of the tests: a tiny image that no registry knows, documents, and calls of the module."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
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


def run_play(folder: Path, task: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one swarm_stack task with ansible-playbook."""
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [{"labyard.platform.swarm_stack": {**DEFAULTS, **task}}],
        }
    ]
    path = folder / "play.yml"
    path.write_text(json.dumps(play))
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
