"""A console over REST, for the command line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from labyard.errors import DomainError, InvalidInput, Unavailable

_TIMEOUT = 30  # seconds for one call
_LOOK_EVERY = 0.5  # seconds between looks at a command


@dataclass(frozen=True)
class Console:
    """Where the console is and the key to it."""

    url: str
    key: str = field(repr=False)

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """The answer's document; raises DomainError with the console's own words."""
        try:
            answer = requests.request(
                method,
                f"{self.url.rstrip('/')}/api/v1/{path}",
                json=body,
                params=query,
                headers={"Authorization": f"Bearer {self.key}"},
                timeout=_TIMEOUT,
            )
        except requests.RequestException as error:
            raise Unavailable(f"The console at {self.url} does not answer. Is it running?") from error
        try:
            document = answer.json()
        except ValueError as error:
            raise Unavailable(
                f"{self.url} answers, but it is no Labyard console ({answer.status_code})."
            ) from error
        if not answer.ok:
            raise DomainError(str(document.get("detail") or answer.reason), document.get("errors"))
        return document

    def wait(self, command_id: str, timeout: float, show: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The command once it has ended; `show` gets it at every look. Raises Unavailable after
        `timeout` seconds; the command goes on."""
        deadline = time.monotonic() + timeout
        while True:
            command: dict[str, Any] = self.call("GET", f"commands/{command_id}")
            show(command)
            if command["state"] not in (0, 1):
                return command
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The command {command_id} has not ended within {timeout:g} s; it goes on in the console."
                )
            time.sleep(_LOOK_EVERY)


def find_console(environ: Mapping[str, str] | None = None) -> Console:
    """The console of LABYARD_URL and LABYARD_API_KEY, or of the credentials file.

    Raises InvalidInput if there is neither. A key is never taken from the command line, where
    every user of the machine could read it.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("LABYARD_HOME") or ".local")
    path = Path(env.get("LABYARD_CREDENTIALS") or home / "admin.json")
    document: dict[str, str] = {}
    if path.exists():
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"The credentials in {path} cannot be read: {error}.") from error
    url = env.get("LABYARD_URL") or document.get("url")
    key = env.get("LABYARD_API_KEY") or document.get("api_key")
    if not url or not key:
        raise InvalidInput(
            f"No console is known: set LABYARD_URL and LABYARD_API_KEY, or make {path} with url and api_key."
        )
    return Console(url, key)
