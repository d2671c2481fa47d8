"""A campaign: people use a console while its parts are killed one after the other, and a judge looks."""

from __future__ import annotations

import math
import random
import threading
import time
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
_PHASE_WITHIN = 600.0  # seconds within which somebody is in the phase that a kill is planned for
_MISSES = 20
_LOOK_EVERY = 0.4  # seconds


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
    over: datetime  # when what was killed was there again
    longest: float = 0.0  # seconds from then until the last of the commands had ended
    by_itself: bool = True  # all of them were completed without a person
    findings: Findings = field(default_factory=Findings)

    def __str__(self) -> str:
        how = "by itself" if self.by_itself else "asked again"
        text = f"{self.database} {self.planned.kind} in {self.planned.phase} ({self.about})"
        found = self.findings.all() or "nothing found"
        return f"{text}: {len(self.affected)} commands, {self.longest:.1f} s, {how}, {found}"


@dataclass
class Campaign:
    """The people of one house, and the kills."""

    house: House
    seed: int
    people: int
    params: Callable[[random.Random, str], dict[str, Any]]
    nodes: SwarmNodes | None = None
    moment: float = 2.0  # seconds: the longest time from the begin of a phase to the kill
    overlap: int = 1  # kills whose commands may still be under way, the newest included
    journal: Journal = field(default_factory=Journal)
    calm: threading.Event = field(default_factory=threading.Event)
    settled: list[Kill] = field(default_factory=list)  # those whose commands have ended
    _lives: list[Future[None]] = field(default_factory=list)
    _open: list[Kill] = field(default_factory=list)

    def carry_out(
        self,
        plan: Sequence[Planned],
        look: Look | None = None,
        rounds: int = 1,
        seconds: float = math.inf,
    ) -> tuple[list[Kill], Findings]:
        """Kill as planned, each round in another random order; what came of each, and what the end showed.

        Nothing more is killed after `seconds`.
        """
        end = time.monotonic() + seconds
        chance = random.Random(self.seed)  # noqa: S311 - chance that can be repeated, no secret
        order = [planned for _ in range(rounds) for planned in chance.sample(plan, len(plan))]
        with self._people():
            for planned in order:
                if time.monotonic() > end:
                    break
                self._settle(self.overlap - 1)
                self._open.append(self._kill(planned, chance))
            self._settle(0)
        return self.settled, judge_all(self.house, self.journal, look)

    def _settle(self, open_: int) -> None:
        """Wait until the commands of all kills but `open_` have ended, and judge what came of those."""
        while len(self._open) > open_:
            kill = wait_until(self._next_settled, FINAL_WITHIN, f"all have ended of {self._open}")
            self._open.remove(kill)
            kill.longest = self._longest(kill)
            kill.by_itself = all(state == 5 for state in self._states(kill.affected))
            kill.findings = judge_commands(self.house, kill.affected)
            self.settled.append(kill)
            print(f"{len(self.settled)}. {kill}", flush=True)

    def _next_settled(self) -> Kill | None:
        self._look_at_people()
        threading.Event().wait(_LOOK_EVERY)
        unfinished = set(self.house.unfinished())
        return next((kill for kill in self._open if not unfinished & set(kill.affected)), None)

    @contextmanager
    def _people(self) -> Iterator[None]:
        enough = threading.Event()
        self.calm.set()
        with ThreadPoolExecutor(self.people) as pool:
            for number in range(self.people):
                chance = random.Random(self.seed * 1000 + number)  # noqa: S311 - chance that can be repeated, no secret
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
        return Kill(planned, self.house.database, about, affected, datetime.now(UTC))

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

    def _longest(self, kill: Kill) -> float:
        rows = dict(self.house.console.query("SELECT id, finished_at FROM commands"))
        times = [_moment(rows[command]) for command in kill.affected if rows.get(command)]
        return max([0.0, *((time - kill.over).total_seconds() for time in times)])


def _moment(value: Any) -> datetime:
    """A time from a query: SQLite gives a text in UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def resource_params(chance: random.Random, phase: str) -> dict[str, Any]:
    """Parameters of a phase of role.py."""
    seconds = {"seconds": round(chance.uniform(0.0, 2.5), 2)}
    return seconds if phase == "remove" else {**seconds, "size": chance.randint(1, 10**6)}
