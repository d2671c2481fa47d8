"""A campaign: people use a console while its parts are killed one after the other, and a judge looks."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.conftest import wait_until
from tests.nodes.swarm_nodes import SwarmNodes

from .house import House
from .judge import Findings, Look, judge_all, judge_commands
from .people import Journal, Person
from .victims import KINDS, Missed, Scene

#: Seconds within which every command must have ended once a fault is over.
FINAL_WITHIN = 180.0
_PHASE_WITHIN = 120.0  # seconds within which somebody is in the phase that a kill is planned for
_MISSES = 20


@dataclass(frozen=True)
class Planned:
    """A kill to come: what, and in which phase of some deployment."""

    kind: str
    phase: str


@dataclass
class Kill:
    """A kill and what came of it."""

    planned: Planned
    database: str
    about: str
    affected: list[str]  # commands that were under way
    longest: float  # seconds from the end of the fault until the last of them had ended
    by_itself: bool = True  # all of them were completed without a person
    findings: Findings = field(default_factory=Findings)

    def __str__(self) -> str:
        how = "by itself" if self.by_itself else "asked again"
        text = f"{self.database} {self.planned.kind} in {self.planned.phase} ({self.about})"
        return f"{text}: {len(self.affected)} commands, {self.longest:.1f} s, {how} {self.findings.all() or ''}"


@dataclass
class Campaign:
    """The people of one house, and the kills."""

    house: House
    seed: int
    people: int
    params: Callable[[random.Random, str], dict[str, Any]]
    nodes: SwarmNodes | None = None
    moment: float = 2.0  # seconds: the longest time from the begin of a phase to the kill
    journal: Journal = field(default_factory=Journal)
    calm: threading.Event = field(default_factory=threading.Event)
    _lives: list[Future[None]] = field(default_factory=list)

    def carry_out(self, plan: Sequence[Planned], look: Look | None = None) -> tuple[list[Kill], Findings]:
        """Kill as planned, in a random order; what came of each, and what was found at the end."""
        chance = random.Random(self.seed)  # noqa: S311
        order = list(plan)
        chance.shuffle(order)
        kills: list[Kill] = []
        with self._people():
            for planned in order:
                kills.append(self._kill(planned, chance))
                print(f"{len(kills)}/{len(order)} {kills[-1]}", flush=True)
        return kills, judge_all(self.house, self.journal, look)

    @contextmanager
    def _people(self) -> Iterator[None]:
        enough = threading.Event()
        self.calm.set()
        with ThreadPoolExecutor(self.people) as pool:
            for number in range(self.people):
                chance = random.Random(self.seed * 1000 + number)  # noqa: S311
                person = Person(self.house, number, self.journal, enough, self.calm, chance, self.params)
                self._lives.append(pool.submit(person.live))
            try:
                yield
            finally:
                self.calm.set()
                enough.set()
            self._look_at_people(wait=True)

    def _look_at_people(self, wait: bool = False) -> None:
        """Raises what ended a person's life before its time."""
        for life in self._lives:
            if wait or life.done():
                life.result()

    def _kill(self, planned: Planned, chance: random.Random) -> Kill:
        for _ in range(_MISSES):
            try:
                return self._try_to_kill(planned, chance)
            except Missed:
                continue
            finally:
                self.calm.set()
        raise AssertionError(f"{planned} found nothing to kill: {self.house.logs()}")

    def _try_to_kill(self, planned: Planned, chance: random.Random) -> Kill:
        wait_until(lambda: self._somebody_in(planned.phase), _PHASE_WITHIN, f"somebody is in {planned.phase}")
        threading.Event().wait(chance.uniform(0, self.moment))
        aimed_at = self._in_phase(planned.phase)
        affected = list(self.house.unfinished())
        if not aimed_at:
            raise Missed(planned.phase)
        self.calm.clear()
        about = KINDS[planned.kind](Scene(self.house, aimed_at, chance, self.nodes))
        over = datetime.now(UTC)
        self.calm.set()
        wait_until(lambda: not set(affected) & set(self.house.unfinished()), FINAL_WITHIN, self._late(affected))
        kill = Kill(planned, self.house.database, about, affected, self._longest(affected, over))
        kill.by_itself = all(state == 5 for state in self._states(affected))
        kill.findings = judge_commands(self.house, self.journal, affected)
        return kill

    def _somebody_in(self, phase: str) -> list[str]:
        self._look_at_people()
        return self._in_phase(phase)

    def _in_phase(self, phase: str) -> list[str]:
        """Commands of the phase that run."""
        rows = self.house.console.query("SELECT id FROM commands WHERE state = 1 AND phase = :p", p=phase)
        return [command for (command,) in rows]

    def _states(self, commands: Sequence[str]) -> list[int]:
        rows = dict(self.house.console.query("SELECT id, state FROM commands"))
        return [rows.get(command, -1) for command in commands]

    def _longest(self, commands: Sequence[str], over: datetime) -> float:
        rows = dict(self.house.console.query("SELECT id, finished_at FROM commands"))
        times = [_moment(rows[command]) for command in commands if rows.get(command)]
        return max([0.0, *((time - over).total_seconds() for time in times)])

    def _late(self, affected: Sequence[str]) -> str:
        return f"of {affected} all have ended: {self.house.logs()}"


def _moment(value: Any) -> datetime:
    """A time from a query: SQLite gives a text in UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def resource_params(chance: random.Random, phase: str) -> dict[str, Any]:
    """Parameters of a phase of role.py."""
    seconds = {"seconds": round(chance.uniform(0.0, 2.5), 2)}
    return seconds if phase == "remove" else {**seconds, "size": chance.randint(1, 10**6)}
