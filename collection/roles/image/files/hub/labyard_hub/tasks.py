"""What the tasks of a server's service say about it. Pure.

States: https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Task = Mapping[str, Any]
_ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})
_COMING = {
    "new": (10, "Asking the swarm for a place"),
    "pending": (15, "Waiting for a place"),
    "assigned": (25, "A node has been found"),
    "accepted": (30, "The node has taken it"),
    "preparing": (40, "The node makes it ready"),
    "ready": (60, "The node has all it needs"),
    "starting": (70, "The notebook starts"),
}
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"insufficient resources",
        "No node has enough CPU and memory free. Choose something smaller, or stop another notebook.",
    ),
    (
        r"scheduling constraints not satisfied",
        "No node may run it: those on which it could run, or the one on which your files lie, are away.",
    ),
    (r"no such image|pull access denied|manifest unknown", "The image is not on the node. Tell an admin."),
    (
        r"could not find an available|no available ip|node is missing network attach",
        "The addresses of the network are used up. Tell an admin.",
    ),
    (
        r"bind source path does not exist|error while mounting volume|failed to mount",
        "Your home could not be mounted. Tell an admin.",
    ),
)


@dataclass(frozen=True)
class Look:
    """How a server does."""

    state: Literal["coming", "waiting", "running", "ended", "failed", "gone"]
    progress: int = 0  # percent
    words: str = ""  # one sentence for its owner
    exit_code: int = 0
    node: str = ""  # the id of the node it runs on


def look(tasks: Sequence[Task]) -> Look:
    """How the server does whose tasks these are: by the task that is to run, else by the newest."""
    if not tasks:
        return Look("gone", words="It is gone from the swarm.")
    newest = max(tasks, key=lambda task: (task["DesiredState"] in ("running", "ready"), task["CreatedAt"]))
    state, error = newest["Status"]["State"], str(newest["Status"].get("Err") or "")
    node = str(newest.get("NodeID") or "")
    if state == "running":
        return Look("running", 80, "The notebook runs, and answers soon.", node=node)
    if state in _COMING:
        progress, words = _COMING[state]
        if error:
            return Look("waiting", progress, explain(error), node=node)
        return Look("coming", progress, f"{words}.", node=node)
    code = int((newest["Status"].get("ContainerStatus") or {}).get("ExitCode") or 0)
    if state == "complete":
        return Look("ended", words="It has ended by itself.", node=node)
    return Look(
        "failed", words=explain(error or f"it ended with code {code}"), exit_code=code or 1, node=node
    )


def failures(tasks: Sequence[Task]) -> list[Task]:
    """Those that ended although they should not have, newest last."""
    failed = [task for task in tasks if task["Status"]["State"] in ("failed", "rejected")]
    return sorted(failed, key=lambda task: str(task["CreatedAt"]))


def explain(error: str) -> str:
    """The Engine's words for why a task waits or has failed, as people can use them."""
    for pattern, words in _CAUSES:
        if re.search(pattern, error, re.IGNORECASE):
            return f"{words} (The swarm says: {error}.)"
    return f"It could not be started: {error}."


def still_there(tasks: Sequence[Task]) -> bool:
    """Whether a container of these may still be alive."""
    return any(
        task["Status"]["State"] not in _ENDED and (task.get("NodeID") or task["DesiredState"] == "running")
        for task in tasks
    )
