"""What must hold after a fault, read from the database, the marks of the runs and the list of processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from labyard.models import State

from .house import House
from .people import Asked, Journal

#: What stands there of a deployment, as a text; None if nothing does.
Look = Callable[[str], str | None]


@dataclass
class Findings:
    """Faults found, by kind, each in words."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # the database says one thing, the resource another

    def all(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.doubled, *self.left, *self.wrong]


def judge_commands(house: House, commands: Iterable[str]) -> Findings:
    """Look at these commands, which have had their time: ended, run one at a time, nothing left."""
    found = Findings()
    for command_id in commands:
        rows = house.console.query("SELECT state, deployment_id FROM commands WHERE id = :id", id=command_id)
        if not rows:
            found.lost.append(f"command {command_id} is not in the database")
            continue
        ((state, deployment_id),) = rows
        if state not in (State.COMPLETED, State.FAILED):
            found.lost.append(f"command {command_id} has not ended")
        elif left := [" ".join(p.cmdline()) for p in house.run_processes(command_id)]:
            found.left.append(f"command {command_id} has ended, but not: {left}")
        found.doubled.extend(_doubled_runs(house, deployment_id))
    return found


def judge_all(house: House, journal: Journal, look: Look | None = None) -> Findings:
    """Look at all that people asked for, once they have gone."""
    found = judge_commands(house, journal.commands())
    rows = house.console.query("SELECT id, name, state FROM deployments")
    states = {deployment: state for deployment, _, state in rows}
    names = Counter(name for _, name, state in rows if state != State.REMOVED)
    found.doubled += [f"{count} deployments {name}" for name, count in names.items() if count > 1]
    asked_for = {asked.deployment for asked in journal.asked}
    found.doubled += [f"nobody asked for the deployment {d}" for d in states if d not in asked_for]
    accepted = set(journal.commands())
    known = {command for (command,) in house.console.query("SELECT id FROM commands")}
    found.doubled += [f"nobody asked for the command {c}" for c in known - accepted]
    for asked in {asked.deployment: asked for asked in journal.asked}.values():
        found.wrong += _disagreements(asked, states, look or (lambda id_: resource(house.marks, id_)))
    return found


def resource(marks: Path, deployment_id: str) -> str | None:
    """What the role of role.py has made of a deployment."""
    path = marks / f"{deployment_id}.resource"
    return path.read_text(encoding="ascii") if path.exists() else None


def _disagreements(last: Asked, states: dict[str, int], look: Look) -> list[str]:
    """Where database, resource and what was `last` brought about do not agree."""
    if last.deployment not in states:
        return [f"deployment {last.deployment} is not in the database"]
    state, there = states[last.deployment], look(last.deployment)
    wanted = State.REMOVED if last.phase == "remove" else State.COMPLETED
    content = None if last.phase == "remove" else str(last.params.get("size", "there"))
    if state != wanted:
        return [f"deployment {last.deployment} is {State(state).name} after {last.phase}"]
    if there != content:
        return [f"deployment {last.deployment}: {there} stands there after {last.phase}, not {content}"]
    return []


def _doubled_runs(house: House, deployment_id: str) -> list[str]:
    """Runs on one deployment that did not come one after the other; a mark is "RUN PHASE STEP"."""
    path = house.marks / f"{deployment_id}.marks"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    runs = [line.split()[0] for line in lines]
    blocks = [run for number, run in enumerate(runs) if number == 0 or runs[number - 1] != run]
    found = [f"{deployment_id}: {line}" for line in lines if line.endswith(" overlap")]
    if len(blocks) != len(set(blocks)):
        found.append(f"{deployment_id}: two runs at once: {lines}")
    return found
