"""Bare machines: what a playbook that installs everything starts from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import SCRIPTS
from tests.nodes.machines import Machines, remove_machines


@pytest.fixture
def machines(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Machines]:
    """Two machines without an engine."""
    made = Machines(engine, tmp_path, ["bare1", "bare2"], group="bare")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_bare_machines_then_ansible_works_on_them(machines: Machines, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps(machines.inventory()))
    command = "python3 --version && hostname && ! command -v dockerd"
    done = subprocess.run(
        [str(SCRIPTS / "ansible"), "-i", str(inventory), "all", "-m", "shell", "-a", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bare1\n" in done.stdout
    assert "bare2\n" in done.stdout


def test_machines_of_a_dead_process_then_removed_and_those_of_others_left(
    machines: Machines, engine: docker.DockerClient, tmp_path: Path
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    orphans = Machines(engine, tmp_path, ["bare3"], group="bare", owner=ended.pid)
    orphans.start()
    remove_machines(engine, "bare")
    filters = {"label": "labyard.test.machines=bare"}
    left = {found.attrs["Config"]["Hostname"] for found in engine.containers.list(all=True, filters=filters)}
    assert left == {"bare1", "bare2"}
    assert {volume.name for volume in engine.volumes.list(filters=filters)} == {
        machines.container(name).name for name in machines.names
    }
