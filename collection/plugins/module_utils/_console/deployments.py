# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deployments: look, ask for the next phase, wait, look again, until it is as a play wants it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from .client import ConsoleClient
from .errors import Changed, CommandFailed, Conflict, ConsoleError, NotFound, NotPossible, TimedOut
from .steps import (
    FAILED,
    INITIATED,
    PENDING,
    REMOVED,
    Schemas,
    Step,
    Wanted,
    body_of,
    derive_key,
    describe,
    describe_wanted,
    next_step,
)

_PHASES = ("install", "update", "scale")
_FIRST_LOOK, _LAST_LOOK = 0.2, 2.0  # seconds between looks at a command: they grow


class Situation:
    """A deployment of `owner` (None: of the key's owner), looked at again whenever that is needed."""

    def __init__(self, client: ConsoleClient, name: str, project: str | None, owner: str | None = None):
        self._client, self._name = client, name
        person = client.get("user")
        self.for_other = owner is not None and owner != person["username"]
        if self.for_other:
            person = client.get(f"users/{owner}")
        self.owner: str = person["username"]
        self.project: str = project or next(iter(person["projects"]), "")
        self.live: dict[str, Any] | None = None
        self.former = ""  # the id of the one that had the name before, if it was removed
        self.look()

    def look(self) -> None:
        """Read the deployment anew."""
        query = {"name": self._name, "owner": self.owner, "project": self.project or None}
        found = self._client.get("deployments", {**query, "removed": True, "sort": "-created_at", "limit": 1})
        newest = next(iter(found["items"]), None)
        gone = newest is None or newest["state"] == REMOVED
        self.live = None if gone else newest
        self.former = newest["id"] if newest is not None and gone else ""


class Conductor:
    """Brings one deployment to what is wanted.

    :param timeout: seconds for everything, waiting for commands of others included
    """

    def __init__(
        self,
        client: ConsoleClient,
        wanted: Wanted,
        *,
        wait: bool = True,
        timeout: float = 600,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._client, self._wait = client, wait
        self._clock, self._sleep = clock, sleep
        self._timeout, self._deadline = timeout, clock() + timeout
        self.situation = Situation(client, wanted.name, wanted.project, wanted.owner)
        owner = self.situation.owner if self.situation.for_other else None
        self.wanted = Wanted(**{**vars(wanted), "project": self.situation.project, "owner": owner})
        self.schemas = self._read_schemas()
        self.asked: list[Step] = []
        self.commands: list[dict[str, Any]] = []  # of these steps

    def preview(self) -> dict[str, Any]:
        """The result of check mode: what would be done. Nothing is asked for."""
        live = self.situation.live
        steps, after = describe_wanted(self.wanted, live, self.schemas)
        return {
            "changed": bool(steps),
            "phases": [step.phase for step in steps],
            "commands": [],
            "deployment": live,
            "diff": {"before": describe(live), "after": after},
        }

    def ensure(self) -> dict[str, Any]:
        """Do what is needed; the result of the module. Raises ConsoleError, with `result` on it."""
        self._finish_others()
        before = describe(self.situation.live)
        try:
            while (step := next_step(self.wanted, self.situation.live, self.schemas)) is not None:
                if step in self.asked:
                    raise self._not_reached(step)
                if self._issue(step) and not self._wait:
                    break
                self.situation.look()
        except ConsoleError as error:
            if isinstance(error, (CommandFailed, TimedOut)):
                self.situation.look()
            error.result = self._result(before)
            raise
        return self._result(before)

    def _result(self, before: dict[str, Any]) -> dict[str, Any]:
        if self.asked and not self._wait:
            self.situation.look()
        live = self.situation.live
        return {
            "changed": bool(self.asked),
            "phases": [step.phase for step in self.asked],
            "commands": self.commands,
            "deployment": live,
            "diff": {"before": before, "after": describe(live)},
        }

    def _issue(self, step: Step) -> bool:
        """Ask for `step`; False if it is to be decided anew, because something else came between."""
        live = self.situation.live
        version = live["version"] if live else self.situation.former
        body = body_of(step, self.wanted)
        key = derive_key(self.situation.owner, body, version)
        match = f'"{live["version"]}"' if live else None
        try:
            command = self._client.call("POST", "commands", body, key=key, match=match).document
        except Changed:
            if self._clock() > self._deadline:
                raise
            self.situation.look()
            return False
        except Conflict:
            self.situation.look()
            if not self._finish_others():
                raise
            return False
        self.asked.append(step)
        self.commands.append(command)
        if self._wait:
            self.commands[-1] = command = self._follow(command["id"])
        if command["state"] == FAILED:
            raise CommandFailed(f"{command['phase']} of {self.wanted.name} failed: {command['message']}")
        return True

    def _finish_others(self) -> bool:
        """Wait until no command runs on the deployment any more; False if none does."""
        live, found = self.situation.live, False
        while live is not None:
            running = [
                command
                for state in (PENDING, INITIATED)
                for command in self._client.get("commands", {"deployment": live["id"], "state": state})[
                    "items"
                ]
            ]
            if not running:
                break
            found = True
            self._follow(running[0]["id"])
        if found:
            self.situation.look()
        return found

    def _follow(self, command_id: str) -> dict[str, Any]:
        pause = _FIRST_LOOK
        while True:
            command: dict[str, Any] = self._client.get(f"commands/{command_id}")
            if command["state"] not in (INITIATED, PENDING):
                return command
            if self._clock() + pause > self._deadline:
                raise TimedOut(
                    f"The command {command['phase']} ({command_id}) of {self.wanted.name} has not ended "
                    f"within {self._timeout:g} s. It goes on in the console; run the play again to wait on."
                )
            self._sleep(pause)
            pause = min(pause * 1.5, _LAST_LOOK)

    def _read_schemas(self) -> Schemas:
        """The parameters of the plan's phases; without a plan, or one that is not offered any more, none."""
        live = self.situation.live
        if self.wanted.state == "absent":
            return {}
        name = live["plan"] if live else self.wanted.plan
        if not name:
            return {}
        try:
            phases = [phase["name"] for phase in self._client.get(f"plans/{name}")["phases"]]
        except NotFound:
            if live is None:
                raise
            phases = []
        return {
            phase: self._client.get(f"plans/{name}/schema", {"phase": phase})["properties"]
            for phase in phases
            if phase in _PHASES
        }

    def _not_reached(self, step: Step) -> NotPossible:
        live: Mapping[str, Any] = self.situation.live or {}
        cause = f"its health is {live.get('health')}. {live.get('health_detail') or ''}".rstrip()
        if step.params:
            cause = f"it has not taken {', '.join(sorted(step.params))} as given."
        return NotPossible(
            f"The phase {step.phase} was run, but {self.wanted.name} is not as wanted after it: {cause}"
        )
