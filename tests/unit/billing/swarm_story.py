"""A swarm that is made up: when its tasks ran, and what a look at it would show at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.looks import (
    ContainerSeen,
    Look,
    Sample,
    TaskSeen,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.owners import Names

SOURCE = "swarm:test"
ADA = Names(account="user:ada", deployment="abc12345", plan="notebook", project="default", user="ada")


@dataclass(frozen=True)
class Story:
    """When one task ran, in ms."""

    id: str
    created: int
    start: int
    end: int | None = None  # None: it runs on
    forgotten: int | None = None  # from when on the swarm lists it no more
    away: tuple[int, int] = (0, 0)  # when its node did not answer
    cpu: int = 250_000_000  # billionths of a core

    def state_at(self, at: int) -> tuple[str, int]:
        """State and since when."""
        if at < self.start:
            return "starting", self.created
        if self.end is None or at < self.end:
            return "running", self.start
        return "failed", self.end


def look_at(
    stories: Sequence[Story], at: int, *, evidence: bool = False, clock: int = 0, **more: Any
) -> Look:
    """What is seen at `at`; with `evidence` nodes remember starts and ends. `clock`: ms it goes wrong by."""
    tasks, containers = [], {}
    for story in stories:
        if at < story.created or (story.forgotten is not None and at >= story.forgotten):
            continue
        state, since = story.state_at(at)
        up = not story.away[0] <= at < story.away[1]
        tasks.append(TaskSeen(story.id, state, since, story.created, up, ADA, {"cpu": story.cpu}))
    for story in stories:
        if evidence and at >= story.start:
            died = story.end if story.end is not None and at >= story.end else None
            containers[story.id] = ContainerSeen(story.created, story.start, died, ran=True)
    return Look(at=at + clock, source=SOURCE, tasks=tasks, containers=containers, **more)


def sample_at(at: int, cpu: int, memory: int = 0) -> Sample:
    """What a container has used."""
    return Sample(at=at, cpu=cpu, memory=memory, received=0, sent=0)
