"""From the stream of a run's events to the steps of its command. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Step:
    """One step: its name, how far it is, and when."""

    name: str
    state: str = WAITING
    started: datetime | None = None
    ended: datetime | None = None
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took, once it has ended."""
        if self.started is None or self.ended is None:
            return None
        return max(0.0, (self.ended - self.started).total_seconds())


def follow_steps(steps: Sequence[Step], events: Iterable[Mapping[str, Any]]) -> list[Step]:
    """`steps` after `events` (ansible-runner's job events, in order).

    A task whose name is that of a step begins it and ends the one before; tasks of other names
    belong to the step that runs. A rescued failure stays with its step only if the run fails.
    """
    followed = list(steps)
    for event in events:
        at = event_time(event)
        if event.get("event") == "playbook_on_task_start":
            name = task_name(event)
            position = next(
                (i for i, s in enumerate(followed) if s.name == name and s.state == WAITING), None
            )
            if position is not None:
                _enter(followed, position, at)
    return followed


def finish_steps(steps: Sequence[Step], succeeded: bool, at: datetime, error: str = "") -> list[Step]:
    """`steps` at the end of their run: all done, or the one that ran has failed with `error`."""
    if succeeded:
        return [_end(s, at) for s in steps]
    position = next((i for i, s in enumerate(steps) if s.state == RUNNING), None)
    if position is None:
        position = next((i for i, s in enumerate(steps) if s.state == WAITING), len(steps) - 1)
    return [
        replace(s, state=FAILED, ended=at, error=error) if i == position else s for i, s in enumerate(steps)
    ]


def event_time(event: Mapping[str, Any]) -> datetime:
    """When the event was made (ansible-runner writes ISO 8601 with a zone)."""
    return datetime.fromisoformat(str(event["created"]))


def task_name(event: Mapping[str, Any]) -> str:
    """The name of the event's task without the role's name in front."""
    name = str((event.get("event_data") or {}).get("task") or "")
    head, colon, tail = name.partition(" : ")
    return tail if colon and head else name


def _enter(steps: list[Step], position: int, at: datetime) -> None:
    for i in range(position):
        if steps[i].state == RUNNING:
            steps[i] = _end(steps[i], at)
        elif steps[i].state == WAITING:
            # Passed over: the phase did not need it.
            steps[i] = replace(steps[i], state=DONE, started=at, ended=at)
    steps[position] = replace(steps[position], state=RUNNING, started=at)


def _end(step: Step, at: datetime) -> Step:
    if step.state == DONE:
        return step
    return replace(step, state=DONE, started=step.started or at, ended=at)
