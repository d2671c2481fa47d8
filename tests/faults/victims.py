"""What is killed, and how it comes back: kill -9 each time, then what an operator or an init would do."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from tests.conftest import wait_until
from tests.nodes.swarm_nodes import MANAGER, SwarmNodes
from tests.services.executing import execute

from .house import WORKERS, House, is_reachable

#: Seconds that a server is away, drawn anew each time.
_AWAY = (0.0, 6.0)
_SECONDS_TO_START = 60


@dataclass
class Scene:
    """Where a kill happens. `commands`: ids of those that are under way."""

    house: House
    commands: Sequence[str]
    chance: random.Random
    nodes: SwarmNodes | None = None

    def pause(self) -> None:
        """Leave what was killed away for a while."""
        threading.Event().wait(self.chance.uniform(*_AWAY))


class Missed(Exception):
    """What should have been killed was not there any more."""


def kill_web(scene: Scene) -> str:
    """The whole web process or one of its parts."""
    family = scene.house.console.family("web")
    chosen = family if scene.chance.random() < 0.5 else [scene.chance.choice(family)]
    _kill(chosen)
    _revive(scene, "web")
    return f"{len(chosen)} of {len(family)} processes"


def kill_worker(scene: Scene) -> str:
    """One worker, or all of them at once."""
    chosen = WORKERS if scene.chance.random() < 0.3 else (scene.chance.choice(WORKERS),)
    _kill([psutil.Process(scene.house.console.processes[name].pid) for name in chosen])
    _revive(scene, *chosen)
    return " and ".join(chosen)


def kill_starter(scene: Scene) -> str:
    """The processes that the workers fork runs off."""
    console = scene.house.console
    starters = [
        child
        for name in WORKERS
        for child in psutil.Process(console.processes[name].pid).children()
        if "labyard.runs.starter_process" in _words(child)
    ]
    if not starters:
        raise Missed("starter")  # killed before, and not needed since
    _kill(starters)
    return f"{len(starters)} starters"


def kill_run(scene: Scene) -> str:
    """The process around a play."""
    return _kill_one(scene, "labyard.runs.playbook_runner")


def kill_play(scene: Scene) -> str:
    """ansible-playbook, or one of the workers that it forked."""
    return _kill_one(scene, "ansible-playbook")


def kill_postgresql(scene: Scene) -> str:
    """The database's server with all its processes."""
    servers = scene.house.servers
    assert servers is not None
    servers.postgresql.kill()
    scene.pause()
    servers.postgresql.start()
    return "server"


def kill_redis(scene: Scene) -> str:
    """The queue's server; what it had not written to its file is lost."""
    servers = scene.house.servers
    assert servers is not None
    servers.redis.kill()
    scene.pause()
    servers.redis.start()
    return "server"


def kill_dockerd(scene: Scene) -> str:
    """The engine of the campaign's own swarm, with containerd and all containers, as a power cut does."""
    nodes = scene.nodes
    assert nodes is not None
    execute(nodes.container(MANAGER), ["sh", "-c", "kill -9 $(pidof dockerd)"])
    wait_until(lambda: nodes.container(MANAGER).status == "exited", _SECONDS_TO_START, "the node is down")
    scene.pause()
    nodes.restart(MANAGER)
    nodes.wait_for_states({MANAGER: "ready"})
    return "node"


KINDS: dict[str, Callable[[Scene], str]] = {
    "web": kill_web,
    "worker": kill_worker,
    "starter": kill_starter,
    "run": kill_run,
    "ansible-playbook": kill_play,
    "postgresql": kill_postgresql,
    "redis": kill_redis,
    "dockerd": kill_dockerd,
}


def _kill_one(scene: Scene, word: str) -> str:
    """Kill one of the processes of the commands' runs whose title has `word` in it."""
    found = [p for c in scene.commands for p in scene.house.run_processes(c) if word in _words(p)]
    if not found:
        raise Missed(word)
    chosen = scene.chance.choice(found)
    _kill([chosen])
    return f"process {chosen.pid}"


def _revive(scene: Scene, *names: str) -> None:
    console = scene.house.console
    scene.pause()
    console.ensure(*names)
    wait_until(lambda: is_reachable(console), _SECONDS_TO_START, f"the console is up: {scene.house.logs()}")


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
