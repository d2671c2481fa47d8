"""People at a console whose parts are killed: they launch, change and remove, and try again as people do."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.conftest import wait_until

from .house import House

ANSWER_WITHIN = 180.0  # seconds until a request must have been taken, whatever is killed
FINAL_WITHIN = 300.0  # seconds until a command must have ended; the judge measures from the fault's end
_TRIES = 6  # of one thing that fails, each after the last fault is over
_LOOK_EVERY = 0.4  # seconds: many people look at once
_AWAY = (500, 502, 503, 504)  # the console says that a part of it is away


@dataclass
class Asked:
    """One thing that a person wants of a deployment, and the commands that it took."""

    phase: str
    params: Mapping[str, Any]
    name: str
    deployment: str = ""
    commands: list[str] = field(default_factory=list)  # ids; the last one brought it about


@dataclass
class Journal:
    """What all people asked for, in their order."""

    asked: list[Asked] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # answers that nobody expects

    def commands(self) -> list[str]:
        """All commands that were accepted."""
        return [command for asked in list(self.asked) for command in asked.commands]


@dataclass
class Person:
    """Somebody who uses one deployment after the other until `enough` is set."""

    house: House
    number: int
    journal: Journal
    enough: threading.Event
    calm: threading.Event  # set while nothing is broken: a person tries again only then
    chance: random.Random
    params: Callable[[random.Random, str], dict[str, Any]]  # of a phase

    def live(self) -> None:
        """Launch, change and remove, again and again; what was launched last stays."""
        while not self.enough.is_set():
            name = f"d{self.number}-{secrets.token_hex(3)}"
            made = self._bring_about(Asked("install", self._params("install"), name))
            for _ in range(self.chance.randint(0, 2)):
                self._bring_about(Asked("update", self._params("update"), name, made))
            if self.enough.is_set():
                return
            self._bring_about(Asked("remove", self._params("remove"), name, made))

    def _params(self, phase: str) -> dict[str, Any]:
        return self.params(self.chance, phase)

    def _bring_about(self, asked: Asked) -> str:
        """Ask, wait, and ask again where it failed; the deployment's id."""
        self.journal.asked.append(asked)
        body: dict[str, Any] = {"phase": asked.phase, "params": asked.params}
        aim = {"deployment": asked.deployment} if asked.deployment else {}
        body |= aim or {"plan": self.house.plan, "name": asked.name}
        command = self._ask("commands", body)
        for _ in range(_TRIES):
            asked.commands.append(command["id"])
            asked.deployment = command["deployment"]["id"]
            ended = self._finish(command["id"])
            if ended["state"] == 5:
                return asked.deployment
            self.calm.wait(ANSWER_WITHIN)
            command = self._ask_again(asked, ended)
        raise AssertionError(f"{asked} does not succeed: {ended}\n{self.house.logs()}")

    def _ask_again(self, asked: Asked, failed: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask(f"commands/{failed['id']}/retry", None)
        except Refused:
            # What stands after a failed change is not known: it is installed anew, as it should be.
            phase = "install" if asked.phase == "update" else asked.phase
            body = {"phase": phase, "params": asked.params, "deployment": asked.deployment}
            return self._ask("commands", body)

    def _ask(self, path: str, body: Any) -> dict[str, Any]:
        """POST until there is an answer, always under the same key: so nothing is asked for twice."""
        key = secrets.token_hex(12)
        headers = {"Authorization": f"Bearer {self.house.console.api_key}", "Idempotency-Key": key}

        def answer() -> list[requests.Response]:
            try:
                url = f"{self.house.console.url}/api/v1/{path}"
                given = requests.post(url, json=body, headers=headers, timeout=30)
            except requests.RequestException:
                return []
            return [] if given.status_code in _AWAY else [given]

        (given,) = wait_until(answer, ANSWER_WITHIN, f"{path} is answered")
        if given.status_code != 202:
            text = f"{path} {body}: {given.status_code} {given.text}"
            if not path.endswith("retry"):
                self.journal.refused.append(text)
            raise Refused(text)
        document: dict[str, Any] = given.json()
        return document

    def _finish(self, command_id: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            threading.Event().wait(_LOOK_EVERY)
            try:
                given = self.house.console.call("GET", f"commands/{command_id}")
            except requests.RequestException:
                return None
            found: dict[str, Any] | None = given.json() if given.ok else None
            return found if found and found["state"] in (5, 9) else None

        found: dict[str, Any] = wait_until(ended, FINAL_WITHIN, f"{command_id}: {self.house.logs()}")
        return found


class Refused(Exception):
    """The console answered, and did not accept."""
